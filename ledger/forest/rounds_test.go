package forest

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/ledger"
)

// TestRounds counts the dependent rounds of reads of a request: all that is in
// flight together is one round. Indexes of tables are in memory, pages are not.
func TestRounds(t *testing.T) {
	g := newMemoryGrid(16<<10 - 96)
	f := New(g, g, Options{CacheAccounts: 1, RecentSize: 1})
	const accounts, active, batches = 2000, 200, 120
	timestamp := uint64(1_000_000)
	createAccounts(f, accounts, &timestamp)
	random := rand.New(rand.NewPCG(9, 9))
	for batch := range batches {
		var body []byte
		for i := range 60 {
			debit := 1 + random.Uint64N(active)
			x := ledger.Transfer{
				ID: u128.From64(uint64(batch*60 + i + 1)), DebitAccountID: u128.From64(debit), CreditAccountID: u128.From64(1 + debit%active),
				Amount: u128.From64(1), Ledger: 1, Code: uint16(1 + random.IntN(50)), UserData64: random.Uint64N(100),
			}
			body = x.Append(body)
		}
		timestamp += 1000
		execute(f, ledger.OperationCreateTransfersUnbatched, timestamp, body, nil)
		g.run()
	}
	for _, tree := range f.tables.trees.all {
		tree.Warm(func(err error) {
			if err != nil {
				t.Fatal(err)
			}
		})
	}
	g.run()

	account := func(f ledger.AccountFilter) []byte {
		b := make([]byte, ledger.AccountFilterSize)
		f.Encode(b)
		return b
	}
	query := func(f ledger.QueryFilter) []byte {
		b := make([]byte, ledger.QueryFilterSize)
		f.Encode(b)
		return b
	}
	events := make([]byte, ledger.ChangeEventsFilterSize)
	(&ledger.ChangeEventsFilter{Limit: 100}).Encode(events)
	transfer := ledger.Transfer{ID: u128.From64(1 << 40), DebitAccountID: u128.From64(7), CreditAccountID: u128.From64(8), Ledger: 1, Code: 1}
	both := ledger.AccountFilterDebits | ledger.AccountFilterCredits
	for _, c := range []struct {
		name      string
		operation ledger.Operation
		body      []byte
		rounds    int
	}{
		{"new transfer of forgotten accounts", ledger.OperationCreateTransfersUnbatched, transfer.Append(nil), 3},
		{"lookup of accounts", ledger.OperationLookupAccountsUnbatched, idsOf(3, 50, 100, 150), 2},
		{"lookup of transfers", ledger.OperationLookupTransfersUnbatched, idsOf(3, 500, 1000, 3000), 1},
		{"last of an account", ledger.OperationGetAccountTransfersUnbatched,
			account(ledger.AccountFilter{AccountID: u128.From64(7), Limit: 30, Flags: both | ledger.AccountFilterReversed}), 3},
		{"matches of a value", ledger.OperationQueryTransfersUnbatched, query(ledger.QueryFilter{UserData64: 5, Limit: 10}), 3},
		{"latest matches of two values", ledger.OperationQueryTransfersUnbatched,
			query(ledger.QueryFilter{UserData64: 5, Ledger: 1, Limit: 10, Flags: ledger.QueryFilterReversed}), 4},
		{"all transfers", ledger.OperationQueryTransfersUnbatched, query(ledger.QueryFilter{Limit: 1000}), 2},
		{"all accounts", ledger.OperationQueryAccountsUnbatched, query(ledger.QueryFilter{Limit: 200}), 1},
		{"change events", ledger.OperationGetChangeEvents, events, 2},
	} {
		f.tables.cache.evict()
		ready, rounds := false, 0
		f.Prefetch(byte(c.operation), timestamp+1000, c.body, func() { ready = true })
		for !ready {
			rounds++
			for range len(g.waiting) {
				g.step()
			}
		}
		if rounds == 0 || rounds > c.rounds {
			t.Errorf("%s: %d rounds, at most %d are needed", c.name, rounds, c.rounds)
		}
	}
}

// TestWaveError demands that the first error of a wave is told, after its last
// read.
func TestWaveError(t *testing.T) {
	var w wave
	first, second := errors.New("first"), errors.New("second")
	var got []error
	w.begin(func(err error) { got = append(got, err) })
	a, b, c := w.read(), w.read(), w.read()
	a(first)
	w.end()
	b(second)
	if len(got) != 0 {
		t.Fatal("done before the last read")
	}
	c(nil)
	if len(got) != 1 || got[0] != first {
		t.Errorf("told %v", got)
	}
}
