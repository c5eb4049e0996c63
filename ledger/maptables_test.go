package ledger_test

import (
	"maps"
	"math"
	"slices"

	. "github.com/ledgerd/ledgerd/ledger"
)

// mapTables is the simplest Tables: maps and slices, queries by looking at
// everything, and scopes by copying the lot.
type mapTables struct {
	accounts  []*Account
	transfers []storedTransfer
	expiries  []storedTransfer
	burnt     map[Uint128]bool
	status    map[TransferRef]PendingStatus
	saved     *mapTables // the state when the scope began

	accountByID  map[Uint128]AccountRef
	transferByID map[Uint128]TransferRef
}

// storedTransfer is a transfer or expiry with both accounts after it.
type storedTransfer struct {
	transfer      Transfer
	debit, credit Account
	timestamp     uint64
}

func newMapTables() *mapTables {
	return &mapTables{
		burnt:        map[Uint128]bool{},
		status:       map[TransferRef]PendingStatus{},
		accountByID:  map[Uint128]AccountRef{},
		transferByID: map[Uint128]TransferRef{},
	}
}

func (t *mapTables) FindAccount(id Uint128) (AccountRef, *Account) {
	ref, ok := t.accountByID[id]
	if !ok {
		return 0, nil
	}
	return ref, t.accounts[ref]
}

func (t *mapTables) InsertAccount(a *Account) {
	stored := *a
	t.accountByID[a.ID] = AccountRef(len(t.accounts))
	t.accounts = append(t.accounts, &stored)
}

func (t *mapTables) LastAccountTimestamp() uint64 {
	if len(t.accounts) == 0 {
		return 0
	}
	return t.accounts[len(t.accounts)-1].Timestamp
}

func (t *mapTables) HasAccountAt(timestamp uint64) bool {
	return slices.ContainsFunc(t.accounts, func(a *Account) bool { return a.Timestamp == timestamp })
}

func (t *mapTables) ExpectTransfers([]byte) {}

func (t *mapTables) FindTransfer(id Uint128, into *Transfer) TransferRef {
	if t.burnt[id] {
		return TransferBurnt
	}
	ref := t.transferByID[id]
	if ref != TransferAbsent {
		*into = t.transfers[ref-1].transfer
	}
	return ref
}

func (t *mapTables) InsertTransfer(x *Transfer, debit, credit AccountRef) {
	t.transfers = append(t.transfers, storedTransfer{*x, *t.accounts[debit], *t.accounts[credit], x.Timestamp})
	ref := TransferRef(len(t.transfers))
	t.transferByID[x.ID] = ref
	if x.Flags&TransferPending != 0 {
		t.status[ref] = PendingOpen
	}
}

func (t *mapTables) BurnTransfer(id Uint128) { t.burnt[id] = true }

func (t *mapTables) LastTransferTimestamp() uint64 {
	if len(t.transfers) == 0 {
		return 0
	}
	return t.transfers[len(t.transfers)-1].timestamp
}

func (t *mapTables) HasTransferAt(timestamp uint64) bool { return hasAt(t.transfers, timestamp) }
func (t *mapTables) HasExpiryAt(timestamp uint64) bool   { return hasAt(t.expiries, timestamp) }

func hasAt(rows []storedTransfer, timestamp uint64) bool {
	return slices.ContainsFunc(rows, func(r storedTransfer) bool { return r.timestamp == timestamp })
}

func (t *mapTables) PendingStatus(ref TransferRef) PendingStatus { return t.status[ref] }

func (t *mapTables) ResolvePending(ref TransferRef, status PendingStatus) {
	if t.status[ref] != PendingOpen || status == PendingOpen {
		panic("resolved twice")
	}
	t.status[ref] = status
}

// expiry returns when a transfer expires, never if it does not.
func (t *mapTables) expiry(i int) uint64 {
	x := &t.transfers[i].transfer
	if x.Timeout == 0 || t.status[TransferRef(i+1)] != PendingOpen {
		return math.MaxUint64
	}
	return x.Timestamp + uint64(x.Timeout)*1_000_000_000
}

