package lsm

import (
	"math"
	"math/rand/v2"
	"testing"
)

// BenchmarkNewestOfAccount reads the newest 100 entries of accounts with 200
// entries each, of which nothing but indexes is in memory, and reports how many
// pages that takes, and how many rounds of reads after one another.
func BenchmarkNewestOfAccount(b *testing.B) {
	n := entriesOfBenchmarks()
	config := benchConfig(false)
	config.MemtableEntries = max(1<<10, MemtableEntriesDefault/(200_000_000/n))
	config.BeatEntries = config.MemtableEntries / 8
	accounts := uint64(n / 200)
	y := newYard(config)
	defer close(y.jobs)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := 0; i < n; i += config.BeatEntries {
		for k := range config.BeatEntries {
			y.tree.Put(Key{rng.Uint64N(accounts), uint64(i + k)}, 0)
		}
		done := false
		y.tree.Beat(0, func(err error) { done = err == nil })
		y.wait(&done)
		if i/config.BeatEntries%40 == 0 {
			y.checkpoint()
		}
	}
	y.checkpoint()
	done := false
	y.tree.Warm(func(error) { done = true })
	y.wait(&done)
	y.reads, y.rounds = 0, 0
	meter := newMeter()
	for b.Loop() {
		account := rng.Uint64N(accounts)
		done := false
		y.tree.Scan(Range{Key{account}, Key{account, math.MaxUint64}, true}, 100, nil, func([]Entry, error) { done = true })
		y.wait(&done)
	}
	meter.report(b, 1)
	b.ReportMetric(float64(y.reads)/float64(b.N), "pages/op")
	b.ReportMetric(float64(y.rounds)/float64(b.N), "rounds/op")
	y.logLevels(b)
}
