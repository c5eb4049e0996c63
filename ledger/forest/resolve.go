package forest

import (
	"fmt"
	"slices"

	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/lsm"
)

// resolver brings into memory what the execution of a request will ask for:
// accounts into the cache, all else into the stash. It is at work on one
// request at a time. What is in memory already costs no wait: then done is
// called before resolve returns.
type resolver struct {
	tables  *tables
	machine *ledger.Machine
	loader  *loader
	queries *queries
	times   times
	wave    wave
	done    func(error)

	ids       []lsm.Key  // of transfers that the request names
	values    []uint64   // of ids in their tree
	positions []position // of transfers that were found
	entries   []int32    // of the stash, for each of positions
	damage    error      // a row that is not what leads to it says
	expiring  []lsm.Entry
	creating  bool // what is found is compared, posted or voided, not just read

	sought []ledger.Uint128 // ids of transfers that are looked for where the fences say

	// These are made once, so that a plain request allocates nothing.
	idsFound, rowsFound, foundByFences, finish func(error)
	takeFound, takeDue                         func(i int, row []byte)
	takeSought                                 func(i int, at position, row []byte)
}

func newResolver(t *tables, m *ledger.Machine) *resolver {
	r := &resolver{tables: t, machine: m, loader: newLoader(t), queries: newQueries(t)}
	r.times.tables = t
	r.idsFound, r.rowsFound, r.finish = r.readFound, r.loadAccounts, r.finished
	r.takeFound, r.takeDue = r.stashFound, r.stashDue
	r.takeSought, r.foundByFences = r.stashSought, r.findRest
	return r
}

// resolve prepares the execution of a request that passed Check, and then calls
// done. An error means that the ledger cannot be read: the request must not be
// executed.
func (r *resolver) resolve(operation ledger.Operation, timestamp uint64, body []byte, done func(error)) {
	r.tables.stash.reset()
	r.ids, r.creating, r.done = r.ids[:0], false, done
	switch operation {
	case ledger.OperationPulse:
		r.pulse(timestamp)
	case ledger.OperationCreateAccounts, ledger.OperationCreateAccountsSparse, ledger.OperationCreateAccountsUnbatched:
		r.createAccounts(r.machine.Events(operation, body))
	case ledger.OperationCreateTransfers, ledger.OperationCreateTransfersSparse, ledger.OperationCreateTransfersUnbatched:
		r.createTransfers(r.machine.Events(operation, body))
	case ledger.OperationLookupAccounts, ledger.OperationLookupAccountsUnbatched:
		r.lookupAccounts(r.machine.Events(operation, body))
	case ledger.OperationLookupTransfers, ledger.OperationLookupTransfersUnbatched:
		r.lookupTransfers(r.machine.Events(operation, body))
	default:
		r.queries.reset()
		r.machine.Plan(operation, body, r.queries)
		r.queries.run(r.finish)
	}
}

func (r *resolver) finished(err error) {
	done := r.done
	r.done = nil
	done(err)
}

func (r *resolver) lookupAccounts(ids []byte) {
	for ; len(ids) > 0; ids = ids[u128.Size:] {
		r.loader.needID(u128.FromBytes(ids))
	}
	r.loader.load(r.finish)
}

// findTransfers looks ids up in their tree.
func (r *resolver) findTransfers(done func(error)) {
	r.values = slices.Grow(r.values[:0], len(r.ids))[:len(r.ids)]
	r.tables.trees.all[transferIDs].Lookup(r.ids, r.values, done)
}

// readFound reads the rows of the transfers whose ids were found.
func (r *resolver) readFound(err error) {
	if err != nil {
		r.finish(err)
		return
	}
	s := &r.tables.stash
	r.positions, r.entries = r.positions[:0], r.entries[:0]
	for i, value := range r.values {
		if value == lsm.Absent {
			continue
		}
		e, added := s.add(ledger.Uint128{Hi: r.ids[i][0], Lo: r.ids[i][1]})
		if !added {
			continue
		}
		e.position, e.burnt = position(value), value == 0
		if !e.burnt {
			r.positions = append(r.positions, e.position)
			r.entries = append(r.entries, int32(len(s.entries)-1))
		}
	}
	if len(r.positions) == 0 {
		r.finish(nil)
		return
	}
	r.tables.events.Fetch(r.positions, r.takeFound, r.rowsFound)
}

func (r *resolver) stashFound(i int, row []byte) {
	e := &r.tables.stash.entries[r.entries[i]]
	if id := e.id; !e.take(row) || e.transfer.ID != id {
		r.damage = fmt.Errorf("forest: %v of the events is not transfer %v", e.position, id)
	}
}

// take decodes the row of a transfer. It reports false if it is another row.
func (e *stashed) take(row []byte) bool {
	if rowKindOf(row) != rowTransfer {
		return false
	}
	readTransfer(row, &e.transfer)
	e.slots = [2]slot{rowSlot(row, debitSide), rowSlot(row, creditSide)}
	if e.transfer.Flags&ledger.TransferPending != 0 {
		e.pending = rowPending(row)
	}
	return true
}

// loadAccounts brings in the accounts of pending transfers that were found:
// they may be resolved, and who does that need not name them.
func (r *resolver) loadAccounts(err error) {
	if err == nil {
		err, r.damage = r.damage, nil
	}
	if err != nil || !r.creating {
		r.finish(err)
		return
	}
	s := &r.tables.stash
	for _, list := range [...][]stashed{s.entries, s.due} {
		for i := range list {
			if list[i].transfer.Flags&ledger.TransferPending != 0 && !list[i].burnt {
				r.loader.need(list[i].slots[debitSide])
				r.loader.need(list[i].slots[creditSide])
			}
		}
	}
	r.loader.load(r.finish)
}
