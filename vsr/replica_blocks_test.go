package vsr

import (
	"testing"

	"github.com/ledgerd/ledgerd/internal/block"
)

// Whatever else is asked for meanwhile, a block is asked of each of the others
// before long, and of the primary not first.
func TestBlocksAreAskedOfEverybody(t *testing.T) {
	for count := uint8(2); count <= 6; count++ {
		for index := range count {
			r := New(Options{})
			r.root.ReplicaCount, r.root.Replica, r.view = count, index, View(count)
			for a := block.Address(1); a <= 20; a++ {
				var asked [6]bool
				for tries := range 2 * int(count) {
					helper := r.helper(a, tries)
					if helper == index || helper >= count || tries == 0 && r.primaryOf(r.view) == helper && count > 2 {
						t.Fatalf("%d replicas: replica %d asks replica %d", count, index, helper)
					}
					asked[helper] = true
				}
				for i := range count {
					if i != index && !asked[i] {
						t.Fatalf("%d replicas: replica %d never asks replica %d for %v", count, index, i, a)
					}
				}
			}
		}
	}
}
