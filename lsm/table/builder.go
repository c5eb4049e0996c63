package table

import (
	"fmt"
	"math"

	"github.com/cespare/xxhash/v2"
)

// Config is the shape of the tables of one tree. It is the same for the life of
// a data file.
type Config struct {
	Words      int  // of a key that are used, 1..3
	PageSize   int  // in bytes at most, PageSizeMin..PageSizeMax
	BlockSize  int  // of a block's payload in bytes, room for several pages; what it lacks to whole pages is the block's header
	EntriesMax int  // of a table
	Filter     bool // whether tables have filters
}

// Validate returns an error if c cannot be.
func (c Config) Validate() error {
	switch {
	case c.Words < 1 || c.Words > WordsMax:
		return fmt.Errorf("table: keys of %d words", c.Words)
	case c.PageSize < PageSizeMin || c.PageSize > PageSizeMax:
		return fmt.Errorf("table: page size %d", c.PageSize)
	case c.room(0) < pageRoomMin:
		return fmt.Errorf("table: pages of %d bytes behind a header of %d", c.PageSize, c.header())
	case c.BlockSize < 2*c.PageSize-c.header() || indexSize(c.Words, 2, 1, c.pageFilterLines(1)) > c.BlockSize:
		return fmt.Errorf("table: pages of %d bytes in blocks of %d", c.PageSize, c.BlockSize)
	case c.EntriesMax < 1:
		return fmt.Errorf("table: tables of %d entries", c.EntriesMax)
	}
	return nil
}

// header returns the size of what comes before the payload of a block.
func (c Config) header() int { return c.PageSize - 1 - (c.BlockSize+c.PageSize-1)%c.PageSize }

// room returns how much a page may take that begins at an offset of a payload: up
// to where the next multiple of PageSize is in the block.
func (c Config) room(offset int) int { return c.PageSize - (c.header()+offset)%c.PageSize }

// pageFilterLines returns the most lines that the filter needs for so many
// pages of the smallest entries.
func (c Config) pageFilterLines(pages int) int {
	if !c.Filter {
		return 0
	}
	return filterLines(pages * (c.PageSize / entrySizeMin))
}

// Image is a finished table in memory, not yet at an address: what its blocks
// hold. The blocks before the root are in Blocks. Their references belong into
// Index.Blocks before Index.AppendRoot(Tail) makes the payload of the root.
type Image struct {
	Blocks [][]byte
	Tail   []byte // pages of the root block; has room for the index
	Index  *Index // by itself, because it outlives the blocks
}

// Builder makes tables of ascending entries. When one table is full it begins
// the next.
type Builder struct {
	config Config
	free   [][]byte // block buffers to be used before new ones are made
	images []*Image
	image  *Image // at hand, nil before its first entry
	block  []byte // at hand, to be filled with pages
	page   pageWriter
	first  Key // of the page at hand
	last   Key
	hashes []uint64
}

// NewBuilder returns a Builder of tables of a valid config.
func NewBuilder(config Config) *Builder {
	return &Builder{config: config, page: newPageWriter(config.Words, config.PageSize)}
}

// Use gives the Builder buffers for blocks, each of a capacity of BlockSize. It
// allocates others when those are used up.
func (b *Builder) Use(free [][]byte) { b.free = append(b.free, free...) }

// Add appends a copy of an entry, whose key must be behind that of the entry
// before.
func (b *Builder) Add(e *Entry) {
	if b.image == nil {
		b.begin()
	} else if !b.last.Less(e.Key) {
		panic(fmt.Sprintf("table: key %v added behind %v", e.Key, b.last))
	}
	if b.page.count == 0 {
		b.beginPage(e)
	}
	b.page.add(e)
	b.last = e.Key
	x := b.image.Index
	x.Entries++
	word := e.Key[b.config.Words-1]
	x.Low, x.High = min(x.Low, word), max(x.High, word)
	if e.Value == Tombstone {
		x.Tombstones++
	}
	if b.config.Filter {
		b.hashes = append(b.hashes, e.Key.Hash())
	}
	if x.Entries == b.config.EntriesMax {
		b.finishTable()
	} else if b.page.full() {
		b.finishPage()
		if b.rootFull() {
			b.finishTable()
		}
	}
}

func (b *Builder) begin() {
	b.image = &Image{Index: &Index{Words: b.config.Words, Low: math.MaxUint64}}
	b.block = b.buffer()
	b.hashes = b.hashes[:0]
}

// rootFull reports whether an index for one more page, in a block of its own,
// may not fit the root.
func (b *Builder) rootFull() bool {
	x := b.image.Index
	blocks := len(b.image.Blocks) + 2
	if blocks == blocksMax {
		return true
	}
	lines := 0
	if b.config.Filter {
		lines = filterLines(x.Entries) + b.config.pageFilterLines(1) + 1
	}
	return indexSize(x.Words, len(x.Pages)+1, blocks, lines) > b.config.BlockSize
}

// beginPage begins a page where the next one in the block may be, or a block.
func (b *Builder) beginPage(e *Entry) {
	b.first = e.Key
	if n := len(b.block); n > 0 {
		end := n + b.config.room(n-1) - 1
		b.block = b.block[:end]
		clear(b.block[n:])
	}
	if len(b.block) == b.config.BlockSize {
		b.finishBlock()
	}
	b.page.room = b.config.room(len(b.block))
}

func (b *Builder) finishPage() {
	page := b.page.finish()
	x := b.image.Index
	x.Pages = append(x.Pages, PageRef{
		First: b.first, Sum: xxhash.Sum64(page),
		Block: uint16(len(b.image.Blocks)), Size: uint16(len(page)), Offset: uint32(len(b.block)),
	})
	b.block = append(b.block, page...)
}

func (b *Builder) finishBlock() {
	b.image.Blocks = append(b.image.Blocks, b.block)
	b.block = b.buffer()
}

// finishTable ends the table at hand. Its last pages share the root's block
// with the index if there is room.
func (b *Builder) finishTable() {
	if b.page.count > 0 {
		b.finishPage()
	}
	x := b.image.Index
	x.Last = b.last
	if b.config.Filter {
		x.Filter = newFilter(b.hashes)
	}
	size := indexSize(x.Words, len(x.Pages), len(b.image.Blocks), len(x.Filter)/filterLineWords)
	if len(b.block)+size > b.config.BlockSize {
		b.finishBlock()
	}
	b.image.Tail = b.block
	b.images = append(b.images, b.image)
	b.image, b.block = nil, nil
}

// Finish returns the tables made since the last Finish, in ascending order, none
// if there was no entry, and the buffers of Use that are left.
func (b *Builder) Finish() (images []*Image, free [][]byte) {
	if b.image != nil {
		b.finishTable()
	}
	images, free = b.images, b.free
	b.images, b.free = nil, nil
	return images, free
}

func (b *Builder) buffer() []byte {
	if n := len(b.free); n > 0 {
		buf := b.free[n-1]
		b.free = b.free[:n-1]
		return buf[:0]
	}
	return make([]byte, 0, b.config.BlockSize)
}
