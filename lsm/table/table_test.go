package table

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"weak"

	"github.com/cespare/xxhash/v2"

	"github.com/ledgerd/ledgerd/internal/block"
)

// kinds of entries as the ledger's trees have them, each ascending.
var kinds = []struct {
	name  string
	words int
	make  func(rng *rand.Rand, n int) []Entry
}{
	{"counted", 1, func(_ *rand.Rand, n int) []Entry {
		return generate(n, func(i int) Entry { return Entry{Key{uint64(i) * 3}, uint64(i)} })
	}},
	{"random ids", 2, func(rng *rand.Rand, n int) []Entry {
		return generate(n, func(i int) Entry { return Entry{Key{rng.Uint64(), rng.Uint64()}, uint64(i) * 128} })
	}},
	// A millisecond has 1000 ids of one random number, counted up.
	{"time-ordered ids", 2, func(rng *rand.Rand, n int) []Entry {
		var low uint64
		return generate(n, func(i int) Entry {
			if i%1000 == 0 {
				low = rng.Uint64() >> 1
			}
			low++
			return Entry{Key{uint64(1_700_000_000_000+i/1000) << 16, low}, uint64(i) * 128}
		})
	}},
	{"lone time-ordered ids", 2, func(rng *rand.Rand, n int) []Entry {
		return generate(n, func(i int) Entry {
			return Entry{Key{uint64(1_700_000_000_000+i)<<16 | rng.Uint64()>>48, rng.Uint64()}, uint64(i) * 128}
		})
	}},
	{"slot and position", 2, func(rng *rand.Rand, n int) []Entry {
		return generate(n, func(i int) Entry { return Entry{Key{rng.Uint64N(10_000), 1<<33 + uint64(i)*128}, 0} })
	}},
	{"slot and position, many slots", 2, func(rng *rand.Rand, n int) []Entry {
		return generate(n, func(i int) Entry { return Entry{Key{rng.Uint64N(1_000_000), 1<<33 + uint64(i)*128}, 0} })
	}},
	{"three words", 3, func(rng *rand.Rand, n int) []Entry {
		return generate(n, func(i int) Entry {
			return Entry{Key{rng.Uint64N(3), rng.Uint64N(50), uint64(i)}, 0}
		})
	}},
	{"extremes", 3, func(rng *rand.Rand, n int) []Entry {
		pick := func() uint64 {
			return []uint64{0, 1, math.MaxUint64, math.MaxUint64 - 1, 1 << 63, rng.Uint64()}[rng.IntN(6)]
		}
		return generate(n, func(int) Entry { return Entry{Key{pick(), pick(), pick()}, pick()} })
	}},
}

// generate returns about n entries with distinct keys, sorted.
func generate(n int, entry func(i int) Entry) []Entry {
	entries := make([]Entry, n)
	for i := range entries {
		entries[i] = entry(i)
	}
	slices.SortFunc(entries, func(a, b Entry) int { return a.Key.Compare(b.Key) })
	return slices.CompactFunc(entries, func(a, b Entry) bool { return a.Key == b.Key })
}

func build(config Config, entries []Entry) []*Image {
	b := NewBuilder(config)
	for i := range entries {
		b.Add(&entries[i])
	}
	images, _ := b.Finish()
	return images
}

// store gives an image references and returns its blocks, the root last.
func store(image *Image) [][]byte {
	for i := range image.Blocks {
		image.Index.Blocks = append(image.Index.Blocks, block.Ref{Address: block.Address(i + 7)})
	}
	return append(slices.Clone(image.Blocks), image.Index.AppendRoot(image.Tail))
}

// page returns the bytes of page i, whose checksum it verifies.
func page(t testing.TB, x *Index, blocks [][]byte, i int) Page {
	t.Helper()
	ref := x.Pages[i]
	data := blocks[ref.Block][ref.Offset : ref.Offset+uint32(ref.Size)]
	if xxhash.Sum64(data) != ref.Sum {
		t.Fatalf("page %d has another checksum", i)
	}
	p, err := OpenPage(data, x.Words)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func testConfigs(words int) []Config {
	return []Config{
		{Words: words, PageSize: 8 << 10, BlockSize: 256<<10 - 64, EntriesMax: 1 << 17, Filter: true},
		{Words: words, PageSize: 256, BlockSize: 4032, EntriesMax: 1 << 17, Filter: true},
		{Words: words, PageSize: 512, BlockSize: 4032, EntriesMax: 1000},
		{Words: words, PageSize: PageSizeMin, BlockSize: 4032, EntriesMax: 1},
	}
}

// What is read is what was added, by whole pages, by key, and through the
// encoded root.
func TestRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, kind := range kinds {
		for _, config := range testConfigs(kind.words) {
			if err := config.Validate(); err != nil {
				t.Fatal(err)
			}
			want := kind.make(rng, 1+rng.IntN(5000))
			for i := range want {
				if rng.IntN(10) == 0 {
					want[i].Value = Tombstone
				}
			}
			var got []Entry
			for _, image := range build(config, want) {
				blocks := store(image)
				for _, b := range blocks {
					if len(b) > config.BlockSize {
						t.Fatalf("%s %+v: block of %d bytes", kind.name, config, len(b))
					}
				}
				index, err := DecodeRoot(blocks[len(blocks)-1])
				if err != nil {
					t.Fatalf("%s %+v: %v", kind.name, config, err)
				}
				got = checkTable(t, index, blocks, got)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%s %+v: %d entries became %d", kind.name, config, len(want), len(got))
			}
		}
	}
}

