package forest

import (
	"testing"

	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/ledger"
)

// TestReopenManyAccounts opens checkpoints between requests that create more
// accounts than a memtable holds, so that the trees of accounts are replayed
// from the middle of their log.
func TestReopenManyAccounts(t *testing.T) {
	s := newStory(t)
	grid := newMemoryGrid(smallPage)
	f := newTestForest(grid)
	s.createAccounts(f)
	for batch := range uint64(12) {
		var events []byte
		for i := range uint64(150) {
			a := ledger.Account{
				ID: u128.From64(1000 + batch*150 + i), Ledger: 1, Code: 1,
				UserData64: i % 3, UserData32: uint32(batch),
			}
			events = a.Append(events)
		}
		s.execute(ledger.OperationCreateAccounts, events, f)
		s.transfers(40, f)
		opened, err := open(grid, checkpoint(t, f, grid))
		if err != nil {
			t.Fatal(err)
		}
		if err := verify(opened); err != nil {
			t.Fatal(err)
		}
		if opened, err = open(grid, f.root.encode()); err != nil { // Verify has indexed
			t.Fatal(err)
		}
		f = opened
	}
	if f.tables.trees.all[accountIDs].Mark() == 0 {
		t.Error("no memtable of accounts was flushed")
	}
}
