package table

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

func FuzzPage(f *testing.F) {
	for _, kind := range kinds {
		image := build(Config{Words: kind.words, PageSize: 512, BlockSize: 4032, EntriesMax: 100}, kind.make(rand.New(rand.NewPCG(1, 2)), 60))[0]
		ref := image.Index.Pages[0]
		f.Add(image.Tail[ref.Offset:ref.Offset+uint32(ref.Size)], byte(kind.words), uint64(1), uint64(2), uint64(3))
	}
	f.Fuzz(func(t *testing.T, data []byte, words byte, k0, k1, k2 uint64) {
		p, err := OpenPage(data, 1+int(words)%WordsMax)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatal(err)
			}
			return
		}
		key := Key{k0, k1, k2}
		value, found, findErr := p.Find(key)
		last := Key{k1, k2, k0}
		some, rangeErr := p.AppendRange(nil, key, last)
		entries, err := p.Append(nil)
		if err != nil {
			return
		}
		if !slices.IsSortedFunc(entries, func(a, b Entry) int { return a.Key.Compare(b.Key) }) {
			t.Fatal("keys do not ascend")
		}
		i, has := slices.BinarySearchFunc(entries, key, func(e Entry, k Key) int { return e.Key.Compare(k) })
		if findErr != nil || found != has || has && value != entries[i].Value {
			t.Fatalf("found %v, %d, %v; want %v", found, value, findErr, has)
		}
		checkRange(t, entries, some, key, last)
		if rangeErr != nil {
			t.Fatal(rangeErr)
		}
	})
}

func FuzzRoot(f *testing.F) {
	for _, config := range testConfigs(2)[:3] {
		for _, image := range build(config, kinds[1].make(rand.New(rand.NewPCG(1, 2)), 500)) {
			blocks := store(image)
			f.Add(blocks[len(blocks)-1])
		}
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		x, err := DecodeRoot(payload)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatal(err)
			}
			return
		}
		// What is accepted is what AppendRoot makes.
		start := len(payload) - indexSize(x.Words, len(x.Pages), len(x.Blocks), len(x.Filter)/filterLineWords)
		if again := x.AppendRoot(slices.Clone(payload[:start])); !bytes.Equal(again, payload) {
			t.Fatal("two encodings of one index")
		}
		x.Find(Key{1, 2, 3})
		x.Filter.MayContain(12345)
	})
}
