package rowlog

import (
	"encoding/binary"
	"fmt"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/internal/u128"
)

// Config is the shape of a log. Its kinds must be the same for the life of a
// data file.
type Config struct {
	Name          string // in error messages
	Kind          uint8  // of the blocks with rows, not 0
	DirectoryKind uint8  // of the blocks with the directory, not 0

	// RowMax is the size of the largest row, in bytes, with what its encoder
	// writes behind it. At most what the first part of a block holds.
	RowMax int

	// Key returns the key of a row by which Find finds it, or 0 if it has none.
	// nil means that no row has one. No two rows have the same.
	Key func(row []byte) u128.Uint128

	// RecentSize is how many bytes of the newest full blocks stay in memory
	// once they are written.
	RecentSize int
}

// rowMin is the size of the smallest row, in bytes: its length and its stamp.
const rowMin = 16

// Log is an append-only sequence of rows. See the package comment.
//
// Invariants:
//  1. blocks 1 .. flushed are full and in the directory, and were handed to
//     the grid; no row of theirs is ever truncated;
//  2. pages are the blocks from number first to the newest, without a gap;
//     they hold every block whose write is not complete;
//  3. behind the last row of a part that is not the newest are zeros.
type Log struct {
	grid   block.Grid
	config Config
	shape

	// The newest block. Its rows end at used, and the next one must end at
	// limit, which is the end of a part.
	data        []byte
	base        Position // of its offset 0
	used, limit int

	rows      uint64
	pages     []*page
	first     int
	flushed   int
	spare     []*page // of blocks that are gone from memory
	directory directory

	tail     block.Ref // of the newest block, as the last checkpoint wrote it
	writing  int       // blocks on their way to the grid
	awaited  int       // how few of them awaiting waits for
	awaiting func()    // nothing may be pushed until it is called

	luck    luck     // of Find
	fetches []*fetch // idle ones
	seeks   []*seek
	scans   []*scan
}

// New returns an empty log. It panics if the config is not valid.
func New(grid block.Grid, config Config) *Log {
	l := &Log{grid: grid, config: config, shape: shapeOf(grid.PayloadSize()), first: 1}
	switch {
	case config.Kind == 0 || config.DirectoryKind == 0:
		panic(fmt.Sprintf("rowlog: %s has no kind of blocks", config.Name))
	case config.RowMax < rowMin || config.RowMax > l.start(1) || l.payload >= 1<<offsetBits:
		panic(fmt.Sprintf("rowlog: %s has rows of %d bytes in blocks of %d", config.Name, config.RowMax, l.payload))
	}
	l.directory = newDirectory(l.shape, config.Key != nil)
	l.addPage()
	return l
}

// Tail returns memory for the next row, at least RowMax bytes of undefined
// content. It is good until the next call that changes the log.
func (l *Log) Tail() []byte { return l.data[l.used:] }

// Push makes the first size bytes of Tail the newest row, and returns where it
// is from now on. The bytes have size as their length, and a stamp.
func (l *Log) Push(size int) Position {
	if size < rowMin || size > l.config.RowMax || int(binary.LittleEndian.Uint16(l.data[l.used:])) != size {
		panic(fmt.Sprintf("rowlog: %s is given a row of %d bytes", l.config.Name, size))
	}
	if l.used+size > l.limit {
		l.turn(size)
	}
	p := l.base + Position(l.used)
	l.used += size
	l.rows++
	return p
}

// turn moves the row behind used, which does not fit its part, to the next.
func (l *Log) turn(size int) {
	data, used, limit := l.data, l.used, l.limit
	if limit < l.payload {
		l.used, l.limit = limit, limit+blockio.SectorSize
	} else {
		l.addPage()
	}
	copy(l.data[l.used:], data[used:used+size])
	clear(data[used:limit])
}

// addPage begins a block.
func (l *Log) addPage() {
	p := l.sparePage()
	p.number, p.used, p.written = l.first+len(l.pages), 0, false
	l.pages = append(l.pages, p)
	l.data, l.base = p.data, positionOf(p.number, 0)
	l.used, l.limit = 0, l.start(1)
}

// End returns the end of the newest row: behind all rows, and not behind the
// next one. It is in general not the position that the next row gets.
func (l *Log) End() Position { return l.base + Position(l.used) }

// Rows returns how many rows there are.
func (l *Log) Rows() uint64 { return l.rows }

// newest returns the block that rows are added to.
func (l *Log) newest() *page { return l.pages[len(l.pages)-1] }

// Mark is the end of a log at some time.
type Mark struct {
	end  Position
	rows uint64
}

// Mark returns the end of the log, for Truncate.
func (l *Log) Mark() Mark { return Mark{l.End(), l.rows} }

// Truncate drops the rows that were pushed since a mark, which was taken after
// the last Flush. Their positions are given again to other rows.
func (l *Log) Truncate(m Mark) {
	keep := m.end.number() - l.first + 1
	if m.end > l.End() || m.end < l.kept() {
		panic(fmt.Sprintf("rowlog: %s is truncated to %v, before %v", l.config.Name, m.end, l.kept()))
	}
	l.spare = append(l.spare, l.pages[keep:]...)
	l.pages = l.pages[:keep]
	l.data, l.base = l.newest().data, positionOf(m.end.number(), 0)
	l.used, l.rows = m.end.offset(), m.rows
	l.limit = min(l.start(l.partAt(l.used)+1), l.payload)
}

// kept returns the end of what the grid was given, behind which truncation must
// stay.
func (l *Log) kept() Position {
	number := l.flushed + 1
	return positionOf(number, l.page(number).used)
}

// Flush hands the blocks that are full to the grid, at the end of an op.
func (l *Log) Flush() {
	if l.awaiting != nil {
		panic(fmt.Sprintf("rowlog: %s is flushed while its writes are awaited", l.config.Name))
	}
	for l.flushed+1 < l.newest().number {
		p := l.page(l.flushed + 1)
		l.flushed++
		l.directory.append(l.shape, p.data, l.config.Key)
		l.write(p, l.payload)
	}
}

// Stats are figures of a log.
type Stats struct {
	Rows            uint64
	Blocks          int   // with rows, the newest one included
	DirectoryBlocks int   // on the grid
	Bytes           int64 // of blocks that rows and the gaps between them take
	MemorySize      int64 // of blocks and the directory in memory, in bytes
}

// Stats returns figures of the log.
func (l *Log) Stats() Stats {
	blocks := l.newest().number
	return Stats{
		Rows: l.rows, Blocks: blocks, DirectoryBlocks: len(l.directory.refs),
		Bytes:      int64(blocks-1)*int64(l.payload) + int64(l.used),
		MemorySize: int64(len(l.pages)+len(l.spare))*int64(len(l.data)) + l.directory.memorySize(),
	}
}
