package forest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/sim/model"
	"github.com/ledgerd/ledgerd/vsr/faultdisk"
	"github.com/ledgerd/ledgerd/vsr/grid"
)

// coldLedger is a forest on a real grid on a simulated disk, so small that
// hardly anything stays in memory: every request reads, in random order.
type coldLedger struct {
	*Forest
	options Options
	random  *rand.Rand
	disk    *faultdisk.Disk
	grid    *grid.Grid
	jobs    []job
	oracle  *model.Model // says whether a pulse is due
	fault   error        // that the forest told of
	reads   int          // steps of the disk while a Prefetch waited
}

type job struct{ run, done func() }

// coldOptions let trees be flushed and merged after a few requests.
func coldOptions() Options {
	return Options{CacheAccounts: 1, RecentSize: 1}
}

func newColdLedger(seed uint64, options Options) *coldLedger {
	random := rand.New(rand.NewPCG(seed, 5))
	c := &coldLedger{random: random, disk: faultdisk.New(random)}
	c.grid = grid.New(c.disk, grid.Config{BlockSize: 2 * blockio.SectorSize, Fault: func(err error) { panic(err) }})
	options.Fault = func(err error) { c.fault = err }
	c.options = options
	c.Forest = New(c.grid, c, options)
	return c
}

// restart makes a checkpoint and opens it again: nothing is in memory then but
// what Open puts there.
func (c *coldLedger) restart() error {
	var root []byte
	var state grid.State
	done := false
	c.Checkpoint(func(r []byte) {
		root = bytes.Clone(r)
		c.grid.Checkpoint(func(s grid.State) { state, done = s, true })
	})
	c.wait(&done)
	c.jobs, done = nil, false
	c.grid = grid.New(c.disk, grid.Config{BlockSize: 2 * blockio.SectorSize, Fault: func(err error) { panic(err) }})
	c.Forest = New(c.grid, c, c.options)
	var failed error
	c.grid.Open(state, func(err error) {
		if failed, done = err, err != nil; !done {
			c.Forest.Open(root, func(err error) { failed, done = err, true })
		}
	})
	c.wait(&done)
	return failed
}

// wait lets things happen until done.
func (c *coldLedger) wait(done *bool) {
	for !*done {
		if !c.step() {
			panic("nothing left to happen, and something still waits")
		}
	}
}

func (c *coldLedger) Go(run, done func()) { c.jobs = append(c.jobs, job{run, done}) }

// step lets one thing happen, or reports that there is nothing.
func (c *coldLedger) step() bool {
	if n := len(c.jobs); n > 0 && (c.disk.InFlight() == 0 || c.random.IntN(3) == 0) {
		i := c.random.IntN(n)
		j := c.jobs[i]
		c.jobs = slices.Delete(c.jobs, i, i+1)
		j.run()
		j.done()
		return true
	}
	return c.disk.Step()
}

// Prefetch lets things happen until the forest is done, or at its fault.
func (c *coldLedger) Prefetch(operation byte, timestamp uint64, body []byte, done func()) {
	ready := false
	c.Forest.Prefetch(operation, timestamp, body, func() { ready = true })
	for !ready && c.fault == nil {
		if !c.step() {
			panic("nothing left to happen, and Prefetch still waits")
		}
		c.reads++
	}
	if ready {
		done()
	}
}

// Commit executes a request, and lets some things happen after it.
func (c *coldLedger) Commit(operation byte, timestamp uint64, body, reply []byte) []byte {
	reply = c.Forest.Commit(operation, timestamp, body, reply)
	for range c.random.IntN(20) {
		c.step()
	}
	return reply
}

// Pulse does what the oracle does: the forest may ask for a pulse in vain.
func (c *coldLedger) Pulse(now uint64) (slots int, due bool) {
	slots, due = c.Forest.Pulse(now)
	if c.oracle == nil {
		return slots, due
	}
	_, want := c.oracle.Pulse(now)
	if want && !due {
		panic(fmt.Sprintf("no pulse is due at %d", now))
	}
	return slots, want
}

// execute prefetches and commits a request that passes Check.
func (c *coldLedger) execute(operation ledger.Operation, timestamp uint64, body []byte) []byte {
	ready := false
	c.Prefetch(byte(operation), timestamp, body, func() { ready = true })
	if !ready {
		panic(c.fault)
	}
	return c.Commit(byte(operation), timestamp, body, nil)
}

// verify runs Verify to its end.
func (c *coldLedger) verify() error {
	err, done := error(nil), false
	c.Verify(func(e error) { err, done = e, true })
	c.wait(&done)
	return err
}
