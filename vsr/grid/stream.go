package grid

import (
	"encoding/binary"
	"fmt"

	"github.com/ledgerd/ledgerd/internal/block"
)

// streamHeaderSize is the part of a stream block's payload that chains it.
//
//	offset  size  field (offsets within the payload)
//	     0    24  reference of the next block: address u64, checksum; 0 in the last
//	    24     8  content bytes in this block and all after it
//	    32        content
//
// Every block but the last is full.
const streamHeaderSize = block.RefSize + 8

// streamWrite is a stream on its way to the disk.
type streamWrite struct {
	content []byte
	next    block.Ref // the block sealed last, which is the next in the chain
	pending int       // blocks not yet sealed
	done    func(block.Ref)
}

// streamPieceSize returns how many content bytes a block of a stream holds.
func (g *Grid) streamPieceSize() int { return g.PayloadSize() - streamHeaderSize }

// streamBlocks returns how many blocks a stream of size bytes takes, at least
// one.
func (g *Grid) streamBlocks(size int) int {
	piece := g.streamPieceSize()
	return max(1, (size+piece-1)/piece)
}

// WriteStream stores bytes of any length, also none, in a chain of blocks that
// it acquires at once. content belongs to the grid until done is called, perhaps
// before WriteStream returns, with the reference of the chain's head, which is all
// that ReadStream needs. The blocks are on their way then: the next Checkpoint
// waits for them.
func (g *Grid) WriteStream(kind uint8, content []byte, done func(head block.Ref)) {
	addresses := make([]block.Address, g.streamBlocks(len(content)))
	for i := range addresses {
		addresses[i] = g.Acquire()
	}
	g.writeStream(kind, addresses, content, done)
}

func (g *Grid) writeStream(kind uint8, addresses []block.Address, content []byte, done func(head block.Ref)) {
	if len(addresses) != g.streamBlocks(len(content)) {
		panic(fmt.Sprintf("grid: stream of %d bytes in %d blocks", len(content), len(addresses)))
	}
	s := &streamWrite{content: content, pending: len(addresses), done: done}
	g.streams[addresses[0]] = addresses
	// From the last block to the first: a block holds the checksum of the one
	// after it. Sealing happens in this order, the writes may overlap.
	for i := len(addresses) - 1; i >= 0; i-- {
		start := i * g.streamPieceSize()
		g.write(blockWrite{
			address: addresses[i],
			kind:    kind,
			fill:    func(dst []byte) int { return s.fill(dst, start) },
			sealed:  s.sealed,
		})
	}
}

func (s *streamWrite) fill(dst []byte, start int) int {
	s.next.Put(dst)
	binary.LittleEndian.PutUint64(dst[block.RefSize:], uint64(len(s.content)-start))
	return streamHeaderSize + copy(dst[streamHeaderSize:], s.content[start:])
}

func (s *streamWrite) sealed(ref block.Ref) {
	s.next = ref
	s.pending--
	if s.pending == 0 {
		s.done(ref) // sealed last: the head
	}
}

// streamRead is a stream on its way from the disk.
type streamRead struct {
	grid      *Grid
	addresses []block.Address
	content   []byte
	remaining int // content bytes still to come; -1 before the head is read
	done      func([]byte, error)
}

// ReadStream fetches what WriteStream stored under head. The content belongs
// to the caller. The error is a *CorruptError.
func (g *Grid) ReadStream(head block.Ref, done func(content []byte, err error)) {
	g.free.checkWritten(head.Address)
	g.readStream(head, done)
}

func (g *Grid) readStream(head block.Ref, done func(content []byte, err error)) {
	s := &streamRead{grid: g, remaining: -1, done: done}
	s.read(head)
}

func (s *streamRead) read(ref block.Ref) {
	s.addresses = append(s.addresses, ref.Address)
	s.grid.read(ref, func(payload []byte, err error) {
		if err != nil {
			s.done(nil, err)
			return
		}
		next, ok := s.append(payload)
		switch {
		case !ok:
			s.done(nil, &CorruptError{
				Address: ref.Address, Offset: s.grid.offset(ref.Address),
				Want: ref.Checksum, Got: ref.Checksum, Reason: "not a block of this stream",
			})
		case next.IsZero():
			s.grid.streams[s.addresses[0]] = s.addresses
			s.done(s.content, nil)
		default:
			s.read(next)
		}
	})
}

// append takes the content of one block and returns the next one's reference.
// It reports false if the block does not continue the stream.
func (s *streamRead) append(payload []byte) (next block.Ref, ok bool) {
	if len(payload) < streamHeaderSize {
		return next, false
	}
	next = block.RefFrom(payload)
	remaining := binary.LittleEndian.Uint64(payload[block.RefSize:])
	piece := payload[streamHeaderSize:]
	if s.remaining < 0 {
		if remaining > uint64(blocksMax)*uint64(s.grid.config.BlockSize) {
			return next, false
		}
		s.remaining = int(remaining)
		s.content = make([]byte, 0, s.remaining)
	}
	if remaining != uint64(s.remaining) || len(piece) != min(s.remaining, s.grid.streamPieceSize()) {
		return next, false
	}
	s.content = append(s.content, piece...)
	s.remaining -= len(piece)
	return next, next.IsZero() == (s.remaining == 0)
}

// ReleaseStream releases every block of a stream that was written or read
// before. Releasing any other is a bug and panics.
func (g *Grid) ReleaseStream(head block.Ref) {
	addresses, ok := g.streams[head.Address]
	if !ok {
		panic(fmt.Sprintf("grid: release of an unknown stream at %v", head.Address))
	}
	delete(g.streams, head.Address)
	for _, a := range addresses {
		g.Release(a)
	}
}
