package model_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/sim/model"
)

// What follows checks by hand what the golden cases cannot: SEMANTICS.md
// sections 16 (the reference crashes) and 18 (deprecated operations), timeouts
// beyond the last timestamp, and malformed bodies.

// now is when the tests begin.
const now = 1_700_000_000_000_000_000

const bodySizeMax = 1<<20 - 256

// tester executes requests on a model, one at a time.
type tester struct {
	*testing.T
	*model.Model
}

func newTester(t *testing.T) tester { return tester{t, model.New()} }

// encode joins the batches of a multi-batch body; each must fit a trailer of
// 128 bytes.
func encode(batches ...[]byte) []byte {
	var body, counts []byte
	for _, batch := range batches {
		body = append(body, batch...)
		counts = append(binary.LittleEndian.AppendUint16(nil, uint16(len(batch)/128)), counts...)
	}
	counts = binary.LittleEndian.AppendUint16(counts, uint16(len(batches)))
	return append(append(body, bytes.Repeat([]byte{0xff}, 128-len(counts))...), counts...)
}

func accounts(all ...ledger.Account) (batch []byte) {
	for _, a := range all {
		batch = append(batch, make([]byte, ledger.AccountSize)...)
		a.Encode(batch[len(batch)-ledger.AccountSize:])
	}
	return batch
}

func transfers(all ...ledger.Transfer) (batch []byte) {
	for _, t := range all {
		batch = append(batch, make([]byte, ledger.TransferSize)...)
		t.Encode(batch[len(batch)-ledger.TransferSize:])
	}
	return batch
}

func id(n uint64) ledger.Uint128 { return ledger.Uint128{Lo: n} }

func account(n uint64) ledger.Account { return ledger.Account{ID: id(n), Ledger: 1, Code: 1} }

// transfer moves 10 from account 1 to account 2.
func transfer(n uint64, flags ledger.TransferFlags) ledger.Transfer {
	return ledger.Transfer{ID: id(n), DebitAccountID: id(1), CreditAccountID: id(2), Amount: id(10), Ledger: 1, Code: 1, Flags: flags}
}

// resolves posts or voids transfer pending.
func resolves(n, pending uint64, flags ledger.TransferFlags) ledger.Transfer {
	return ledger.Transfer{ID: id(n), PendingID: id(pending), Amount: ledger.AmountMax, Flags: flags}
}

// imported returns t as an import.
func imported(t ledger.Transfer, timestamp uint64) ledger.Transfer {
	t.Flags |= ledger.TransferImported
	t.Timestamp = timestamp
	return t
}

// commit demands that the body is valid, and executes it.
func (t tester) commit(operation ledger.Operation, timestamp uint64, body []byte) []byte {
	t.Helper()
	if _, known, valid := t.Check(byte(operation), body, bodySizeMax); !known || !valid {
		t.Fatalf("%v: known %t, valid %t", operation, known, valid)
	}
	return t.Commit(byte(operation), timestamp, body, nil)
}

