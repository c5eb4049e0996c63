package forest

import (
	"testing"

	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/lsm/rowlog"
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

// TestReplayIsBounded demands that a restart reads no more of a log than the
// scale says, however much there is, whatever it is that trees get little of.
func TestReplayIsBounded(t *testing.T) {
	const batches = 90
	for name, fill := range map[string]func(s *story, batch int, f *Forest){
		"all kinds": func(s *story, batch int, f *Forest) {
			s.accounts(1000+batch*100, 100, f)
			s.transfers(300, f)
			s.pulse(700_000_000, f)
		},
		"plain after a few of all kinds": func(s *story, batch int, f *Forest) {
			if batch == 0 {
				s.accounts(1000, 100, f)
				s.transfers(100, f)
				s.pulse(3_000_000_000, f)
			}
			s.plain(300, f)
		},
		"plain, and some of all kinds": func(s *story, batch int, f *Forest) {
			s.accounts(1000+batch, 1, f)
			s.transfers(2, f)
			s.plain(300, f)
		},
	} {
		s, grid := newStory(t), newMemoryGrid(smallPage)
		f := newTestForest(grid)
		s.createAccounts(f)
		longest := position(0)
		for batch := range batches {
			fill(s, batch, f)
			if batch%3 != 0 {
				continue
			}
			before := f.tables.began.events
			opened, err := open(grid, checkpoint(t, f, grid))
			if err != nil {
				t.Fatal(err)
			}
			tables := opened.tables
			from, end := tables.replayFrom(), ends{tables.accounts.End(), tables.events.End()}
			if from != f.tables.replayFrom() {
				t.Fatalf("%s: the opened forest would replay from %v", name, from)
			}
			// The request at hand is not indexed yet; it is at most 300 rows.
			limit := position(tinyScale.replayBlocks) * rowlog.BlockSpan
			if end.accounts > from.accounts+limit+end.accounts-tables.indexed.accounts || before > from.events+limit {
				t.Fatalf("%s: a replay from %v of logs that end at %v", name, from, end)
			}
			longest = max(longest, end.events-from.events)
			f = opened
		}
		if err := verify(f); err != nil {
			t.Fatal(err)
		}
		blocks := f.tables.events.Stats().Blocks
		t.Logf("%s: replays of %d of %d blocks at most", name, longest/rowlog.BlockSpan, blocks)
		if blocks < 4*tinyScale.replayBlocks {
			t.Errorf("%s: only %d blocks", name, blocks)
		}
	}
}

// accounts creates accounts with ids from first on.
func (s *story) accounts(first, count int, f *Forest) {
	var events []byte
	for i := range count {
		a := ledger.Account{ID: u128.From64(uint64(first + i)), Ledger: 1, Code: 1, UserData64: uint64(i % 3)}
		events = a.Append(events)
	}
	s.execute(ledger.OperationCreateAccounts, events, f)
}

// plain creates transfers that have nothing which they need not have.
func (s *story) plain(count int, f *Forest) {
	var events []byte
	for range count {
		s.nextID++
		x := ledger.Transfer{
			ID: u128.From64(s.nextID), DebitAccountID: u128.From64(1 + s.random.Uint64N(storyAccounts/2)),
			CreditAccountID: u128.From64(1 + storyAccounts/2 + s.random.Uint64N(storyAccounts/2)),
			Amount:          u128.From64(1), Ledger: 1, Code: 1,
		}
		events = x.Append(events)
	}
	s.execute(ledger.OperationCreateTransfers, events, f)
}

// TestOpenWarms demands that the indexes of trees come into memory after Open,
// which does not wait for them, and that Fault is told of one that cannot.
func TestOpenWarms(t *testing.T) {
	s, grid := newStory(t), newMemoryGrid(smallPage)
	f := newTestForest(grid)
	s.createAccounts(f)
	for range 10 {
		s.plain(300, f)
	}
	root := checkpoint(t, f, grid)
	for _, rotten := range []bool{false, true} {
		if rotten {
			for a, b := range grid.blocks {
				if b.kind == kindTrees+transferIDs {
					grid.blocks[a] = memoryBlock{b.kind, "rot"}
				}
			}
		}
		var fault error
		opened, done := New(grid, grid, Options{Fault: func(err error) { fault = err }}), false
		opened.Open(root, func(err error) { done = err == nil })
		for !done && grid.step() {
		}
		if waiting := len(grid.waiting) > 0; !done || !waiting {
			t.Fatalf("Open is done: %t, and reads indexes: %t", done, waiting)
		}
		grid.run()
		if (fault != nil) != rotten {
			t.Errorf("fault: %v", fault)
		}
		warm := 0
		for _, tree := range opened.tables.trees.all {
			tree.Warm(func(error) { warm++ })
		}
		if !rotten && warm != treeCount {
			t.Errorf("%d of %d trees are warm", warm, treeCount)
		}
		grid.run()
	}
}
