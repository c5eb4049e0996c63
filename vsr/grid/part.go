package grid

import (
	"fmt"

	"github.com/cespare/xxhash/v2"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/internal/buffer"
)

// partID is a part and what it is checked by: reads that agree in all of it have
// the same answer.
type partID struct {
	partKey
	sum uint64
}

// partRead is a part that waits to be read.
type partRead struct {
	id   partID
	done func(part []byte, err error)
	// again says that the block was mended since it was asked for.
	again bool
}

// partSlot is a part in flight from the disk, with its buffer.
type partSlot struct {
	grid    *Grid
	request blockio.Request
	buf     []byte // as large as the largest part so far, at most partBufferMax between reads
	id      partID
	waiting []partRead // who asked for it, in this order
}

func newPartSlot(g *Grid) *partSlot {
	s := &partSlot{grid: g}
	s.request.Kind = blockio.Read
	s.request.Done = s.complete
	return s
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
// It always waits for the disk: TryPart comes first. Who asks for a part that is
// being read already shares that read. Reading a block that is not held, or
// beyond the largest payload, is a bug and panics.
func (g *Grid) ReadPart(ref block.Ref, offset, size int, sum uint64, done func(part []byte, err error)) {
	g.checkPart(ref, offset, size)
	r := partRead{id: partID{partKey{ref, uint32(offset), uint32(size)}, sum}, done: done}
	if !g.join(r) {
		g.partQueue.push(r)
		g.startParts()
	}
}

func (g *Grid) checkPart(ref block.Ref, offset, size int) {
	if offset < 0 || size <= 0 || offset > g.PayloadSize()-size {
		panic(fmt.Sprintf("grid: part of %d bytes at %d of a payload", size, offset))
	}
	g.free.checkWritten(ref.Address)
}

// join lets r wait for the read of the same part, and reports whether there is
// one in flight.
func (g *Grid) join(r partRead) bool {
	slot, ok := g.partsInFlight[r.id]
	if ok {
		slot.waiting = append(slot.waiting, r)
	}
	return ok
}

func (g *Grid) startParts() {
	for !g.failed && !g.partQueue.empty() && len(g.partSlots) > 0 {
		r := g.partQueue.pop()
		if g.join(r) { // with one that was queued before it
			continue
		}
		last := len(g.partSlots) - 1
		slot := g.partSlots[last]
		g.partSlots = g.partSlots[:last]
		slot.start(r)
	}
}

func (s *partSlot) start(r partRead) {
	s.id = r.id
	s.waiting = append(s.waiting, r)
	s.grid.partsInFlight[r.id] = s

	start := s.sector()
	length := blockio.RoundUp(HeaderSize+int(r.id.offset)+int(r.id.size)) - start
	if length > len(s.buf) {
		s.buf = buffer.Aligned(length)
	}
	s.request.Offset = s.grid.offset(r.id.ref.Address) + int64(start)
	s.request.Buf = s.buf[:length]
	s.grid.storage.Submit(&s.request)
}

// sector returns where in its block the sector begins that the part begins in.
func (s *partSlot) sector() int {
	return (HeaderSize + int(s.id.offset)) / blockio.SectorSize * blockio.SectorSize
}

func (s *partSlot) complete(*blockio.Request) {
	g := s.grid
	if g.failed {
		return
	}
	part, err := s.verify()
	if err == nil {
		g.cache.insert(s.id.partKey, part)
	}
	delete(g.partsInFlight, s.id)
	// The slot is busy until all have returned, because the part is in its buffer.
	for i, r := range s.waiting {
		s.waiting[i] = partRead{}
		if err == nil || !g.retryPart(r) {
			r.done(part, err)
		}
	}
	s.waiting = s.waiting[:0]
	if len(s.buf) > partBufferMax {
		s.buf = nil
	}
	g.partSlots = append(g.partSlots, s)
	g.startParts()
}

// retryPart is retry for a part.
func (g *Grid) retryPart(r partRead) bool {
	if r.again {
		return false
	}
	r.again = true
	return g.mend(r.id.ref, func() {
		if !g.join(r) {
			g.partQueue.push(r)
			g.startParts()
		}
	})
}

func (s *partSlot) verify() ([]byte, error) {
	r, id := &s.request, &s.id
	at := HeaderSize + int(id.offset) - s.sector()
	end := at + int(id.size)
	part := r.Buf[at:end:end]
	reason := ""
	if r.Err != nil {
		reason = fmt.Sprintf("read of a part of %d bytes failed", id.size)
	} else if got := xxhash.Sum64(part); got != id.sum {
		reason = fmt.Sprintf("part of %d bytes has hash %#016x, not %#016x", id.size, got, id.sum)
	}
	if reason != "" {
		offset := s.grid.offset(id.ref.Address) + HeaderSize + int64(id.offset)
		return nil, &CorruptError{Address: id.ref.Address, Offset: offset, Reason: reason, Err: r.Err}
	}
	return part, nil
}
