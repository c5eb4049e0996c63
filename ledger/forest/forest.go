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

// New returns an empty ledger that keeps its state on grid. Open follows.
func New(grid Grid) *Forest {
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
