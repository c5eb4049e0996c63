package lsm

import (
	"fmt"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/lsm/table"
)

// Tree is a sorted map on the grid. See the package comment for its rules.
type Tree struct {
	config  Config
	tables  table.Config
	grid    block.Grid
	workers Workers

	// Entries are in active; those of frozen, older, are being flushed, or it
	// is nil; all others are in tables. spare is a memtable to be used next.
	active, frozen, spare *memtable
	version               *version

	flush, merge *job // on their way, or nil

	// What a checkpoint keeps beside the tables.
	sweeps  [levelsMax]int // of each level, how many of its oldest runs are being merged
	cursors [levelsMax]Key // of each level, where its next merge begins
	credit  int            // see pace.go

	beat    uint64
	mark    uint64    // of the last beat
	seen    int       // entries of active at the last beat
	writing int       // tables being written
	waiting []func()  // for writing to be 0
	buffers [][]byte  // idle ones, for blocks
	tools   []*tools  // idle ones
	reads   int       // scans and lookups that are open
	lookups []*lookup // idle ones
	moved   int       // tables, since New

	opened *resumption // until Refilled
	err    error       // that has stopped the tree

	// task is what Beat or Checkpoint still has to do. It reports whether that
	// is all, and is tried again whenever something has happened.
	task     func() bool
	finished func(error)
	stepping func() bool // stepBeat, made once
}

// New returns an empty tree. Open follows if there is a state of it. It
// panics if config cannot be.
func New(grid block.Grid, workers Workers, config Config) *Tree {
	if err := config.validate(grid.PayloadSize()); err != nil {
		panic(err.Error())
	}
	t := &Tree{
		config:  config,
		tables:  config.tables(grid.PayloadSize()),
		grid:    grid,
		workers: workers,
		active:  newMemtable(config.MemtableEntries, config.Filter),
		version: new(version),
	}
	t.stepping = t.stepBeat
	return t
}

// Put sets the value of a key, which is not Absent.
func (t *Tree) Put(key Key, value uint64) {
	if value == Absent {
		panic("lsm: Put of the value Absent")
	}
	t.active.add(key[0], key[1], key[2], value)
}

// PutWords is Put of the key of three words, for callers in a hurry: see
// memtable.add.
func (t *Tree) PutWords(a, b, c, value uint64) {
	if value == Absent {
		panic("lsm: Put of the value Absent")
	}
	t.active.add(a, b, c, value)
}

// Remove takes a key away, present or not.
func (t *Tree) Remove(key Key) {
	if t.config.Tiered {
		panic("lsm: Remove from a tiered tree")
	}
	t.active.add(key[0], key[1], key[2], table.Tombstone)
}

// Beat ends an op: flushes and merges that are due by now are admitted, and
// more are begun. done is called when the next op may begin, often before Beat
// returns. Between two Beats there are at most Config.BeatEntries calls of Put
// and Remove, also across Checkpoint and Open.
//
// mark is the owner's: where in its log the rows begin whose entries will be
// put after this Beat. It ascends. The tree keeps the marks at which its
// memtables begin, and flushes them in time for MarkSpan; see Mark.
func (t *Tree) Beat(mark uint64, done func(error)) {
	n := len(t.active.entries) - t.seen
	switch {
	case n > t.config.BeatEntries:
		panic(fmt.Sprintf("lsm: %d entries in a beat", n))
	case t.opened != nil:
		panic("lsm: Beat of a tree that waits for Refilled")
	case mark < t.mark:
		panic("lsm: marks of beats must ascend")
	case t.config.MarkSpan > 0 && mark-t.mark > t.config.MarkSpan/2:
		panic("lsm: a beat of more than half the span of marks")
	}
	t.beat++
	t.grant(n, mark-t.mark)
	t.mark = mark
	t.seen = len(t.active.entries)
	if t.seen == 0 {
		t.active.mark = mark
	}
	t.begin(t.stepping, done)
}

// stepBeat does what is due, and reports false when it has to wait.
func (t *Tree) stepBeat() bool {
	if t.flush != nil && (t.full() || t.spans(t.frozen, t.config.MarkSpan)) {
		if !t.admissible(t.flush) {
			return false
		}
		t.admitFlush()
	}
	for {
		if t.merge == nil {
			if t.merge = t.pick(); t.merge == nil {
				t.credit = 0
				break
			}
			t.start(t.merge)
		}
		if !t.due() {
			break
		}
		if !t.admissible(t.merge) {
			return false
		}
		t.credit -= t.admitMerge()
	}
	if t.full() {
		t.freeze()
	}
	return true
}

// freeze makes the active memtable the frozen one and begins to flush it.
func (t *Tree) freeze() {
	if t.frozen != nil {
		panic("lsm: two memtables to be flushed")
	}
	t.frozen, t.active, t.spare = t.active, t.spare, nil
	if t.active == nil {
		t.active = newMemtable(t.config.MemtableEntries, t.config.Filter)
	}
	t.active.mark = t.mark
	t.seen = 0
	t.beginFlush(t.version.order == nil)
}

// beginFlush begins to flush the frozen memtable. bottom says that its
// tombstones have nothing to hide.
func (t *Tree) beginFlush(bottom bool) {
	t.flush = &job{}
	t.flush.work.memtable, t.flush.work.bottom = t.frozen.entries, bottom
	t.start(t.flush)
}

// begin carries out a task, waiting where it has to, and then calls done.
func (t *Tree) begin(task func() bool, done func(error)) {
	if t.task != nil {
		panic("lsm: Beat or Checkpoint before the one before was done")
	}
	t.task, t.finished = task, done
	t.poke()
}

// poke tries to go on with the task at hand.
func (t *Tree) poke() {
	if t.task == nil || t.err == nil && !t.task() {
		return
	}
	done := t.finished
	t.task, t.finished = nil, nil
	done(t.err)
}

// fail stops the tree. Who waits for it is told.
func (t *Tree) fail(err error) {
	if t.err == nil {
		t.err = t.wrap(err)
	}
	t.poke()
}

func (t *Tree) wrap(err error) error { return fmt.Errorf("lsm: tree %s: %w", t.config.Name, err) }