// expect executes transfers at a timestamp and compares the statuses.
func (t tester) expect(timestamp uint64, body []byte, want ...ledger.CreateTransferStatus) {
	t.Helper()
	reply := t.commit(ledger.OperationCreateTransfers, timestamp, body)
	var got []ledger.CreateTransferStatus
	for i := range want {
		var r ledger.CreateTransferResult
		r.Decode(reply[i*ledger.CreateResultSize:])
		got = append(got, r.Status)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestImportedPostCancelsExpiry(t *testing.T) { // section 16.1
	m := newTester(t)
	m.commit(ledger.OperationCreateAccounts, now, encode(accounts(account(1), account(2))))
	pending := transfer(1, ledger.TransferPending)
	pending.Timeout = 1
	m.expect(now+100, encode(transfers(pending)), ledger.TransferCreated)
	m.expect(now+300, encode(transfers(imported(resolves(2, 1, ledger.TransferPostPendingTransfer), now+200))), ledger.TransferCreated)
	if _, due := m.Pulse(now + 10e9); due {
		t.Error("a posted transfer is to expire")
	}
}

func TestBatchesDecideAloneOnImports(t *testing.T) { // section 16.2
	m := newTester(t)
	m.commit(ledger.OperationCreateAccounts, now, encode(accounts(account(1), account(2))))
	old := now + uint64(10)
	m.expect(now+100, encode(
		transfers(transfer(1, 0)),
		transfers(imported(transfer(2, 0), old), transfer(3, 0)),
		transfers(transfer(4, 0), imported(transfer(5, 0), old)),
	), ledger.TransferCreated,
		ledger.TransferImportedEventTimestampMustNotRegress, ledger.TransferImportedEventExpected,
		ledger.TransferCreated, ledger.TransferImportedEventNotExpected)
}

func TestImportBetweenSlots(t *testing.T) { // section 16.3
	m := newTester(t)
	m.commit(ledger.OperationCreateAccounts, now, encode(accounts(account(1), account(2))))
	slots := uint64(now + 98) // of the first of three
	m.expect(now+100, encode(transfers(
		imported(transfer(1, 0), slots-1),
		imported(transfer(2, 0), slots+1), // its own slot
		imported(transfer(3, 0), slots+1), // the slot before
	)), ledger.TransferCreated, ledger.TransferImportedEventTimestampMustNotAdvance, ledger.TransferCreated)
	m.expect(now+200, encode(transfers(
		imported(transfer(4, 0), now+200-1), // within the batch, after its own slot
		imported(transfer(5, 0), now+200),   // the last slot
	)), ledger.TransferImportedEventTimestampMustNotAdvance, ledger.TransferImportedEventTimestampMustNotAdvance)
}

func TestImportAtTheTimeOfAnExpiry(t *testing.T) { // section 16.4
	m := newTester(t)
	m.commit(ledger.OperationCreateAccounts, now, encode(accounts(account(1), account(2))))
	pending := transfer(1, ledger.TransferPending)
	pending.Timeout = 1
	m.expect(now+100, encode(transfers(pending)), ledger.TransferCreated)
	pulse := uint64(now + 2e9)
	m.Commit(byte(ledger.OperationPulse), pulse, nil, nil)
	m.expect(pulse+100, encode(transfers(
		imported(transfer(2, 0), pulse-1),
		imported(transfer(3, 0), pulse),
		imported(transfer(4, 0), pulse+1),
	)), ledger.TransferCreated, ledger.TransferImportedEventTimestampMustNotRegress, ledger.TransferCreated)
}

// TestPulseIsNeverEarly has two transfers that expire together, so that the
// first of two timestamps at the end of a pulse would be too early for it.
func TestPulseIsNeverEarly(t *testing.T) { // section 10
	m := newTester(t)
	m.commit(ledger.OperationCreateAccounts, now, encode(accounts(account(1), account(2))))
	for n := range uint64(2) {
		pending := transfer(1+n, ledger.TransferPending)
		pending.Timeout = 1
		m.expect(now+100+n, encode(transfers(pending)), ledger.TransferCreated)
	}
	first := uint64(now + 100 + 1e9) // when it expires; the other one follows
	for _, test := range []struct {
		at  uint64
		due bool
	}{{first - 1, false}, {first, true}} {
		if _, due := m.Pulse(test.at); due != test.due {
			t.Errorf("at %d: due %t", test.at, due)
		}
	}
	m.Commit(byte(ledger.OperationPulse), first+8190, nil, nil)
	if _, due := m.Pulse(first); due {
		t.Error("the first one has not expired")
	}
	if _, due := m.Pulse(first + 1); !due {
		t.Error("the second one has expired too early")
	}
}

func TestTimeoutBeyondTheLastTimestamp(t *testing.T) { // section 7.3, row 33
	const end = uint64(ledger.TimestampMax)
	m := newTester(t)
	m.commit(ledger.OperationCreateAccounts, now, encode(accounts(account(1), account(2))))
	fits, overflows := transfer(1, ledger.TransferPending), transfer(2, ledger.TransferPending)
	fits.Timeout, overflows.Timeout = 3, 3
	m.expect(end-3e9+1, encode(transfers(fits, overflows)), ledger.TransferCreated, ledger.TransferOverflowsTimeout)
}

func TestSparseResults(t *testing.T) { // section 18
	batch := accounts(
		ledger.Account{ID: id(1), Ledger: 1, Code: 1},
		ledger.Account{ID: id(2), Ledger: 1, Code: 1, Flags: ledger.AccountLinked},
		ledger.Account{ID: id(3), Ledger: 1, Code: 1, Flags: ledger.AccountLinked},
		ledger.Account{ID: id(4), Ledger: 1},
		ledger.Account{ID: id(1), Ledger: 1, Code: 1},
	)
	var want []byte
	for _, r := range []ledger.CreateErrorResult{
		{Index: 1, Status: uint32(ledger.AccountLinkedEventFailed)},
		{Index: 2, Status: uint32(ledger.AccountLinkedEventFailed)},
		{Index: 3, Status: uint32(ledger.AccountCodeMustNotBeZero)},
		{Index: 4, Status: uint32(ledger.AccountExists)},
	} {
		want = append(want, make([]byte, ledger.CreateErrorResultSize)...)
		r.Encode(want[len(want)-ledger.CreateErrorResultSize:])
	}
	plain := newTester(t).commit(ledger.OperationCreateAccountsUnbatched, now, batch)
	if !bytes.Equal(plain, want) {
		t.Errorf("unbatched: got  %x\nwant %x", plain, want)
	}
	sparse := newTester(t).commit(ledger.OperationCreateAccountsSparse, now, encode(batch, accounts(account(9))))
	trailer := []byte{0xff, 0xff, 0, 0, 4, 0, 2, 0}
	if !bytes.Equal(sparse, append(want, trailer...)) {
		t.Errorf("sparse: got  %x\nwant %x%x", sparse, want, trailer)
	}
}

func TestUnbatchedLookup(t *testing.T) { // section 18
	m := newTester(t)
	m.commit(ledger.OperationCreateAccounts, now, encode(accounts(account(1), account(2))))
	ids := make([]byte, 48)
	id(2).PutBytes(ids)
	id(7).PutBytes(ids[16:])
	id(2).PutBytes(ids[32:])
	second := account(2)
	second.Timestamp = now
	if got := m.commit(ledger.OperationLookupAccountsUnbatched, now+1, ids); !bytes.Equal(got, accounts(second, second)) {
		t.Errorf("got %x", got)
	}
}

func TestCheck(t *testing.T) { // PROTOCOL.md sections 12.2, 12.3 and 13
	filter := func(limit uint32) []byte {
		b := make([]byte, ledger.AccountFilterSize)
		(&ledger.AccountFilter{Limit: limit}).Encode(b)
		return b
	}
	edit := func(body []byte, at int, value byte) []byte {
		body[len(body)-at] = value
		return body
	}
	events := func(n int) []byte { return make([]byte, n*128) }
	const L = bodySizeMax
	for _, test := range []struct {
		name         string
		operation    ledger.Operation
		body         []byte
		limit        int
		slots        int
		known, valid bool
	}{
		{"two batches", ledger.OperationCreateTransfers, encode(events(2), events(3)), L, 5, true, true},
		{"empty batches", ledger.OperationCreateTransfers, encode(nil, nil), L, 0, true, true},
		{"reads take no slots", ledger.OperationGetAccountTransfers, encode(filter(1)), L, 0, true, true},
		{"most events", ledger.OperationCreateAccounts, encode(events(8189)), L, 8189, true, true},
		{"too many events", ledger.OperationCreateAccounts, encode(events(8190)), L, 0, true, false},
		{"most unbatched", ledger.OperationCreateAccountsUnbatched, events(8190), L, 8190, true, true},
		{"too many unbatched", ledger.OperationCreateAccountsUnbatched, events(8191), L, 0, true, false},
		{"most events of a small server", ledger.OperationCreateAccounts, encode(events(7)), 1024, 7, true, true},
		{"too many events for it", ledger.OperationCreateAccounts, encode(events(8)), 1024, 0, true, false},
		{"part of an event", ledger.OperationCreateAccountsUnbatched, events(1)[1:], L, 0, true, false},
		{"no trailer", ledger.OperationCreateAccounts, nil, L, 0, true, false},
		{"no batch", ledger.OperationCreateAccounts, edit(encode(nil), 2, 0), L, 0, true, false},
		{"count too large", ledger.OperationCreateAccounts, edit(encode(events(1)), 4, 2), L, 0, true, false},
		{"count too small", ledger.OperationCreateAccounts, edit(encode(events(2)), 4, 1), L, 0, true, false},
		{"padding", ledger.OperationCreateAccounts, edit(encode(events(1)), 5, 0), L, 0, true, false},
		{"two filters in a batch", ledger.OperationGetAccountTransfers, encode(events(2)), L, 0, true, false},
		{"no filter in a batch", ledger.OperationGetAccountTransfers, encode(nil), L, 0, true, false},
		{"limits that fit", ledger.OperationGetAccountTransfers, encode(filter(8188), filter(1)), L, 0, true, true},
		{"limits that do not fit", ledger.OperationGetAccountTransfers, encode(filter(8188), filter(2)), L, 0, true, false},
		{"a limit is capped", ledger.OperationGetAccountTransfers, encode(filter(1<<32 - 1)), L, 0, true, true},
		{"pulse", ledger.OperationPulse, nil, L, 0, false, false},
		{"pulse of the reference", 128, nil, L, 0, false, false},
		{"beyond the last", 148, nil, L, 0, false, false},
	} {
		slots, known, valid := model.New().Check(byte(test.operation), test.body, test.limit)
		if slots != test.slots || known != test.known || valid != test.valid {
			t.Errorf("%s: %d slots, known %t, valid %t; want %d, %t, %t", test.name, slots, known, valid, test.slots, test.known, test.valid)
		}
	}
}

func TestClone(t *testing.T) {
	m := newTester(t)
	m.commit(ledger.OperationCreateAccounts, now, encode(accounts(account(1), account(2))))
	m.expect(now+100, encode(transfers(transfer(11, 0), transfer(12, 0), transfer(13, 0))), ledger.TransferCreated)
	events := make([]byte, ledger.ChangeEventsFilterSize)
	(&ledger.ChangeEventsFilter{Limit: 10}).Encode(events)
	before := m.commit(ledger.OperationGetChangeEvents, now+200, events)

	clone := tester{t, m.Clone()}
	m.expect(now+300, encode(transfers(transfer(2, 0))), ledger.TransferCreated)
	if after := clone.commit(ledger.OperationGetChangeEvents, now+400, events); !bytes.Equal(before, after) {
		t.Error("the clone sees what happened to the original")
	}
	clone.expect(now+300, encode(transfers(transfer(3, 0))), ledger.TransferCreated)
	if got := m.commit(ledger.OperationGetChangeEvents, now+400, events); !bytes.Equal(got[:len(before)], before) || binary.LittleEndian.Uint64(got[len(before):]) != 2 {
		t.Error("the original sees what happened to the clone")
	}
}
