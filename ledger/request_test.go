package ledger_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/ledgerd/ledgerd/internal/multibatch"
	. "github.com/ledgerd/ledgerd/ledger"
)

// frame completes the body of an operation with one batch of events.
func frame(operation Operation, events []byte) []byte {
	body := bytes.Clone(events)
	if operation.MultiBatch() {
		body = multibatch.AppendTrailer(body, operation.EventSize(), []uint16{uint16(len(events) / operation.EventSize())})
	}
	return body
}

// TestLimits is PROTOCOL.md section 12.2.
func TestLimits(t *testing.T) {
	for _, c := range []struct {
		operation       Operation
		events, results int
		eventsSmall     int // where bodies are limited to 32 KiB - 256
	}{
		{OperationCreateAccounts, 8189, 65519, 253},
		{OperationCreateTransfers, 8189, 65519, 253},
		{OperationLookupAccounts, 8189, 8189, 2031},
		{OperationLookupTransfers, 8189, 8189, 2031},
		{OperationGetAccountTransfers, 1, 8189, 1},
		{OperationGetAccountBalances, 1, 8189, 1},
		{OperationQueryAccounts, 1, 8189, 1},
		{OperationQueryTransfers, 1, 8189, 1},
		{OperationGetChangeEvents, 1, 2730, 1},
		{OperationCreateAccountsSparse, 8189, 131039, 253},
		{OperationCreateTransfersUnbatched, 8190, 131040, 254},
		{OperationLookupAccountsUnbatched, 8190, 8190, 2032},
		{OperationQueryTransfersUnbatched, 1, 8190, 1},
	} {
		if got := c.operation.EventsMax(BodySizeMax); got != c.events {
			t.Errorf("%v: %d events, want %d", c.operation, got, c.events)
		}
		if got := c.operation.ResultsMax(); got != c.results {
			t.Errorf("%v: %d results, want %d", c.operation, got, c.results)
		}
		if got := c.operation.EventsMax(32<<10 - 256); got != c.eventsSmall {
			t.Errorf("%v: %d events in a small body, want %d", c.operation, got, c.eventsSmall)
		}
	}
}

// TestCheck is PROTOCOL.md section 12.3.
func TestCheck(t *testing.T) {
	filter := func(operation Operation, limits ...uint32) []byte {
		var body []byte
		var counts []uint16
		for _, limit := range limits {
			f := AccountFilter{Limit: limit}
			b := make([]byte, AccountFilterSize)
			f.Encode(b)
			body, counts = append(body, b...), append(counts, 1)
		}
		return multibatch.AppendTrailer(body, AccountFilterSize, counts)
	}
	events := func(size int, counts ...uint16) []byte {
		var body []byte
		for _, count := range counts {
			body = append(body, make([]byte, int(count)*size)...)
		}
		return multibatch.AppendTrailer(body, size, counts)
	}
	for _, c := range []struct {
		name         string
		operation    Operation
		body         []byte
		limit        int
		slots        int
		known, valid bool
	}{
		{"pulse", OperationPulse, nil, BodySizeMax, 0, false, false},
		{"pulse of the reference", 128, nil, BodySizeMax, 0, false, false},
		{"unknown", 148, nil, BodySizeMax, 0, false, false},
		{"no trailer", OperationCreateTransfers, nil, BodySizeMax, 0, true, false},
		{"nothing to create", OperationCreateTransfers, events(128, 0), BodySizeMax, 0, true, true},
		{"two batches", OperationCreateTransfers, events(128, 2, 3), BodySizeMax, 5, true, true},
		{"lookups take no slots", OperationLookupAccounts, events(16, 2, 3), BodySizeMax, 0, true, true},
		{"most events", OperationCreateAccounts, events(128, 8189), BodySizeMax, 8189, true, true},
		{"too many for the server", OperationCreateAccounts, events(128, 254), 32<<10 - 256, 0, true, false},
		{"too many results", OperationLookupAccounts, events(16, 8189, 1), BodySizeMax, 0, true, false},
		{"two filters in a batch", OperationGetAccountTransfers, events(128, 2), BodySizeMax, 0, true, false},
		{"no filter", OperationGetAccountTransfers, events(128, 0), BodySizeMax, 0, true, false},
		{"limits are capped", OperationGetAccountTransfers, filter(OperationGetAccountTransfers, 1<<32-1), BodySizeMax, 0, true, true},
		{"limits add up", OperationGetAccountTransfers, filter(OperationGetAccountTransfers, 8000, 189), BodySizeMax, 0, true, true},
		{"limits add up to too much", OperationGetAccountTransfers, filter(OperationGetAccountTransfers, 8000, 190), BodySizeMax, 0, true, false},
		{"plain", OperationCreateTransfersUnbatched, make([]byte, 8190*128), BodySizeMax, 8190, true, true},
		{"plain, empty", OperationCreateAccountsUnbatched, nil, BodySizeMax, 0, true, true},
		{"plain, odd", OperationCreateTransfersUnbatched, make([]byte, 129), BodySizeMax, 0, true, false},
		{"plain filter", OperationGetChangeEvents, make([]byte, 64), BodySizeMax, 0, true, true},
		{"two plain filters", OperationGetChangeEvents, make([]byte, 128), BodySizeMax, 0, true, false},
		{"no plain filter", OperationQueryAccountsUnbatched, nil, BodySizeMax, 0, true, false},
	} {
		slots, known, valid := newMapMachine().Machine.Check(c.operation, c.body, c.limit)
		if slots != c.slots || known != c.known || valid != c.valid {
			t.Errorf("%s: %d slots, known %t, valid %t", c.name, slots, known, valid)
		}
	}
}

