package forest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/ledgerd/ledgerd/internal/multibatch"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/sim/model"
	"github.com/ledgerd/ledgerd/sim/model/gen"
)

// TestReadsModel runs random requests on a forest with hardly any memory and on
// the model, and compares all replies; then it asks both thousands of queries.
func TestReadsModel(t *testing.T) {
	seeds := 4
	if testing.Short() {
		seeds = 1
	}
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			const start = 1_700_000_000_000_000_000
			requests := slices.DeleteFunc(gen.Record(seed, start, 2000, model.New()), func(r gen.Request) bool {
				return len(r.Body) > 64*ledger.TransferSize
			})
			oracle := model.New()
			c := newColdLedger(seed, coldOptions())
			c.oracle = oracle
			if err := gen.Compare(requests, oracle, c, nil); err != nil {
				t.Fatal(err)
			}
			c.oracle = nil
			if err := c.restart(); err != nil {
				t.Fatal(err)
			}
			compareQueries(t, c, oracle, seed, requests[len(requests)-1].Now+1_000_000)
			if err := c.verify(); err != nil {
				t.Error(err)
			}
			if c.reads < 10_000 {
				t.Errorf("only %d steps of the disk: this was not cold", c.reads)
			}
		})
	}
}

// TestHotAccounts asks about accounts with thousands of transfers, of which few
// are on one side, so that queries go from window to window.
func TestHotAccounts(t *testing.T) {
	const seed, batch, batches = 3, 60, 100
	oracle, c := model.New(), newColdLedger(seed, coldOptions())
	random := rand.New(rand.NewPCG(seed, 7))
	now := uint64(1_700_000_000_000_000_000)
	do := func(operation ledger.Operation, body []byte) {
		now += 1000
		want := oracle.Commit(byte(operation), now, body, nil)
		if got := c.execute(operation, now, body); !bytes.Equal(got, want) {
			t.Fatalf("%v at %d: got %x, want %x", operation, now, got, want)
		}
	}
	var accounts []byte
	for id := range uint64(3) {
		a := ledger.Account{ID: u128.From64(id + 1), Ledger: 1, Code: 1, Flags: ledger.AccountHistory}
		accounts = a.Append(accounts)
	}
	do(ledger.OperationCreateAccountsUnbatched, accounts)
	id := uint64(0)
	for range batches {
		var events []byte
		for range batch {
			id++
			x := ledger.Transfer{
				ID: u128.From64(id), DebitAccountID: u128.From64(1), CreditAccountID: u128.From64(2),
				Amount: u128.From64(random.Uint64N(9)), Ledger: 1, Code: uint16(1 + random.IntN(3)), UserData32: random.Uint32N(3),
			}
			if random.IntN(100) == 0 {
				x.DebitAccountID, x.CreditAccountID = x.CreditAccountID, x.DebitAccountID
			} else if random.IntN(100) == 0 {
				x.DebitAccountID = u128.From64(3)
			}
			events = x.Append(events)
		}
		do(ledger.OperationCreateTransfersUnbatched, events)
	}
	compareQueries(t, c, oracle, seed, now+1)
	compareManyFilters(t, c, oracle, seed, now+1)
	if err := c.verify(); err != nil {
		t.Error(err)
	}
}

// compareQueries asks both ledgers the same, at a time after all that happened.
func compareQueries(t *testing.T, c *coldLedger, oracle *model.Model, seed, now uint64) {
	q := newQuestions(seed, oracle, now)
	for i := range 3000 {
		operation, body := q.next()
		want := oracle.Commit(byte(operation), now, body, nil)
		if got := c.execute(operation, now, body); !bytes.Equal(got, want) {
			t.Fatalf("query %d: %v of %x:\ngot  %d bytes\nwant %d bytes", i, operation, body, len(got), len(want))
		}
	}
}

