package forest

import (
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/ledger"
)

func TestFrameSize(t *testing.T) {
	if n := unsafe.Sizeof(account{}); n != frameSize {
		t.Errorf("a frame takes %d bytes", n)
	}
}

// TestCache compares the cache with a map, over insertions, removals and
// evictions.
func TestCache(t *testing.T) {
	const accounts, budget = 3000, 500
	r := rand.New(rand.NewPCG(3, 3))
	c := newCache(budget * frameCost)
	cached := map[slot]bool{}
	idOf := func(s slot) ledger.Uint128 { return u128.From64(uint64(s)*7 + 1) }
	spread := func(n int) slot { return slot(n) * 100 } // over several chunks of bySlot
	for range 20_000 {
		switch s := spread(r.IntN(accounts)); {
		case !cached[s]:
			c.insert(s, &ledger.Account{ID: idOf(s), UserData64: uint64(s)})
			cached[s] = true
		case r.IntN(10) == 0:
			c.remove(s)
			delete(cached, s)
		case r.IntN(50) == 0:
			hot := map[slot]bool{}
			for range 20 { // those that were found since the last eviction stay
				s := spread(r.IntN(accounts))
				if a := c.ofSlot(s); a != nil {
					hot[s] = true
				}
			}
			c.evict()
			for s := range cached {
				if c.ofSlot(s) == nil {
					delete(cached, s)
				}
			}
			if len(cached) > budget {
				t.Fatalf("%d accounts after an eviction", len(cached))
			}
		}
		s := spread(r.IntN(accounts))
		n, a := c.find(idOf(s))
		bySlot := c.ofSlot(s)
		if (a != nil) != cached[s] || a != bySlot {
			t.Fatalf("slot %d: found %v by id, %v by slot, want %t", s, a, bySlot, cached[s])
		}
		if a != nil && (a.slot != s || a.ID != idOf(s) || a.UserData64 != uint64(s) || c.frame(n) != a) {
			t.Fatalf("slot %d has %+v", s, a)
		}
	}
	if c.count > accounts || c.count-len(c.free) != len(cached) {
		t.Errorf("%d frames, %d free, for %d accounts", c.count, len(c.free), len(cached))
	}
}

// TestCacheKeepsHot demands that an eviction prefers what was not asked for.
func TestCacheKeepsHot(t *testing.T) {
	c := newCache(100 * frameCost)
	for s := range slot(200) {
		c.insert(s, &ledger.Account{ID: u128.From64(uint64(s) + 1)})
	}
	c.evict() // all were hot: the hand went round once, and no account is now
	for s := range slot(200) {
		if s%4 == 0 {
			c.ofSlot(s)
		}
	}
	var hot, before int
	for s := range slot(200) {
		if n := *c.place(s); n != 0 && c.frame(n-1).hot {
			before++
		}
	}
	c.budget = before
	c.evict()
	for s := range slot(200) {
		if n := *c.place(s); n != 0 && s%4 == 0 {
			hot++
		}
	}
	if hot != before {
		t.Errorf("%d of %d accounts stayed that were asked for", hot, before)
	}
}

// TestBatch compares the table of a request's transfers with a map.
func TestBatch(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	var b batch
	for range 200 {
		b.truncate(0)
		want := map[ledger.Uint128]position{}
		var order []ledger.Uint128
		for range r.IntN(batchMax) {
			id := ledger.Uint128{Lo: r.Uint64N(20_000), Hi: r.Uint64N(2) << 63}
			e := b.find(id)
			if p, known := want[id]; known != (e != nil) || known && e.position != p {
				t.Fatalf("%v is found as %v, want %d, %t", id, e, p, known)
			}
			if e == nil {
				p := position(r.Uint64N(3))
				b.insert(id, p)
				want[id] = p
				order = append(order, id)
			}
			if r.IntN(100) == 0 { // a chain is undone
				keep := len(order) - r.IntN(min(50, len(order)+1))
				b.truncate(keep)
				for _, id := range order[keep:] {
					delete(want, id)
				}
				order = order[:keep]
			}
		}
	}
	b.truncate(0)
	if b.slots != [batchSlots]uint16{} {
		t.Error("a slot is taken in an empty table")
	}
}
