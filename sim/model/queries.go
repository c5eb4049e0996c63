package model

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/ledgerd/ledgerd/ledger"
)

func (m *Model) lookupAccounts(ids, reply []byte) []byte {
	for ; len(ids) > 0; ids = ids[16:] {
		if a := m.account(readID(ids)); a != nil {
			reply = appendAccount(reply, *a)
		}
	}
	return reply
}

func (m *Model) lookupTransfers(ids, reply []byte) []byte {
	for ; len(ids) > 0; ids = ids[16:] {
		if t := m.transfer(readID(ids)); t != nil {
			reply = appendTransfer(reply, t.Transfer)
		}
	}
	return reply
}

func readID(b []byte) ledger.Uint128 {
	return ledger.Uint128{Lo: binary.LittleEndian.Uint64(b), Hi: binary.LittleEndian.Uint64(b[8:])}
}

func (m *Model) getAccountTransfers(batch []byte, resultsMax int, reply []byte) []byte {
	var f ledger.AccountFilter
	f.Decode(batch)
	for _, e := range m.accountEvents(f, resultsMax) {
		reply = appendTransfer(reply, e.transfer)
	}
	return reply
}

// getAccountBalances follows SEMANTICS.md section 12.3.
func (m *Model) getAccountBalances(batch []byte, resultsMax int, reply []byte) []byte {
	var f ledger.AccountFilter
	f.Decode(batch)
	if a := m.account(f.AccountID); a == nil || a.Flags&ledger.AccountHistory == 0 {
		return reply
	}
	for _, e := range m.accountEvents(f, resultsMax) {
		a := e.debit
		if e.credit.ID == f.AccountID {
			a = e.credit
		}
		balance := ledger.AccountBalance{
			DebitsPending: a.DebitsPending, DebitsPosted: a.DebitsPosted,
			CreditsPending: a.CreditsPending, CreditsPosted: a.CreditsPosted,
			Timestamp: e.timestamp,
		}
		reply = append(reply, make([]byte, ledger.AccountBalanceSize)...)
		balance.Encode(reply[len(reply)-ledger.AccountBalanceSize:])
	}
	return reply
}

// accountEvents returns the creations of the transfers that f selects, in the
// order and number it asks for (SEMANTICS.md sections 12.1 and 12.2).
func (m *Model) accountEvents(f ledger.AccountFilter, resultsMax int) []event {
	const flagsKnown = ledger.AccountFilterDebits | ledger.AccountFilterCredits | ledger.AccountFilterReversed
	debits, credits := f.Flags&ledger.AccountFilterDebits != 0, f.Flags&ledger.AccountFilterCredits != 0
	times, ok := newTimes(f.TimestampMin, f.TimestampMax)
	if !ok || f.AccountID.IsZero() || f.AccountID.IsMax() || !debits && !credits ||
		f.Flags&^flagsKnown != 0 || f.Reserved != [58]byte{} {
		return nil
	}
	var found []event
	for _, e := range m.events {
		t := e.transfer
		if e.kind != ledger.ChangeEventTwoPhaseExpired &&
			(debits && t.DebitAccountID == f.AccountID || credits && t.CreditAccountID == f.AccountID) &&
			matches(f.UserData128, t.UserData128) && matches(f.UserData64, t.UserData64) &&
			matches(f.UserData32, t.UserData32) && matches(f.Code, t.Code) && times.contain(t.Timestamp) {
			found = append(found, e)
		}
	}
	return choose(found, f.Flags&ledger.AccountFilterReversed != 0, f.Limit, resultsMax)
}

// queryAccounts follows SEMANTICS.md section 13.
func (m *Model) queryAccounts(batch []byte, resultsMax int, reply []byte) []byte {
	var f ledger.QueryFilter
	f.Decode(batch)
	times, ok := queryTimes(f)
	if !ok {
		return reply
	}
	var found []ledger.Account
	for _, a := range m.accounts {
		if matches(f.UserData128, a.UserData128) && matches(f.UserData64, a.UserData64) &&
			matches(f.UserData32, a.UserData32) && matches(f.Ledger, a.Ledger) && matches(f.Code, a.Code) &&
			times.contain(a.Timestamp) {
			found = append(found, a)
		}
	}
	for _, a := range choose(found, f.Flags&ledger.QueryFilterReversed != 0, f.Limit, resultsMax) {
		reply = appendAccount(reply, a)
	}
	return reply
}

