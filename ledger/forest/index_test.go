package forest

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/ledger"
)

// values returns what the index has under a hash, sorted.
func (x *index) values(hash uint64) []uint64 {
	var found []uint64
	p := x.probe(hash)
	for v := p.next(); v != 0; v = p.next() {
		found = append(found, v)
	}
	slices.Sort(found)
	return found
}

// check looks whether the invariants hold and how many entries there are.
func (x *index) check(t *testing.T) (count int) {
	t.Helper()
	if len(x.directory) != 1<<x.depth {
		t.Fatalf("directory of %d at depth %d", len(x.directory), x.depth)
	}
	seen := make([]int, len(x.segments))
	for i, ref := range x.directory {
		s := x.segments[ref.number]
		seen[ref.number]++
		if seen[ref.number] > 1 {
			if x.directory[i-1] != ref {
				t.Fatalf("segment %d is not in one place", ref.number)
			}
			continue
		}
		used := 0
		for at, e := range ref.entries {
			if e.value == 0 {
				continue
			}
			used++
			if x.refOf(e.hash) != ref {
				t.Fatalf("hash %#x is in segment %d", e.hash, ref.number)
			}
			for n := home(e.hash); n != at; n = (n + 1) % segmentEntries {
				if ref.entries[n].value == 0 {
					t.Fatalf("hash %#x is at %d behind the empty %d", e.hash, at, n)
				}
			}
		}
		if used != s.used || used > segmentUsedMax {
			t.Fatalf("segment %d has %d entries, says %d", ref.number, used, s.used)
		}
		count += used
	}
	for n, times := range seen {
		if times != 1<<(x.depth-x.segments[n].depth) {
			t.Fatalf("segment %d of depth %d is named %d times of depth %d", n, x.segments[n].depth, times, x.depth)
		}
	}
	return count
}

// TestIndexNaive compares the index with a map, under hashes that collide in
// every way that hashes can.
func TestIndexNaive(t *testing.T) {
	for name, hash := range map[string]func(r *rand.Rand) uint64{
		"good":        func(r *rand.Rand) uint64 { return r.Uint64() },
		"few":         func(r *rand.Rand) uint64 { return r.Uint64N(100) << 40 },
		"same bucket": func(r *rand.Rand) uint64 { return r.Uint64() &^ 0xff8 },
		"same top":    func(r *rand.Rand) uint64 { return r.Uint64() >> 22 },
	} {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 1))
			x, naive := newIndex(), map[uint64][]uint64{}
			type inserted struct{ hash, value uint64 }
			var order []inserted
			for value := uint64(1); value <= 20_000; value++ {
				if random.IntN(10) < 3 && len(order) > 0 {
					i := random.IntN(len(order))
					gone := order[i]
					order = slices.Delete(order, i, i+1)
					x.remove(gone.hash, gone.value)
					naive[gone.hash] = slices.DeleteFunc(naive[gone.hash], func(v uint64) bool { return v == gone.value })
				}
				h := hash(random)
				x.insert(h, value)
				naive[h] = append(naive[h], value)
				order = append(order, inserted{h, value})
			}
			overflow := 0
			for _, values := range x.overflow {
				overflow += len(values)
			}
			if n := x.check(t) + overflow; n != len(order) {
				t.Errorf("%d entries, want %d", n, len(order))
			}
			for h, want := range naive {
				slices.Sort(want)
				if got := x.values(h); !slices.Equal(got, want) {
					t.Fatalf("hash %#x has %v, want %v", h, got, want)
				}
			}
			for range 1000 {
				if h := random.Uint64(); len(x.values(h)) != len(naive[h]) {
					t.Fatalf("hash %#x has %v, want %v", h, x.values(h), naive[h])
				}
			}
		})
	}
}

// TestHashOf proves that ids that differ little differ in the bits that choose
// a segment and in those that choose a bucket.
func TestHashOf(t *testing.T) {
	const n = 1 << 16
	for name, id := range map[string]func(i uint64) ledger.Uint128{
		"counted":  u128.From64,
		"high":     func(i uint64) ledger.Uint128 { return ledger.Uint128{Hi: i} },
		"by 2^32":  func(i uint64) ledger.Uint128 { return u128.From64(i << 32) },
		"mirrored": func(i uint64) ledger.Uint128 { return ledger.Uint128{Lo: i, Hi: ^i} },
	} {
		var tops, buckets [256]int
		for i := range uint64(n) {
			h := hashOf(id(i))
			tops[h>>56]++
			buckets[h>>3&255]++
		}
		for i := range tops {
			if low, high := min(tops[i], buckets[i]), max(tops[i], buckets[i]); low < n/256*2/3 || high > n/256*4/3 {
				t.Errorf("%s: %d and %d of %d hashes share 8 bits", name, tops[i], buckets[i], n)
			}
		}
	}
}
