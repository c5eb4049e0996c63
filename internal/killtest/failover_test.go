package killtest

import (
	"flag"
	"slices"
	"testing"
	"time"
)

var failovers = flag.Int("kill.failovers", 2, "how often TestPrimaryKilled kills a primary")

// How soon clients must be served again, after the death of a primary: where so
// many die that one whose successor dies at once as well, and is waited for twice
// as long, does not decide, and where no other tests want the processors.
const (
	resumeMedian = time.Second
	resumeMax    = 3 * time.Second
	resumeLeast  = 10 // kills
)

// TestPrimaryKilled kills the primary of three replicas under load, again and
// again, and measures how long it takes until the first write that was begun
// after that is acknowledged, and until every client has been answered.
func TestPrimaryKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds for each kill")
	}
	c := newCluster(t, small(3))
	l := newLoad(c, patience)
	var first, last []time.Duration
	for range *failovers {
		time.Sleep(time.Duration(200+c.random.IntN(400)) * time.Millisecond)
		leader := c.awaitLeader()
		l.watch.start(time.Now(), len(l.tellers))
		c.kill(leader)
		c.await("all clients to be answered", patience, func() bool {
			_, all := l.watch.read()
			return all != 0
		})
		one, all := l.watch.read()
		first, last = append(first, one), append(last, all)
		c.start(leader)
		c.awaitAll()
	}
	l.conclude()
	t.Logf("seed %d: %d kills", *seed, *failovers)
	report(t, "first write acknowledged", first)
	report(t, "every client answered", last)
	if m := median(first); *failovers >= resumeLeast && (m > resumeMedian || slices.Max(first) > resumeMax) {
		t.Errorf("want a median of at most %v, and at most %v", resumeMedian, resumeMax)
	}
}

func median(durations []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(durations))[len(durations)/2]
}

func report(t *testing.T, what string, durations []time.Duration) {
	t.Logf("%s: median %v, longest %v", what, median(durations).Round(time.Millisecond),
		slices.Max(durations).Round(time.Millisecond))
}
