package forest

import (
	"fmt"
	"slices"

	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/lsm"
)

// event looks at the next row of the events log.
func (v *verifier) event(p position, row []byte) {
	kind := rowKindOf(row)
	if kind != rowBurnt && max(rowSlot(row, debitSide), rowSlot(row, creditSide)) >= v.slots {
		v.err = fmt.Errorf("%v of the events is of account %d or %d of %d", p, rowSlot(row, debitSide), rowSlot(row, creditSide), v.slots)
		return
	}
	switch kind {
	case rowTransfer:
		v.err = v.transfer(p, row)
	case rowExpiry:
		v.err = v.expiry(p, row)
	case rowBurnt:
		v.lookups.transfers.add(idKey(rowID(row)), 0)
	default:
		v.err = fmt.Errorf("%v of the events is of kind %d", p, kind)
	}
	if kind != rowTransfer && rowStamp(row) != v.lastTransfer {
		v.err = fmt.Errorf("%v of the events has the stamp %d after transfer %d", p, rowStamp(row), v.lastTransfer)
	}
	if v.err == nil {
		v.err = v.fences.Row(p, row)
	}
	if v.err == nil {
		v.expected.index(row, p)
	}
}

// transfer looks at the row of a transfer.
func (v *verifier) transfer(p position, row []byte) error {
	var x ledger.Transfer
	readTransfer(row, &x)
	if x.Timestamp <= v.lastTransfer {
		return fmt.Errorf("transfer %v has the timestamp %d after %d", x.ID, x.Timestamp, v.lastTransfer)
	}
	v.lastTransfer = x.Timestamp
	// An account may have the timestamp of an expiry, but not of a transfer.
	for v.older < v.slots && v.accounts[v.older].timestamp < x.Timestamp {
		v.older++
	}
	if v.older < v.slots && v.accounts[v.older].timestamp == x.Timestamp {
		return fmt.Errorf("transfer %v and an account have the timestamp %d", x.ID, x.Timestamp)
	}
	v.lookups.transfers.add(idKey(x.ID), uint64(p))
	v.lookups.accounts.add(idKey(x.DebitAccountID), uint64(rowSlot(row, debitSide)))
	v.lookups.accounts.add(idKey(x.CreditAccountID), uint64(rowSlot(row, creditSide)))
	v.lookups.expired.add(expiredKey(x.Timestamp), lsm.Absent)

	status := ledger.PendingOpen
	switch {
	case x.Flags&ledger.TransferPending != 0:
		return v.pending(p, row, &x)
	case x.Flags&ledger.TransferPostPendingTransfer != 0:
		status = ledger.PendingPosted
	case x.Flags&ledger.TransferVoidPendingTransfer != 0:
		status = ledger.PendingVoided
	}
	if status != ledger.PendingOpen {
		if number := rowResolved(row).number; number >= v.pendings || v.tables.statuses.at(number) != status {
			return fmt.Errorf("transfer %v has not resolved pending transfer number %d", x.ID, number)
		}
	}
	return v.follow(p, row, x.Amount)
}

// pending looks at the row of a pending transfer.
func (v *verifier) pending(p position, row []byte, x *ledger.Transfer) error {
	pending := rowPending(row)
	if pending.number != v.pendings || pending.number >= v.tables.pendings {
		return fmt.Errorf("transfer %v is pending transfer number %d of %d, and not number %d", x.ID, pending.number, v.tables.pendings, v.pendings)
	}
	v.pendings++
	if v.tables.statuses.at(pending.number) == ledger.PendingOpen {
		debit, credit := &v.accounts[rowSlot(row, debitSide)], &v.accounts[rowSlot(row, creditSide)]
		debit.openDebits += x.Amount.Lo
		credit.openCredits += x.Amount.Lo
		if x.Flags&ledger.TransferClosingDebit != 0 {
			debit.closing++
		}
		if x.Flags&ledger.TransferClosingCredit != 0 {
			credit.closing++
		}
		if pending.expiresAt != 0 && pending.expiresAt < v.tables.nextExpiry {
			return fmt.Errorf("transfer %v expires at %d, but none is said to before %d", x.ID, pending.expiresAt, v.tables.nextExpiry)
		}
	}
	return v.follow(p, row, x.Amount)
}

// expiry looks at the row of an expiry.
func (v *verifier) expiry(p position, row []byte) error {
	e := readExpiry(row)
	switch {
	case e.timestamp <= v.lastExpiry:
		return fmt.Errorf("%v of the events expires at %d after %d", p, e.timestamp, v.lastExpiry)
	case e.number >= v.pendings || v.tables.statuses.at(e.number) != ledger.PendingExpired:
		return fmt.Errorf("pending transfer number %d is not expired, as %v of the events says", e.number, p)
	case e.position >= p:
		return fmt.Errorf("%v of the events lets %v expire", p, e.position)
	}
	v.lastExpiry = e.timestamp
	v.lookups.expired.add(expiredKey(e.timestamp), uint64(p))
	return v.follow(p, row, ledger.Uint128{})
}