// checkTable appends all entries of a table to got and looks each of them up.
func checkTable(t *testing.T, x *Index, blocks [][]byte, got []Entry) []Entry {
	t.Helper()
	before, tombstones := len(got), 0
	for i := range x.Pages {
		p := page(t, x, blocks, i)
		start := len(got)
		var err error
		if got, err = p.Append(got); err != nil {
			t.Fatal(err)
		}
		for _, e := range got[start:] {
			if e.Value == Tombstone {
				tombstones++
			}
			if x.Find(e.Key) != i || !x.Filter.MayContain(e.Key.Hash()) {
				t.Fatalf("key %v of page %d is looked for in page %d", e.Key, i, x.Find(e.Key))
			}
			if value, found, err := p.Find(e.Key); !found || value != e.Value || err != nil {
				t.Fatalf("key %v: %d, %v, %v; want %d", e.Key, value, found, err, e.Value)
			}
			if next, ok := e.Key.Next(); ok && next != (Key{}) {
				_, found, err := p.Find(next)
				_, has := slices.BinarySearchFunc(got[start:], next, func(e Entry, k Key) int { return e.Key.Compare(k) })
				if found != has || err != nil {
					t.Fatalf("key %v: found %v, %v", next, found, err)
				}
			}
		}
	}
	if len(got)-before != x.Entries || tombstones != x.Tombstones || got[len(got)-1].Key != x.Last || got[before].Key != x.First() {
		t.Fatalf("index says %d entries, %d tombstones, %v to %v", x.Entries, x.Tombstones, x.First(), x.Last)
	}
	return got
}

// checkRange checks that some has those of all entries of a page that are in a
// range, in a row, and few others.
func checkRange(t *testing.T, all, some []Entry, first, last Key) {
	t.Helper()
	wanted := 0
	for _, e := range all {
		if e.Key.Less(first) || last.Less(e.Key) {
			continue
		}
		wanted++
		if !slices.Contains(some, e) {
			t.Fatalf("key %v is missing in the range from %v to %v", e.Key, first, last)
		}
	}
	if len(some) > 0 {
		at := slices.Index(all, some[0])
		if at < 0 || at+len(some) > len(all) || !slices.Equal(all[at:at+len(some)], some) {
			t.Fatalf("%d entries are not a piece of the page", len(some))
		}
	}
	if len(some) > wanted+2*restartInterval {
		t.Fatalf("%d entries for %d", len(some), wanted)
	}
}

func TestAppendRange(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, kind := range kinds {
		image := build(Config{Words: kind.words, PageSize: 8 << 10, BlockSize: 256 << 10, EntriesMax: 1 << 17}, kind.make(rng, 5000))[0]
		p := page(t, image.Index, store(image), 0)
		all, err := p.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		for range 200 {
			first, last := all[rng.IntN(len(all))].Key, all[rng.IntN(len(all))].Key
			if rng.IntN(3) == 0 {
				first, _ = first.Next()
			}
			if rng.IntN(10) == 0 {
				last = KeyMax
			}
			some, err := p.AppendRange(nil, first, last)
			if err != nil {
				t.Fatal(err)
			}
			checkRange(t, all, some, first, last)
		}
	}
}

func TestBuilderReusesBuffers(t *testing.T) {
	config := testConfigs(2)[1]
	entries := kinds[1].make(rand.New(rand.NewPCG(1, 2)), 3000)
	var want [][][]byte
	for _, image := range build(config, entries) {
		want = append(want, store(image))
	}
	var free [][]byte
	for range 1000 {
		free = append(free, bytes.Repeat([]byte{0xaa}, config.BlockSize)[:0])
	}
	b := NewBuilder(config)
	b.Use(free)
	for round := range 2 {
		for i := range entries {
			b.Add(&entries[i])
		}
		images, left := b.Finish()
		if round == 0 && len(left) == 0 || len(images) != len(want) {
			t.Fatalf("%d images, %d buffers left", len(images), len(left))
		}
		for i, image := range images {
			if image.Index.Blocks = nil; !slices.EqualFunc(store(image), want[i], bytes.Equal) {
				t.Fatal("other bytes by a builder or in a buffer that was used before")
			}
		}
	}
}

func TestKeysMustAscend(t *testing.T) {
	b := NewBuilder(testConfigs(2)[0])
	b.Add(&Entry{Key: Key{1, 1}})
	defer func() {
		if recover() == nil {
			t.Error("a key was added twice")
		}
	}()
	b.Add(&Entry{Key: Key{1, 1}})
}

