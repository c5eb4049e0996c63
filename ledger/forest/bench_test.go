package forest

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/internal/multibatch"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/ledger"
)

// discardGrid takes blocks as a disk would, and forgets them.
type discardGrid struct {
	*memoryGrid
	next   block.Address
	buffer []byte
	done   []func()
}

func newDiscardGrid() *discardGrid {
	g := newMemoryGrid(256<<10 - 64)
	return &discardGrid{memoryGrid: g, buffer: make([]byte, g.payloadSize)}
}

func (g *discardGrid) Acquire() block.Address { g.next++; return g.next }
func (g *discardGrid) Release(block.Address)  {}

func (g *discardGrid) Write(a block.Address, _ uint8, fill func(dst []byte) int, done func(block.Ref)) {
	fill(g.buffer)
	g.done = append(g.done, func() { done(block.Ref{Address: a}) })
}

func (g *discardGrid) run() {
	for _, done := range g.done {
		done()
	}
	g.done = g.done[:0]
}

// loader makes create_transfers batches.
type loader struct {
	random   *rand.Rand
	accounts int
	nextID   uint64
	randomID bool
	flags    func(i int) ledger.TransferFlags // nil: none
	body     []byte
}

const benchBatch = 8189

func newLoader(accounts int) *loader {
	return &loader{random: rand.New(rand.NewPCG(1, 2)), accounts: accounts}
}

// batch returns the next batch, good until the call after.
func (l *loader) batch(n int) []byte {
	l.body = l.body[:0]
	for i := range n {
		l.nextID++
		x := ledger.Transfer{ID: u128.From64(l.nextID), Amount: u128.From64(1 + l.random.Uint64N(1000)), Ledger: 1, Code: 1}
		if l.randomID {
			x.ID = ledger.Uint128{Lo: l.random.Uint64(), Hi: l.random.Uint64()}
		}
		debit := l.random.IntN(l.accounts)
		credit := (debit + 1 + l.random.IntN(l.accounts-1)) % l.accounts
		x.DebitAccountID, x.CreditAccountID = u128.From64(uint64(debit+1)), u128.From64(uint64(credit+1))
		if l.flags != nil {
			x.Flags = l.flags(i)
			if x.Flags&ledger.TransferPostPendingTransfer != 0 {
				x.DebitAccountID, x.CreditAccountID, x.Amount = ledger.Uint128{}, ledger.Uint128{}, ledger.AmountMax
				x.PendingID = u128.From64(l.nextID - 1)
			}
		}
		l.body = x.Append(l.body)
	}
	l.body = multibatch.AppendTrailer(l.body, ledger.TransferSize, []uint16{uint16(n)})
	return l.body
}

// createAccounts puts so many accounts into the forest, ids from 1.
func createAccounts(f *Forest, count int, timestamp *uint64) {
	var reply []byte
	for first := 1; first <= count; first += benchBatch {
		var body []byte
		n := min(benchBatch, count-first+1)
		for i := range n {
			a := ledger.Account{ID: u128.From64(uint64(first + i)), Ledger: 1, Code: 1}
			body = a.Append(body)
		}
		body = multibatch.AppendTrailer(body, ledger.AccountSize, []uint16{uint16(n)})
		*timestamp += uint64(n)
		reply = f.Commit(byte(ledger.OperationCreateAccounts), *timestamp, body, reply[:0])
	}
}

// BenchmarkCreateTransfers measures ns per transfer at a ledger that grows to
// 5 M transfers and starts anew: run it with -benchtime=5000000x for that.
func BenchmarkCreateTransfers(b *testing.B) {
	twoPhase := func(i int) ledger.TransferFlags {
		if i%2 == 0 {
			return ledger.TransferPending
		}
		return ledger.TransferPostPendingTransfer
	}
	for _, c := range []struct {
		name     string
		accounts int
		randomID bool
		flags    func(int) ledger.TransferFlags
	}{
		{"plain", 10_000, false, nil},
		{"100_accounts", 100, false, nil},
		{"random_ids", 10_000, true, nil},
		{"1M_accounts", 1_000_000, false, nil},
		{"two_phase", 10_000, false, twoPhase},
		{"linked_pairs", 10_000, false, func(i int) ledger.TransferFlags {
			return ledger.TransferFlags((i + 1) % 2) // 8,189 is odd: the last is open
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			l := newLoader(c.accounts)
			l.randomID, l.flags = c.randomID, c.flags
			grid := newDiscardGrid()
			f := New(grid, nil, Options{})
			timestamp := uint64(1)
			createAccounts(f, c.accounts, &timestamp)
			reply := make([]byte, 0, ledger.BodySizeMax)
			var times []time.Duration // of whole batches
			b.ReportAllocs()
			b.ResetTimer()
			for done := 0; done < b.N; done += benchBatch {
				b.StopTimer()
				body := l.batch(benchBatch)
				timestamp += benchBatch
				b.StartTimer()
				start := time.Now()
				reply = f.Commit(byte(ledger.OperationCreateTransfers), timestamp, body, reply[:0])
				grid.run()
				times = append(times, time.Since(start))
			}
			b.StopTimer()
			if n := f.tables.transfers.rows; int(n) < b.N-b.N/benchBatch-2 {
				b.Fatalf("%d transfers of %d", n, b.N)
			}
			slices.Sort(times)
			b.ReportMetric(float64(times[0])/benchBatch, "min-ns/op")
			b.ReportMetric(float64(times[len(times)/2])/benchBatch, "p50-ns/op")
			b.ReportMetric(times[len(times)-1].Seconds()*1e3, "max-ms/batch")
			b.ReportMetric(float64(len(f.tables.transfers.pages)*f.tables.transfers.pageSize)/float64(b.N), "B/row")
		})
	}
}