// compareManyFilters asks more in a request than is worked at at a time, in memory
// and not.
func compareManyFilters(t *testing.T, c *coldLedger, oracle *model.Model, seed, now uint64) {
	const filters = 300
	random := rand.New(rand.NewPCG(seed, 10))
	for range 5 {
		var body []byte
		var counts []uint16
		for range filters {
			f := ledger.AccountFilter{
				AccountID: u128.From64(1 + random.Uint64N(4)), Limit: random.Uint32N(20), // some are invalid
				Flags: ledger.AccountFilterFlags(random.IntN(8)), Code: uint16(random.IntN(4)),
			}
			b := make([]byte, ledger.AccountFilterSize)
			f.Encode(b)
			body, counts = append(body, b...), append(counts, 1)
		}
		body = multibatch.AppendTrailer(body, ledger.AccountFilterSize, counts)
		for _, operation := range []ledger.Operation{ledger.OperationGetAccountTransfers, ledger.OperationGetAccountBalances} {
			want := oracle.Commit(byte(operation), now, body, nil)
			if got := c.execute(operation, now, body); !bytes.Equal(got, want) {
				t.Fatalf("%v with %d filters: got %d bytes, want %d", operation, filters, len(got), len(want))
			}
		}
	}
}

// questions makes queries of all kinds about what is in a ledger.
type questions struct {
	random    *rand.Rand
	transfers []ledger.Transfer
	accounts  []ledger.Account
	times     []uint64
}

func newQuestions(seed uint64, oracle *model.Model, now uint64) *questions {
	q := &questions{random: rand.New(rand.NewPCG(seed, 6))}
	all := ledger.QueryFilter{Limit: 8190}
	body := make([]byte, ledger.QueryFilterSize)
	all.Encode(body)
	for reply := oracle.Commit(byte(ledger.OperationQueryTransfersUnbatched), now, body, nil); len(reply) > 0; reply = reply[ledger.TransferSize:] {
		var x ledger.Transfer
		x.Decode(reply)
		q.transfers, q.times = append(q.transfers, x), append(q.times, x.Timestamp)
	}
	for reply := oracle.Commit(byte(ledger.OperationQueryAccountsUnbatched), now, body, nil); len(reply) > 0; reply = reply[ledger.AccountSize:] {
		var a ledger.Account
		a.Decode(reply)
		q.accounts, q.times = append(q.accounts, a), append(q.times, a.Timestamp)
	}
	events := ledger.ChangeEventsFilter{Limit: 8190}
	body = make([]byte, ledger.ChangeEventsFilterSize)
	events.Encode(body)
	for reply := oracle.Commit(byte(ledger.OperationGetChangeEvents), now, body, nil); len(reply) > 0; reply = reply[ledger.ChangeEventSize:] {
		var e ledger.ChangeEvent
		e.Decode(reply)
		q.times = append(q.times, e.Timestamp)
	}
	return q
}

// bounds draws bounds of time next to what is there.
func (q *questions) bounds() (low, high uint64) {
	moment := func() uint64 {
		if q.random.IntN(2) == 0 {
			return 0
		}
		return q.times[q.random.IntN(len(q.times))] + q.random.Uint64N(3) - 1
	}
	low, high = moment(), moment()
	if high != 0 && low > high {
		low, high = high, low
	}
	return low, high
}

func (q *questions) limit() uint32 {
	return [...]uint32{1, 2, 3, 10, 50, 1000, 8190}[q.random.IntN(7)]
}

// sometimes returns a value, or 0 for no condition.
func sometimes[T comparable](q *questions, value T) (v T) {
	if q.random.IntN(3) == 0 {
		v = value
	}
	return v
}

