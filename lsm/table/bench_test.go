package table

import (
	"math/rand/v2"
	"testing"
)

// BenchmarkBuild reports the time and the size of an entry, filter included.
func BenchmarkBuild(b *testing.B) {
	for _, kind := range kinds[:6] {
		b.Run(kind.name, func(b *testing.B) {
			entries := kind.make(rand.New(rand.NewPCG(1, 2)), 1<<17)
			config := Config{Words: kind.words, PageSize: 8 << 10, BlockSize: 256<<10 - 64, EntriesMax: 1 << 17}
			config.Filter = kind.name != "slot and position" && kind.name != "slot and position, many slots"
			builder := NewBuilder(config)
			var free [][]byte
			size := 0
			for b.Loop() {
				size = 0
				images := reuse(builder, entries, free)
				free = free[:0]
				for _, image := range images {
					for _, block := range append(image.Blocks, image.Tail) {
						size += len(block)
						free = append(free, block)
					}
					x := image.Index
					size += indexSize(x.Words, len(x.Pages), len(image.Blocks), len(x.Filter)/filterLineWords)
				}
			}
			perEntry(b, len(entries))
			b.ReportMetric(float64(size)/float64(len(entries)), "B/entry")
		})
	}
}

func reuse(builder *Builder, entries []Entry, free [][]byte) []*Image {
	builder.Use(free)
	for i := range entries {
		builder.Add(&entries[i])
	}
	images, _ := builder.Finish()
	return images
}

func perEntry(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/entry")
}

func BenchmarkDecode(b *testing.B) {
	for _, kind := range kinds[:6] {
		b.Run(kind.name, func(b *testing.B) {
			p := firstPage(b, kind.make(rand.New(rand.NewPCG(1, 2)), 1<<14), kind.words)
			var entries []Entry
			for b.Loop() {
				entries, _ = p.Append(entries[:0])
			}
			perEntry(b, len(entries))
		})
	}
}

func BenchmarkFindInPage(b *testing.B) {
	p := firstPage(b, kinds[1].make(rand.New(rand.NewPCG(1, 2)), 1<<14), 2)
	entries, _ := p.Append(nil)
	i := 0
	for b.Loop() {
		i = (i + 7) % len(entries)
		if _, found, _ := p.Find(entries[i].Key); !found {
			b.Fatal("not found")
		}
	}
}

func firstPage(b *testing.B, entries []Entry, words int) Page {
	image := build(Config{Words: words, PageSize: 8 << 10, BlockSize: 256<<10 - 64, EntriesMax: 1 << 17}, entries)[0]
	return page(b, image.Index, store(image), 0)
}

// BenchmarkAbsent asks ten filters for keys that none of them has.
func BenchmarkAbsent(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	var filters []Filter
	for range 10 {
		hashes := make([]uint64, 1<<17)
		for i := range hashes {
			hashes[i] = rng.Uint64()
		}
		filters = append(filters, newFilter(hashes))
	}
	found := 0
	for b.Loop() {
		hash := Key{rng.Uint64(), rng.Uint64()}.Hash()
		for _, f := range filters {
			if f.MayContain(hash) {
				found++
			}
		}
	}
	b.ReportMetric(float64(found)/float64(b.N), "false/op")
}
