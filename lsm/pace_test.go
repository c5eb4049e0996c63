package lsm

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestPace inserts in patterns that are hard to merge and watches that merging
// keeps up: the runs of level 0, how far levels are over their capacity, and
// what is put off.
func TestPace(t *testing.T) {
	for _, p := range pacePatterns {
		for _, span := range []uint64{0, 64, 1024} {
			config := testConfig(2)
			config.MemtableEntries, config.BeatEntries, config.MarkSpan = 64, 16, span
			watchPace(t, p.name, config, 40_000, p.key)
		}
	}
}

var pacePatterns = []struct {
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

// TestPaceTiered does so for tiered trees.
func TestPaceTiered(t *testing.T) {
	for _, prefixes := range []uint64{1, 3, 50, 100_000} {
		for _, span := range []uint64{0, 16, 256} {
			config := testConfig(2)
			config.MemtableEntries, config.BeatEntries, config.Tiered, config.MarkSpan = 16, 4, true, span
			watchPace(t, fmt.Sprint(prefixes, " prefixes"), config, 70_000, func(rng *rand.Rand, n int) Key {
				return Key{rng.Uint64N(prefixes), uint64(n)}
			})
		}
	}
}

// watchPace inserts entries, or what is paid for as entries: if marks have a
// span, memtables are full at times, and hold one entry at others.
func watchPace(t *testing.T, name string, config Config, entries int, key func(rng *rand.Rand, n int) Key) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	w := newWorld(t, 1, config) // lazy workers: all waits are for them
	runs, over, credit, debt, merged := [levelsMax]int{}, 0.0, 0, 0, 0
	half, sparse, inserted := int(config.MarkSpan)/2, false, 0
	for n := 0; n < entries; {
		size := 1 + rng.IntN(config.BeatEntries)
		paid := size
		if half > 0 {
			if rng.IntN(4*config.MemtableEntries/config.BeatEntries) == 0 {
				sparse = !sparse
			}
			if sparse {
				size = rng.IntN(2)
				w.idle(max(1, half/4) - size)
			}
			paid = max(size, (int(uint64(len(w.log))+uint64(size)-w.tree.mark)*config.MemtableEntries+half-1)/half)
		}
		for range size {
			inserted++
			w.put(key(rng, inserted), 1)
		}
		n += paid
		before := w.tree.credit + paid*w.tree.rate()/2
		if err := w.beat(); err != nil {
			t.Fatal(err)
		}
		if before > w.tree.credit && w.tree.merge != nil {
			merged += before - w.tree.credit
		}
		credit, debt = max(credit, w.tree.credit), min(debt, w.tree.credit)
		for i := range levelsMax - 1 {
			runs[i] = max(runs[i], len(w.tree.version.levels[i]))
			if i > 0 && !config.Tiered {
				over = max(over, float64(w.tree.version.entries(i))/float64(w.tree.capacity(i)))
			}
		}
		if n%5000 < paid {
			if err := w.checkpoint(); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.verify()
	t.Logf("%s, span %d: %d entries of %d, %d runs, levels at %.2f of their capacity, credit %d to %d of %d, %.1f merged per entry, %d moved",
		name, config.MarkSpan, inserted, entries, runs, over, debt, credit, w.tree.creditMax(), float64(merged)/float64(entries), w.tree.moved)
	limit, work := runsMerge+sweepRunsMax, 12*entries
	if config.Tiered {
		limit, work = 2*sweepRunsMax, 4*entries
	}
	if merged > work {
		t.Errorf("%s: entries are merged too often", name)
	}
	if slices.Max(runs[:]) > limit || over > 2 || credit > w.tree.creditMax() {
		t.Errorf("%s: merging has fallen behind", name)
	}
}

// TestJobsAreSmall watches that no merge has many more entries than it shall
// have, however large the runs are, and that most have no fewer.
func TestJobsAreSmall(t *testing.T) {
	for _, tiered := range []bool{false, true} {
		config := testConfig(2)
		config.MemtableEntries, config.BeatEntries, config.Tiered = 1024, 128, tiered
		w := newWorld(t, 0, config)
		rng := rand.New(rand.NewPCG(1, 2))
		jobs := map[*job]int{}
		for n := range uint64(60_000) {
			w.put(Key{rng.Uint64N(1000), n}, 1)
			if n%128 == 127 {
				if err := w.beat(); err != nil {
					t.Fatal(err)
				}
				for w.step() {
				}
				if j := w.tree.merge; j != nil && j.done {
					jobs[j] = 0
					for _, s := range j.work.sources {
						for _, p := range s.parts {
							jobs[j] += p.used
						}
					}
				}
			}
		}
		largest, full, limit := 0, 0, w.tree.jobEntries()
		for _, merged := range jobs {
			largest = max(largest, merged)
			if merged >= limit*3/4 {
				full++
			}
		}
		t.Logf("tiered %v: %d jobs of %d, %d of them full, up to %d entries", tiered, len(jobs), limit, full, largest)
		most := limit * 5 / 4
		if !tiered { // and what lies before it in a table of the level below
			most += config.MemtableEntries * 2
		}
		if largest > most || full < len(jobs)*3/4 {
			t.Errorf("tiered %v: jobs are too large or too small", tiered)
		}
	}
}
