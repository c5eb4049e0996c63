package forest

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/ledger"
)

// TestHeapNaive compares the heap with a sorted list, with many equal times.
func TestHeapNaive(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 9))
	var h heap
	var naive []scheduled
	for number := range uint64(20_000) {
		if random.IntN(5) < 2 && h.count > 0 {
			first := slices.MinFunc(naive, func(a, b scheduled) int {
				if a.before(b) {
					return -1
				}
				return 1
			})
			if got := h.pop(); got != first {
				t.Fatalf("popped %+v, want %+v", got, first)
			}
			naive = slices.DeleteFunc(naive, func(s scheduled) bool { return s == first })
		}
		if len(naive) < 300 {
			s := scheduled{random.Uint64N(50), number}
			h.push(s)
			naive = append(naive, s)
		}
	}
}

// TestScheduleOrder has transfers that expire at one moment, of which one was
// rolled back before: each is taken once, in the order of their creation.
func TestScheduleOrder(t *testing.T) {
	const second = 1_000_000_000
	tables := newTables(smallPage)
	timestamp := uint64(1)
	for id := range uint64(2) {
		a := ledger.Account{ID: u128.From64(id + 1), Ledger: 1, Code: 1, Timestamp: timestamp}
		tables.InsertAccount(&a)
		timestamp++
	}
	// All expire at 11 seconds; each has a number one more than the one before.
	insert := func(id, at uint64) {
		x := ledger.Transfer{
			ID: u128.From64(id), Flags: ledger.TransferPending, Ledger: 1, Code: 1,
			Timestamp: at * second, Timeout: uint32(11 - at),
		}
		tables.InsertTransfer(&x, 0, 1)
	}
	insert(1, 1)
	tables.BeginScope()
	tables.TouchAccount(0)
	tables.TouchAccount(1)
	insert(2, 2)
	insert(3, 3)
	tables.RollbackScope()
	insert(4, 4) // has the number and the moment of 2
	insert(5, 5)
	insert(6, 6)
	if next := tables.NextExpiry(); next != 11*second {
		t.Errorf("next expiry at %d", next)
	}
	var ids []uint64
	for _, limit := range []int{2, 8190} {
		for _, e := range tables.TakeExpired(11*second, limit, nil) {
			ids = append(ids, e.Transfer.ID.Lo)
			tables.ResolvePending(e.Ref, ledger.PendingExpired)
		}
	}
	if want := []uint64{1, 4, 5, 6}; !slices.Equal(ids, want) {
		t.Errorf("expired %v, want %v", ids, want)
	}
}
