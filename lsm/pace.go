package lsm

// Merging is paid by insertion. Each entry inserted grants merging credit, for a
// tree of L levels in use below level 0:
//
//	(growth + 2) L entries in a leveled tree
//	L + 1/2 entries in a tiered tree
//
// and a merge is due when the credit covers the entries it has: then its result
// must be admitted. While no level needs merging there is nothing to pay, and
// credit is not kept.
//
// In a leveled tree that is enough. An entry passes each level at most once. In
// one turn over a level all its entries go down and each entry of the level below
// is merged once. A level is only merged when it is over its capacity, and the
// one below has at most growth times as much, or is over its own capacity and
// pays for that itself. So a passage costs at most growth + 1 entries merged, on
// average over a turn; moving a table costs nothing. An entry adds at most
// growth + 1 for each level to what is owed, and pays growth + 2: what is owed
// shrinks.
//
// What is put off is bounded too. A merge is never due at the Beat that begins
// it, so that a worker has the time between two Beats; but credit beyond
// creditMax is worked off at once. That much is granted by less than a memtable
// of entries. A sweep over level 0 merges at most sweepRunsMax memtables with
// level 1, which is over its capacity of growth memtables by less than another
// growth: 24 memtables, paid by the insertion of fewer than 3. So level 0, with
// runsMerge runs at the start, has 8 at most.
//
// In a tiered tree an entry is merged once for each level, which L pays; what is
// over lets each sweep end before the next of its level has its runs. So a level
// has 8 runs that are swept, fewer than 8 that wait, and one that is being made.
// docs/STORAGE.md has the sums. runsMax is asserted.
//
// All this counts runs as of a memtable of entries each. Those that are flushed
// by their span have fewer, but grant as much: see grant.
//
// A Beat waits for a merge that has not been done in time: for one job, not for
// the whole turn.

// creditMax is how much merging may be put off, in entries.
func (t *Tree) creditMax() int { return 8 * t.config.MemtableEntries }

// grant adds the credit of a Beat: of the entries inserted, or of the part of a
// memtable that the progress of the mark is of what it may span, if that is
// more. So each memtable is paid for as if it had been full.
func (t *Tree) grant(inserted int, progress uint64) {
	if half := t.config.MarkSpan / 2; half > 0 {
		share := progress * uint64(t.config.MemtableEntries)
		inserted = max(inserted, int((share+half-1)/half))
	}
	t.credit += inserted * t.rate() / 2
}

// rate returns twice the credit that an entry grants, in entries merged.
func (t *Tree) rate() int {
	levels := t.version.levelsInUse()
	if t.config.Tiered {
		return 2*levels + 1
	}
	return 2 * (growth + 2) * levels
}

// due reports whether the merge at hand must be admitted now.
func (t *Tree) due() bool {
	return t.credit >= t.merge.estimate && (t.merge.beat < t.beat || t.credit >= t.creditMax())
}

// full reports whether the memtable may have no room for another beat, or has
// half of the span that its marks may have. Then it is frozen, and the one before
// must be a run: so a worker has all the time between two flushes for one.
//
// The first memtable ends early, by the kind of the tree, so that trees to which
// as much is added are not flushed at the same Beat.
func (t *Tree) full() bool {
	room := t.config.MemtableEntries
	if t.frozen == nil && t.version.order == nil {
		room = room/2 + room/16*int(t.config.Kind%8)
	}
	return len(t.active.entries)+t.config.BeatEntries > room || t.spans(t.active, t.config.MarkSpan/2)
}

// spans reports whether marks have gone on by more than span since a memtable
// was begun. One that is empty begins at each Beat anew.
func (t *Tree) spans(m *memtable, span uint64) bool { return span > 0 && t.mark-m.mark > span }