func (q *questions) next() (operation ledger.Operation, body []byte) {
	x, a := q.transfers[q.random.IntN(len(q.transfers))], q.accounts[q.random.IntN(len(q.accounts))]
	switch roll := q.random.IntN(10); {
	case roll < 5:
		f := ledger.AccountFilter{
			AccountID: a.ID, UserData128: sometimes(q, x.UserData128), UserData64: sometimes(q, x.UserData64),
			UserData32: sometimes(q, x.UserData32), Code: sometimes(q, x.Code),
			Limit: q.limit(), Flags: ledger.AccountFilterFlags(1 + q.random.IntN(7)),
		}
		if q.random.IntN(2) == 0 { // where there are transfers
			f.AccountID = x.DebitAccountID
		}
		f.TimestampMin, f.TimestampMax = q.bounds()
		body = make([]byte, ledger.AccountFilterSize)
		f.Encode(body)
		return [...]ledger.Operation{
			ledger.OperationGetAccountTransfersUnbatched, ledger.OperationGetAccountBalancesUnbatched,
		}[roll%2], body
	case roll < 9:
		f := ledger.QueryFilter{
			UserData128: sometimes(q, x.UserData128), UserData64: sometimes(q, x.UserData64),
			UserData32: sometimes(q, x.UserData32), Ledger: sometimes(q, x.Ledger), Code: sometimes(q, x.Code),
			Limit: q.limit(), Flags: ledger.QueryFilterFlags(q.random.IntN(2)),
		}
		operation = ledger.OperationQueryTransfersUnbatched
		if roll%2 == 0 {
			operation = ledger.OperationQueryAccountsUnbatched
			f.UserData128, f.UserData64 = sometimes(q, a.UserData128), sometimes(q, a.UserData64)
			f.UserData32, f.Ledger, f.Code = sometimes(q, a.UserData32), sometimes(q, a.Ledger), sometimes(q, a.Code)
		}
		f.TimestampMin, f.TimestampMax = q.bounds()
		body = make([]byte, ledger.QueryFilterSize)
		f.Encode(body)
		return operation, body
	}
	f := ledger.ChangeEventsFilter{Limit: q.limit()}
	f.TimestampMin, f.TimestampMax = q.bounds()
	body = make([]byte, ledger.ChangeEventsFilterSize)
	f.Encode(body)
	return ledger.OperationGetChangeEvents, body
}

// BenchmarkQueries measures ns per result where all pages and rows are in memory,
// of the fastest of all queries.
func BenchmarkQueries(b *testing.B) {
	const accounts, batches = 1000, 60 // about 980 rows an account
	l := newWorkload(accounts)
	g := newDiscardGrid()
	f := New(g, g, Options{})
	timestamp := uint64(1)
	createAccounts(f, accounts, &timestamp)
	for range batches {
		timestamp += benchBatch
		execute(f, ledger.OperationCreateTransfers, timestamp, l.batch(benchBatch), nil)
		g.run()
	}
	both := ledger.AccountFilterDebits | ledger.AccountFilterCredits
	account, one, query, events := make([]byte, 128), make([]byte, 128), make([]byte, 64), make([]byte, 64)
	(&ledger.AccountFilter{AccountID: u128.From64(7), Limit: 8190, Flags: both}).Encode(account)
	(&ledger.AccountFilter{AccountID: u128.From64(7), Limit: 8190, Flags: ledger.AccountFilterDebits}).Encode(one)
	(&ledger.QueryFilter{Ledger: 1, Code: 1, Limit: 8190}).Encode(query)
	(&ledger.ChangeEventsFilter{Limit: 2730}).Encode(events)
	for _, c := range []struct {
		name      string
		operation ledger.Operation
		body      []byte
	}{
		{"account", ledger.OperationGetAccountTransfersUnbatched, account},
		{"account_debits", ledger.OperationGetAccountTransfersUnbatched, one},
		{"two_values", ledger.OperationQueryTransfersUnbatched, query},
		{"events", ledger.OperationGetChangeEvents, events},
	} {
		b.Run(c.name, func(b *testing.B) {
			least, reply := time.Hour, []byte(nil)
			for b.Loop() {
				start := time.Now()
				reply = execute(f, c.operation, timestamp+1, c.body, reply[:0])
				least = min(least, time.Since(start))
			}
			results := len(reply) / c.operation.ResultSize()
			b.ReportMetric(float64(results), "results")
			b.ReportMetric(float64(least.Nanoseconds())/float64(results), "min-ns/result")
		})
	}
}
