package client

import (
	"sync"
	"testing"
	"time"

	"github.com/ledgerd/ledgerd/ledger"
)

func TestIDsIncrease(t *testing.T) {
	var s idSource
	var last ledger.Uint128
	draw := func(ms int64) ledger.Uint128 {
		t.Helper()
		id := s.next(ms)
		if !last.Less(id) {
			t.Errorf("%v after %v", id, last)
		}
		last = id
		return id
	}
	first := draw(1000)
	if ms := first.Hi >> 16; ms != 1000 {
		t.Errorf("id of millisecond 1000 has %d", ms)
	}
	if next := draw(1000); next.Lo != first.Lo+1 {
		t.Errorf("within a millisecond %v follows %v, want one more", next, first)
	}
	draw(999) // the clock was set back
	draw(0)
	if id := draw(1001); id.Hi>>16 != 1001 {
		t.Errorf("id of millisecond 1001 has %d", id.Hi>>16)
	}
	// The random bits overflow into the next millisecond: still increasing.
	s.last = ledger.Uint128{Hi: 1001<<16 | 0xffff, Lo: ^uint64(0)}
	last = s.last
	draw(1001)
	s.last = ledger.Uint128{Hi: 1005 << 16, Lo: 7}
	last = s.last
	draw(1002)
}

func TestIDsOfManyGoroutines(t *testing.T) {
	const goroutines, each = 8, 2000
	drawn := make([][]ledger.Uint128, goroutines)
	var wg sync.WaitGroup
	for g := range drawn {
		wg.Go(func() {
			for range each {
				drawn[g] = append(drawn[g], ID())
			}
		})
	}
	wg.Wait()
	seen := make(map[ledger.Uint128]bool)
	for _, ids := range drawn {
		for i, id := range ids {
			if seen[id] || i > 0 && !ids[i-1].Less(id) {
				t.Fatalf("id %v is not new, or less than the one before", id)
			}
			seen[id] = true
		}
	}
	if ms := int64(drawn[0][0].Hi >> 16); time.Since(time.UnixMilli(ms)).Abs() > time.Minute {
		t.Errorf("ids are of %v", time.UnixMilli(ms))
	}
}

func BenchmarkID(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		ID()
	}
}
