package client_test

import (
	"github.com/ledgerd/ledgerd/internal/multibatch"
	"github.com/ledgerd/ledgerd/ledger"
)

// fakeLedger knows just enough of accounts and transfers to answer a client:
// no rules, no flags, no pending transfers.
type fakeLedger struct {
	accounts  []*ledger.Account
	transfers []ledger.Transfer
	index     map[ledger.Uint128]int // of transfers by id
	balances  []transferBalances     // after each transfer
	timestamp uint64
	null      bool // create nothing, for benchmarks
}

type transferBalances struct{ debit, credit ledger.Account }

// execute returns the reply body to a request body.
func (f *fakeLedger) execute(o ledger.Operation, body []byte) []byte {
	if o == ledger.OperationGetChangeEvents {
		return f.changeEvents(body)
	}
	eventSize, resultSize := fakeSizes(o)
	counts, events, err := multibatch.Decode(body, eventSize, nil)
	if err != nil {
		panic(err)
	}
	if f.null {
		size := len(events) / eventSize * resultSize
		return multibatch.AppendTrailer(make([]byte, size, size+128), resultSize, counts)
	}
	var reply []byte
	var results []uint16
	for _, n := range counts {
		before := len(reply)
		for range n {
			reply = f.event(reply, o, events[:eventSize])
			events = events[eventSize:]
		}
		results = append(results, uint16((len(reply)-before)/resultSize))
	}
	return multibatch.AppendTrailer(reply, resultSize, results)
}

func fakeSizes(o ledger.Operation) (event, result int) {
	switch o {
	case ledger.OperationCreateAccounts, ledger.OperationCreateTransfers:
		return 128, 16
	case ledger.OperationLookupAccounts, ledger.OperationLookupTransfers:
		return 16, 128
	case ledger.OperationQueryAccounts, ledger.OperationQueryTransfers:
		return 64, 128
	case ledger.OperationGetAccountTransfers, ledger.OperationGetAccountBalances:
		return 128, 128
	}
	panic(o)
}

// event appends the results of one event.
func (f *fakeLedger) event(reply []byte, o ledger.Operation, event []byte) []byte {
	f.timestamp++
	switch o {
	case ledger.OperationCreateAccounts:
		return f.createAccount(reply, event)
	case ledger.OperationCreateTransfers:
		return f.createTransfer(reply, event)
	case ledger.OperationLookupAccounts:
		var id fakeID
		id.Decode(event)
		if a := f.account(ledger.Uint128(id)); a != nil {
			reply = appendRecord(reply, ledger.AccountSize, a)
		}
	case ledger.OperationLookupTransfers:
		var id fakeID
		id.Decode(event)
		if i := f.transfer(ledger.Uint128(id)); i >= 0 {
			reply = appendRecord(reply, ledger.TransferSize, &f.transfers[i])
		}
	case ledger.OperationQueryAccounts, ledger.OperationQueryTransfers:
		var filter ledger.QueryFilter
		filter.Decode(event)
		return f.query(reply, o, &filter)
	default:
		var filter ledger.AccountFilter
		filter.Decode(event)
		return f.accountFilter(reply, o, &filter)
	}
	return reply
}

func (f *fakeLedger) createAccount(reply, event []byte) []byte {
	var a ledger.Account
	a.Decode(event)
	result := ledger.CreateAccountResult{Status: ledger.AccountCreated, Timestamp: f.timestamp}
	if before := f.account(a.ID); before != nil {
		result = ledger.CreateAccountResult{Status: ledger.AccountExists, Timestamp: before.Timestamp}
	} else {
		a.Timestamp = f.timestamp
		f.accounts = append(f.accounts, &a)
	}
	return appendRecord(reply, ledger.CreateResultSize, &result)
}

