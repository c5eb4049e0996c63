package forest

import (
	"math/rand/v2"
	"testing"

	"github.com/ledgerd/ledgerd/lsm/rowlog"
)

// arrayRow is what a row of a log does to heads.
type arrayRow struct {
	slot slot
	at   position
}

// TestArrayReplay compares heads with a slice, over checkpoints that write a
// share of the chunks and restarts that apply rows again from where the array
// says, which is no further back than a turn.
func TestArrayReplay(t *testing.T) {
	for _, c := range []struct{ payloadSize, replayBlocks, turn int }{
		{64, 1000, 1000}, // 125 chunks
		{16, 300, 1000},  // 500 chunks
		{16, 1500, 1500},
	} {
		testArrayReplay(t, c.payloadSize, scale{replayBlocks: c.replayBlocks}, c.turn)
	}
}

func testArrayReplay(t *testing.T, payloadSize int, s scale, turn int) {
	const slots = 1000
	r := rand.New(rand.NewPCG(11, 11))
	grid := newMemoryGrid(payloadSize)
	h := heads{newArray(kindHeads, payloadSize, s)}
	h.grow(slots*headSize - 1)
	want := make([]position, slots)
	var rows []arrayRow
	longest := position(0)
	now, saved := position(1), position(0)
	for range 300 {
		for range r.IntN(40) {
			now += position(1+r.IntN(5)) * rowlog.BlockSpan / 2
			s := slot(r.IntN(slots))
			h.set(s, now)
			want[s] = now
			rows = append(rows, arrayRow{s, now})
		}
		before := len(grid.blocks)
		writing, writes := 0, 0
		h.checkpoint(grid, now+1, func() func(error) {
			writing++
			writes++
			return func(error) { writing-- }
		})
		grid.run()
		blocks := int((now-saved)/rowlog.BlockSpan) + 2
		saved = now
		if limit := max(chunksWrittenMin, len(h.chunks)*blocks/turn+1); writing != 0 || writes > limit {
			t.Fatalf("%d chunks were written, %d blocks before, limit %d", writes, before, limit)
		}
		grid.durable()
		state := h.appendState(nil)

		opened := heads{newArray(kindHeads, payloadSize, s)}
		if err := opened.open(grid, state, func() func(error) {
			return func(err error) {
				if err != nil {
					t.Fatal(err)
				}
			}
		}); err != nil {
			t.Fatal(err)
		}
		grid.run()
		from := opened.replayFrom(now + 1)
		for _, row := range rows {
			if row.at >= from {
				opened.restore(row.slot, row.at)
			}
		}
		for s := range want {
			if got := opened.at(slot(s)); got != want[s] {
				t.Fatalf("slot %d has %d after a replay from %d, want %d", s, got, from, want[s])
			}
		}
		if string(opened.appendState(nil)) != string(state) {
			t.Fatal("the state of an opened array differs")
		}
		if back := now + 1 - from; back > position(turn)*rowlog.BlockSpan {
			t.Fatalf("a replay of %d blocks, with a turn of %d", back/rowlog.BlockSpan, turn)
		}
		longest = max(longest, now+1-from)
		h = opened
	}
	if int(longest/rowlog.BlockSpan) < turn/3 {
		t.Errorf("replays of %d blocks at most, with a turn of %d: too much is written", longest/rowlog.BlockSpan, turn)
	}
}

// TestTurn tells how many blocks of an ordinary data file a restart may apply
// again to the heads of so many accounts.
func TestTurn(t *testing.T) {
	const payloadSize = 256<<10 - 64
	for accounts, want := range map[int]int{1: 512, 1_000_000: 512, 10_000_000: 612, 100_000_000: 6106} {
		a := newArray(kindHeads, payloadSize, fullScale)
		a.chunks = make([]chunk, (accounts*headSize+a.chunkSize()-1)/a.chunkSize())
		if got := a.turn(); got != want {
			t.Errorf("%d accounts: %d blocks, not %d", accounts, got, want)
		}
	}
}
