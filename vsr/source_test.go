package vsr

import (
	"math/bits"
	"testing"

	"github.com/ledgerd/ledgerd/vsr/superblock"
)

// TestEachQuestionGoesRound asks several questions in each beat. Whatever their
// number, each of them comes to every other replica, and to no standby, before as
// many beats have passed as there are replicas.
func TestEachQuestionGoesRound(t *testing.T) {
	const questions = 7
	for count := uint8(2); count <= 6; count++ {
		for own := range count + 1 { // the last one is a standby
			replica := &Replica{root: superblock.State{Replica: own, ReplicaCount: count}}
			others := uint8(1)<<count - 1
			others &^= 1 << own
			var asked [questions]uint8
			for range count {
				for op := range asked {
					asked[op] |= 1 << replica.source(Op(op), true)
				}
				replica.group.ticks += beatTicks
			}
			for op, who := range asked {
				if who != others {
					t.Errorf("replica %d of %d: asks %d of %d others about op %d (%b)",
						own, count, bits.OnesCount8(who), bits.OnesCount8(others), op, who)
				}
			}
		}
	}
}
