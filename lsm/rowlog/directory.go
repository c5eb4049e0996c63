package rowlog

import (
	"encoding/binary"
	"fmt"

	"github.com/cespare/xxhash/v2"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/internal/u128"
)

// directory names the full blocks of a log, and the parts of each. It is in
// memory as it is on the grid: in chunks, each the payload of one block, of
// entries back to back, as many as fit. Blocks with p parts have entries of
//
//	offset size field
//	     0   24 reference of the block; zeros until it is written
//	    24    8 stamp of its first row
//	    32   8p for each part, its xxhash64
//	        16p if rows have keys, for each part its fence; see fence.go
//
// A chunk that is full is written once, at the next checkpoint. The entries of
// the others are part of the log's state.
type directory struct {
	entrySize int
	perChunk  int // entries
	entries   int
	chunks    [][]byte    // with room for perChunk entries each
	refs      []block.Ref // of the chunks that are on the grid

	fencesAt int           // in an entry: its size if there are no fences
	blocks   []fencedBlock // those with keys, in the order of their middles
}

const (
	entryHeaderSize = block.RefSize + 8
	sumSize         = 8
)

func newDirectory(s shape, fenced bool) directory {
	d := directory{fencesAt: entryHeaderSize + sumSize*s.parts}
	d.entrySize = d.fencesAt
	if fenced {
		d.entrySize += u128.Size * s.parts
	}
	d.perChunk = s.payload / d.entrySize
	return d
}

// entry returns the entry of a block.
func (d *directory) entry(number int) []byte {
	n := number - 1
	return d.chunks[n/d.perChunk][n%d.perChunk*d.entrySize:][:d.entrySize]
}

func (d *directory) ref(number int) block.Ref { return block.RefFrom(d.entry(number)) }

func (d *directory) setRef(number int, ref block.Ref) { ref.Put(d.entry(number)) }

func (d *directory) stamp(number int) uint64 {
	return binary.LittleEndian.Uint64(d.entry(number)[block.RefSize:])
}

func (d *directory) sum(number, part int) uint64 {
	return binary.LittleEndian.Uint64(d.entry(number)[entryHeaderSize+sumSize*part:])
}

// append adds the entry of a block that is full and not yet written. key is nil
// if rows have none.
func (d *directory) append(s shape, data []byte, key func(row []byte) u128.Uint128) {
	if d.entries == len(d.chunks)*d.perChunk {
		d.chunks = append(d.chunks, make([]byte, d.perChunk*d.entrySize))
	}
	d.entries++
	e := d.entry(d.entries)
	binary.LittleEndian.PutUint64(e[block.RefSize:], stampOf(data))
	for part := range s.parts {
		sum := xxhash.Sum64(data[s.start(part):s.start(part+1)])
		binary.LittleEndian.PutUint64(e[entryHeaderSize+sumSize*part:], sum)
	}
	if key != nil {
		d.fence(&s, data, key)
	}
}

// validate checks what was read: every block has its reference, and the stamps
// ascend.
func (d *directory) validate() error {
	last := uint64(0)
	for number := 1; number <= d.entries; number++ {
		stamp := d.stamp(number)
		if d.ref(number).IsZero() || stamp < last {
			return fmt.Errorf("%w: the directory's entry for its block %d makes no sense", ErrState, number)
		}
		last = stamp
	}
	return nil
}

// full returns how many chunks are full.
func (d *directory) full() int { return d.entries / d.perChunk }

// rest returns the entries that are in no full chunk.
func (d *directory) rest() []byte {
	if d.full() == len(d.chunks) {
		return nil
	}
	return d.chunks[d.full()][:d.entries%d.perChunk*d.entrySize]
}

func (d *directory) memorySize() int64 {
	return int64(len(d.chunks))*int64(d.perChunk*d.entrySize) + int64(len(d.blocks))*fencedBlockSize
}
