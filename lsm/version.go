package lsm

import (
	"math/bits"
	"slices"
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
	// runsMerge is how many runs level 0 of a leveled tree has when they are
	// merged down.
	runsMerge = 4
	// runsMax is how many runs a level has at most: see pace.go.
	runsMax = 20
)

// sortedTable is a table of the tree. It is never changed, except for what is
// known of it: its index comes with its birth or its first use, its references
// with its writing.
type sortedTable struct {
	root        block.Ref // zero until it is written
	first, last Key
	low, high   uint64 // least and greatest last word of a key
	entries     int
	tombstones  int
	blocks      int
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

// fence returns the first words of the last keys of the parts.
func (r run) fence() []uint64 {
	words := make([]uint64, len(r))
	for i := range r {
		words[i] = r[i].last[0]
	}
	return words
}

// searchFenced is search with the fence of r: with random keys no processor can
// guess where a search goes on, so this one has no branches to guess.
func (r run) searchFenced(fence []uint64, key Key) int {
	n := 0
	for size := len(fence); size > 1; {
		half := size / 2
		_, behind := bits.Sub64(fence[n+half-1], key[0], 0)
		n += half * int(behind)
		size -= half
	}
	for n < len(r) && r[n].last.Less(key) {
		n++
	}
	return n
}

// searchFrom returns the number of the first part that begins behind key.
func (r run) searchFrom(key Key) int {
	return sort.Search(len(r), func(i int) bool { return key.Less(r[i].from) })
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
	// levels has the runs of each level, the newest first. Of a leveled tree
	// the levels from 1 on have one run at most.
	levels [levelsMax][]run
	order  []run // those of levels that are not empty, the newest first
	// fences has of each run of order the first words of the last keys of its
	// parts, close together for searches.
	fences [][]uint64
}

// adoptVersion makes v the version of the tree, its runs put in order.
func (t *Tree) adoptVersion(v version) {
	v.order, v.fences = nil, nil
	for _, runs := range v.levels {
		for _, r := range runs {
			if len(r) > 0 {
				v.order = append(v.order, r)
				v.fences = append(v.fences, r.fence())
			}
		}
	}
	t.version = &v
}

// level returns the one run of a level of a leveled tree, from 1 on.
func (v *version) level(n int) run {
	if len(v.levels[n]) == 0 {
		return nil
	}
	return v.levels[n][0]
}

// setLevel replaces the one run of a level.
func (v *version) setLevel(n int, r run) {
	v.levels[n] = nil
	if len(r) > 0 {
		v.levels[n] = []run{r}
	}
}

// extend adds parts to the newest run of a level.
func (v *version) extend(level int, parts run) {
	runs := slices.Clone(v.levels[level])
	runs[0] = append(slices.Clip(runs[0]), parts...)
	v.levels[level] = runs
}

// deeper reports whether a level below has keys in first .. last.
func (v *version) deeper(level int, first, last Key) bool {
	for _, runs := range v.levels[level+1:] {
		for _, r := range runs {
			if r.overlaps(first, last) {
				return true
			}
		}
	}
	return false
}

// entries returns how many entries a level has.
func (v *version) entries(level int) (entries int) {
	for _, r := range v.levels[level] {
		entries += r.entries()
	}
	return entries
}

// levelsInUse returns the number of the deepest level that has a run, at
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
