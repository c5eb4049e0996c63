package grid

import (
	"encoding/binary"
	"fmt"

	"github.com/ledgerd/ledgerd/internal/block"
)

// KindFreeSet marks the blocks in which the grid keeps its own free set. Users
// choose other kinds.
const KindFreeSet = 1

// StateSize is the size of a State in bytes.
const StateSize = 40

// State is what the superblock keeps of a grid: where its free set is. The
// zero State is that of an empty grid.
//
//	offset  size  field
//	     0    24  reference of the free set's stream: address u64, checksum
//	    24     8  blocks covered by each of its bitmaps, a multiple of 64
//	    32     8  blocks set in the first bitmap: those in use
//
// The stream holds two bitmaps of equal size as u64 words, little-endian; block
// 1 is bit 0 of the first word. The first has the blocks in use; the stream's own
// are among them. The second has the blocks that only the checkpoint before has.
type State [StateSize]byte

// checkpointState is the free set on disk and a checkpoint on its way there.
type checkpointState struct {
	stream block.Ref // of the newest encoded free set; zero if there is none
	buf    []byte    // its content
	count  uint64    // of calls of Checkpoint, each of which frees blocks
	// state and done are those of a Checkpoint until all that was written before
	// it is complete; done is nil afterwards.
	state State
	done  func(State)
	// pending says that Checkpoint was called, and CheckpointDurable not yet. What
	// is written meanwhile waits: its block may be one that was freed.
	pending bool
	waiting []blockWrite
}

// Checkpoint writes the free set as it is with this checkpoint, and hands over its
// State when that and all that was given to Write before is complete, and only a
// Sync is missing to make it stable. Blocks released before the checkpoint before
// become free. They can be acquired at once, but what is written from now on waits
// for CheckpointDurable. Until that was called there must be no second Checkpoint.
func (g *Grid) Checkpoint(done func(state State)) {
	if g.checkpoint.pending {
		panic("grid: Checkpoint before the one before is durable")
	}
	if !g.checkpoint.stream.IsZero() {
		g.ReleaseStream(g.checkpoint.stream)
	}
	// The bitmap covers its own blocks, and taking one may lengthen it.
	var addresses []block.Address
	for len(addresses) == 0 || len(addresses) < g.streamBlocks(2*g.free.words()*8) {
		addresses = append(addresses, g.Acquire())
	}
	words, used := g.free.words(), 0
	g.free.stage()
	g.checkpoint.count++
	g.checkpoint.buf = g.checkpoint.buf[:0]
	for i := range words {
		word := g.free.inUse(i)
		g.checkpoint.buf = binary.LittleEndian.AppendUint64(g.checkpoint.buf, word)
		used += bitmap{word}.count()
	}
	for _, word := range g.free.staged[:words] {
		g.checkpoint.buf = binary.LittleEndian.AppendUint64(g.checkpoint.buf, word)
	}
	g.writeStream(KindFreeSet, addresses, g.checkpoint.buf, func(head block.Ref) {
		g.checkpoint.stream = head
		var state State
		head.Put(state[:])
		binary.LittleEndian.PutUint64(state[24:], uint64(words)*64)
		binary.LittleEndian.PutUint64(state[32:], uint64(used))
		g.checkpoint.state = state
	})
	g.checkpoint.done, g.checkpoint.pending = done, true
}

// completeCheckpoint ends Checkpoint when nothing is on its way to the disk any
// more.
func (g *Grid) completeCheckpoint() {
	done := g.checkpoint.done
	if done == nil || !g.writeQueue.empty() || len(g.writeSlots) < writesMax {
		return
	}
	g.checkpoint.done = nil
	done(g.checkpoint.state)
}

// CheckpointDurable says that a superblock with the State of the last
// Checkpoint is durable. What waited for that is written.
func (g *Grid) CheckpointDurable() {
	c := &g.checkpoint
	if c.done != nil || !c.pending {
		panic("grid: CheckpointDurable without a checkpoint, or during one")
	}
	c.pending = false
	for _, w := range c.waiting {
		g.writeQueue.push(w)
	}
	clear(c.waiting) // drop the closures it holds
	c.waiting = c.waiting[:0]
	g.startWrites()
}

// Open reads the free set of a checkpoint. The grid must be new, and must not
// be used before done. The error wraps ErrCorrupt. For the zero State there is
// nothing to read, and done is called before Open returns.
func (g *Grid) Open(state State, done func(error)) {
	if len(g.free.acquired) != 0 {
		panic("grid: Open of a grid in use")
	}
	if state == (State{}) {
		done(nil)
		return
	}
	head := block.RefFrom(state[:])
	g.readStream(head, func(content []byte, err error) {
		if err == nil {
			err = g.load(state, content)
		}
		if err != nil {
			done(fmt.Errorf("read the free set: %w", err))
			return
		}
		g.checkpoint.stream = head
		done(nil)
	})
}

// load takes over an encoded free set, which must agree with its State and with
// the place where it was found.
func (g *Grid) load(state State, content []byte) error {
	covered := binary.LittleEndian.Uint64(state[24:])
	used := binary.LittleEndian.Uint64(state[32:])
	if covered > blocksMax || covered%64 != 0 || 2*covered/8 != uint64(len(content)) {
		return fmt.Errorf("%w: free set of %d bytes for %d blocks", ErrCorrupt, len(content), covered)
	}
	g.free.grow(int(covered / 64))
	n := 0
	for i := range g.free.acquired {
		word := binary.LittleEndian.Uint64(content[i*8:])
		n += bitmap{word}.count()
		g.free.staged[i] = binary.LittleEndian.Uint64(content[covered/8+uint64(i)*8:])
		g.free.acquired[i] = word | g.free.staged[i]
		if word&g.free.staged[i] != 0 {
			return fmt.Errorf("%w: free set has blocks that are in use and released", ErrCorrupt)
		}
	}
	if uint64(n) != used {
		return fmt.Errorf("%w: free set has %d blocks in use, its state says %d", ErrCorrupt, n, used)
	}
	for _, a := range g.streams[block.RefFrom(state[:]).Address] {
		if !g.free.held(a) {
			return fmt.Errorf("%w: %v holds the free set and is free in it", ErrCorrupt, a)
		}
	}
	return nil
}
