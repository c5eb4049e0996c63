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

// discardGrid takes blocks as a disk would, and forgets those with rows. Jobs are
// done when run is called.
type discardGrid struct {
	*memoryGrid
	next   block.Address
	buffer []byte
}

func newDiscardGrid() *discardGrid {
	g := newMemoryGrid(256<<10 - 64)
	return &discardGrid{memoryGrid: g, buffer: make([]byte, g.payloadSize)}
}

func (g *discardGrid) Acquire() block.Address  { g.next++; return g.next }
func (g *discardGrid) Release(a block.Address) { delete(g.blocks, a) }

func (g *discardGrid) Write(a block.Address, kind uint8, fill func(dst []byte) int, done func(block.Ref)) {
	n := fill(g.buffer)
	if kind >= kindTrees {
		g.blocks[a] = memoryBlock{kind, string(g.buffer[:n])}
	}
	g.waiting = append(g.waiting, func() { done(block.Ref{Address: a}) })
}

func (g *discardGrid) Read(ref block.Ref, done func(payload []byte, err error)) {
	g.waiting = append(g.waiting, func() { done([]byte(g.blocks[ref.Address].payload), nil) })
}

func (g *discardGrid) ReadPart(ref block.Ref, offset, size int, _ uint64, done func(part []byte, err error)) {
	g.waiting = append(g.waiting, func() { done([]byte(g.blocks[ref.Address].payload[offset:][:size]), nil) })
}

// workload makes create_transfers batches.
type workload struct {
	random   *rand.Rand
	accounts int
	nextID   uint64
	high     uint64 // half of all ids
	randomID bool
	flags    func(i int) ledger.TransferFlags // nil: none
	body     []byte
}

const benchBatch = 8189

func newWorkload(accounts int) *workload {
	return &workload{random: rand.New(rand.NewPCG(1, 2)), accounts: accounts}
}

func (l *workload) id(low uint64) ledger.Uint128 { return ledger.Uint128{Lo: low, Hi: l.high} }

// batch returns the next batch, good until the call after.
func (l *workload) batch(n int) []byte {
	l.body = l.body[:0]
	for i := range n {
		l.nextID++
		x := ledger.Transfer{ID: l.id(l.nextID), Amount: u128.From64(1 + l.random.Uint64N(1000)), Ledger: 1, Code: 1}
		if l.randomID {
			x.ID = ledger.Uint128{Lo: l.random.Uint64(), Hi: l.random.Uint64()}
		}
		debit := l.random.IntN(l.accounts)
		credit := (debit + 1 + l.random.IntN(l.accounts-1)) % l.accounts
		x.DebitAccountID, x.CreditAccountID = l.id(uint64(debit+1)), l.id(uint64(credit+1))
		if l.flags != nil {
			x.Flags = l.flags(i)
			if x.Flags&ledger.TransferPostPendingTransfer != 0 {
				x.DebitAccountID, x.CreditAccountID, x.Amount = ledger.Uint128{}, ledger.Uint128{}, ledger.AmountMax
				x.PendingID = l.id(l.nextID - 1)
			}
		}
		l.body = x.Append(l.body)
	}
	l.body = multibatch.AppendTrailer(l.body, ledger.TransferSize, []uint16{uint16(n)})
	return l.body
}

// createAccounts puts so many accounts into the forest, ids from 1.
func createAccounts(f *Forest, count int, timestamp *uint64) {
	newWorkload(count).createAccounts(f, timestamp)
}

// createAccounts puts the accounts of the workload into the forest.
func (l *workload) createAccounts(f *Forest, timestamp *uint64) {
	var reply []byte
	for first := 1; first <= l.accounts; first += benchBatch {
		var body []byte
		n := min(benchBatch, l.accounts-first+1)
		for i := range n {
			a := ledger.Account{ID: l.id(uint64(first + i)), Ledger: 1, Code: 1}
			body = a.Append(body)
		}
		body = multibatch.AppendTrailer(body, ledger.AccountSize, []uint16{uint16(n)})
		*timestamp += uint64(n)
		reply = execute(f, ledger.OperationCreateAccounts, *timestamp, body, reply[:0])
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
			l := newWorkload(c.accounts)
			l.randomID, l.flags = c.randomID, c.flags
			grid := newDiscardGrid()
			f := New(grid, grid, Options{})
			timestamp := uint64(1)
			createAccounts(f, c.accounts, &timestamp)
			reply := make([]byte, 0, ledger.BodySizeMax)
			var prefetched, committed []time.Duration // of whole batches
			b.ReportAllocs()
			b.ResetTimer()
			for done := 0; done < b.N; done += benchBatch {
				b.StopTimer()
				grid.run()
				body := l.batch(benchBatch)
				timestamp += benchBatch
				ready := false
				b.StartTimer()
				start := time.Now()
				f.Prefetch(byte(ledger.OperationCreateTransfers), timestamp, body, func() { ready = true })
				prefetched = append(prefetched, time.Since(start))
				if !ready {
					b.StopTimer()
					grid.run()
					b.StartTimer()
				}
				start = time.Now()
				reply = f.Commit(byte(ledger.OperationCreateTransfers), timestamp, body, reply[:0])
				committed = append(committed, time.Since(start))
			}
			b.StopTimer()
			if n := f.tables.events.Rows(); int(n) < b.N-b.N/benchBatch-2 {
				b.Fatalf("%d rows of %d", n, b.N)
			}
			for _, m := range []struct {
				name  string
				times []time.Duration
			}{{"prefetch", prefetched}, {"commit", committed}} {
				slices.Sort(m.times)
				b.ReportMetric(float64(m.times[0])/benchBatch, m.name+"-min-ns")
				b.ReportMetric(float64(m.times[len(m.times)/2])/benchBatch, m.name+"-p50-ns")
				b.ReportMetric(m.times[len(m.times)-1].Seconds()*1e3, m.name+"-max-ms")
			}
			b.ReportMetric(float64(f.tables.events.Stats().Bytes)/float64(b.N), "B/row")
		})
	}
}
