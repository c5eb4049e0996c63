package lsm

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// stored returns how many entries are in tables.
func (w *world) stored() (entries int) {
	for _, r := range w.tree.version.order {
		entries += r.entries()
	}
	return entries
}

// What is removed goes away, and gives its blocks back: a queue of 500 entries
// takes the same place however many have passed through it.
func TestRemovedEntriesTakeNoSpace(t *testing.T) {
	for _, set := range []bool{true, false} {
		config := testConfig(1)
		config.MemtableEntries, config.BeatEntries, config.Set = 64, 16, set
		w := newWorld(t, 3, config)
		rng := rand.New(rand.NewPCG(1, 2))
		var queue []Key
		entries, blocks := 0, 0
		for n := range 40_000 {
			key := Key{uint64(n)<<8 | rng.Uint64N(256)}
			w.put(key, 5)
			queue = append(queue, key)
			if len(queue) > 500 {
				i := rng.IntN(len(queue))
				w.remove(queue[i])
				queue = slices.Delete(queue, i, i+1)
			}
			if n%8 == 7 {
				if err := w.beat(); err != nil {
					t.Fatal(err)
				}
			}
			if n%1000 == 999 {
				if err := w.checkpoint(); err != nil {
					t.Fatal(err)
				}
				if n > 5000 {
					entries, blocks = max(entries, w.stored()), max(blocks, w.grid.BlocksInUse())
				}
			}
		}
		t.Logf("set %v: at most %d entries in tables, %d blocks", set, entries, blocks)
		// A removal has to come down to what it removes, so that level 1, with
		// 512 entries, and four runs of 64 are full of both.
		if limit := 2000; entries > limit {
			t.Errorf("set %v: %d entries in tables, want at most %d", set, entries, limit)
		}
	}
}

// When everything is removed nothing stays.
func TestEmptyAgain(t *testing.T) {
	for _, set := range []bool{true, false} {
		config := testConfig(1)
		config.MemtableEntries, config.BeatEntries, config.Set = 64, 16, set
		w := newWorld(t, 3, config)
		for round := range uint64(40) {
			for i := range uint64(400) {
				if key := (Key{i * 7 % 400}); round%2 == 0 {
					w.put(key, i)
				} else {
					w.remove(key)
				}
				if i%16 == 15 {
					if err := w.beat(); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		if got, err := w.scan(Range{Max: Key{1 << 20}}, 10); len(got) != 0 || err != nil {
			t.Errorf("set %v: %v, %v", set, got, err)
		}
		if n := w.stored(); n > 800 {
			t.Errorf("set %v: %d entries are stored for an empty map", set, n)
		}
	}
}

// A scan and a lookup that begin before an op and end long after it see the
// tree as it was.
func TestReadsSeeTheTreeAsItWas(t *testing.T) {
	outlived := 0
	for seed := range uint64(30) {
		config := testConfig(2)
		config.MemtableEntries, config.BeatEntries = 64, 16
		w := newWorld(t, seed, config)
		w.lazy = true
		l := &workload{rng: rand.New(rand.NewPCG(seed, 9)), config: config, key: few, removes: 5}
		for range 60 {
			l.op(t, w)
		}
		for range 15 {
			was := slices.Clone(l.twin)
			r := Range{Max: Key{1 << 40}, Descending: seed%2 == 0}
			var got []Entry
			scanned, looked := false, false
			w.tree.Scan(r, 1<<30, nil, func(entries []Entry, err error) { scanned, got = err == nil, entries })
			keys, values := make([]Key, 200), make([]uint64, 200)
			for i := range keys {
				keys[i] = few(l.rng, 0)
			}
			w.tree.Lookup(keys, values, func(err error) { looked = err == nil })
			begun := w.tree.version
			for range 12 {
				l.op(t, w)
				if !scanned && begun != w.tree.version {
					outlived++
				}
			}
			w.wait(&scanned)
			w.wait(&looked)
			if !slices.Equal(got, was.scan(r, 1<<30)) {
				t.Fatalf("seed %d: the scan saw changes", seed)
			}
			for i, key := range keys {
				if values[i] != was.lookup(key) {
					t.Fatalf("seed %d: the lookup of %v saw changes", seed, key)
				}
			}
		}
	}
	if t.Logf("%d times", outlived); outlived == 0 {
		t.Error("no scan took long enough")
	}
}

// Removals of keys that never were do not pile up where nothing lies below them.
func TestRemovalsOfAbsentKeys(t *testing.T) {
	config := testConfig(1)
	config.MemtableEntries, config.BeatEntries = 64, 16
	w := newWorld(t, 3, config)
	for n := range uint64(20_000) {
		if n < 500 {
			w.put(Key{n}, 1)
		} else {
			w.remove(Key{n})
		}
		if n%16 == 15 {
			if err := w.beat(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := w.stored(); n > 1500 {
		t.Errorf("%d entries are stored for 500", n)
	}
}
