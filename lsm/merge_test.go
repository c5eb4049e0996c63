package lsm

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ledgerd/ledgerd/lsm/table"
)

// pagesOf returns the pages of images, in order.
func pagesOf(images []*table.Image) (pages [][]byte) {
	for _, image := range images {
		blocks := append(slices.Clone(image.Blocks), image.Tail)
		for _, p := range image.Index.Pages {
			pages = append(pages, blocks[p.Block][p.Offset:][:p.Size])
		}
	}
	return pages
}

// contents returns the entries of images.
func contents(t *testing.T, images []*table.Image, words int) (entries []Entry) {
	t.Helper()
	for _, data := range pagesOf(images) {
		page, err := table.OpenPage(data, words)
		if err == nil {
			entries, err = page.Append(entries)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return entries
}

// Merges of random runs, trimmed and bounded in every way, against a map.
func TestMergeAgainstTwin(t *testing.T) {
	tools := newTools(testConfig(2).tables(4032))
	for seed := range uint64(400) {
		rng := rand.New(rand.NewPCG(seed, 6))
		w := work{tools: tools, set: rng.IntN(2) == 0, bottom: rng.IntN(2) == 0}
		until := Key{rng.Uint64N(60)}
		if rng.IntN(2) == 0 {
			w.until = &until
		}
		newest := map[Key][]uint64{} // the values of a key, the newest first
		used := 0
		for range 1 + rng.IntN(5) {
			entries := twin{}
			for range rng.IntN(400) {
				value := rng.Uint64N(1000)
				if rng.IntN(3) == 0 {
					value = table.Tombstone
				}
				entries.put(Key{rng.Uint64N(60), rng.Uint64N(20)}, value)
			}
			run := work{tools: tools, memtable: entries}
			run.do()
			from := Key{rng.Uint64N(30)}
			w.sources = append(w.sources, source{parts: []sourcePart{{from: from, pages: pagesOf(run.images)}}})
			for _, e := range entries {
				if !e.Key.Less(from) && (w.until == nil || e.Key.Less(until)) {
					newest[e.Key] = append(newest[e.Key], e.Value)
					used++
				}
			}
		}
		want := twin{}
		for key, values := range newest {
			if (!w.set || len(values)%2 == 1) && (!w.bottom || values[0] != table.Tombstone) {
				want.put(key, values[0])
			}
		}
		w.do()
		if got := contents(t, w.images, 2); w.err != nil || !slices.Equal(got, want) {
			t.Fatalf("seed %d: %d entries, want %d, %v", seed, len(got), len(want), w.err)
		}
		for i := range w.sources {
			used -= w.sources[i].parts[0].used
		}
		if used != 0 {
			t.Fatalf("seed %d: the count of merged entries is wrong by %d", seed, used)
		}
	}
}
