package forest

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/vsr/faultdisk"
)

// faultNow is when the requests of TestReadFaults come.
const faultNow = 2_000_000_000_000

// ledgerOfFaults returns a ledger of which little is in memory.
func ledgerOfFaults() *coldLedger {
	c := newColdLedger(4, coldOptions())
	random := rand.New(rand.NewPCG(4, 8))
	now, id := uint64(1_000_000_000_000), uint64(0)
	var accounts []byte
	for id := range uint64(60) {
		a := ledger.Account{ID: u128.From64(id + 1), Ledger: 1, Code: 1, UserData64: id % 3, Flags: ledger.AccountHistory}
		accounts = a.Append(accounts)
	}
	c.execute(ledger.OperationCreateAccountsUnbatched, now, accounts)
	for range 30 {
		var events []byte
		for range 60 {
			id++
			account := 1 + random.Uint64N(59)
			x := ledger.Transfer{
				ID: u128.From64(id), DebitAccountID: u128.From64(account), CreditAccountID: u128.From64(account + 1),
				Amount: u128.From64(1), Ledger: 1, Code: uint16(1 + id%3),
			}
			if id%10 == 0 {
				x.Flags, x.Timeout = ledger.TransferPending, uint32(1+id%2000)
			}
			events = x.Append(events)
		}
		now += 1_000_000
		c.execute(ledger.OperationCreateTransfersUnbatched, now, events)
	}
	for c.step() {
	}
	return c
}

func idsOf(ids ...uint64) (body []byte) {
	for _, id := range ids {
		b := make([]byte, u128.Size)
		u128.From64(id).PutBytes(b)
		body = append(body, b...)
	}
	return body
}

// TestReadFaults lets one read of a request fail, or bring what is not there: the
// replica is told of it, with the block, or the reply is right.
func TestReadFaults(t *testing.T) {
	account := make([]byte, ledger.AccountFilterSize)
	(&ledger.AccountFilter{AccountID: u128.From64(7), Code: 2, Limit: 50, Flags: 1}).Encode(account)
	query := make([]byte, ledger.QueryFilterSize)
	(&ledger.QueryFilter{Code: 1, Limit: 50, Flags: ledger.QueryFilterReversed, TimestampMax: 1_000_020_000_000}).Encode(query)
	all := make([]byte, ledger.QueryFilterSize)
	(&ledger.QueryFilter{Limit: 500}).Encode(all)
	userData := make([]byte, ledger.QueryFilterSize)
	(&ledger.QueryFilter{UserData64: 1, Limit: 50}).Encode(userData)
	events := make([]byte, ledger.ChangeEventsFilterSize)
	(&ledger.ChangeEventsFilter{Limit: 200, TimestampMin: 1_000_005_000_000}).Encode(events)
	again := ledger.Transfer{ID: u128.From64(17), DebitAccountID: u128.From64(3), CreditAccountID: u128.From64(4), Ledger: 1, Code: 1}
	post := ledger.Transfer{ID: u128.From64(1 << 40), PendingID: u128.From64(20), Amount: ledger.AmountMax, Flags: ledger.TransferPostPendingTransfer}

	for _, c := range []struct {
		operation ledger.Operation
		body      []byte
	}{
		{ledger.OperationLookupTransfersUnbatched, idsOf(5, 100, 1000, 5000)},
		{ledger.OperationLookupAccountsUnbatched, idsOf(1, 30, 60, 77)},
		{ledger.OperationGetAccountTransfersUnbatched, account},
		{ledger.OperationGetAccountBalancesUnbatched, account},
		{ledger.OperationQueryTransfersUnbatched, query},
		{ledger.OperationQueryTransfersUnbatched, all},
		{ledger.OperationQueryAccountsUnbatched, userData},
		{ledger.OperationGetChangeEvents, events},
		{ledger.OperationCreateTransfersUnbatched, post.Append(again.Append(nil))},
		{ledger.OperationPulse, nil},
	} {
		l := ledgerOfFaults()
		before := l.disk.Submitted()
		want := l.execute(c.operation, faultNow, c.body)
		reads := l.disk.Submitted() - before
		if reads == 0 {
			t.Errorf("%v reads nothing", c.operation)
			continue
		}
		stopped := 0
		for _, effect := range []faultdisk.Effect{faultdisk.Unreadable, faultdisk.Rotten} {
			for n := 0; n < reads; n += 1 + reads/8 {
				if faultAt(t, effect, n, c.operation, c.body, want) {
					stopped++
				}
			}
		}
		if stopped == 0 {
			t.Errorf("%v: none of %d reads made a difference", c.operation, reads)
		}
	}
}

