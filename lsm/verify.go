package lsm

import (
	"errors"
	"fmt"

	"github.com/ledgerd/ledgerd/internal/block"
)

// warmReadsMax is how many indexes Warm reads at a time.
const warmReadsMax = 16

// Warm reads the indexes and filters that are not in memory, a few at a time,
// beside all else. done is called when all are there that the tree needs then,
// or with the first error. Whoever needs one before that gets it read at once.
//
// Unlike other reads it may go on across a checkpoint: it begins to read only
// what the tree names at that time, and a merge that gives a table back waits
// for its index.
func (t *Tree) Warm(done func(error)) {
	(&warming{tree: t, done: done}).run()
}

type warming struct {
	tree     *Tree
	inFlight int
	err      error
	done     func(error)
}

func (w *warming) run() {
	for _, r := range w.tree.version.order {
		for i := 0; i < len(r) && w.err == nil && w.inFlight < warmReadsMax; i++ {
			if s := r[i].sortedTable; s.index == nil && len(s.waiting) == 0 {
				w.inFlight++
				w.tree.loadIndex(s, w.came)
			}
		}
	}
	if w.inFlight == 0 {
		w.done(w.err)
	}
}

func (w *warming) came(err error) {
	w.inFlight--
	if err != nil && w.err == nil {
		w.err = w.tree.wrap(err)
	}
	w.run()
}

// LevelStats is what is in one level of a tree.
type LevelStats struct {
	Runs, Tables, Blocks int
	Entries, Tombstones  int // tombstones of tables that are merged down in part are counted whole
}

// Stats is what is in a tree, in entries of memory and by level.
type Stats struct {
	Memtables int
	Levels    []LevelStats // down to the deepest that has a table
}

// Stats counts what is in a tree. It reads nothing.
func (t *Tree) Stats() Stats {
	s := Stats{Memtables: len(t.active.entries)}
	if t.frozen != nil {
		s.Memtables += len(t.frozen.entries)
	}
	for _, runs := range t.version.levels {
		level := LevelStats{Runs: len(runs)}
		for _, r := range runs {
			for _, p := range r {
				level.Tables++
				level.Blocks += p.blocks
				level.Entries += p.entries
				level.Tombstones += p.tombstones
			}
		}
		s.Levels = append(s.Levels, level)
	}
	for len(s.Levels) > 0 && s.Levels[len(s.Levels)-1].Runs == 0 {
		s.Levels = s.Levels[:len(s.Levels)-1]
	}
	return s
}

// ErrTable is what errors of Verify are, in the sense of errors.Is, if a table
// is not what it says of itself.
var ErrTable = errors.New("table contradicts itself")

// Verify reads every block of every table, one after the other, and checks it
// against all that is said of it: checksums, order of keys, counts and filters.
// visit, if it is not nil, is called with each block before it is read, so that
// the owner can count which blocks are in use. Between Verify and done there is
// no Beat. The error names tree and block.
func (t *Tree) Verify(visit func(block.Ref), done func(error)) {
	v := &verification{tree: t, visit: visit, done: done}
	for _, r := range t.version.order {
		v.tables = append(v.tables, r...)
	}
	t.whenWritten(func() { v.next(nil) })
}

// verification is a walk over tables, block by block.
type verification struct {
	tree    *Tree
	visit   func(block.Ref)
	done    func(error)
	tables  run
	block   int // of the first of tables, that is read next
	page    int // that comes next
	entries []Entry

	last       Key
	count      int
	left       int // behind the key from which on the part counts
	tombstones int
	low, high  uint64
}

// next goes on with the next block, or ends.
func (v *verification) next(err error) {
	t := v.tree
	if err != nil || len(v.tables) == 0 {
		if err != nil {
			err = t.wrap(err)
		}
		v.done(err)
		return
	}
	s := v.tables[0].sortedTable
	if s.index == nil {
		t.loadIndex(s, v.next)
		return
	}
	ref := s.ref(v.block)
	if v.visit != nil {
		v.visit(ref)
	}
	t.grid.Read(ref, func(payload []byte, err error) {
		if err == nil {
			err = v.check(s, payload)
		}
		if err != nil {
			v.next(fmt.Errorf("%v: %w", ref.Address, err))
			return
		}
		v.block++
		if v.block > len(s.index.Blocks) {
			err = v.finish()
		}
		v.next(err)
	})
}

// check checks the pages of a block.
func (v *verification) check(s *sortedTable, payload []byte) error {
	for ; v.page < len(s.index.Pages) && int(s.index.Pages[v.page].Block) == v.block; v.page++ {
		page, err := s.index.Open(v.page, payload)
		if err == nil {
			v.entries, err = page.Append(v.entries[:0])
		}
		if err != nil {
			return err
		}
		if v.entries[0].Key != s.index.Pages[v.page].First {
			return fmt.Errorf("%w: page %d begins with another key", ErrTable, v.page)
		}
		if err := v.checkEntries(s); err != nil {
			return err
		}
	}
	return nil
}

func (v *verification) checkEntries(s *sortedTable) error {
	word := v.tree.config.Words - 1
	for i := range v.entries {
		e := &v.entries[i]
		if v.count > 0 && !v.last.Less(e.Key) {
			return fmt.Errorf("%w: key %v behind %v", ErrTable, e.Key, v.last)
		}
		if v.tree.config.Filter && !s.index.Filter.MayContain(e.Key.Hash()) {
			return fmt.Errorf("%w: the filter lacks key %v", ErrTable, e.Key)
		}
		if v.count == 0 {
			v.low, v.high = e.Key[word], e.Key[word]
		}
		v.low, v.high = min(v.low, e.Key[word]), max(v.high, e.Key[word])
		v.last = e.Key
		v.count++
		if !e.Key.Less(v.tables[0].from) {
			v.left++
		}
		if e.Value == Absent {
			v.tombstones++
		}
	}
	return nil
}

// finish checks what is said of a table as a whole, and goes on to the next.
func (v *verification) finish() error {
	p := v.tables[0]
	if v.page != len(p.index.Pages) || v.count != p.sortedTable.entries || v.left != p.entries ||
		v.tombstones != p.tombstones || v.last != p.last || v.low != p.low || v.high != p.high {
		return fmt.Errorf("%w: root %v: %d pages, %d entries, %d left, %d tombstones, last %v", ErrTable,
			p.root.Address, v.page, v.count, v.left, v.tombstones, v.last)
	}
	*v = verification{tree: v.tree, visit: v.visit, done: v.done, tables: v.tables[1:], entries: v.entries}
	return nil
}
