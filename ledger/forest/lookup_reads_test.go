package forest

import (
	"math/rand/v2"
	"testing"

	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/ledger"
)

// TestLookupReads demands that a cold lookup of ids that ascend with time costs one
// read each, and that others cost no more than they did without fences.
func TestLookupReads(t *testing.T) {
	const perBatch, batches, asked = 60, 120, 40
	random := rand.New(rand.NewPCG(4, 4))
	for _, c := range []struct {
		name  string
		id    func(batch, i int) ledger.Uint128
		reads int // for a lookup of asked ids
	}{
		{"time-ordered", func(batch, i int) ledger.Uint128 {
			return ledger.Uint128{Hi: uint64(batch/3)<<16 | 7, Lo: uint64(batch*1000 + i + 1)}
		}, asked},
		{"reversed", func(batch, i int) ledger.Uint128 { return u128.From64(uint64(1<<40 - batch*1000 - i)) }, 2*asked + 1},
		{"random", func(int, int) ledger.Uint128 { return ledger.Uint128{Hi: random.Uint64(), Lo: random.Uint64()} }, 2*asked + 20},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newMemoryGrid(16<<10 - 96)
			f := New(g, g, Options{CacheAccounts: 1 << 20, RecentSize: 1})
			timestamp := uint64(1_000_000)
			createAccounts(f, 10, &timestamp)
			var ids []ledger.Uint128
			for batch := range batches {
				var body []byte
				for i := range perBatch {
					x := ledger.Transfer{
						ID: c.id(batch, i), DebitAccountID: u128.From64(1), CreditAccountID: u128.From64(2),
						Amount: u128.From64(1), Ledger: 1, Code: 1,
					}
					if i == 5 { // burns its id
						x.DebitAccountID = u128.From64(77)
					} else {
						ids = append(ids, x.ID)
					}
					body = x.Append(body)
				}
				timestamp += 1000
				execute(f, ledger.OperationCreateTransfersUnbatched, timestamp, body, nil)
				g.run()
			}
			f.tables.trees.all[transferIDs].Warm(func(error) {})
			g.run()

			ids = ids[:len(ids)*9/10] // the newest are in memory
			random.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
			var body []byte
			for _, id := range ids[:asked] {
				body = append(body, make([]byte, u128.Size)...)
				id.PutBytes(body[len(body)-u128.Size:])
			}
			ready, reads := false, 0
			f.Prefetch(byte(ledger.OperationLookupTransfersUnbatched), timestamp+1000, body, func() { ready = true })
			for ; !ready; reads++ {
				g.step()
			}
			reply := f.Commit(byte(ledger.OperationLookupTransfersUnbatched), timestamp+1000, body, nil)
			if found := len(reply) / ledger.TransferSize; found != asked || reads > c.reads {
				t.Errorf("%d of %d found by %d reads, at most %d are needed", found, asked, reads, c.reads)
			}
		})
	}
}
