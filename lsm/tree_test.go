package lsm

import (
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
)

// workload makes the operations of a test: what keys, and how often which.
type workload struct {
	rng     *rand.Rand
	config  Config
	key     func(rng *rand.Rand, n int) Key
	removes int // of 16 operations
	n       int
	calm    int // 0 if entries come fast, up to 2 if hardly any do
	twin    twin
}

// op puts and removes some entries and ends with a beat. If marks have a span,
// there are times of few entries and many rows without.
func (l *workload) op(t *testing.T, w *world) {
	n := l.config.BeatEntries
	if l.config.MarkSpan > 0 {
		if l.rng.IntN(50) == 0 {
			l.calm = l.rng.IntN(3)
		}
		n >>= 3 * l.calm
		w.idle(l.calm * l.rng.IntN(l.config.BeatEntries))
	}
	l.fill(w, l.rng.IntN(n+1))
	if err := w.beat(); err != nil {
		t.Fatal(err)
	}
}

// fill puts and removes some entries, at most n.
func (l *workload) fill(w *world, n int) {
	for range n {
		l.n++
		key := l.key(l.rng, l.n)
		if l.rng.IntN(16) < l.removes && len(l.twin) > 0 {
			if l.config.Set || l.rng.IntN(2) == 0 {
				key = l.twin[l.rng.IntN(len(l.twin))].Key
			}
			w.remove(key)
			l.twin.remove(key)
			continue
		}
		value := uint64(l.n)
		if l.config.Set {
			if value = key.Hash() >> 1; l.twin.lookup(key) != Absent {
				continue
			}
		}
		w.put(key, value)
		l.twin.put(key, value)
	}
}

// check compares lookups and scans at random places with the twin.
func (l *workload) check(t *testing.T, w *world) {
	t.Helper()
	w.verify()
	var keys []Key
	for range l.rng.IntN(50) {
		key := l.key(l.rng, l.rng.IntN(l.n+1))
		if len(l.twin) > 0 && l.rng.IntN(2) == 0 {
			key = l.twin[l.rng.IntN(len(l.twin))].Key
		}
		keys = append(keys, key)
	}
	values, err := w.lookup(keys)
	if err != nil {
		t.Fatal(err)
	}
	for i, key := range keys {
		if want := l.twin.lookup(key); values[i] != want {
			t.Fatalf("key %v has %d, want %d", key, values[i], want)
		}
	}
	r := Range{Min: l.key(l.rng, l.rng.IntN(l.n+1)), Max: l.key(l.rng, l.rng.IntN(l.n+1)), Descending: l.rng.IntN(2) == 0}
	if r.Max.Less(r.Min) && l.rng.IntN(4) > 0 {
		r.Min, r.Max = r.Max, r.Min
	}
	if last := l.config.Words - 1; l.rng.IntN(2) == 0 { // one prefix
		r.Max = r.Min
		r.Min[last] = l.rng.Uint64N(r.Max[last] + 1)
		r.Max[last] += l.rng.Uint64N(uint64(l.n) + 1)
	}
	limit := 1 + l.rng.IntN(200)
	if l.rng.IntN(20) == 0 {
		r.Min, r.Max, limit = Key{}, Key{1 << 63, 1 << 63, 1 << 63}, 1<<30
	}
	got, err := w.scan(r, limit)
	if err != nil {
		t.Fatal(err)
	}
	if want := l.twin.scan(r, limit); !slices.Equal(got, want) {
		t.Fatalf("scan of %+v, %d: %d entries, want %d", r, limit, len(got), len(want))
	}
}

func counted(_ *rand.Rand, n int) Key { return Key{uint64(n)} }

func random(rng *rand.Rand, _ int) Key { return Key{rng.Uint64N(1 << 40), rng.Uint64N(4)} }

func few(rng *rand.Rand, _ int) Key { return Key{rng.Uint64N(40), rng.Uint64N(40)} }

func slotted(rng *rand.Rand, n int) Key { return Key{rng.Uint64N(10), uint64(n)} }

var workloads = []struct {
	name    string
	config  func(c *Config)
	key     func(rng *rand.Rand, n int) Key
	removes int
}{
	{"counted", func(c *Config) { c.Filter = true }, counted, 0},
	{"random", func(c *Config) { c.Filter = true }, random, 0},
	{"random with removals", func(*Config) {}, random, 4},
	{"few keys", func(c *Config) { c.Filter = true }, few, 6},
	{"slots", func(*Config) {}, slotted, 0},
	{"queue", func(c *Config) { c.Set = true }, counted, 7},
	{"set", func(c *Config) { c.Set = true }, few, 7},
	{"three words", func(c *Config) { c.Words = 3 }, func(rng *rand.Rand, n int) Key {
		return Key{rng.Uint64N(3), rng.Uint64N(3), uint64(n)}
	}, 1},
	{"tiered", func(c *Config) { c.Tiered = true }, slotted, 0},
	{"tiered, many prefixes", func(c *Config) { c.Tiered = true }, func(rng *rand.Rand, n int) Key {
		return Key{rng.Uint64N(1000), uint64(n)}
	}, 0},
	{"tiered, three words", func(c *Config) { c.Tiered, c.Words = true, 3 }, func(rng *rand.Rand, n int) Key {
		return Key{rng.Uint64N(3), rng.Uint64N(3), uint64(n)}
	}, 0},
	{"tiered, one prefix", func(c *Config) { c.Tiered = true }, func(_ *rand.Rand, n int) Key { return Key{7, uint64(n)} }, 0},
}

// seeds returns how many seeds to try: n, or LSM_SEEDS.
func seeds(n uint64) uint64 {
	if text := os.Getenv("LSM_SEEDS"); text != "" {
		n, _ = strconv.ParseUint(text, 10, 32)
	}
	return n
}

// TestAgainstTwin runs each workload with checkpoints, power cuts and disks of
// random timing, and compares all that can be read with a sorted slice.
func TestAgainstTwin(t *testing.T) {
	for _, load := range workloads {
		t.Run(load.name, func(t *testing.T) {
			levels := 0
			for seed := range seeds(12) {
				config := testConfig(2)
				if seed%3 > 0 { // deeper trees
					config.MemtableEntries, config.BeatEntries = 16<<(seed%3), 4<<(seed%3)
				}
				if seed%2 == 0 {
					config.MarkSpan = uint64(2 * config.MemtableEntries)
				}
				load.config(&config)
				rng := rand.New(rand.NewPCG(seed, 1))
				l := &workload{rng: rng, config: config, key: load.key, removes: load.removes}
				w := newWorld(t, seed, config)
				saved := *l
				for range 250 + rng.IntN(300) + int(seed%3)*400 {
					l.op(t, w)
					if rng.IntN(8) == 0 {
						l.check(t, w)
					}
					switch rng.IntN(40) {
					case 0, 1:
						if err := w.checkpoint(); err != nil {
							t.Fatal(err)
						}
						saved = *l
						saved.twin = slices.Clone(l.twin)
					case 2, 3:
						if rng.IntN(2) == 0 { // on the way to a checkpoint that will not be
							w.tree.Checkpoint(func(error) {})
							for range rng.IntN(30) {
								w.step()
							}
						}
						if err := w.reopen(); err != nil {
							t.Fatal(err)
						}
						*l = saved
						l.twin = slices.Clone(saved.twin)
						l.check(t, w)
					}
				}
				levels = max(levels, w.tree.version.levelsInUse())
			}
			t.Logf("%d levels", levels)
		})
	}
}
