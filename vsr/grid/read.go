package grid

import (
	"fmt"

	"github.com/cespare/xxhash/v2"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/internal/buffer"
)

// blockRead is a block, or a part of one, that waits to be read.
type blockRead struct {
	ref          block.Ref
	offset, size int    // of the part in the payload; size 0 is the whole block
	sum          uint64 // of the part
	done         func(content []byte, err error)
}

// readSlot is a read in flight.
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

// TryPart returns a part of a block's payload, size bytes from offset on, if it
// is in the cache: if an earlier ReadPart has fetched and verified that very
// part. It never waits and allocates nothing.
//
// The part is read-only and not pinned. It is valid until the caller returns to
// the loop: nothing but the completion of a ReadPart makes room in the cache.
// Whoever needs a part for longer copies what it needs of it.
func (g *Grid) TryPart(ref block.Ref, offset, size int) (part []byte, ok bool) {
	g.checkPart(ref, offset, size)
	return g.cache.find(partKey{ref, uint32(offset), uint32(size)})
}

// ReadPart fetches a part of a block's payload, size bytes from offset on, and
// checks it by sum, its xxhash64, which the caller has from wherever it has ref.
// Only the sectors that hold the part are read: those that HeaderSize + offset
// up to HeaderSize + offset + size fall into. The part enters the cache and is
// valid during done only. The error is a *CorruptError.
//
// It always reads the disk: TryPart comes first. Reading a block that is not
// held, or beyond the largest payload, is a bug and panics.
func (g *Grid) ReadPart(ref block.Ref, offset, size int, sum uint64, done func(part []byte, err error)) {
	g.checkPart(ref, offset, size)
	g.partQueue.push(blockRead{ref: ref, offset: offset, size: size, sum: sum, done: done})
	g.startReads()
}

func (g *Grid) checkPart(ref block.Ref, offset, size int) {
	if offset < 0 || size <= 0 || offset > g.PayloadSize()-size {
		panic(fmt.Sprintf("grid: part of %d bytes at %d of a payload", size, offset))
	}
	g.free.checkWritten(ref.Address)
}

func (g *Grid) startReads() {
	for !g.failed && len(g.readSlots) > 0 {
		queue := &g.partQueue
		if queue.empty() {
			queue = &g.readQueue
		}
		if queue.empty() {
			return
		}
		last := len(g.readSlots) - 1
		slot := g.readSlots[last]
		g.readSlots = g.readSlots[:last]
		slot.start(queue.pop())
	}
}

func (s *readSlot) start(r blockRead) {
	if s.buf == nil {
		s.buf = buffer.Aligned(s.grid.config.BlockSize)
	}
	s.read = r
	start, end := 0, len(s.buf)
	if r.size != 0 {
		start = sectorOf(r.offset)
		end = blockio.RoundUp(HeaderSize + r.offset + r.size)
	}
	s.request.Offset = s.grid.offset(r.ref.Address) + int64(start)
	s.request.Buf = s.buf[:end-start]
	s.grid.storage.Submit(&s.request)
}

// sectorOf returns where in its block the sector begins that has byte offset of
// the payload.
func sectorOf(offset int) int {
	return (HeaderSize + offset) / blockio.SectorSize * blockio.SectorSize
}

func (s *readSlot) complete(*blockio.Request) {
	g, read := s.grid, s.read
	if g.failed {
		return
	}
	var content []byte
	var err error
	if read.size == 0 {
		content, err = s.verify()
	} else if content, err = s.verifyPart(); err == nil {
		g.cache.insert(partKey{read.ref, uint32(read.offset), uint32(read.size)}, content)
	}
	s.read = blockRead{}
	// The slot is busy until done returns, because the content is in its buffer.
	read.done(content, err)
	g.readSlots = append(g.readSlots, s)
	g.startReads()
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

func (s *readSlot) verifyPart() ([]byte, error) {
	g, r, read := s.grid, &s.request, &s.read
	at := HeaderSize + read.offset - sectorOf(read.offset)
	part := r.Buf[at : at+read.size : at+read.size]
	reason := ""
	if r.Err != nil {
		reason = fmt.Sprintf("read of a part of %d bytes failed", read.size)
	} else if got := xxhash.Sum64(part); got != read.sum {
		reason = fmt.Sprintf("part of %d bytes has hash %#016x, not %#016x", read.size, got, read.sum)
	}
	if reason != "" {
		offset := g.offset(read.ref.Address) + HeaderSize + int64(read.offset)
		return nil, &CorruptError{Address: read.ref.Address, Offset: offset, Reason: reason, Err: r.Err}
	}
	return part, nil
}
