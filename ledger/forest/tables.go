package forest

import (
	"math"

	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/lsm/rowlog"
)

// position names a row of a log; those of one log ascend. 0 is none.
type position = rowlog.Position

// tables is ledger.Tables over two logs and what leads to their rows. What
// Commit asks of it is in memory: in the cache and the stash, where Prefetch has
// put it, or in what the request itself has added.
//
// Invariants between requests:
//  1. The newest row of the events log that concerns an account says what the
//     account is; one without a row is as its row of the accounts log says.
//  2. An account in the cache is what invariant 1 says.
//  3. Statuses are what follows from all rows.
//  4. Heads, and what the trees hold, follow from the rows up to indexed: see
//     trees.go. The rows behind are those of the last request.
type tables struct {
	accounts *rowlog.Log // a row for each account, by slot
	events   *rowlog.Log // a row for each transfer, expiry and burnt id
	trees    *trees
	heads    heads
	statuses statuses
	cache    cache

	indexed      ends   // up to where heads and trees follow from the rows
	lastAccount  uint64 // timestamp of the newest account
	lastTransfer uint64 // timestamp of the newest transfer
	pendings     uint64 // how many pending transfers there were ever
	// nextExpiry is when the next open pending transfer expires, or earlier:
	// only a pulse makes it exact. math.MaxUint64 if none does.
	nextExpiry uint64

	// What follows concerns the request at hand.

	began    ends           // where the logs ended before it
	stash    stash          // what Prefetch found of transfers, and the answers to queries
	batch    batch          // transfers that were created, and burnt ids
	found    []foundPending // pending transfers that were asked for, by ref
	resolved openPending    // the one that was resolved last
	scope    scope
	row      newRow // scratch
	burnt    newRow // scratch
	expected expected
}

// ends are where the logs end.
type ends struct{ accounts, events position }

// foundPending is what there is to know of a pending transfer by its ref.
type foundPending struct {
	openPending
	position position
}

// foundOther is the ref of a transfer that is not pending. The refs of others
// are 1 more than their numbers in found.
const foundOther ledger.TransferRef = 1 << 63

// begin forgets the request before.
func (t *tables) begin() {
	t.batch.truncate(0)
	t.found = t.found[:0]
	t.expected.reset()
	t.began = ends{t.accounts.End(), t.events.End()}
}

// slots returns how many accounts there are.
func (t *tables) slots() slot { return slot(t.accounts.Rows()) }

// accountAt returns where the row of an account is in the accounts log.
func (t *tables) accountAt(s slot) position {
	return t.accounts.PositionOf(uint64(s), accountRowSize)
}

// slotAt is the reverse of accountAt.
func (t *tables) slotAt(p position) slot { return slot(t.accounts.NumberOf(p, accountRowSize)) }

// FindAccount implements ledger.Accounts. The ref is the frame.
func (t *tables) FindAccount(id ledger.Uint128) (ledger.AccountRef, *ledger.Account) {
	n, a := t.expected.find(&t.cache, id)
	if a == nil {
		n, a = t.cache.find(id)
	}
	if a == nil {
		return 0, nil
	}
	return ledger.AccountRef(n), &a.Account
}

func (t *tables) account(ref ledger.AccountRef) *account { return t.cache.frame(frameNumber(ref)) }

// InsertAccount implements ledger.Accounts.
func (t *tables) InsertAccount(a *ledger.Account) {
	s := t.slots()
	putAccountRow(t.accounts.Tail(), a)
	t.accounts.Push(accountRowSize)
	t.heads.grow(uint64(s) * headSize)
	t.cache.insert(s, a)
	t.lastAccount = a.Timestamp
}

// LastAccountTimestamp implements ledger.Accounts.
func (t *tables) LastAccountTimestamp() uint64 { return t.lastAccount }

// HasAccountAt implements ledger.Accounts.
func (t *tables) HasAccountAt(timestamp uint64) bool { return t.stash.hasAccountAt(timestamp) }

// FindTransfer implements ledger.Transfers.
func (t *tables) FindTransfer(id ledger.Uint128, into *ledger.Transfer) ledger.TransferRef {
	if e := t.batch.find(id); e != nil {
		if e.position == 0 {
			return ledger.TransferBurnt
		}
		row, _ := t.events.Row(e.position) // this request's rows are in memory
		readTransfer(row, into)
		if into.Flags&ledger.TransferPending == 0 {
			return foundOther
		}
		return t.refer(rowPending(row), e.position)
	}
	s := t.stash.find(id)
	switch {
	case s == nil:
		return ledger.TransferAbsent
	case s.burnt:
		return ledger.TransferBurnt
	}
	*into = s.transfer
	if into.Flags&ledger.TransferPending == 0 {
		return foundOther
	}
	return t.refer(s.pending, s.position)
}

// refer returns a ref for a pending transfer.
func (t *tables) refer(p openPending, at position) ledger.TransferRef {
	t.found = append(t.found, foundPending{p, at})
	return ledger.TransferRef(len(t.found))
}

