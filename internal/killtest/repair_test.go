package killtest

import (
	"context"
	crand "crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/ledgerd/ledgerd/client"
	"github.com/ledgerd/ledgerd/ledger"
)

var (
	lag     = flag.Int("kill.lag", 0, "how many transfers a replica misses in TestRepair: 400000 are more than a journal holds; 0 skips it")
	lagTime = flag.Duration("kill.lag.time", 2*time.Minute, "how long it may take to catch up")
)

// rottenSectors is how many sectors of a file are overwritten.
const rottenSectors = 100

// TestRepair takes one of three replicas down while the others go on: until its
// journal has nothing in common with theirs any more; until its file has been
// damaged; until it is lost. It must come back by itself, or, without a file, by
// ledgerd recover, while the others serve.
func TestRepair(t *testing.T) {
	if *lag == 0 {
		t.Skip("takes a minute: see -kill.lag")
	}
	c := newCluster(t, large(3))
	l := newLoad(c, patience)
	fill := newFiller(c)

	victim := c.backup()
	c.kill(victim)
	began := time.Now()
	fill.create(*lag)
	t.Logf("%d transfers by two replicas: %.0f a second", *lag, float64(*lag)/time.Since(began).Seconds())
	l.measure("caught up", victim, func() bool { return c.upToDate(victim) })

	victim = c.backup()
	c.kill(victim)
	c.damage(victim.path)
	if file, err := inspect(victim.path); err == nil {
		t.Error("no damage was done")
	} else {
		t.Logf("places damaged: %d", len(file.Damage))
	}
	l.measure("repaired", victim, func() bool { return c.sound(victim) })

	victim = c.backup()
	c.kill(victim)
	if err := os.Remove(victim.path); err != nil {
		t.Fatal(err)
	}
	if code, stderr := run(t, "recover", "--cluster=0", "--addresses="+c.addresses(), "--replica-count=3",
		fmt.Sprintf("--replica=%d", victim.index), victim.path); code != 0 {
		t.Fatalf("recover: exit code %d: %s", code, stderr)
	}
	l.measure("recovered", victim, func() bool { return c.upToDate(victim) })

	l.conclude()
}

// backup returns a replica that is not the primary.
func (c *cluster) backup() *member {
	c.Helper()
	c.awaitAll()
	return c.members[(c.awaitLeader().index+1+c.random.IntN(len(c.members)-1))%len(c.members)]
}

// measure starts a replica, waits for something to be so with it, and tells how
// long that took and what the others did meanwhile. Then it has to do its part:
// the other backup stops, so that nothing is acknowledged without it.
func (l *load) measure(what string, m *member, done func() bool) {
	l.Helper()
	began, before := time.Now(), l.watch.count()
	l.start(m)
	l.await(m.path+" to be "+what, *lagTime, done)
	took := time.Since(began)
	served := float64(l.watch.count()-before) / took.Seconds()

	l.awaitAll()
	leader := l.awaitLeader()
	isOther := func(o *member) bool { return o != m && o != leader }
	other := l.members[slices.IndexFunc(l.members, isOther)]
	l.kill(other)
	l.watch.start(time.Now(), len(l.tellers))
	l.await("a write with its help", patience, func() bool {
		first, _ := l.watch.read()
		return first != 0
	})
	first, _ := l.watch.read()
	l.start(other)
	l.Logf("%s after %v, while tellers were answered %.0f writes a second; then needed, it took %v", what,
		took.Round(10*time.Millisecond), served, first.Round(time.Millisecond))
}

// upToDate reports whether a member has a checkpoint as new as all others.
func (c *cluster) upToDate(m *member) bool {
	own := c.checkpointOf(m)
	return !slices.ContainsFunc(c.members, func(other *member) bool { return c.checkpointOf(other) > own })
}

// checkpointOf returns the op of a member's checkpoint, by its file.
func (c *cluster) checkpointOf(m *member) uint64 {
	file := openDataFile(c.T, m.path)
	defer file.Close()
	root, _ := file.root(c.T)
	return checkpointOp(root)
}

// sound reports whether the file of a replica is, by a copy of it.
func (c *cluster) sound(m *member) bool {
	c.Helper()
	time.Sleep(500 * time.Millisecond)
	path := m.path + ".copy"
	defer os.Remove(path)
	if err := copyFile(path, m.path); err != nil {
		c.Fatal(err)
	}
	_, err := inspect(path)
	return err == nil
}

func copyFile(to, from string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, target.Close())
}

// damage overwrites sectors of a file.
func (c *cluster) damage(path string) {
	c.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		c.Fatal(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		c.Fatal(err)
	}
	garbage := make([]byte, sectorSize)
	for range rottenSectors {
		crand.Read(garbage)
		if _, err := file.WriteAt(garbage, c.random.Int64N(info.Size()/sectorSize)*sectorSize); err != nil {
			c.Fatal(err)
		}
	}
}

// A filler makes many transfers between two accounts.
type filler struct {
	*cluster
	client *client.Client
	count  uint64
}

// fillerBatch is as many transfers as a request of a large cluster takes.
const fillerBatch = 8189

func fillerAccount(n uint64) ledger.Uint128 { return ledger.Uint128{Hi: 2, Lo: 1 + n%2} }

func newFiller(c *cluster) *filler {
	c.Helper()
	f := &filler{cluster: c, client: c.connect()}
	err := allCreated(f.client.CreateAccounts(c.Context(), []ledger.Account{
		{ID: fillerAccount(0), Ledger: 1, Code: 1}, {ID: fillerAccount(1), Ledger: 1, Code: 1},
	}))
	if err != nil {
		c.fail("%v", err)
	}
	return f
}

// create makes so many transfers, from each account to the other in turn.
func (f *filler) create(count int) {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.Context(), 10*time.Minute)
	defer cancel()
	for end := f.count + uint64(count); f.count < end; {
		batch := make([]ledger.Transfer, min(fillerBatch, end-f.count))
		for i := range batch {
			f.count++
			batch[i] = ledger.Transfer{
				ID:             ledger.Uint128{Hi: 5000, Lo: f.count},
				DebitAccountID: fillerAccount(f.count), CreditAccountID: fillerAccount(f.count + 1),
				Amount: ledger.Uint128{Lo: 1}, Ledger: 1, Code: 1,
			}
		}
		results, err := f.client.CreateTransfers(ctx, batch)
		if err != nil {
			f.fail("filler: %v", err)
		}
		for _, result := range results {
			if result.Status != ledger.TransferCreated {
				f.fail("filler: %v", result.Status)
			}
		}
	}
}
