package table

import (
	"encoding/binary"
	"fmt"
	"sort"

	"github.com/cespare/xxhash/v2"

	"github.com/ledgerd/ledgerd/internal/block"
)

// The payload of a root block: the table's last pages, the index, and where the
// index begins.
//
//	offset  size  field
//	     0     p  pages
//	     p     i  index
//	   p+i     4  p
//
// The index, with keys of w words:
//
//	offset  size  field
//	     0     2  version: 3
//	     2     1  w, 1..3
//	     3     1  reserved, 0
//	     4     4  entries, not 0
//	     8     4  tombstones among them
//	    12     4  pages, not 0
//	    16     4  blocks before the root
//	    20     4  lines of the filter, 0 if there is none
//	    24     8  least last word of a key
//	    32     8  greatest last word
//	    40    8w  last key
//	           24 for each block before the root: its reference
//	      8w + 16 for each page, in order:
//	               8w  first key
//	                8  xxhash64 of the page
//	                2  number of the block: 0 is the first, that of the root
//	                   is the number of blocks before it
//	                2  size in bytes
//	                4  offset in the block's payload
//	           64 for each line of the filter: see Filter
const (
	indexVersion    = 3
	indexHeaderSize = 40
	rootFooterSize  = 4
	// blocksMax bounds the blocks of a table, whose numbers have two bytes.
	blocksMax = 1 << 12
)

// Index is the decoded index of a table. It must not be changed.
type Index struct {
	Words      int
	Entries    int
	Tombstones int
	Low, High  uint64 // least and greatest last word of a key
	Last       Key
	Pages      []PageRef
	Blocks     []block.Ref // without the root
	Filter     Filter
}

// PageRef says where a page is and what it must be.
type PageRef struct {
	First  Key
	Sum    uint64 // xxhash64 of its bytes
	Block  uint16 // index into Blocks, len(Blocks) for the root
	Size   uint16 // in bytes
	Offset uint32 // in the block's payload
}

// indexSize returns the size of an encoded index and the footer of the root.
func indexSize(words, pages, blocks, filterLines int) int {
	return indexHeaderSize + 8*words + blocks*block.RefSize + pages*pageRefSize(words) + filterLines*filterLineSize + rootFooterSize
}

func pageRefSize(words int) int { return 8*words + 16 }

// First returns the first key of the table.
func (x *Index) First() Key { return x.Pages[0].First }

// Find returns the number of the page that has the key if any has: the last
// one that begins at or before it. It returns -1 if all begin behind it.
func (x *Index) Find(key Key) int {
	return sort.Search(len(x.Pages), func(i int) bool { return key.Less(x.Pages[i].First) }) - 1
}

// Open opens page n in the payload of its block, if it has the checksum that it
// must have. The error wraps ErrFormat.
func (x *Index) Open(n int, payload []byte) (Page, error) {
	p := &x.Pages[n]
	if int64(p.Offset)+int64(p.Size) > int64(len(payload)) {
		return Page{}, fmt.Errorf("%w: page %d is behind the end of its block", ErrFormat, n)
	}
	b := payload[p.Offset:][:p.Size]
	if xxhash.Sum64(b) != p.Sum {
		return Page{}, fmt.Errorf("%w: page %d has another checksum", ErrFormat, n)
	}
	return OpenPage(b, x.Words)
}

// AppendRoot appends to b, which holds the pages in the root block, the index
// and the footer.
func (x *Index) AppendRoot(b []byte) []byte {
	start := len(b)
	b = binary.LittleEndian.AppendUint16(b, indexVersion)
	b = append(b, byte(x.Words), 0)
	for _, n := range [...]int{x.Entries, x.Tombstones, len(x.Pages), len(x.Blocks), len(x.Filter) / filterLineWords} {
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
	}
	b = binary.LittleEndian.AppendUint64(b, x.Low)
	b = binary.LittleEndian.AppendUint64(b, x.High)
	b = appendKey(b, x.Last, x.Words)
	for i := range x.Blocks {
		var ref [block.RefSize]byte
		x.Blocks[i].Put(ref[:])
		b = append(b, ref[:]...)
	}
	for i := range x.Pages {
		p := &x.Pages[i]
		b = appendKey(b, p.First, x.Words)
		b = binary.LittleEndian.AppendUint64(b, p.Sum)
		b = binary.LittleEndian.AppendUint16(b, p.Block)
		b = binary.LittleEndian.AppendUint16(b, p.Size)
		b = binary.LittleEndian.AppendUint32(b, p.Offset)
	}
	b = appendFilter(b, x.Filter)
	return binary.LittleEndian.AppendUint32(b, uint32(start))
}

