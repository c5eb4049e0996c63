package killtest

import (
	"testing"
	"time"
)

// TestStandby has a standby beside three replicas: they go on while it is dead, and
// after a primary's death; it catches up, and in the end its file is like theirs.
func TestStandby(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	config := small(3)
	config.standbys = 1
	c := newCluster(t, config)
	standby := c.members[c.replicas]
	l := newLoad(c, patience)

	c.kill(standby)
	before := c.checkpointOf(standby)
	c.await("a checkpoint without the standby", patience, func() bool { return c.checkpointOf(c.members[0]) > before })
	c.start(standby)
	c.await("the standby to catch up", patience, func() bool { return c.upToDate(standby) })

	leader := c.awaitLeader()
	l.watch.start(time.Now(), len(l.tellers))
	c.kill(leader)
	c.await("all clients to be answered", patience, func() bool {
		_, all := l.watch.read()
		return all != 0
	})
	c.start(leader)
	c.awaitAll()
	l.conclude()
}
