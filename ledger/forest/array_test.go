package forest

import (
	"math/rand/v2"
	"testing"
)

// arrayRow is what a row of a log does to heads.
type arrayRow struct {
	slot slot
	at   position
}

// TestArrayReplay compares heads with a slice, over checkpoints that write a
// share of the chunks and restarts that apply rows again from where the array
// says, and from no earlier.
func TestArrayReplay(t *testing.T) {
	const payloadSize, slots = 64, 1000 // 8 heads a chunk, 125 chunks
	r := rand.New(rand.NewPCG(11, 11))
	grid := newMemoryGrid(payloadSize)
	h := heads{newArray(kindHeads, payloadSize)}
	h.grow(slots*headSize - 1)
	want := make([]position, slots)
	var rows []arrayRow
	now := position(1)
	for range 300 {
		for range r.IntN(40) {
			now += position(1 + r.IntN(5))
			s := slot(r.IntN(slots))
			h.set(s, now)
			want[s] = now
			rows = append(rows, arrayRow{s, now})
		}
		before := len(grid.blocks)
		writing, writes := 0, 0
		h.checkpoint(grid, func() func(error) {
			writing++
			writes++
			return func(error) { writing-- }
		})
		grid.run()
		if limit := max(chunksWrittenMin, len(h.chunks)/chunksWrittenShare); writing != 0 || writes > limit {
			t.Fatalf("%d chunks were written, %d blocks before, limit %d", writes, before, limit)
		}
		grid.durable()
		state := h.appendState(nil)

		opened := heads{newArray(kindHeads, payloadSize)}
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
		// What is dirty is written within a turn: the replay stays short.
		if n := len(rows); n > 2000 && from < rows[n-2000].at {
			t.Fatalf("a replay from %d, with %d rows up to %d", from, n, now)
		}
		h = opened
	}
}