func (t *mapTables) NextExpiry() uint64 {
	next := uint64(math.MaxUint64)
	for ref, status := range t.status {
		if status == PendingOpen {
			next = min(next, t.expiry(int(ref-1)))
		}
	}
	return next
}

func (t *mapTables) TakeExpired(now uint64, limit int, expired []ExpiredTransfer) []ExpiredTransfer {
	var due []int
	for i := range t.transfers {
		if t.expiry(i) <= now {
			due = append(due, i)
		}
	}
	slices.SortStableFunc(due, func(i, j int) int {
		if t.expiry(i) < t.expiry(j) {
			return -1
		}
		return 1
	})
	for _, i := range due[:min(limit, len(due))] {
		expired = append(expired, ExpiredTransfer{TransferRef(i + 1), t.transfers[i].transfer})
	}
	return expired
}

func (t *mapTables) InsertExpiry(timestamp uint64, ref TransferRef, debit, credit AccountRef) {
	x := t.transfers[ref-1].transfer
	t.expiries = append(t.expiries, storedTransfer{x, *t.accounts[debit], *t.accounts[credit], timestamp})
}

func (t *mapTables) BeginScope() {
	if t.saved != nil {
		panic("scope within a scope")
	}
	saved := *t
	saved.accounts = nil
	for _, a := range t.accounts {
		copied := *a
		saved.accounts = append(saved.accounts, &copied)
	}
	saved.status = maps.Clone(t.status)
	t.saved = &saved
}

func (t *mapTables) KeepScope()              { t.saved = nil }
func (t *mapTables) TouchAccount(AccountRef) {}

func (t *mapTables) RollbackScope() {
	for _, a := range t.accounts[len(t.saved.accounts):] {
		delete(t.accountByID, a.ID)
	}
	for _, r := range t.transfers[len(t.saved.transfers):] {
		delete(t.transferByID, r.transfer.ID)
	}
	*t = *t.saved
}

func (t *mapTables) AppendAccountTransfers(f *AccountFilter, limit int, reply []byte) []byte {
	for _, r := range t.ofAccount(f, limit) {
		reply = r.transfer.Append(reply)
	}
	return reply
}

func (t *mapTables) AppendAccountBalances(f *AccountFilter, limit int, reply []byte) []byte {
	if _, a := t.FindAccount(f.AccountID); a == nil || a.Flags&AccountHistory == 0 {
		return reply
	}
	for _, r := range t.ofAccount(f, limit) {
		a := r.debit
		if a.ID != f.AccountID {
			a = r.credit
		}
		b := AccountBalance{
			DebitsPending: a.DebitsPending, DebitsPosted: a.DebitsPosted,
			CreditsPending: a.CreditsPending, CreditsPosted: a.CreditsPosted,
			Timestamp: r.timestamp,
		}
		reply = b.Append(reply)
	}
	return reply
}

func (t *mapTables) ofAccount(f *AccountFilter, limit int) []storedTransfer {
	return pick(t.transfers, f.Flags&AccountFilterReversed != 0, limit, func(r storedTransfer) bool {
		x := r.transfer
		return (f.Flags&AccountFilterDebits != 0 && x.DebitAccountID == f.AccountID ||
			f.Flags&AccountFilterCredits != 0 && x.CreditAccountID == f.AccountID) &&
			wants(f.UserData128, x.UserData128) && wants(f.UserData64, x.UserData64) &&
			wants(f.UserData32, x.UserData32) && wants(f.Code, x.Code) &&
			within(x.Timestamp, f.TimestampMin, f.TimestampMax)
	})
}

func (t *mapTables) AppendAccounts(f *QueryFilter, limit int, reply []byte) []byte {
	for _, a := range pick(t.accounts, f.Flags&QueryFilterReversed != 0, limit, func(a *Account) bool {
		return wants(f.UserData128, a.UserData128) && wants(f.UserData64, a.UserData64) &&
			wants(f.UserData32, a.UserData32) && wants(f.Ledger, a.Ledger) && wants(f.Code, a.Code) &&
			within(a.Timestamp, f.TimestampMin, f.TimestampMax)
	}) {
		reply = a.Append(reply)
	}
	return reply
}

