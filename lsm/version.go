package lsm

import (
	"sort"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/lsm/table"
)

const (
	// growth is how many times as large as the level above a level may be.
	growth = 8
	// levelsMax bounds the levels, level 0 included: the last one has room
	// for 2^21 memtables.
	levelsMax = 8
	// runsMerge is how many runs level 0 has when they are merged down.
	runsMerge = 4
	// runsMax is how many it has at most: see pace.go.
	runsMax = 16
)

// sortedTable is a table of the tree. It is never changed, except for what is
// known of it: its index comes with its birth or its first use, its references
// with its writing.
type sortedTable struct {
	root        block.Ref // zero until it is written
	first, last Key
	entries     int
	tombstones  int
	index       *table.Index  // nil until it is read
	image       *table.Image  // nil once it is written
	waiting     []func(error) // for the index
	wantedBy    *lookup       // that waits for the index; only to ask once
}

// part is what is left of a table: its entries from a key on. Those before it
// have been merged down.
type part struct {
	*sortedTable
	from    Key
	last    Key // of the table, at hand for searches
	entries int // left
}

func whole(t *sortedTable) part { return part{t, t.first, t.last, t.entries} }

// run is parts in ascending order that do not overlap.
type run []part

// search returns the number of the first part whose last key is at or behind
// key.
func (r run) search(key Key) int {
	return sort.Search(len(r), func(i int) bool { return !r[i].last.Less(key) })
}

// overlaps reports whether a part of r may have keys in first .. last.
func (r run) overlaps(first, last Key) bool {
	i := r.search(first)
	return i < len(r) && !last.Less(r[i].from)
}

func (r run) entries() int {
	n := 0
	for i := range r {
		n += r[i].entries
	}
	return n
}

// version is all tables of a tree at one time. It is replaced, never changed,
// so that a read may go on with the one it began with.
type version struct {
	runs   []run          // level 0, the newest first
	levels [levelsMax]run // from 1 on
}

// at returns the n-th run, from the newest to the oldest: the runs of level 0,
// then the levels.
func (v *version) at(n int) (r run, ok bool) {
	if n < len(v.runs) {
		return v.runs[n], true
	}
	level := n - len(v.runs) + 1
	if level >= levelsMax {
		return nil, false
	}
	return v.levels[level], true
}

// deeper reports whether a level below has keys in first .. last.
func (v *version) deeper(level int, first, last Key) bool {
	for i := level + 1; i < levelsMax; i++ {
		if v.levels[i].overlaps(first, last) {
			return true
		}
	}
	return false
}

// levelsInUse returns the number of the deepest level that has a table, at
// least 1.
func (v *version) levelsInUse() int {
	for i := levelsMax - 1; i > 1; i-- {
		if len(v.levels[i]) > 0 {
			return i
		}
	}
	return 1
}

// replace returns r without the parts from first up to last, and with others
// in their place.
func (r run) replace(first, last int, others run) run {
	result := make(run, 0, len(r)-(last-first)+len(others))
	result = append(append(result, r[:first]...), others...)
	return append(result, r[last:]...)
}
