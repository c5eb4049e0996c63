package lsm

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// snapshot is what two replicas must agree on at a checkpoint: what names all,
// with checksums, and every byte of the grid.
type snapshot struct {
	name string
	grid []byte
}

// play runs a workload of ten checkpoints on a world of some timing, each in the
// middle of an op. With crash, it loses power on the way to each of them and
// begins again.
func play(t *testing.T, seed, timing uint64, config Config, load int, crash bool) (snapshots []snapshot) {
	l := &workload{config: config, key: workloads[load].key, removes: workloads[load].removes}
	w := newWorld(t, timing, config)
	ops := func(n uint64, count int) {
		l.rng = rand.New(rand.NewPCG(seed, n))
		if err := w.beat(); err != nil {
			t.Fatal(err)
		}
		for range count {
			l.op(t, w)
		}
	}
	for n := range uint64(10) {
		saved := *l
		saved.twin = slices.Clone(l.twin)
		if crash {
			ops(n, 1+w.rng.IntN(40))
			if err := w.reopen(); err != nil {
				t.Fatal(err)
			}
			*l = saved
		}
		ops(n, 20+int(seed))
		l.fill(w, l.rng.IntN(config.BeatEntries+1))
		if err := w.checkpoint(); err != nil {
			t.Fatal(err)
		}
		snapshots = append(snapshots, snapshot{fmt.Sprintf("%x %x", w.root, w.state), w.image()})
	}
	return snapshots
}

// TestSameBytes gives trees with disks and workers of different timing the same
// operations: at each checkpoint all names, checksums and bytes are equal. After
// a power cut, blocks that no checkpoint names may hold something else.
func TestSameBytes(t *testing.T) {
	for seed := range seeds(24) {
		load := int(seed) % len(workloads)
		config := testConfig(2)
		config.MemtableEntries, config.BeatEntries = 64, 16
		if seed/uint64(len(workloads))%2 == 0 {
			config.MarkSpan = 128
		}
		workloads[load].config(&config)
		want := play(t, seed, 10*seed, config, load, false)
		for timing := range uint64(3) {
			crash := timing == 2
			for i, got := range play(t, seed, 10*seed+1+timing, config, load, crash) {
				if got.name != want[i].name {
					t.Fatalf("%s, seed %d: checkpoint %d names something else", workloads[load].name, seed, i)
				}
				if !crash && !bytes.Equal(got.grid, want[i].grid) {
					t.Fatalf("%s, seed %d: checkpoint %d has other bytes", workloads[load].name, seed, i)
				}
			}
		}
	}
}

// A flush that is on its way at a checkpoint drops the same tombstones after it:
// those of the first memtable hide nothing.
func TestFirstFlushAfterOpen(t *testing.T) {
	for _, crash := range []bool{false, true} {
		config := testConfig(1)
		config.MemtableEntries, config.BeatEntries = 64, 16
		w := newWorld(t, 1, config)
		remove := func() {
			for range config.BeatEntries {
				w.remove(Key{uint64(len(w.log))})
			}
			if err := w.beat(); err != nil {
				t.Fatal(err)
			}
		}
		for w.tree.frozen == nil {
			remove()
		}
		if err := w.checkpoint(); err != nil {
			t.Fatal(err)
		}
		if crash {
			if err := w.reopen(); err != nil {
				t.Fatal(err)
			}
		}
		for flush := w.tree.flush; w.tree.flush == flush; {
			remove()
		}
		if stats := w.tree.Stats(); len(stats.Levels) > 0 {
			t.Errorf("crash %v: %+v", crash, stats)
		}
	}
}

// What the owner's log has too little or too much of is refused.
func TestRefillOfAnotherLog(t *testing.T) {
	config := testConfig(1)
	config.MemtableEntries, config.BeatEntries = 64, 16
	w := newWorld(t, 1, config)
	for n := range uint64(100) {
		w.put(Key{n}, n)
		if n%10 == 9 {
			if err := w.beat(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.checkpoint(); err != nil {
		t.Fatal(err)
	}
	for _, more := range []int{-1, 0, 1} {
		w.build()
		if err := w.tree.Open(w.root); err != nil {
			t.Fatal(err)
		}
		mark := int(w.tree.Mark())
		for n := range len(w.log) - mark + more {
			w.tree.Refill(Key{uint64(mark + n)}, 1)
		}
		if err := w.tree.Refilled(); errors.Is(err, ErrRefill) != (more != 0) {
			t.Errorf("%d entries too many: %v", more, err)
		}
	}
}
