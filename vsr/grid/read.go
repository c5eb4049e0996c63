package grid

import (
	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/internal/buffer"
)

// blockRead is a block that waits to be read.
type blockRead struct {
	ref  block.Ref
	done func(payload []byte, err error)
	// again says that the block was mended since it was asked for.
	again bool
}

// readSlot is a block in flight from the disk, with its buffer.
type readSlot struct {
	grid    *Grid
	request blockio.Request
	buf     []byte // BlockSize bytes, made at first use
	read    blockRead
}

func newReadSlot(g *Grid) *readSlot {
	s := &readSlot{grid: g}
	s.request.Kind = blockio.Read
	s.request.Done = s.complete
	return s
}

// Read fetches the block that ref names and checks that it is that very block.
// The payload is valid during done only. The error is a *CorruptError.
// Reading a block that is not held is a bug and panics.
//
// Whole blocks are not cached: merges and restarts read them, once each, and
// would push out what is read again and again.
func (g *Grid) Read(ref block.Ref, done func(payload []byte, err error)) {
	g.free.checkWritten(ref.Address)
	g.read(ref, done)
}

func (g *Grid) read(ref block.Ref, done func(payload []byte, err error)) {
	g.readQueue.push(blockRead{ref: ref, done: done})
	g.startReads()
}

func (g *Grid) startReads() {
	for !g.failed && !g.readQueue.empty() && len(g.readSlots) > 0 {
		last := len(g.readSlots) - 1
		slot := g.readSlots[last]
		g.readSlots = g.readSlots[:last]
		slot.start(g.readQueue.pop())
	}
}

func (s *readSlot) start(r blockRead) {
	if s.buf == nil {
		s.buf = buffer.Aligned(s.grid.config.BlockSize)
	}
	s.read = r
	s.request.Offset = s.grid.offset(r.ref.Address)
	s.request.Buf = s.buf
	s.grid.storage.Submit(&s.request)
}

func (s *readSlot) complete(*blockio.Request) {
	g := s.grid
	if g.failed {
		return
	}
	payload, err := s.verify()
	read := s.read
	s.read = blockRead{}
	// The slot is busy until done returns, because the payload is in its buffer.
	if err == nil || !g.retry(read) {
		read.done(payload, err)
	}
	g.readSlots = append(g.readSlots, s)
	g.startReads()
}

// retry repeats a read when its block has been mended. It reports false if that
// cannot be, or was of no use.
func (g *Grid) retry(read blockRead) bool {
	if read.again {
		return false
	}
	read.again = true
	return g.mend(read.ref, func() {
		g.readQueue.push(read)
		g.startReads()
	})
}

func (s *readSlot) verify() ([]byte, error) {
	r, ref := &s.request, s.read.ref
	if r.Err != nil {
		return nil, &CorruptError{
			Address: ref.Address, Offset: r.Offset, Want: ref.Checksum, Got: ref.Checksum, Reason: "read failed", Err: r.Err,
		}
	}
	payload, got, wrong := unseal(r.Buf, ref)
	if wrong != "" {
		return nil, &CorruptError{Address: ref.Address, Offset: r.Offset, Want: ref.Checksum, Got: got, Reason: wrong}
	}
	return payload, nil
}
