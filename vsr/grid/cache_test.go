package grid

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"pgregory.net/rapid"

	"github.com/ledgerd/ledgerd/internal/block"
)

// keyOf returns a key whose part is contentOf(key). Some keys share an address,
// an offset, or a home in the index.
func keyOf(n, size int) partKey {
	key := partKey{ref: block.Ref{Address: block.Address(1 + n%7)}, offset: uint32(n), size: uint32(size)}
	key.ref.Checksum[0] = byte(n % 3)
	return key
}

func contentOf(key partKey) []byte {
	return payloadOf(int(key.offset), int(key.size))
}

// validate checks the numbered invariants of cache.
func (c *cache) validate() error {
	places, parts := 0, 0
	for _, id := range c.index {
		if id != 0 {
			places++
		}
	}
	for i := range c.segments {
		s := &c.segments[i]
		end := 0
		for j := range s.parts {
			p := &s.parts[j]
			if int(p.start) < end {
				return fmt.Errorf("part %d of segment %d overlaps the one before", j, i)
			}
			end = int(p.start + p.key.size)
			if c.index[c.place(&p.key)] != c.id(i, j) {
				return fmt.Errorf("part %d of segment %d is not found", j, i)
			}
		}
		if parts += len(s.parts); end > s.used || s.used > c.segmentSize || len(s.parts) > c.partsMax {
			return fmt.Errorf("segment %d has %d parts, %d bytes up to %d", i, len(s.parts), s.used, end)
		}
	}
	if places != parts {
		return fmt.Errorf("index has %d parts, segments %d", places, parts)
	}
	return nil
}

// A cache may forget, but what it returns is right, and what came last is there.
func TestCacheAgainstNaiveTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCache(rapid.IntRange(CacheSizeMin, 2*CacheSizeMin).Draw(t, "budget"))
		twin := map[partKey][]byte{}
		keys := rapid.IntRange(1, 200).Draw(t, "keys")
		sizeMax := rapid.SampledFrom([]int{1, 100, 4096, c.segmentSize, c.segmentSize + 1}).Draw(t, "largest")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		for step := range 1000 {
			n := rng.IntN(keys)
			key := keyOf(n, 1+n*7919%sizeMax)
			if part, ok := c.find(key); ok && !bytes.Equal(part, twin[key]) {
				t.Fatalf("%+v: another part", key)
			} else if !ok && rng.IntN(4) > 0 {
				twin[key] = contentOf(key)
				c.insert(key, twin[key])
				if _, ok := c.find(key); ok != (int(key.size) <= c.segmentSize) {
					t.Fatalf("%+v: found is %v at once", key, ok)
				}
			}
			if step%16 > 0 {
				continue
			}
			if err := c.validate(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// What is asked for stays, wherever in its segment it is; what is not goes.
func TestCacheKeepsWhatIsAskedFor(t *testing.T) {
	for before := range 3 {
		c := newCache(CacheSizeMin)
		insert := func(n, size int) partKey {
			key := keyOf(n, size)
			c.insert(key, contentOf(key))
			return key
		}
		for n := range before {
			insert(n, 3500)
		}
		hot := insert(before, 1000)
		for n := range 1000 { // many times what the cache holds
			if part, ok := c.find(hot); !ok || !bytes.Equal(part, contentOf(hot)) {
				t.Fatalf("behind %d others it is gone after %d", before, n)
			}
			insert(before+1+n, 3500)
		}
	}
}

// With everything asked for all the time, something must give way.
func TestCacheOfHotParts(t *testing.T) {
	c := newCache(CacheSizeMin)
	for n := range 2000 {
		key := keyOf(n, 1+n%c.segmentSize)
		c.insert(key, contentOf(key))
		for m := range n + 1 {
			c.find(keyOf(m, 1+m%c.segmentSize))
		}
		if _, ok := c.find(key); !ok {
			t.Fatalf("part %d was not taken", n)
		}
	}
	if err := c.validate(); err != nil {
		t.Fatal(err)
	}
}

// The memory of a full cache is within its budget, whatever the size of parts.
func TestCacheBudget(t *testing.T) {
	for _, budget := range []int{CacheSizeMin, 1 << 20, 32<<20 + 1} {
		for _, size := range []int{1, 2048, 9000} {
			before := heap()
			c := newCache(budget)
			if empty := heap() - before; empty > budget/8 {
				t.Errorf("budget %d: an empty cache takes %d", budget, empty)
			}
			content := make([]byte, size)
			for n := range 2*budget/max(size, partSizeMean) + 10 {
				c.insert(keyOf(n, size), content)
			}
			taken := heap() - before
			if taken > budget || size >= partSizeMean && size < c.segmentSize && taken < budget*5/8 {
				t.Errorf("budget %d, parts of %d: takes %d", budget, size, taken)
			}
			runtime.KeepAlive(c)
		}
	}
}

func heap() int {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int(stats.HeapAlloc)
}

func TestNoCache(t *testing.T) {
	c := newCache(0)
	c.insert(keyOf(1, 1), []byte{1})
	if _, ok := c.find(keyOf(1, 1)); ok {
		t.Error("found in no cache")
	}
}

func BenchmarkCacheFind(b *testing.B) {
	c := newCache(64 << 20)
	const parts, size = 5000, 8192
	content := make([]byte, size)
	var keys [parts]partKey
	rng := rand.New(rand.NewPCG(1, 2))
	for n := range keys {
		keys[n] = keyOf(n*size, size)
		for i := range keys[n].ref.Checksum {
			keys[n].ref.Checksum[i] = byte(rng.Uint32())
		}
		c.insert(keys[n], content)
	}
	n := 0
	for b.Loop() {
		n = (n + 2711) % parts
		if _, ok := c.find(keys[n]); !ok {
			b.Fatal("not found")
		}
	}
}

// BenchmarkCacheInsert measures inserts into a full cache.
func BenchmarkCacheInsert(b *testing.B) {
	c := newCache(16 << 20)
	const size = 8192
	content := make([]byte, size)
	b.SetBytes(size)
	n := 0
	for b.Loop() {
		c.insert(keyOf(n, size), content)
		n++
	}
}
