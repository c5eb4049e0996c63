package forest

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/lsm/rowlog"
)

// array is a sequence of bytes in memory that is kept on the grid in chunks of
// one block. A checkpoint writes only some of the chunks that have changed, in
// turn; what has changed in the others follows from rows of the events log,
// which a restart applies again.
//
// Invariants:
//  1. A chunk that is not dirty is in its block as it is in memory; without a
//     block it is all zero.
//  2. A dirty chunk has in its block what it was before the row at since, or
//     something later. To apply rows from there on again leads to what it is.
type array struct {
	kind         uint8 // of blocks
	bits         uint  // a chunk has 1<<bits bytes
	payloadSize  int   // of a block, in bytes
	replayBlocks int   // see turn
	chunks       []chunk
	next         int      // the chunk at which the next checkpoint begins
	saved        position // up to where rows had come at the last checkpoint
}

// newArray returns an empty array. Chunks are a power of two, for the sake of
// speed: what blocks have more than that is never written.
func newArray(kind uint8, payloadSize int, s scale) array {
	return array{
		kind: kind, bits: uint(bits.Len(uint(payloadSize)) - 1),
		payloadSize: payloadSize, replayBlocks: s.replayBlocks,
	}
}

func (a *array) chunkSize() int { return 1 << a.bits }

type chunk struct {
	data  []byte
	ref   block.Ref // zero if it was never written
	dirty bool
	since position // of the oldest row that has changed it since it was written
}

// at returns the bytes from an offset on, to the end of their chunk, for reading.
// They are there: see grow.
func (a *array) at(offset uint64) []byte {
	return a.chunks[offset>>a.bits].data[offset&(1<<a.bits-1):]
}

// change returns the same for a change by the row at a position.
func (a *array) change(offset uint64, p position) []byte {
	c := &a.chunks[offset>>a.bits]
	if !c.dirty {
		c.dirty, c.since = true, p
	}
	return c.data[offset&(1<<a.bits-1):]
}

// grow makes room for bytes up to an offset; new ones are zero.
func (a *array) grow(offset uint64) {
	for uint64(len(a.chunks)) <= offset>>a.bits {
		a.chunks = append(a.chunks, chunk{data: make([]byte, a.chunkSize())})
	}
}

// replayFrom returns the position from which on rows must be applied to what is
// on the grid; end if none must.
func (a *array) replayFrom(end position) position {
	for i := range a.chunks {
		if c := &a.chunks[i]; c.dirty {
			end = min(end, c.since)
		}
	}
	return end
}

// chunksWrittenMin is how many dirty chunks a checkpoint writes at least.
const chunksWrittenMin = 4

// turn returns by how many blocks of the log checkpoints write all dirty chunks
// once: that is how far back rows are applied again. It is twice the size of
// the array if that is more than replayBlocks: an array is written half as
// fast as the log then, and a restart, which reads all of the array, reads
// rows as much again, twice.
func (a *array) turn() int {
	blocks := (len(a.chunks)*a.chunkSize() + a.payloadSize - 1) / a.payloadSize
	return max(a.replayBlocks, 2*blocks)
}

// checkpoint writes some of the dirty chunks, each to another block: the more
// of them the further the rows have come since the last checkpoint, now to end.
// read is called for each, and what it returns when that one is written.
func (a *array) checkpoint(grid Grid, end position, read func() func(error)) {
	progress := int((end-a.saved)/rowlog.BlockSpan) + 1
	left := max(chunksWrittenMin, (len(a.chunks)*progress+a.turn()-1)/a.turn())
	a.saved = end
	first := a.next
	for i := range a.chunks {
		n := (first + i) % len(a.chunks)
		c := &a.chunks[n]
		if !c.dirty {
			continue
		}
		if left == 0 {
			break
		}
		left--
		a.next = (n + 1) % len(a.chunks)
		a.write(grid, c, read())
	}
}

func (a *array) write(grid Grid, c *chunk, done func(error)) {
	if !c.ref.IsZero() {
		grid.Release(c.ref.Address)
	}
	data := c.data
	c.dirty, c.since = false, 0
	grid.Write(grid.Acquire(), a.kind,
		func(dst []byte) int { return copy(dst, data) },
		func(ref block.Ref) {
			c.ref = ref
			done(nil)
		})
}

