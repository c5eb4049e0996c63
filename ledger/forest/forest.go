package forest

import (
	"github.com/ledgerd/ledgerd/ledger"
)

// Forest is the ledger as a replicated service: a ledger.Machine on tables in
// memory that it writes to the grid. Its methods are those that the replica
// expects of a state machine; one goroutine calls them.
type Forest struct {
	grid    Grid
	tables  *tables
	machine *ledger.Machine
	writing int    // blocks handed to the grid and not yet written
	written func() // what Checkpoint does once all are
	root    root   // of the last checkpoint
}

// Workers runs pure computations beside the goroutine that owns the forest. Go
// only enqueues: job may run anywhere, at any time; done is called after it, on
// the owner's goroutine, never from within Go.
type Workers interface {
	Go(job func(), done func())
}

// Options are the sizes of what a forest keeps in memory, and whom it tells that
// it cannot go on. The sizes have no effect on what is written.
type Options struct {
	// CacheAccounts bounds the accounts in memory, in bytes; 0 is a default.
	CacheAccounts int64
	// RecentSize is how much of the newest rows stays in memory, in bytes; 0 is
	// a default.
	RecentSize int
	// Tiny shrinks everything whose size shows on the grid, so that the
	// simulator's small ledgers go through all that large ones do. It must be
	// the same for the life of a data file.
	Tiny bool
	// Fault is told, once, why a Prefetch will never be done: a block cannot
	// be read. The replica must stop.
	Fault func(error)
}

// New returns an empty ledger that keeps its state on grid. Open follows. This
// forest has all of its state in memory: it needs neither workers nor options.
func New(grid Grid, _ Workers, _ Options) *Forest {
	t := newTables(grid.PayloadSize())
	return &Forest{grid: grid, tables: t, machine: ledger.NewMachine(t)}
}

// Check judges a client's request by its shape alone: see ledger.Machine.Check.
func (f *Forest) Check(operation byte, body []byte, bodySizeLimit int) (slots int, known, valid bool) {
	return f.machine.Check(ledger.Operation(operation), body, bodySizeLimit)
}

// Pulse reports whether transfers are due to expire at cluster time now, and
// how many timestamps that takes.
func (f *Forest) Pulse(now uint64) (slots int, due bool) { return f.machine.Pulse(now) }

// Prefetch calls done at once: everything is in memory.
func (f *Forest) Prefetch(_ byte, _ uint64, _ []byte, done func()) { done() }

// Commit executes a request that passed Check and appends the body of its
// reply to reply. timestamp is the request's last slot. Log pages that it
// fills are written to the grid in the background.
func (f *Forest) Commit(operation byte, timestamp uint64, body, reply []byte) []byte {
	reply = f.machine.Execute(ledger.Operation(operation), timestamp, body, reply)
	f.writeFullPages()
	return reply
}
