package grid

import (
	"fmt"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/internal/buffer"
)

// blockWrite is a block that waits to be written. It holds no payload: that is
// made when a buffer is free.
type blockWrite struct {
	address block.Address
	kind    uint8
	fill    func(dst []byte) int
	sealed  func(block.Ref) // may be nil; before the write is submitted
	done    func(block.Ref) // may be nil
}

// writeSlot is a block in flight to the disk, with its buffer.
type writeSlot struct {
	grid    *Grid
	request blockio.Request
	buf     []byte // BlockSize bytes, made at first use
	ref     block.Ref
	done    func(block.Ref)
}

func newWriteSlot(g *Grid) *writeSlot {
	s := &writeSlot{grid: g}
	s.request.Kind = blockio.Write
	s.request.Done = s.complete
	return s
}

// Write stores a block that was acquired and not written before.
//
// fill is called once, before Write returns or later, in the order of the
// calls of Write. It puts the payload into dst, which has PayloadSize bytes of
// undefined content, and returns how many it used. It must not call the grid.
// kind is not 0. done is called when the write is complete, but not yet stable:
// a Sync makes it so.
func (g *Grid) Write(a block.Address, kind uint8, fill func(dst []byte) int, done func(block.Ref)) {
	g.write(blockWrite{address: a, kind: kind, fill: fill, done: done})
}

func (g *Grid) write(w blockWrite) {
	if w.kind == 0 {
		panic("grid: block kind 0")
	}
	g.free.markWritten(w.address)
	if g.checkpoint.pending {
		g.checkpoint.waiting = append(g.checkpoint.waiting, w)
		return
	}
	g.writeQueue.push(w)
	g.startWrites()
}

func (g *Grid) startWrites() {
	for !g.failed && !g.writeQueue.empty() && len(g.writeSlots) > 0 {
		last := len(g.writeSlots) - 1
		slot := g.writeSlots[last]
		g.writeSlots = g.writeSlots[:last]
		slot.start(g.writeQueue.pop())
	}
}

func (s *writeSlot) start(w blockWrite) {
	if s.buf == nil {
		s.buf = buffer.Aligned(s.grid.config.BlockSize)
	}
	size := w.fill(s.buf[HeaderSize:])
	if size < 0 || size > s.grid.PayloadSize() {
		panic(fmt.Sprintf("grid: payload of %d bytes", size))
	}
	sum, length := seal(s.buf, w.address, w.kind, size)
	s.ref = block.Ref{Address: w.address, Checksum: sum}
	s.done = w.done
	if w.sealed != nil {
		w.sealed(s.ref)
	}
	s.request.Offset = s.grid.offset(w.address)
	s.request.Buf = s.buf[:length]
	s.grid.storage.Submit(&s.request)
}

func (s *writeSlot) complete(r *blockio.Request) {
	g := s.grid
	if r.Err != nil {
		g.fail(fmt.Errorf("grid: write %v at offset %d: %w", s.ref.Address, r.Offset, r.Err))
	}
	if g.failed {
		return
	}
	ref, done := s.ref, s.done
	s.done = nil
	g.free.markFinished(ref.Address)
	g.writeSlots = append(g.writeSlots, s)
	g.startWrites()
	if done != nil {
		done(ref)
	}
	g.completeCheckpoint()
}
