package grid

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/internal/checksum"
	"github.com/ledgerd/ledgerd/vsr/faultdisk"
)

// source makes a grid with a checkpoint and returns the references of its blocks.
func source(disk *faultdisk.Disk, blocks int) (g *Grid, refs []block.Ref, state State) {
	g = newGrid(disk)
	for i := range blocks {
		refs = append(refs, put(g, disk, payloadOf(i, 3000)))
	}
	state = checkpoint(g, disk)
	g.CheckpointDurable()
	return g, refs, state
}

// What has been received is stable when that is told: the power may fail then,
// and the checkpoint is whole.
func TestReceivedBlocksAreStable(t *testing.T) {
	for seed := range uint64(10) {
		from, to := newDisk(1), newDisk(seed+2)
		g, refs, state := source(from, 40)
		random := rand.New(rand.NewPCG(seed, 3))
		for _, ref := range refs { // some are here already, some are damaged
			if random.IntN(2) == 0 {
				to.Poke(g.offset(ref.Address), from.Peek(g.offset(ref.Address), g.config.BlockSize))
			}
			if random.IntN(4) == 0 {
				to.Rot(g.offset(ref.Address)+100, 1)
			}
		}
		done := false
		var r *Receiver
		ask := func(a block.Address, have checksum.Sum) {
			g.ReadWhole(a, func(whole []byte, sum checksum.Sum) {
				if sum == have {
					whole = nil
				}
				r.Put(a, sum, bytes.Clone(whole))
			})
		}
		r = Receive(to, newGrid(to).config, state, ask, func() { done = true })
		for !done {
			if !to.Step() && !from.Step() {
				t.Fatalf("seed %d: it waits for nothing", seed)
			}
		}
		to = to.PowerCut()
		received := reopen(t, to, state)
		for i, ref := range refs {
			if got, err := get(received, to, ref); err != nil || !bytes.Equal(got, payloadOf(i, 3000)) {
				t.Errorf("seed %d: %v: %v", seed, ref.Address, err)
			}
		}
	}
}
