package lsm

import (
	"math/rand/v2"
	"testing"
)

// TestSearchFenced demands that both searches agree, also of keys with equal
// first words.
func TestSearchFenced(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		words := 1 + rng.Uint64N(20)
		var r run
		for key := (Key{}); len(r) < 1+rng.IntN(30); {
			key[0] += rng.Uint64N(2 + words/10)
			key[1] += 1 + rng.Uint64N(3)
			r = append(r, part{last: key})
		}
		fence := r.fence()
		for range 20 {
			key := Key{rng.Uint64N(r[len(r)-1].last[0] + 2), rng.Uint64N(40)}
			if got, want := r.searchFenced(fence, key), r.search(key); got != want {
				t.Fatalf("%v is in part %d of %v, not %d", key, want, fence, got)
			}
		}
	}
}