// queryTransfers follows SEMANTICS.md section 13.
func (m *Model) queryTransfers(batch []byte, resultsMax int, reply []byte) []byte {
	var f ledger.QueryFilter
	f.Decode(batch)
	times, ok := queryTimes(f)
	if !ok {
		return reply
	}
	var found []ledger.Transfer
	for _, t := range m.transfers {
		if matches(f.UserData128, t.UserData128) && matches(f.UserData64, t.UserData64) &&
			matches(f.UserData32, t.UserData32) && matches(f.Ledger, t.Ledger) && matches(f.Code, t.Code) &&
			times.contain(t.Timestamp) {
			found = append(found, t.Transfer)
		}
	}
	for _, t := range choose(found, f.Flags&ledger.QueryFilterReversed != 0, f.Limit, resultsMax) {
		reply = appendTransfer(reply, t)
	}
	return reply
}

// queryTimes returns the time range of a valid filter.
func queryTimes(f ledger.QueryFilter) (times, bool) {
	t, ok := newTimes(f.TimestampMin, f.TimestampMax)
	return t, ok && f.Flags&^ledger.QueryFilterReversed == 0 && f.Reserved == [6]byte{}
}

// getChangeEvents follows SEMANTICS.md section 14.
func (m *Model) getChangeEvents(batch []byte, resultsMax int, reply []byte) []byte {
	var f ledger.ChangeEventsFilter
	f.Decode(batch)
	times, ok := newTimes(f.TimestampMin, f.TimestampMax)
	if !ok || f.Reserved != [44]byte{} {
		return reply
	}
	var found []event
	for _, e := range m.events {
		if times.contain(e.timestamp) {
			found = append(found, e)
		}
	}
	// Imported transfers and expiries happen in another order than they date.
	slices.SortFunc(found, func(a, b event) int { return cmp.Compare(a.timestamp, b.timestamp) })
	for _, e := range choose(found, false, f.Limit, resultsMax) {
		change := e.change()
		reply = append(reply, make([]byte, ledger.ChangeEventSize)...)
		change.Encode(reply[len(reply)-ledger.ChangeEventSize:])
	}
	return reply
}

func (e event) change() ledger.ChangeEvent {
	t, d, c := e.transfer, e.debit, e.credit
	return ledger.ChangeEvent{
		TransferID: t.ID, TransferAmount: t.Amount, TransferPendingID: t.PendingID,
		TransferUserData128: t.UserData128, TransferUserData64: t.UserData64, TransferUserData32: t.UserData32,
		TransferTimeout: t.Timeout, TransferCode: t.Code, TransferFlags: t.Flags,
		Ledger: t.Ledger, Type: e.kind,

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

		Timestamp: e.timestamp, TransferTimestamp: t.Timestamp,
		DebitAccountTimestamp: d.Timestamp, CreditAccountTimestamp: c.Timestamp,
	}
}

// times is an inclusive range of timestamps.
type times struct{ low, high uint64 }

// newTimes reads the bounds of a filter, where 0 means none. ok is false if
// they make the filter invalid.
func newTimes(low, high uint64) (t times, ok bool) {
	if low > ledger.TimestampMax || high > ledger.TimestampMax || high != 0 && low > high {
		return times{}, false
	}
	if high == 0 {
		high = ledger.TimestampMax
	}
	return times{max(low, 1), high}, true
}

func (t times) contain(timestamp uint64) bool { return t.low <= timestamp && timestamp <= t.high }

// matches reports whether a value satisfies a condition, where zero is none.
func matches[T comparable](condition, value T) bool {
	var none T
	return condition == none || condition == value
}

// choose returns the first results in the order asked for. Limit 0 makes a
// filter invalid, which gives no results as well.
func choose[T any](found []T, reversed bool, limit uint32, resultsMax int) []T {
	if reversed {
		slices.Reverse(found)
	}
	return found[:min(len(found), int(limit), resultsMax)]
}

func appendAccount(reply []byte, a ledger.Account) []byte {
	reply = append(reply, make([]byte, ledger.AccountSize)...)
	a.Encode(reply[len(reply)-ledger.AccountSize:])
	return reply
}

func appendTransfer(reply []byte, t ledger.Transfer) []byte {
	reply = append(reply, make([]byte, ledger.TransferSize)...)
	t.Encode(reply[len(reply)-ledger.TransferSize:])
	return reply
}