// FuzzCheck demands that what Check lets pass can be executed, and gives a
// reply that fits.
func FuzzCheck(f *testing.F) {
	f.Add(uint8(OperationCreateTransfers), frame(OperationCreateTransfers, make([]byte, 256)))
	f.Add(uint8(OperationGetChangeEvents), make([]byte, 64))
	f.Fuzz(func(t *testing.T, operation uint8, body []byte) {
		m := newMapMachine().Machine
		if _, known, valid := m.Check(Operation(operation), body, BodySizeMax); !known || !valid {
			return
		}
		if reply := m.Execute(Operation(operation), now, body, nil); len(reply) > BodySizeMax {
			t.Errorf("reply of %d bytes", len(reply))
		}
	})
}

// TestSparseResults is SEMANTICS.md section 18: only failures are reported,
// and a chain's earlier events come before the one that broke it.
func TestSparseResults(t *testing.T) {
	batch := []Transfer{
		transfer(50),                        // 0
		transfer(51, flags(TransferLinked)), // 1
		transfer(52, flags(TransferLinked)), // 2
		transfer(53, between(1, 1)),         // 3 breaks the chain
		transfer(54),                        // 4
		transfer(54, amount(n(1))),          // 5
	}
	var events []byte
	for i := range batch {
		events = batch[i].Append(events)
	}
	want := []CreateErrorResult{
		{1, uint32(TransferLinkedEventFailed)},
		{2, uint32(TransferLinkedEventFailed)},
		{3, uint32(TransferAccountsMustBeDifferent)},
		{5, uint32(TransferExistsWithDifferentAmount)},
	}
	for _, operation := range []Operation{OperationCreateTransfersSparse, OperationCreateTransfersUnbatched} {
		reply := transferFixture().Execute(operation, now, frame(operation, events), nil)
		if operation.MultiBatch() {
			counts, payload, err := multibatch.Decode(reply, CreateErrorResultSize, nil)
			if err != nil || len(counts) != 1 || int(counts[0]) != len(want) {
				t.Fatalf("%v: counts %v, %v", operation, counts, err)
			}
			reply = payload
		}
		if len(reply) != len(want)*CreateErrorResultSize {
			t.Fatalf("%v: reply of %d bytes", operation, len(reply))
		}
		for i, w := range want {
			var got CreateErrorResult
			got.Decode(reply[i*CreateErrorResultSize:])
			if got != w {
				t.Errorf("%v: result %d is %+v, want %+v", operation, i, got, w)
			}
		}
	}
}

// TestDeprecatedReads demands that the deprecated reads give what the current
// ones give, without a trailer.
func TestDeprecatedReads(t *testing.T) {
	m := transferFixture()
	account := AccountFilter{AccountID: n(1), Limit: 100, Flags: AccountFilterDebits | AccountFilterCredits}
	accountFilter := make([]byte, AccountFilterSize)
	account.Encode(accountFilter)
	query := QueryFilter{Limit: 5}
	queryFilter := make([]byte, QueryFilterSize)
	query.Encode(queryFilter)
	id := make([]byte, 16)
	n(1).PutBytes(id)
	for _, c := range []struct {
		current, deprecated Operation
		events              []byte
		results             int
	}{
		{OperationLookupAccounts, OperationLookupAccountsUnbatched, id, 1},
		{OperationLookupTransfers, OperationLookupTransfersUnbatched, id, 1},
		{OperationGetAccountTransfers, OperationGetAccountTransfersUnbatched, accountFilter, 10},
		{OperationGetAccountBalances, OperationGetAccountBalancesUnbatched, accountFilter, 0},
		{OperationQueryAccounts, OperationQueryAccountsUnbatched, queryFilter, 5},
		{OperationQueryTransfers, OperationQueryTransfersUnbatched, queryFilter, 5},
	} {
		current := m.Execute(c.current, now, frame(c.current, c.events), nil)
		_, payload, err := multibatch.Decode(current, c.current.ResultSize(), nil)
		if err != nil {
			t.Fatal(err)
		}
		deprecated := m.Execute(c.deprecated, now, c.events, nil)
		if !bytes.Equal(deprecated, payload) || len(payload) != c.results*c.current.ResultSize() {
			t.Errorf("%v: %d bytes, %v: %d bytes", c.current, len(payload), c.deprecated, len(deprecated))
		}
	}
}

// TestPlan demands that Plan asks what Execute asks.
func TestPlan(t *testing.T) {
	account := AccountFilter{AccountID: n(1), Limit: 100, Flags: AccountFilterDebits}
	invalid := AccountFilter{AccountID: n(1), Flags: AccountFilterDebits} // no limit
	var body []byte
	for _, f := range []AccountFilter{account, invalid, account} {
		b := make([]byte, AccountFilterSize)
		f.Encode(b)
		body = append(body, b...)
	}
	body = multibatch.AppendTrailer(body, AccountFilterSize, []uint16{1, 1, 1})
	for _, operation := range []Operation{OperationGetAccountTransfers, OperationGetAccountBalances} {
		planned, executed := &asked{}, &asked{}
		NewMachine(planned).Plan(operation, body, planned)
		NewMachine(executed).Execute(operation, now, body, nil)
		if len(planned.filters) != 2 || !slices.Equal(planned.filters, executed.filters) {
			t.Errorf("%v: planned %v, executed %v", operation, planned.filters, executed.filters)
		}
	}
}

// asked takes note of the queries by account, with the limit that counts.
type asked struct {
	*mapTables
	filters []AccountFilter
}

func (a *asked) AppendAccountTransfers(f *AccountFilter, limit int, reply []byte) []byte {
	f.Limit = uint32(limit)
	a.filters = append(a.filters, *f)
	return reply
}

func (a *asked) AppendAccountBalances(f *AccountFilter, limit int, reply []byte) []byte {
	return a.AppendAccountTransfers(f, limit, reply)
}
