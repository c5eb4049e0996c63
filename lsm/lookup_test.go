package lsm

import (
	"math/rand/v2"
	"testing"
)

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
	if err := w.checkpoint(); err != nil {
		t.Fatal(err)
	}
	if err := w.reopen(); err != nil {
		t.Fatal(err)
	}
	if err := w.warm(); err != nil {
		t.Fatal(err)
	}
	for w.step() {
	}
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