func (t *mapTables) AppendTransfers(f *QueryFilter, limit int, reply []byte) []byte {
	for _, r := range pick(t.transfers, f.Flags&QueryFilterReversed != 0, limit, func(r storedTransfer) bool {
		x := r.transfer
		return wants(f.UserData128, x.UserData128) && wants(f.UserData64, x.UserData64) &&
			wants(f.UserData32, x.UserData32) && wants(f.Ledger, x.Ledger) && wants(f.Code, x.Code) &&
			within(x.Timestamp, f.TimestampMin, f.TimestampMax)
	}) {
		reply = r.transfer.Append(reply)
	}
	return reply
}

func (t *mapTables) AppendChangeEvents(f *ChangeEventsFilter, limit int, reply []byte) []byte {
	all := append(slices.Clone(t.transfers), t.expiries...)
	slices.SortFunc(all, func(a, b storedTransfer) int { return int(int64(a.timestamp - b.timestamp)) })
	for _, r := range pick(all, false, limit, func(r storedTransfer) bool {
		return within(r.timestamp, f.TimestampMin, f.TimestampMax)
	}) {
		e := changeEvent(&r)
		reply = e.Append(reply)
	}
	return reply
}

func changeEvent(r *storedTransfer) ChangeEvent {
	x, d, c := &r.transfer, &r.debit, &r.credit
	kind := ChangeEventSinglePhase
	switch {
	case r.timestamp != x.Timestamp:
		kind = ChangeEventTwoPhaseExpired
	case x.Flags&TransferPending != 0:
		kind = ChangeEventTwoPhasePending
	case x.Flags&TransferPostPendingTransfer != 0:
		kind = ChangeEventTwoPhasePosted
	case x.Flags&TransferVoidPendingTransfer != 0:
		kind = ChangeEventTwoPhaseVoided
	}
	return ChangeEvent{
		TransferID: x.ID, TransferAmount: x.Amount, TransferPendingID: x.PendingID,
		TransferUserData128: x.UserData128, TransferUserData64: x.UserData64, TransferUserData32: x.UserData32,
		TransferTimeout: x.Timeout, TransferCode: x.Code, TransferFlags: x.Flags, Ledger: x.Ledger, Type: kind,
		DebitAccountID:            d.ID,
		DebitAccountDebitsPending: d.DebitsPending, DebitAccountDebitsPosted: d.DebitsPosted,
		DebitAccountCreditsPending: d.CreditsPending, DebitAccountCreditsPosted: d.CreditsPosted,
		DebitAccountUserData128: d.UserData128, DebitAccountUserData64: d.UserData64, DebitAccountUserData32: d.UserData32,
		DebitAccountCode: d.Code, DebitAccountFlags: d.Flags,
		CreditAccountID:            c.ID,
		CreditAccountDebitsPending: c.DebitsPending, CreditAccountDebitsPosted: c.DebitsPosted,
		CreditAccountCreditsPending: c.CreditsPending, CreditAccountCreditsPosted: c.CreditsPosted,
		CreditAccountUserData128: c.UserData128, CreditAccountUserData64: c.UserData64, CreditAccountUserData32: c.UserData32,
		CreditAccountCode: c.Code, CreditAccountFlags: c.Flags,
		Timestamp: r.timestamp, TransferTimestamp: x.Timestamp,
		DebitAccountTimestamp: d.Timestamp, CreditAccountTimestamp: c.Timestamp,
	}
}

// pick returns the first limit rows that match, in the order asked for.
func pick[T any](rows []T, reversed bool, limit int, match func(T) bool) []T {
	rows = slices.Clone(rows)
	if reversed {
		slices.Reverse(rows)
	}
	rows = slices.DeleteFunc(rows, func(r T) bool { return !match(r) })
	return rows[:min(limit, len(rows))]
}

func wants[T comparable](condition, value T) bool {
	var zero T
	return condition == zero || condition == value
}

func within(timestamp, low, high uint64) bool {
	return low <= timestamp && (high == 0 || timestamp <= high)
}