// follow demands that both accounts of a row are what they were before, but for
// the effect of the row. How much a resolution releases is not in its row; but
// it must be the same on both sides, and open transfers must add up in the end.
func (v *verifier) follow(p position, row []byte, amount ledger.Uint128) error {
	debit, credit := &v.accounts[rowSlot(row, debitSide)], &v.accounts[rowSlot(row, creditSide)]
	d, c := readBalances(row, debitSide), readBalances(row, creditSide)
	wantDebit, wantCredit := debit.balances, credit.balances
	wantDebit.flags, wantCredit.flags = d.flags, c.flags
	flags := rowFlags(row)
	switch {
	case flags&ledger.TransferPending != 0:
		wantDebit.debitsPending, _ = wantDebit.debitsPending.Add(amount)
		wantCredit.creditsPending, _ = wantCredit.creditsPending.Add(amount)
	case rowKindOf(row) == rowExpiry || isResolution(flags):
		released, underflow := wantDebit.debitsPending.Sub(d.debitsPending)
		wantDebit.debitsPending = d.debitsPending
		wantCredit.creditsPending, _ = wantCredit.creditsPending.Sub(released)
		if underflow || released.Less(amount) || flags&ledger.TransferVoidPendingTransfer != 0 && released != amount {
			return fmt.Errorf("%v of the events releases %v for %v", p, released, amount)
		}
	}
	if rowKindOf(row) == rowTransfer && flags&(ledger.TransferPending|ledger.TransferVoidPendingTransfer) == 0 {
		wantDebit.debitsPosted, _ = wantDebit.debitsPosted.Add(amount)
		wantCredit.creditsPosted, _ = wantCredit.creditsPosted.Add(amount)
	}
	if d != wantDebit || c != wantCredit {
		return fmt.Errorf("%v of the events leaves %+v and %+v, not %+v and %+v", p, d, c, wantDebit, wantCredit)
	}
	if changed := (debit.flags ^ d.flags) | (credit.flags ^ c.flags); changed&^ledger.AccountClosed != 0 {
		return fmt.Errorf("%v of the events changes flags %#x", p, changed)
	}
	debit.balances, credit.balances = d, c
	debit.newest, credit.newest = p, p
	return nil
}

// lookupsMax is how many rows are scanned before what they need is looked up.
const lookupsMax = 8192

// lookups are keys that must be found in trees as single keys, which exercises
// their filters and hash tables, as a scan does not.
type lookups struct {
	tables                       *tables
	wave                         wave
	transfers, accounts, expired lookupBatch
}

// lookupBatch is keys with the values that they must have.
type lookupBatch struct {
	keys         []lsm.Key
	want, values []uint64
}

func (b *lookupBatch) add(key lsm.Key, value uint64) {
	b.keys, b.want = append(b.keys, key), append(b.want, value)
}

func (l *lookups) reset() {
	for _, b := range [...]*lookupBatch{&l.transfers, &l.accounts, &l.expired} {
		b.keys, b.want = b.keys[:0], b.want[:0]
	}
}

// run looks all up, and calls done with an error if a value is another.
func (l *lookups) run(done func(error)) {
	l.wave.begin(func(err error) {
		for _, b := range [...]*lookupBatch{&l.transfers, &l.accounts, &l.expired} {
			for i := 0; err == nil && i < len(b.keys); i++ {
				if b.values[i] != b.want[i] {
					err = fmt.Errorf("key %v is found with the value %#x, not %#x", b.keys[i], b.values[i], b.want[i])
				}
			}
		}
		done(err)
	})
	l.find(transferIDs, &l.transfers)
	l.find(accountIDs, &l.accounts)
	l.find(expired, &l.expired)
	l.wave.end()
}

func (l *lookups) find(tree int, b *lookupBatch) {
	b.values = slices.Grow(b.values[:0], len(b.keys))[:len(b.keys)]
	l.tables.trees.all[tree].Lookup(b.keys, b.values, l.wave.read())
}

// entrySum is the number of entries and the sum of their hashes: equal sums mean
// equal entries, in whatever order they were added.
type entrySum struct{ count, hash uint64 }

func (s *entrySum) add(key lsm.Key, value uint64) {
	s.count++
	s.hash += hashOfEntry(key, value)
}

func (s *entrySum) remove(key lsm.Key, value uint64) {
	s.count--
	s.hash -= hashOfEntry(key, value)
}

func hashOfEntry(key lsm.Key, value uint64) uint64 { return lsm.Key{key.Hash(), value}.Hash() }

// summed returns what a sum has of the value of an entry. Who removes an expiry
// does not know its value.
func summed(tree int, value uint64) uint64 {
	if tree == expiries {
		return 0
	}
	return value
}