// The state of an array, in the manifest:
//
//	offset size field
//	     0    4 number of chunks
//	     4    4 the chunk at which the next checkpoint begins
//	     8    8 up to where rows had come: the end of the events log
//	    16   32 for each chunk
//	        24  reference of its block, zero if it was never written
//	         8  position since which it is dirty, 0 if it is not
const (
	arrayHeaderSize = 16
	chunkStateSize  = block.RefSize + 8
)

// appendState appends the state to dst. It follows checkpoint and all that it
// writes.
func (a *array) appendState(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(a.chunks)))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(a.next))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(a.saved))
	for i := range a.chunks {
		c := &a.chunks[i]
		var ref [block.RefSize]byte
		c.ref.Put(ref[:])
		dst = append(dst, ref[:]...)
		dst = binary.LittleEndian.AppendUint64(dst, uint64(c.since))
	}
	return dst
}

// open makes a new array what it was at a checkpoint, but for rows that are to
// be applied again. read is called for each chunk that is read, and what it
// returns when that one is there.
func (a *array) open(grid Grid, state []byte, read func() func(error)) error {
	if len(state) < arrayHeaderSize {
		return fmt.Errorf("%w: array of %d bytes", ErrFormat, len(state))
	}
	count, next := binary.LittleEndian.Uint32(state), binary.LittleEndian.Uint32(state[4:])
	a.saved = position(binary.LittleEndian.Uint64(state[8:]))
	state = state[arrayHeaderSize:]
	if uint64(len(state)) != uint64(count)*chunkStateSize || next > 0 && next >= count {
		return fmt.Errorf("%w: array of %d chunks in %d bytes, next %d", ErrFormat, count, len(state), next)
	}
	a.next = int(next)
	a.chunks = make([]chunk, count)
	for i := range a.chunks {
		c := &a.chunks[i]
		c.data = make([]byte, a.chunkSize())
		c.ref = block.RefFrom(state)
		c.since = position(binary.LittleEndian.Uint64(state[block.RefSize:]))
		c.dirty = c.since != 0
		state = state[chunkStateSize:]
		if !c.ref.IsZero() {
			c.read(grid, read())
		}
	}
	return nil
}

func (c *chunk) read(grid Grid, done func(error)) {
	grid.Read(c.ref, func(payload []byte, err error) {
		if err == nil && len(payload) != len(c.data) {
			err = fmt.Errorf("%w: %v has a chunk of %d bytes, not %d", ErrFormat, c.ref.Address, len(payload), len(c.data))
		}
		copy(c.data, payload)
		done(err)
	})
}

// heads has the position of the newest row of each account in the events log, 0
// if there is none, by slot.
type heads struct{ array }

const headSize = 8

// at returns the position of the newest row of an account.
func (h *heads) at(s slot) position {
	return position(binary.LittleEndian.Uint64(h.array.at(uint64(s) * headSize)))
}

func (h *heads) set(s slot, p position) {
	binary.LittleEndian.PutUint64(h.change(uint64(s)*headSize, p), uint64(p))
}

// restore is set for a row that is applied again.
func (h *heads) restore(s slot, p position) {
	binary.LittleEndian.PutUint64(h.array.at(uint64(s)*headSize), uint64(p))
}

// statuses has the status of each pending transfer, by number, in 2 bits. They
// are stored as ledger.PendingStatus less one, so that 0 is open.
type statuses struct{ array }

const statusesPerByte = 4

// at returns the status of a pending transfer.
func (s *statuses) at(number uint64) ledger.PendingStatus {
	b := s.array.at(number / statusesPerByte)[0]
	return ledger.PendingStatus(b>>(number%statusesPerByte*2)&3) + ledger.PendingOpen
}

func (s *statuses) set(number uint64, status ledger.PendingStatus, p position) {
	putStatus(s.change(number/statusesPerByte, p), number, status)
}

// restore is set for a row that is applied again.
func (s *statuses) restore(number uint64, status ledger.PendingStatus) {
	putStatus(s.array.at(number/statusesPerByte), number, status)
}

func putStatus(b []byte, number uint64, status ledger.PendingStatus) {
	shift := number % statusesPerByte * 2
	b[0] = b[0]&^(3<<shift) | byte(status-ledger.PendingOpen)<<shift
}
