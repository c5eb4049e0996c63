package lsm

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// The sorter against a stable sort, for keys that differ in every way.
func TestSorter(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var s sorter
	for _, key := range []func(n int) Key{
		func(n int) Key { return Key{uint64(n)} },
		func(n int) Key { return Key{0, 0, 1000 - uint64(n)} },
		func(int) Key { return Key{rng.Uint64(), rng.Uint64()} },
		func(int) Key { return Key{rng.Uint64N(3), rng.Uint64N(5)} },
		func(int) Key { return Key{7, rng.Uint64N(1 << 30)} },
		func(n int) Key { return Key{uint64(n % 3), uint64(n)} },
		func(n int) Key { // one far away makes the prefix of all others equal
			if n == 500 {
				return Key{1 << 63}
			}
			return Key{rng.Uint64N(1 << 20)}
		},
	} {
		for _, size := range []int{0, 1, 2, 50, 3000} {
			entries := make([]Entry, size)
			for i := range entries {
				entries[i].Key = key(i)
			}
			first := rng.IntN(size + 1)
			var want []uint32
			for i := first; i < size; i++ {
				want = append(want, uint32(i))
			}
			slices.SortStableFunc(want, func(a, b uint32) int { return entries[a].Key.Compare(entries[b].Key) })
			if got := s.sort(entries, first, nil); !slices.Equal(got, want) {
				t.Fatalf("%d entries from %d are out of order", size, first)
			}
		}
	}
}

// Once a tree has its memory, putting entries, beats in which nothing is due,
// and lookups in memory allocate nothing.
func TestSteadyStateAllocatesNothing(t *testing.T) {
	config := testConfig(2)
	config.Filter = true
	config.MemtableEntries = 1 << 14
	w := newWorld(t, 0, config)
	keys, values := make([]Key, 32), make([]uint64, 32)
	done := func(err error) {
		if err != nil {
			t.Error(err)
		}
	}
	n := uint64(0)
	cycle := func() {
		for i := range keys {
			n++
			keys[i] = Key{n * 0x9e3779b97f4a7c15, n}
		}
		w.tree.Lookup(keys, values, done)
		for _, key := range keys {
			w.put(key, n)
		}
		w.tree.Beat(n, done)
	}
	if allocations := testing.AllocsPerRun(200, cycle); allocations > 0 {
		t.Errorf("%v allocations for an op", allocations)
	}
}