func TestFalsePositives(t *testing.T) {
	const n = 100_000
	for _, kind := range kinds[:6] {
		rng := rand.New(rand.NewPCG(3, 4))
		var hashes []uint64
		for _, e := range kind.make(rng, n) {
			hashes = append(hashes, e.Key.Hash())
		}
		f := newFilter(hashes)
		absent, wrong := 0, 0
		for _, e := range kind.make(rng, n) {
			e.Key[1] += 1 << 40 // other keys of the same kind
			absent++
			if f.MayContain(e.Key.Hash()) {
				wrong++
			}
		}
		if share := float64(wrong) / float64(absent); share > 0.004 {
			t.Errorf("%s: %.2f %% of absent keys look present", kind.name, 100*share)
		} else {
			t.Logf("%s: %.2f %%", kind.name, 100*share)
		}
	}
}

// Indexes stay in memory for the life of their tables, and must not keep the
// blocks of the image with them.
func TestIndexKeepsNoBlocks(t *testing.T) {
	image := build(testConfigs(2)[0], generate(1000, func(i int) Entry { return Entry{Key: Key{1, uint64(i)}} }))[0]
	index, left := image.Index, weak.Make(image)
	image = nil
	runtime.GC()
	if left.Value() != nil {
		t.Error("the image is in memory as long as its index")
	}
	runtime.KeepAlive(index)
}

// A table may end just where a block does: then its root has the index alone,
// which is small beside the number of entries.
func TestRootsOfAnySize(t *testing.T) {
	config := Config{Words: 2, PageSize: 8 << 10, BlockSize: 256<<10 - 64, EntriesMax: 1 << 17}
	least := config.BlockSize
	for n := 116_000; n < 122_000; n += 500 {
		entries := generate(n, func(i int) Entry { return Entry{Key: Key{1, uint64(i) * 77}} })
		for _, image := range build(config, entries) {
			blocks := store(image)
			root := blocks[len(blocks)-1]
			least = min(least, len(root))
			x, err := DecodeRoot(root)
			if err != nil || x.Entries != n {
				t.Fatalf("root of %d bytes for %d entries: %v", len(root), n, err)
			}
		}
	}
	if least > 5000 {
		t.Errorf("the least root has %d bytes", least)
	}
}

// A page of the size of a sector lies within one, so that a point read costs one,
// and fills it.
func TestPagesAreSectors(t *testing.T) {
	config := Config{Words: 2, PageSize: 4096, BlockSize: 256<<10 - 64, EntriesMax: 1 << 17, Filter: true}
	for _, kind := range kinds[:3] {
		images := build(config, kind.make(rand.New(rand.NewPCG(1, 2)), 1<<17))
		pages, used := 0, 0
		for _, image := range images {
			for _, p := range image.Index.Pages {
				first, last := 64+int(p.Offset), 64+int(p.Offset)+int(p.Size)-1
				if first/4096 != last/4096 {
					t.Fatalf("%s: a page lies from %d to %d of its block", kind.name, first, last)
				}
				pages, used = pages+1, used+int(p.Size)
			}
		}
		if share := float64(used) / float64(pages*4096); share < 0.98 {
			t.Errorf("%s: pages fill %.1f %% of their sectors", kind.name, 100*share)
		}
	}
}

// The encoding is fixed: whoever changes it must count up indexVersion.
func TestFormatIsFixed(t *testing.T) {
	entries := []Entry{{Key{1, 2}, 3}, {Key{1, 300}, 2}, {Key{2, 0}, Tombstone}, {Key{1 << 40, 1 << 63}, 1 << 50}}
	image := build(Config{Words: 2, PageSize: 512, BlockSize: 4032, EntriesMax: 10, Filter: true}, entries)[0]
	root := image.Index.AppendRoot(image.Tail)
	want := []byte{
		4, 0, 35, 0,
		0 | 0<<2 | 1<<5, 1, 1, 2, 6,
		1 | 1<<2 | 1<<5, 42, 1, 1,
		0 | 0<<2 | 7<<5, 0, 1,
	}
	if !bytes.Equal(root[:len(want)], want) {
		t.Errorf("page begins %v, want %v", root[:len(want)], want)
	}
	if sum := xxhash.Sum64(root); sum != 0x62b97a070a700d2d {
		t.Errorf("xxhash of the root is %#x", sum)
	}
}

func TestDamagedRootIsRefused(t *testing.T) {
	image := build(testConfigs(2)[1], kinds[1].make(rand.New(rand.NewPCG(1, 2)), 500))[0]
	blocks := store(image)
	root := blocks[len(blocks)-1]
	start := int(binary.LittleEndian.Uint32(root[len(root)-4:]))
	for _, at := range []int{0, 2, 3, 12, 16, 20} {
		bad := slices.Clone(root)
		bad[start+at] ^= 0x41
		if _, err := DecodeRoot(bad); !errors.Is(err, ErrFormat) {
			t.Errorf("byte %d of the index changed: %v", at, err)
		}
	}
	for n := range len(root) {
		if _, err := DecodeRoot(root[:n]); !errors.Is(err, ErrFormat) {
			t.Fatalf("first %d of %d bytes: %v", n, len(root), err)
		}
	}
}
