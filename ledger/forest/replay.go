package forest

import (
	"fmt"

	"github.com/ledgerd/ledgerd/ledger"
)

// replay makes again what a checkpoint does not write, from the end of both
// logs: the memtables of trees, the newest heads and statuses, and accounts in
// the cache.
type replay struct {
	tables *tables
	done   func(error)
	failed error // what a row has that it must not
	last   uint64
	warm   bool // all accounts fit the cache
}

func newReplay(t *tables, done func(error)) *replay { return &replay{tables: t, done: done} }

// run reads the rows of accounts and then those of events, each from the oldest
// that something needs.
func (r *replay) run() {
	t := r.tables
	if err := r.check(); err != nil {
		r.done(err)
		return
	}
	t.trees.replaying = true
	from := t.replayFrom()
	if r.warm = t.slots() <= slot(t.cache.budget); r.warm {
		from.accounts = 0
	}
	t.accounts.Scan(from.accounts, t.accounts.End(), false, r.account, func(err error) {
		if r.failedWith(err) {
			return
		}
		t.events.Scan(from.events, t.events.End(), false, r.event, func(err error) {
			if r.failedWith(err) {
				return
			}
			r.finish(from.events)
		})
	})
}

// replayFrom returns the positions of the oldest rows that something needs, and
// sets those that each tree does.
func (t *tables) replayFrom() ends {
	from := ends{t.indexed.accounts, t.heads.replayFrom(t.statuses.replayFrom(t.indexed.events))}
	for n, tree := range t.trees.all {
		mark := position(tree.Mark())
		t.trees.marks[n] = mark
		if followsAccounts(n) {
			from.accounts = min(from.accounts, mark)
		} else {
			from.events = min(from.events, mark)
		}
	}
	return from
}

// check demands that arrays are as large as the logs need them, and not of a
// later time.
func (r *replay) check() error {
	t := r.tables
	for _, a := range [...]struct {
		array *array
		bytes uint64
	}{
		{&t.heads.array, t.accounts.Rows() * headSize},
		{&t.statuses.array, (t.pendings + statusesPerByte - 1) / statusesPerByte},
	} {
		if a.array.saved > t.events.End() {
			return fmt.Errorf("%w: array of rows up to %v, behind the end of the log", ErrFormat, a.array.saved)
		}
		if room := uint64(len(a.array.chunks)) * uint64(a.array.chunkSize()); a.bytes > room {
			return fmt.Errorf("%w: array of %d bytes, not %d", ErrFormat, room, a.bytes)
		}
	}
	return nil
}

// failedWith reports whether something went wrong, and tells.
func (r *replay) failedWith(err error) bool {
	if err == nil {
		err = r.failed
	}
	if err != nil {
		r.done(fmt.Errorf("read the ledger: %w", err))
	}
	return err != nil
}

// account replays a row of the accounts log.
func (r *replay) account(at position, row []byte) bool {
	t := r.tables
	timestamp := accountRowTimestamp(row)
	if len(row) != accountRowSize || timestamp <= r.last {
		r.failed = fmt.Errorf("%w: account at %v is malformed or out of order", ErrFormat, at)
		return false
	}
	r.last = timestamp
	s := t.slotAt(at)
	if at < t.indexed.accounts {
		t.trees.indexAccount(row, s, at)
	}
	if r.warm {
		a := accountFromRow(row)
		t.cache.insert(s, &a)
	}
	return true
}

// event replays a row of the events log.
func (r *replay) event(at position, row []byte) bool {
	if err := r.judge(row); err != nil {
		r.failed = fmt.Errorf("%w: %w at %v", ErrFormat, err, at)
		return false
	}
	t := r.tables
	switch rowKindOf(row) {
	case rowTransfer:
		switch flags := rowFlags(row); {
		case flags&ledger.TransferPostPendingTransfer != 0:
			t.statuses.restore(rowResolved(row).number, ledger.PendingPosted)
		case flags&ledger.TransferVoidPendingTransfer != 0:
			t.statuses.restore(rowResolved(row).number, ledger.PendingVoided)
		}
	case rowExpiry:
		t.statuses.restore(readExpiry(row).number, ledger.PendingExpired)
	}
	if rowKindOf(row) != rowBurnt {
		for _, side := range [...]side{debitSide, creditSide} {
			s := rowSlot(row, side)
			t.heads.restore(s, at)
			if a := t.cache.ofSlot(s); a != nil {
				setFromRow(&a.Account, row, side)
			}
		}
	}
	if at < t.indexed.events { // what is behind is indexed by the next Prefetch
		t.trees.index(row, at)
	}
	return true
}

// judge demands that a row can be read, and that what it names exists.
func (r *replay) judge(row []byte) error {
	t := r.tables
	if !rowValid(row) {
		return fmt.Errorf("malformed row")
	}
	if rowKindOf(row) == rowBurnt {
		return nil
	}
	debit, credit := rowSlot(row, debitSide), rowSlot(row, creditSide)
	if max(debit, credit) >= t.slots() || debit == credit {
		return fmt.Errorf("row of accounts %d and %d of %d", debit, credit, t.slots())
	}
	number := uint64(0)
	switch flags := rowFlags(row); {
	case rowKindOf(row) == rowExpiry:
		number = readExpiry(row).number
	case isResolution(flags):
		number = rowResolved(row).number
	case flags&ledger.TransferPending != 0:
		number = rowPending(row).number
	default:
		return nil
	}
	if number >= t.pendings {
		return fmt.Errorf("row of pending transfer number %d of %d", number, t.pendings)
	}
	return nil
}

// finish lets trees go on, and drops accounts from the cache that have changed
// since they were created, but not since the replay began, at from.
func (r *replay) finish(from position) {
	t := r.tables
	t.trees.replaying = false
	for _, tree := range t.trees.all {
		if err := tree.Refilled(); r.failedWith(err) {
			return
		}
	}
	if r.warm {
		r.drop(from)
	}
	r.done(nil)
}

// drop takes from the cache the accounts whose newest row is before a position.
func (r *replay) drop(from position) {
	t := r.tables
	for s := range t.slots() {
		if head := t.heads.at(s); head != 0 && head < from {
			t.cache.remove(s)
		}
	}
}
