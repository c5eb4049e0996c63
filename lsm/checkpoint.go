package lsm

import (
	"errors"
	"fmt"

	"github.com/ledgerd/ledgerd/lsm/table"
)

// ErrRefill is what errors of Refilled are, in the sense of errors.Is: the
// owner's log has not the entries that were in memory at the checkpoint.
var ErrRefill = errors.New("memtables cannot be filled again")

// Checkpoint waits until all tables that are being written have their
// references: then AppendState may be called, up to the next Beat. It waits for
// no flush and no merge. It follows a Beat that is done, with or without Put
// and Remove in between.
func (t *Tree) Checkpoint(done func(error)) {
	t.begin(func() bool { return t.writing == 0 }, done)
}

// AppendState appends to dst what Open needs, after a Checkpoint that is done.
func (t *Tree) AppendState(dst []byte) []byte {
	if t.writing > 0 {
		panic("lsm: AppendState before Checkpoint was done")
	}
	return t.encode(dst)
}

// Open restores a tree, which must be new, as far as it is in tables. It reads
// none of them. What was in memory is given by Refill from Mark on; until
// Refilled nothing else may be called. An error wraps ErrManifest.
func (t *Tree) Open(state []byte) error {
	r, err := t.decode(state)
	if err == nil && r.level >= 0 {
		// The levels that a merge is about are as they were when it was picked.
		if t.merge = t.pickLevel(r.level); t.merge == nil {
			err = fmt.Errorf("%w: of a merge of level %d, where there is nothing to merge", ErrManifest, r.level)
		}
	}
	if err != nil {
		t.fail(err)
		return t.err
	}
	t.opened = &r
	return nil
}

// Mark returns where in the owner's log the entries begin that are in no table:
// the mark of the Beat after which the oldest memtable was begun, or of a later
// one if that was empty until then; 0 for the beginning of the log. It changes
// at Beats only, and is never further than MarkSpan behind the mark of the last.
func (t *Tree) Mark() uint64 {
	if t.frozen != nil {
		return t.frozen.mark
	}
	return t.active.mark
}

// Refill repeats the next Put since Mark, in the order in which they were.
func (t *Tree) Refill(key Key, value uint64) {
	r := t.opened
	switch {
	case t.frozen != nil && len(t.frozen.entries) < r.frozen:
		t.frozen.add(key[0], key[1], key[2], value)
	case len(t.active.entries) < r.active:
		t.active.add(key[0], key[1], key[2], value)
	default:
		r.excess++
	}
}

// RefillRemove repeats the next Remove.
func (t *Tree) RefillRemove(key Key) { t.Refill(key, table.Tombstone) }

// Refilled ends what Open began: the flush and the merge that were on their way
// are begun again, so that from here on the tree does what one that was never
// closed does. The error, which wraps ErrRefill, says that there were fewer or
// more entries than in memory at the checkpoint.
func (t *Tree) Refilled() error {
	r := t.opened
	t.opened = nil
	if t.frozen != nil && len(t.frozen.entries) < r.frozen || len(t.active.entries) < r.active || r.excess > 0 {
		frozen := 0
		if t.frozen != nil {
			frozen = len(t.frozen.entries)
		}
		t.fail(fmt.Errorf("%w: there are %d and %d entries, and %d more; %d and %d are expected",
			ErrRefill, frozen, len(t.active.entries), r.excess, r.frozen, r.active))
		return t.err
	}
	if t.frozen != nil {
		t.beginFlush(r.bottom)
	}
	if t.merge != nil {
		t.start(t.merge)
	}
	return nil
}