// faultAt executes a request of which the nth read suffers an effect. It reports
// whether the replica was stopped.
func faultAt(t *testing.T, effect faultdisk.Effect, n int, operation ledger.Operation, body, want []byte) (stopped bool) {
	l := ledgerOfFaults()
	reads := 0
	l.disk.Inject = func(_ int, r *blockio.Request) faultdisk.Fault {
		if r.Kind != blockio.Read {
			return faultdisk.Fault{}
		}
		reads++
		if reads-1 != n {
			return faultdisk.Fault{}
		}
		return faultdisk.Fault{Effect: effect}
	}
	ready := false
	l.Prefetch(byte(operation), faultNow, body, func() { ready = true })
	if !ready {
		if l.fault == nil || !strings.Contains(l.fault.Error(), "block ") {
			t.Errorf("%v, read %d: the fault is %v", operation, n, l.fault)
		}
		for l.step() {
		}
		if ready {
			t.Errorf("%v, read %d: done after a fault", operation, n)
		}
		return true
	}
	if got := l.Commit(byte(operation), faultNow, body, nil); !bytes.Equal(got, want) {
		t.Errorf("%v, read %d: another reply", operation, n)
	}
	return false
}

// TestVerifyReadFaults lets one read of Verify fail: it says which block.
func TestVerifyReadFaults(t *testing.T) {
	sound := ledgerOfFaults()
	before := sound.disk.Submitted()
	if err := sound.verify(); err != nil {
		t.Fatal(err)
	}
	reads := sound.disk.Submitted() - before
	for n := 0; n < reads; n += 1 + reads/20 {
		l := ledgerOfFaults()
		left := n
		l.disk.Inject = func(_ int, r *blockio.Request) (fault faultdisk.Fault) {
			if left--; left == -1 {
				fault.Effect = faultdisk.Unreadable
			}
			return fault
		}
		if err := l.verify(); err == nil || !strings.Contains(err.Error(), "block ") {
			t.Errorf("read %d of %d: %v", n, reads, err)
		}
	}
}

// TestWrongIndexes lets what leads to rows lead to the wrong ones: the replica is
// told, and nothing wrong is answered.
func TestWrongIndexes(t *testing.T) {
	const firstRow = position(1 << 20) // of transfer 1
	account := make([]byte, ledger.AccountFilterSize)
	(&ledger.AccountFilter{AccountID: u128.From64(1), Limit: 50, Flags: ledger.AccountFilterCredits}).Encode(account)
	query := make([]byte, ledger.QueryFilterSize)
	(&ledger.QueryFilter{Code: 7, Limit: 50}).Encode(query)
	events := make([]byte, ledger.ChangeEventsFilterSize)
	(&ledger.ChangeEventsFilter{Limit: 200}).Encode(events)
	for _, c := range []struct {
		name      string
		spoil     func(*tables)
		operation ledger.Operation
		body      []byte
		want      string
	}{
		{"transfer id", func(t *tables) { t.trees.all[transferIDs].Put(idKey(u128.From64(50)), uint64(firstRow)) },
			ledger.OperationLookupTransfersUnbatched, idsOf(50), "is not transfer 50"},
		{"account id", func(t *tables) { t.trees.all[accountIDs].Put(idKey(u128.From64(50)), 0) },
			ledger.OperationLookupAccountsUnbatched, idsOf(50), "has id 1, not 50"},
		{"slot", func(t *tables) { t.trees.all[accountIDs].Put(idKey(u128.From64(50)), 7) },
			ledger.OperationLookupAccountsUnbatched, idsOf(50), "there is no account number 7"},
		{"head", func(t *tables) { t.heads.set(0, lastRow(t)); t.cache.remove(0) },
			ledger.OperationLookupAccountsUnbatched, idsOf(1), "does not concern account number 0"},
		{"expiry", func(t *tables) { t.trees.all[expiries].Put(expiryKey(1, 1), uint64(firstRow)) },
			ledger.OperationPulse, nil, "is not pending transfer number 1"},
		{"account index", func(t *tables) { t.trees.all[accountIndex].Put(accountKey(0, creditSide, firstRow), 0) },
			ledger.OperationGetAccountTransfersUnbatched, account, "is not what the indexes say"},
		{"code", func(t *tables) { t.trees.all[transfersBy+int(byCode)].Put(fieldKey(7, uint64(firstRow)), 0) },
			ledger.OperationQueryTransfersUnbatched, query, "is not what the indexes say"},
		{"expired", func(t *tables) { t.trees.all[expired].Put(expiredKey(5), uint64(firstRow)) },
			ledger.OperationGetChangeEvents, events, "is not the expiry at 5"},
	} {
		l := soundLedger()
		if err := l.verify(); err != nil { // it indexes the last request, too
			t.Fatal(err)
		}
		c.spoil(l.tables)
		ready := false
		l.Prefetch(byte(c.operation), faultNow, c.body, func() { ready = true })
		if ready || l.fault == nil || !strings.Contains(l.fault.Error(), c.want) {
			t.Errorf("%s: done %t, fault %v, want %q", c.name, ready, l.fault, c.want)
		}
	}
}

// lastRow returns the position of the newest row, which must be in memory.
func lastRow(t *tables) (last position) {
	t.events.Scan(0, t.events.End(), false, func(p position, _ []byte) bool { last = p; return true }, func(error) {})
	return last
}
