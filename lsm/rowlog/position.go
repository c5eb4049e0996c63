package rowlog

import (
	"fmt"

	"github.com/ledgerd/ledgerd/internal/blockio"
)

// Position says where in a log a row begins. Positions ascend in the order in
// which rows were pushed, and 0 is none.
//
// The number of the block in the log, from 1, is above bit 20, the offset in
// the block's payload below. The sum of a row's position and its length is
// behind that row and not behind the next.
type Position uint64

// BlockSpan is how far a position is behind that of the same offset in the block
// before.
const BlockSpan Position = 1 << offsetBits

// offsetBits is enough for the offset in a payload of any size.
const offsetBits = 20

func positionOf(number, offset int) Position {
	return Position(number)<<offsetBits | Position(offset)
}

func (p Position) number() int { return int(p >> offsetBits) }
func (p Position) offset() int { return int(p & (1<<offsetBits - 1)) }

// String returns the position for error messages.
func (p Position) String() string { return fmt.Sprintf("row at %d.%d", p.number(), p.offset()) }

// shape is how payloads are cut into parts.
type shape struct {
	payload int // size of a block's payload, in bytes
	header  int // by which the first part is shorter than a sector
	parts   int // of a block
}

func shapeOf(payloadSize int) shape {
	end := blockio.RoundUp(payloadSize)
	return shape{payload: payloadSize, header: end - payloadSize, parts: end / blockio.SectorSize}
}

// partAt returns the part of a block in which an offset is.
func (s *shape) partAt(offset int) int { return (offset + s.header) / blockio.SectorSize }

// start returns the offset at which a part of a block begins, or, of the part
// behind the last, the payload's size.
func (s *shape) start(part int) int { return max(0, part*blockio.SectorSize-s.header) }

// place returns which part of the log a position is in: parts are counted
// through all blocks. A position at the end of a part is in the next one.
func (s *shape) place(p Position) int { return p.number()*s.parts + s.partAt(p.offset()) }

// placeBefore returns the part of the log that ends at or behind a position,
// and begins before it.
func (s *shape) placeBefore(p Position) int {
	if p.offset() == 0 {
		return p.number()*s.parts - 1
	}
	return s.place(p - 1)
}

// startOf returns the position at which a part of the log begins.
func (s *shape) startOf(place int) Position {
	return positionOf(place/s.parts, s.start(place%s.parts))
}

// PositionOf returns the position of a row by its number, from 0, in a log in
// which all rows are of one size, in bytes. The row need not be there yet.
func (l *Log) PositionOf(number uint64, size int) Position {
	first, rest := l.start(1)/size, blockio.SectorSize/size
	perBlock := uint64(first + (l.parts-1)*rest)
	block, row := int(number/perBlock)+1, int(number%perBlock)
	if row < first {
		return positionOf(block, row*size)
	}
	row -= first
	return positionOf(block, l.start(1+row/rest)+row%rest*size)
}

// NumberOf is the reverse of PositionOf. Of End it returns how many rows there
// are.
func (l *Log) NumberOf(p Position, size int) uint64 {
	first, rest := l.start(1)/size, blockio.SectorSize/size
	perBlock := first + (l.parts-1)*rest
	part := l.partAt(p.offset())
	row := (p.offset() - l.start(part)) / size
	if part > 0 {
		row += first + (part-1)*rest
	}
	return uint64(p.number()-1)*uint64(perBlock) + uint64(row)
}
