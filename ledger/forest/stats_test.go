package forest

import (
	"strings"
	"testing"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/ledger"
)

// TestStats counts the blocks on the grid by kind, and demands that those of an
// opened ledger are all that there are.
func TestStats(t *testing.T) {
	grid := newMemoryGrid(smallPage)
	f, s := newTestForest(grid), newStory(t)
	s.createAccounts(f)
	levels, several := 0, false
	for range 40 {
		s.transfers(100, f)
		s.wideTransfers(100, f)
		root := checkpoint(t, f, grid)
		opened, err := open(grid, root)
		if err != nil {
			t.Fatal(err)
		}
		stats := opened.Stats()
		found := map[uint8]int{}
		for _, b := range grid.blocks {
			found[b.kind]++
		}
		delete(found, kindManifest)
		for _, x := range stats.Structures {
			if x.Blocks != found[x.Kind] {
				t.Errorf("%s: %d blocks, the grid has %d", x.Name, x.Blocks, found[x.Kind])
			}
			delete(found, x.Kind)
			for _, level := range x.Levels {
				several = several || level.Blocks > level.Tables
			}
			levels = max(levels, len(x.Levels))
		}
		if len(found) > 0 {
			t.Errorf("kinds that are nobody's: %v", found)
		}
		if stats.Accounts != storyAccounts || stats.Events != f.tables.events.Rows() || stats.Pendings != f.tables.pendings {
			t.Errorf("%+v", stats)
		}
	}
	if levels < 2 || !several {
		t.Errorf("trees of %d levels, tables of several blocks: %v", levels, several)
	}
}

// wideTransfers makes transfers of which ids and user data have nothing in
// common, so that tables have several blocks.
func (s *story) wideTransfers(n int, f *Forest) {
	var events []byte
	for range n {
		x := ledger.Transfer{
			ID: ledger.Uint128{Hi: s.random.Uint64() >> 1, Lo: s.random.Uint64()}, UserData128: ledger.Uint128{Hi: s.random.Uint64(), Lo: s.random.Uint64()},
			DebitAccountID: u128.From64(1), CreditAccountID: u128.From64(2), Amount: u128.From64(1), Ledger: 1, Code: 1,
		}
		events = x.Append(events)
	}
	s.execute(ledger.OperationCreateTransfers, events, f)
}

// TestStatsOfTransfers: each transfer counts once, in tables or not.
func TestStatsOfTransfers(t *testing.T) {
	l := soundLedger() // its verification has indexed all
	stats := l.Stats()
	if stats.Transfers != 6 || stats.Events != 8 || stats.Accounts != 2 || stats.Pendings != 4 {
		t.Errorf("%+v", stats)
	}
	for _, x := range stats.Structures {
		if x.Name != KindName(x.Kind) || x.Name == "" {
			t.Errorf("kind %d is called %q", x.Kind, x.Name)
		}
	}
}

// rottenGrid is a grid on which one block holds other bytes than were written
// when it is read whole.
type rottenGrid struct {
	*memoryGrid
	rotten block.Address
}

func (g *rottenGrid) Read(ref block.Ref, done func(payload []byte, err error)) {
	if ref.Address == g.rotten {
		ref.Checksum[0] ^= 1
	}
	g.memoryGrid.Read(ref, done)
}

// TestVerifyReadsTables rots each block of the trees in turn, where only a read of
// whole blocks comes by.
func TestVerifyReadsTables(t *testing.T) {
	grid := &rottenGrid{memoryGrid: newMemoryGrid(smallPage)}
	f, s := newTestForest(grid), newStory(t)
	s.createAccounts(f)
	for range 60 {
		s.transfers(100, f)
	}
	if err := verify(f); err != nil {
		t.Fatal(err)
	}
	trees := 0
	for n, tree := range f.tables.trees.all {
		var blocks []block.Ref
		tree.Verify(func(ref block.Ref) { blocks = append(blocks, ref) }, func(error) {})
		grid.run()
		if len(blocks) > 0 {
			trees++
		}
		for _, ref := range blocks {
			grid.rotten = ref.Address
			if err := verify(f); err == nil || !strings.Contains(err.Error(), ref.Address.String()) {
				t.Errorf("%s, %v: %v", treeShapes[n].Name, ref.Address, err)
			}
		}
		grid.rotten = 0
	}
	if trees < 4 {
		t.Errorf("only %d trees have tables", trees)
	}
}

// TestScale: what a data file was begun with it goes on with, so these never
// change.
func TestScale(t *testing.T) {
	for blockSize, want := range map[int]scale{
		4 << 10: tinyScale, 16 << 10: tinyScale, 32 << 10: tinyScale, 36 << 10: fullScale, 64 << 10: fullScale, 256 << 10: fullScale, 1 << 20: fullScale,
	} {
		if got := scaleOf(blockSize - 64); got != want {
			t.Errorf("blocks of %d bytes: %+v", blockSize, got)
		}
	}
	if full, tiny := (scale{8190, 1 << 17, 1 << 18, 4 << 10, 512}), (scale{64, 512, 512, 256, 64}); fullScale != full || tinyScale != tiny {
		t.Errorf("scales %+v and %+v", fullScale, tinyScale)
	}
}