func (f *fakeLedger) createTransfer(reply, event []byte) []byte {
	var t ledger.Transfer
	t.Decode(event)
	result := ledger.CreateTransferResult{Status: ledger.TransferCreated, Timestamp: f.timestamp}
	debit, credit := f.account(t.DebitAccountID), f.account(t.CreditAccountID)
	switch i := f.transfer(t.ID); {
	case i >= 0:
		result = ledger.CreateTransferResult{Status: ledger.TransferExists, Timestamp: f.transfers[i].Timestamp}
	case debit == nil:
		result.Status = ledger.TransferDebitAccountNotFound
	case credit == nil:
		result.Status = ledger.TransferCreditAccountNotFound
	default:
		t.Timestamp = f.timestamp
		debit.DebitsPosted, _ = debit.DebitsPosted.Add(t.Amount)
		credit.CreditsPosted, _ = credit.CreditsPosted.Add(t.Amount)
		if f.index == nil {
			f.index = make(map[ledger.Uint128]int)
		}
		f.index[t.ID] = len(f.transfers)
		f.transfers = append(f.transfers, t)
		f.balances = append(f.balances, transferBalances{*debit, *credit})
	}
	return appendRecord(reply, ledger.CreateResultSize, &result)
}

func (f *fakeLedger) account(id ledger.Uint128) *ledger.Account {
	for _, a := range f.accounts {
		if a.ID == id {
			return a
		}
	}
	return nil
}

func (f *fakeLedger) transfer(id ledger.Uint128) int {
	if i, ok := f.index[id]; ok {
		return i
	}
	return -1
}

// query knows the condition on code only.
func (f *fakeLedger) query(reply []byte, o ledger.Operation, filter *ledger.QueryFilter) []byte {
	limit := filter.Limit
	if o == ledger.OperationQueryAccounts {
		for _, a := range f.accounts {
			if limit > 0 && (filter.Code == 0 || filter.Code == a.Code) {
				reply = appendRecord(reply, ledger.AccountSize, a)
				limit--
			}
		}
		return reply
	}
	for i := range f.transfers {
		if limit > 0 && (filter.Code == 0 || filter.Code == f.transfers[i].Code) {
			reply = appendRecord(reply, ledger.TransferSize, &f.transfers[i])
			limit--
		}
	}
	return reply
}

func (f *fakeLedger) accountFilter(reply []byte, o ledger.Operation, filter *ledger.AccountFilter) []byte {
	limit := filter.Limit
	for i := range f.transfers {
		t := &f.transfers[i]
		var after *ledger.Account
		switch {
		case filter.Flags&ledger.AccountFilterDebits != 0 && t.DebitAccountID == filter.AccountID:
			after = &f.balances[i].debit
		case filter.Flags&ledger.AccountFilterCredits != 0 && t.CreditAccountID == filter.AccountID:
			after = &f.balances[i].credit
		}
		if after == nil || limit == 0 {
			continue
		}
		limit--
		if o == ledger.OperationGetAccountTransfers {
			reply = appendRecord(reply, ledger.TransferSize, t)
			continue
		}
		reply = appendRecord(reply, ledger.AccountBalanceSize, &ledger.AccountBalance{
			DebitsPosted:  after.DebitsPosted,
			CreditsPosted: after.CreditsPosted,
			Timestamp:     t.Timestamp,
		})
	}
	return reply
}

func (f *fakeLedger) changeEvents(body []byte) (reply []byte) {
	var filter ledger.ChangeEventsFilter
	filter.Decode(body)
	limit := filter.Limit
	for i := range f.transfers {
		t, after := &f.transfers[i], &f.balances[i]
		if t.Timestamp < filter.TimestampMin || limit == 0 {
			continue
		}
		limit--
		reply = appendRecord(reply, ledger.ChangeEventSize, &ledger.ChangeEvent{
			TransferID:               t.ID,
			TransferAmount:           t.Amount,
			Type:                     ledger.ChangeEventSinglePhase,
			DebitAccountID:           t.DebitAccountID,
			DebitAccountDebitsPosted: after.debit.DebitsPosted,
			CreditAccountID:          t.CreditAccountID,
			Timestamp:                t.Timestamp,
		})
	}
	return reply
}

type fakeID ledger.Uint128

func (id *fakeID) Decode(b []byte) {
	for i := range 8 {
		id.Lo |= uint64(b[i]) << (8 * i)
		id.Hi |= uint64(b[8+i]) << (8 * i)
	}
}

func appendRecord(reply []byte, size int, record interface{ Encode([]byte) }) []byte {
	reply = append(reply, make([]byte, size)...)
	record.Encode(reply[len(reply)-size:])
	return reply
}
