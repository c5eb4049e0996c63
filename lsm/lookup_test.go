package lsm

import (
	"math"
	"math/rand/v2"
	"testing"
)

// reopenWarm opens the tree again from a checkpoint, with the indexes in memory and
// nothing else.
func (w *world) reopenWarm(t *testing.T) {
	t.Helper()
	for _, do := range []func() error{w.checkpoint, w.reopen, w.warm} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
	}
	for w.step() {
	}
}

// TestLookupInOneRound demands that with the indexes in memory all pages that a
// lookup reads are in flight together, of whatever level, and that the newest
// value counts.
func TestLookupInOneRound(t *testing.T) {
	config := testConfig(2)
	config.Filter = true
	config.MemtableEntries, config.BeatEntries = 64, 16
	w := newWorld(t, 2, config)
	l := &workload{rng: rand.New(rand.NewPCG(3, 3)), config: config, removes: 2,
		key: func(rng *rand.Rand, _ int) Key { return Key{rng.Uint64N(400)} }}
	for range 300 {
		l.op(t, w)
	}
	w.reopenWarm(t)
	var keys []Key
	for n := range uint64(20) {
		keys = append(keys, Key{n * 20})
	}
	values, done := make([]uint64, len(keys)), false
	w.tree.Lookup(keys, values, func(err error) { done = err == nil })
	reads := w.disk.InFlight()
	for range reads {
		w.disk.Step()
	}
	if runs := len(w.tree.version.order); !done || reads <= len(keys)/2 || runs < 3 {
		t.Errorf("done after %d reads at a time: %t; %d runs", reads, done, runs)
	}
	for i, key := range keys {
		if want := l.twin.lookup(key); values[i] != want {
			t.Errorf("key %v has %d, want %d", key, values[i], want)
		}
	}
}

// TestChainInOneRound demands that the newest entries of a prefix, spread over
// many runs, are read in one round: a page of each run at most.
func TestChainInOneRound(t *testing.T) {
	config := testConfig(2)
	config.MemtableEntries, config.BeatEntries, config.Tiered = 64, 16, true
	w := newWorld(t, 3, config)
	for i := range uint64(4000) {
		w.put(Key{i * 7919 % 40, i}, 0)
		if i%16 == 15 {
			if err := w.beat(); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.reopenWarm(t)
	found := 0
	w.tree.Scan(Range{Key{7}, Key{7, math.MaxUint64}, true}, 50, nil, func(entries []Entry, err error) { found = len(entries) })
	reads := w.disk.InFlight()
	for range reads {
		w.disk.Step()
	}
	if runs := len(w.tree.version.order); found != 50 || runs <= chainRunsMin || reads <= chainRunsMin || reads > runs {
		t.Errorf("%d of 50 entries after %d reads at a time of %d runs", found, reads, runs)
	}
}

// TestLookupBehindMemtables asks for batches around the greatest keys of both
// memtables, while keys ascend, while they begin anew below, and above.
func TestLookupBehindMemtables(t *testing.T) {
	config := testConfig(2)
	config.Filter = true
	config.MemtableEntries, config.BeatEntries = 64, 16
	w := newWorld(t, 3, config)
	twin := map[Key]uint64{}
	lower, upper := false, false // the frozen memtable was seen to have all the lesser, the greater keys
	for _, first := range []uint64{500, 100, 700} {
		for beat := range uint64(8) {
			for n := first + 16*beat; n < first+16*beat+16; n++ {
				twin[Key{n, 7}] = n
				w.put(Key{n, 7}, n)
			}
			w.compareAll(t, twin, 1000)
			if active, frozen := w.tree.active, w.tree.frozen; frozen != nil {
				lower = lower || frozen.liesBehind(&active.entries[active.most-1].Key)
				upper = upper || active.liesBehind(&frozen.entries[frozen.most-1].Key)
			}
			if err := w.beat(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !lower || !upper {
		t.Errorf("the frozen memtable had lesser keys: %t, greater: %t", lower, upper)
	}
}

// compareAll looks up all batches of neighbours below a key.
func (w *world) compareAll(t *testing.T, twin map[Key]uint64, below uint64) {
	t.Helper()
	for first := range below {
		var keys [hashBatch]Key
		for i := range keys {
			keys[i] = Key{first + uint64(i), 7}
		}
		var values [len(keys)]uint64
		done := false
		w.tree.Lookup(keys[:], values[:], func(err error) { done = err == nil })
		for !done && w.step() {
		}
		for i, key := range keys {
			want, ok := twin[key]
			if !ok {
				want = Absent
			}
			if values[i] != want || !done {
				t.Fatalf("key %v has %d, want %d; done %t", key, values[i], want, done)
			}
		}
	}
}