func appendKey(b []byte, key Key, words int) []byte {
	for _, word := range key[:words] {
		b = binary.LittleEndian.AppendUint64(b, word)
	}
	return b
}

// DecodeRoot decodes the index in the payload of a root block. The result
// refers to none of it. The error wraps ErrFormat.
func DecodeRoot(payload []byte) (*Index, error) {
	if len(payload) < rootFooterSize {
		return nil, fmt.Errorf("%w: root of %d bytes", ErrFormat, len(payload))
	}
	end := len(payload) - rootFooterSize
	start := binary.LittleEndian.Uint32(payload[end:])
	if int64(start)+indexHeaderSize > int64(end) {
		return nil, fmt.Errorf("%w: index at %d of %d bytes", ErrFormat, start, end)
	}
	b := payload[start:end]
	if version := binary.LittleEndian.Uint16(b); version != indexVersion {
		return nil, fmt.Errorf("%w: index of version %d, this release knows %d", ErrFormat, version, indexVersion)
	}
	x := &Index{Words: int(b[2])}
	var counts [5]int
	for i := range counts {
		counts[i] = int(binary.LittleEndian.Uint32(b[4+4*i:]))
	}
	x.Entries, x.Tombstones = counts[0], counts[1]
	pages, blocks, lines := counts[2], counts[3], counts[4]
	switch {
	case max(pages, blocks, lines) > len(payload), // products do not overflow
		x.Entries > pages*(PageSizeMax/entrySizeMin):
		return nil, fmt.Errorf("%w: index of %d entries in %d pages, %d blocks, %d lines", ErrFormat, x.Entries, pages, blocks, lines)
	case x.Words < 1 || x.Words > WordsMax || b[3] != 0,
		pages == 0 || blocks > blocksMax || x.Tombstones > x.Entries,
		indexSize(x.Words, pages, blocks, lines) != len(b)+rootFooterSize:
		return nil, fmt.Errorf("%w: index of %d bytes has %d pages, %d blocks, %d lines", ErrFormat, len(b), pages, blocks, lines)
	}
	x.Low, x.High = binary.LittleEndian.Uint64(b[24:]), binary.LittleEndian.Uint64(b[32:])
	b = b[indexHeaderSize:]
	x.Last, b = takeKey(b, x.Words)
	x.Blocks = make([]block.Ref, blocks)
	for i := range x.Blocks {
		x.Blocks[i], b = block.RefFrom(b), b[block.RefSize:]
	}
	x.Pages = make([]PageRef, pages)
	for i := range x.Pages {
		b = x.Pages[i].decode(b, x.Words)
	}
	if lines > 0 {
		x.Filter = decodeFilter(b)
	}
	return x, x.validate()
}

func (p *PageRef) decode(b []byte, words int) []byte {
	p.First, b = takeKey(b, words)
	p.Sum = binary.LittleEndian.Uint64(b)
	p.Block = binary.LittleEndian.Uint16(b[8:])
	p.Size = binary.LittleEndian.Uint16(b[10:])
	p.Offset = binary.LittleEndian.Uint32(b[12:])
	return b[16:]
}

func takeKey(b []byte, words int) (key Key, rest []byte) {
	for i := range words {
		key[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	return key, b[8*words:]
}

// validate checks that the pages ascend and lie in the table's blocks.
func (x *Index) validate() error {
	for i := range x.Pages {
		p := &x.Pages[i]
		if int(p.Block) > len(x.Blocks) || i > 0 && !x.Pages[i-1].First.Less(p.First) {
			return fmt.Errorf("%w: page %d of an index is out of order", ErrFormat, i)
		}
	}
	if x.Low > x.High {
		return fmt.Errorf("%w: the last words of a table are from %d to %d", ErrFormat, x.Low, x.High)
	}
	if x.Last.Less(x.Pages[len(x.Pages)-1].First) {
		return fmt.Errorf("%w: the last key of a table is before its last page", ErrFormat)
	}
	return nil
}
