package lsm

import (
	"fmt"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/lsm/table"
)

// Key is what a tree is sorted by. See table.Key.
type Key = table.Key

// Entry is a key with its value.
type Entry = table.Entry

// Absent is what a lookup gives as the value of a key that is not in the tree.
// It is the one word that is not a value.
const Absent = table.Tombstone

// Config is the shape of a tree. Except for Name it must be the same for the
// life of a data file.
type Config struct {
	Name  string // in error messages
	Kind  uint8  // of its blocks, not 0
	Words int    // of a key that are used, 1..3; the others are 0

	// Filter makes absent keys cheap: for trees that are asked for single
	// keys which mostly are not there. It costs 11 bits of memory and of disk
	// for each entry.
	Filter bool

	// Set says that a key always has the same value, that Put is only called
	// for keys that are absent, and Remove only for keys that are present. An
	// entry and its removal then vanish as soon as they meet.
	Set bool

	// Tiered is for trees of which the last word of the keys ascends with
	// time: of two keys with the same words before it, the one that is put
	// later has the greater last word. No key is put twice, and none is
	// removed. An entry is then merged about once for each factor of 8 between
	// a memtable and the tree, and reads of one prefix begin with the newest
	// or the oldest entries and stop when they have enough. Without Filter and
	// Set.
	Tiered bool

	// MemtableEntries is how many entries a memtable has at most. Two of them
	// are in memory, of 32 bytes an entry, 40 with Filter.
	MemtableEntries int

	// BeatEntries is how often Put and Remove are called between two Beats at
	// most. At most a quarter of MemtableEntries.
	BeatEntries int

	// MarkSpan is how far Mark is behind the mark of the last Beat at most, in
	// what the owner counts marks in: up to MarkSpanMax, 0 for no bound. A Beat
	// takes at most half of it. A memtable that is not full is flushed by half.
	MarkSpan uint64

	// PageSize is what a point read fetches, in bytes: a whole sector if it is
	// the size of one.
	PageSize int
}

// MarkSpanMax bounds MarkSpan, for the sake of products with numbers of entries.
const MarkSpanMax = 1 << 39

// PageSizeDefault is the page size of an ordinary data file, in bytes.
const PageSizeDefault = blockio.SectorSize

// MemtableEntriesDefault is the size of a memtable of an ordinary data file.
const MemtableEntriesDefault = 1 << 17

// tableEntriesMax is how many entries a table has at most, half of that with a
// filter, which must fit a block.
const tableEntriesMax = 1 << 18

// tables returns the shape of the tree's tables in blocks of a payload size.
// Tables are twice as large as small memtables, because half a block of each is
// wasted on average.
func (c Config) tables(payloadSize int) table.Config {
	entries := min(2*c.MemtableEntries, tableEntriesMax)
	if c.Filter {
		entries /= 2
	}
	return table.Config{
		Words: c.Words, PageSize: c.PageSize, BlockSize: payloadSize, EntriesMax: entries, Filter: c.Filter,
	}
}

func (c Config) validate(payloadSize int) error {
	switch {
	case c.Kind == 0:
		return fmt.Errorf("lsm: tree %s has no kind of blocks", c.Name)
	case c.BeatEntries < 1 || c.MemtableEntries < 4*c.BeatEntries || c.MemtableEntries > 1<<24:
		return fmt.Errorf("lsm: tree %s has memtables of %d entries for beats of %d", c.Name, c.MemtableEntries, c.BeatEntries)
	case c.MarkSpan > MarkSpanMax || c.MarkSpan == 1:
		return fmt.Errorf("lsm: tree %s has marks that span %d", c.Name, c.MarkSpan)
	case c.Tiered && (c.Filter || c.Set):
		return fmt.Errorf("lsm: tree %s is tiered, which goes without filter and set", c.Name)
	}
	return c.tables(payloadSize).Validate()
}

// Workers runs pure computations beside the goroutine that owns the tree. Go
// only enqueues: job may run anywhere, at any time; done is called after it, on
// the owner's goroutine, never from within Go.
type Workers interface {
	Go(job func(), done func())
}
