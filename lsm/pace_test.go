package lsm

import (
	"math/rand/v2"
	"testing"
)

// TestPace inserts in patterns that are hard to merge and watches that merging
// keeps up: the runs of level 0, how far levels are over their capacity, and
// what is put off.
func TestPace(t *testing.T) {
	patterns := []struct {
		name string
		key  func(rng *rand.Rand, n int) Key
	}{
		{"random", func(rng *rand.Rand, _ int) Key { return Key{rng.Uint64(), rng.Uint64()} }},
		{"ascending", func(_ *rand.Rand, n int) Key { return Key{uint64(n)} }},
		{"descending", func(_ *rand.Rand, n int) Key { return Key{1<<40 - uint64(n)} }},
		{"wide, then narrow", func(rng *rand.Rand, n int) Key {
			return Key{rng.Uint64() >> (n / 4000 * 7 % 60), uint64(n)}
		}},
		{"both ends", func(_ *rand.Rand, n int) Key { return Key{uint64(n) ^ -uint64(n&1)} }},
		{"comb", func(_ *rand.Rand, n int) Key { return Key{uint64(n) * 0x9e3779b97f4a7c15} }},
		{"hot spot and noise", func(rng *rand.Rand, n int) Key {
			if n%10 == 0 {
				return Key{rng.Uint64()}
			}
			return Key{1 << 63, uint64(n)}
		}},
	}
	for _, p := range patterns {
		rng := rand.New(rand.NewPCG(1, 2))
		config := testConfig(2)
		config.MemtableEntries, config.BeatEntries = 64, 16
		w := newWorld(t, 1, config) // lazy workers: all waits are for them
		runs, over, credit, merged := 0, 0.0, 0, 0
		for n := 0; n < 40_000; {
			size := 1 + rng.IntN(config.BeatEntries)
			for range size {
				n++
				w.put(p.key(rng, n), 1)
			}
			before := w.tree.credit + size*(growth+2)*w.tree.version.levelsInUse()
			if err := w.beat(); err != nil {
				t.Fatal(err)
			}
			if before > w.tree.credit && w.tree.merge != nil {
				merged += before - w.tree.credit
			}
			runs, credit = max(runs, len(w.tree.version.levels[0])), max(credit, w.tree.credit)
			for i := 1; i < levelsMax-1; i++ {
				over = max(over, float64(w.tree.version.entries(i))/float64(w.tree.capacity(i)))
			}
			if n%5000 < size {
				if err := w.checkpoint(); err != nil {
					t.Fatal(err)
				}
			}
		}
		w.verify()
		t.Logf("%s: %d runs, levels at %.2f of their capacity, credit %d of %d, %.1f merged per entry, %d moved",
			p.name, runs, over, credit, w.tree.creditMax(), float64(merged)/40_000, w.tree.moved)
		if runs > runsMerge+sweepRunsMax || over > 2 || credit > w.tree.creditMax() {
			t.Errorf("%s: merging has fallen behind", p.name)
		}
	}
}