// pending returns the pending transfer of a ref.
func (t *tables) pending(ref ledger.TransferRef) *foundPending { return &t.found[ref-1] }

// InsertTransfer implements ledger.Transfers. A post or void comes right after
// ResolvePending.
func (t *tables) InsertTransfer(x *ledger.Transfer, debitRef, creditRef ledger.AccountRef) {
	debit, credit := t.account(debitRef), t.account(creditRef)
	r := &t.row
	r.code, r.flags, r.stamp = x.Code, x.Flags, x.Timestamp
	r.fields[fieldID], r.fields[fieldAmount], r.fields[fieldPending] = x.ID, x.Amount, x.PendingID
	if x.Flags&ledger.TransferPending != 0 {
		r.fields[fieldPending] = u128.From64(t.pendings)
		t.insertPending(x)
	}
	r.fields[fieldUserData128] = x.UserData128
	r.fields[fieldUserData64] = u128.From64(x.UserData64)
	r.fields[fieldLedger] = ledger.Uint128{Lo: uint64(x.UserData32)<<32 | uint64(x.Ledger), Hi: uint64(x.Timeout)}
	r.setAccounts(debit, credit)
	r.fields[fieldDebitID], r.fields[fieldCreditID] = debit.ID, credit.ID
	r.resolved = t.resolved
	at := t.events.Push(encodeRow(t.events.Tail(), r))
	t.batch.insert(x.ID, at)
	t.lastTransfer = x.Timestamp
}

// insertPending makes a pending transfer open.
func (t *tables) insertPending(x *ledger.Transfer) {
	t.statuses.grow(t.pendings / statusesPerByte)
	t.pendings++
	if x.Timeout != 0 {
		t.nextExpiry = min(t.nextExpiry, expiry(x.Timestamp, x.Timeout))
	}
}

// BurnTransfer implements ledger.Transfers.
func (t *tables) BurnTransfer(id ledger.Uint128) {
	r := &t.burnt
	r.kind, r.stamp, r.fields[fieldID] = rowBurnt, t.lastTransfer, id
	t.events.Push(encodeRow(t.events.Tail(), r))
	t.batch.insert(id, 0)
}

// LastTransferTimestamp implements ledger.Transfers.
func (t *tables) LastTransferTimestamp() uint64 { return t.lastTransfer }

// HasTransferAt implements ledger.Transfers.
func (t *tables) HasTransferAt(timestamp uint64) bool { return t.stash.hasTransferAt(timestamp) }

// PendingStatus implements ledger.Pendings.
func (t *tables) PendingStatus(ref ledger.TransferRef) ledger.PendingStatus {
	return t.statuses.at(t.pending(ref).number)
}

// ResolvePending implements ledger.Pendings.
func (t *tables) ResolvePending(ref ledger.TransferRef, status ledger.PendingStatus) {
	t.resolved = t.pending(ref).openPending
	number := t.resolved.number
	if t.statuses.at(number) != ledger.PendingOpen {
		panic("forest: a pending transfer is resolved twice")
	}
	t.statuses.set(number, status, t.began.events)
	if t.scope.open {
		t.scope.resolved = append(t.scope.resolved, number)
	}
}

// NextExpiry implements ledger.Pendings. What expires next may have been
// resolved: then a pulse finds nothing to do, and what it found instead.
func (t *tables) NextExpiry() uint64 { return t.nextExpiry }

// TakeExpired implements ledger.Pendings. What is due was found by Prefetch, at
// most as many as a pulse takes.
func (t *tables) TakeExpired(_ uint64, _ int, taken []ledger.ExpiredTransfer) []ledger.ExpiredTransfer {
	for i := range t.stash.due {
		s := &t.stash.due[i]
		taken = append(taken, ledger.ExpiredTransfer{Ref: t.refer(s.pending, s.position), Transfer: s.transfer})
	}
	t.nextExpiry = t.stash.nextExpiry
	return taken
}

// InsertExpiry implements ledger.Pendings.
func (t *tables) InsertExpiry(timestamp uint64, ref ledger.TransferRef, debitRef, creditRef ledger.AccountRef) {
	p := t.pending(ref)
	r := &t.row
	*r = newRow{kind: rowExpiry, stamp: t.lastTransfer}
	r.fields[fieldAmount] = u128.From64(timestamp)
	r.fields[fieldPending] = u128.From64(p.number)
	r.fields[fieldUserData128] = u128.From64(p.expiresAt)
	r.fields[fieldUserData64] = u128.From64(uint64(p.position))
	r.setAccounts(t.account(debitRef), t.account(creditRef))
	t.events.Push(encodeRow(t.events.Tail(), r))
	*r = newRow{}
}

// HasExpiryAt implements ledger.Pendings.
func (t *tables) HasExpiryAt(timestamp uint64) bool { return t.stash.hasExpiryAt(timestamp) }

// noExpiry is the value of nextExpiry if no transfer expires.
const noExpiry = math.MaxUint64
