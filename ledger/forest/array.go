package forest

import (
	"encoding/binary"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/ledger"
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
	kind      uint8 // of blocks
	chunkSize int   // in bytes, a multiple of 8
	chunks    []chunk
	next      int // the chunk at which the next checkpoint begins
}

type chunk struct {
	data  []byte
	ref   block.Ref // zero if it was never written
	dirty bool
	since position // of the oldest row that has changed it since it was written
}

// at returns the bytes from an offset on, to the end of their chunk, for reading.
// They are there: see grow.
func (a *array) at(offset uint64) []byte {
	return a.chunks[offset/uint64(a.chunkSize)].data[offset%uint64(a.chunkSize):]
}

// change returns the same for a change by the row at a position.
func (a *array) change(offset uint64, p position) []byte {
	c := &a.chunks[offset/uint64(a.chunkSize)]
	if !c.dirty {
		c.dirty, c.since = true, p
	}
	return c.data[offset%uint64(a.chunkSize):]
}

// grow makes room for bytes up to an offset; new ones are zero.
func (a *array) grow(offset uint64) {
	for uint64(len(a.chunks))*uint64(a.chunkSize) <= offset {
		a.chunks = append(a.chunks, chunk{data: make([]byte, a.chunkSize)})
	}
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
	b := s.change(number/statusesPerByte, p)
	shift := number % statusesPerByte * 2
	b[0] = b[0]&^(3<<shift) | byte(status-ledger.PendingOpen)<<shift
}
