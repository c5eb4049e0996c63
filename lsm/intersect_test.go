package lsm

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestIntersect compares intersections of two and three conditions on a tree of
// (kind, value, position) with what a filter over everything finds.
func TestIntersect(t *testing.T) {
	found := 0
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 5))
		config := testConfig(3)
		config.MemtableEntries, config.BeatEntries = 64, 16
		config.Set, config.Tiered = seed%2 == 0, seed%2 == 1
		w := newWorld(t, seed, config)
		all := twin(nil)
		for position := uint64(1); position < 3000; position++ {
			for kind := range uint64(3) {
				key := Key{kind, rng.Uint64N(2 + 3*kind), position}
				w.put(key, 0)
				all.put(key, 0)
			}
			if config.Set && rng.IntN(3) == 0 {
				key := all[rng.IntN(len(all))].Key
				w.remove(key)
				all.remove(key)
			}
			if position%4 == 0 {
				if err := w.beat(); err != nil {
					t.Fatal(err)
				}
			}
		}
		for range 60 {
			var conditions []Condition
			for _, kind := range rng.Perm(3)[:1+rng.IntN(3)] {
				conditions = append(conditions, Condition{w.tree, Key{uint64(kind), rng.Uint64N(3)}})
			}
			p := Positions{Max: math.MaxUint64, Descending: rng.IntN(2) == 0}
			if rng.IntN(2) == 0 {
				p.Min, p.Max = rng.Uint64N(3000), rng.Uint64N(3000)
			}
			limit := rng.IntN(300)
			want := naive(all, conditions, p, limit)
			var got []uint64
			done, err := false, error(nil)
			Intersect(conditions, p, limit, nil, func(positions []uint64, e error) { done, got, err = true, positions, e })
			w.wait(&done)
			if err != nil || !slices.Equal(got, want) {
				t.Fatalf("seed %d, %d conditions, %+v: %d positions, want %d, %v", seed, len(conditions), p, len(got), len(want), err)
			}
			found += len(got)
		}
		if w.tree.reads != 0 {
			t.Fatalf("%d reads are open", w.tree.reads)
		}
	}
	t.Logf("%d positions", found)
}

// naive returns the positions that meet all conditions.
func naive(all twin, conditions []Condition, p Positions, limit int) (positions []uint64) {
	count := map[uint64]int{}
	for _, e := range all {
		for _, c := range conditions {
			if e.Key[0] == c.Prefix[0] && e.Key[1] == c.Prefix[1] {
				count[e.Key[2]]++
			}
		}
	}
	for position, n := range count {
		if n == len(conditions) && position >= p.Min && position <= p.Max {
			positions = append(positions, position)
		}
	}
	slices.Sort(positions)
	if p.Descending {
		slices.Reverse(positions)
	}
	return positions[:min(limit, len(positions))]
}

// What is common is skipped: a condition with ten matches and one that all
// positions meet cost a few pages.
func TestIntersectReadsLittle(t *testing.T) {
	for _, tiered := range []bool{false, true} {
		intersectReadsLittle(t, tiered)
	}
}

func intersectReadsLittle(t *testing.T, tiered bool) {
	config := testConfig(3)
	config.Tiered = tiered
	w := newWorld(t, 0, config)
	const n = 20_000
	for position := uint64(1); position <= n; position++ {
		w.put(Key{0, 7, position}, 0)
		if position%(n/10) == 0 {
			w.put(Key{1, 9, position}, 0)
		}
		if position%32 == 0 {
			if err := w.beat(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.checkpoint(); err != nil {
		t.Fatal(err)
	}
	before := w.disk.Submitted()
	var got []uint64
	done := false
	conditions := []Condition{{w.tree, Key{0, 7}}, {w.tree, Key{1, 9}}}
	Intersect(conditions, Positions{Max: math.MaxUint64}, 100, nil, func(positions []uint64, err error) { done, got = true, positions })
	w.wait(&done)
	pages := w.disk.Submitted() - before
	if len(got) != 10 || pages > 40 {
		t.Errorf("%d positions cost %d pages", len(got), pages)
	}
	t.Logf("%d pages", pages)
}
