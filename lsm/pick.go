package lsm

import (
	"slices"
	"sort"

	"github.com/ledgerd/ledgerd/lsm/table"
)

// sweepRunsMax is how many runs are merged down together.
const sweepRunsMax = 8

// score is how much a level needs merging: 16 or more if it does.
const scoreFull = 16

// capacity returns how many entries a level from 1 on of a leveled tree should
// have at most.
func (t *Tree) capacity(level int) int { return t.config.MemtableEntries << (3 * level) }

// neediest returns the level that is to be merged next. Of a leveled tree that
// is the one which is fullest for its capacity, the upper one of equals, and
// whether it is over it; of a tiered tree the first that has enough runs: none
// of these is being made, because the sweep above would come first.
func (t *Tree) neediest() (level int, ok bool) {
	if t.config.Tiered {
		for i := range levelsMax - 1 {
			if t.sweeps[i] > 0 || len(t.version.levels[i]) >= sweepRunsMax {
				return i, true
			}
		}
		return 0, false
	}
	best := scoreFull * len(t.version.levels[0]) / runsMerge
	if t.sweeps[0] > 0 {
		best = max(best, scoreFull) // what was begun is finished
	}
	for i := 1; i < levelsMax-1; i++ {
		entries, capacity := t.version.entries(i), t.capacity(i)
		if score := scoreFull * entries / capacity; entries > capacity && score > best {
			level, best = i, score
		}
	}
	return level, best >= scoreFull
}

// pick decides on the next merge from nothing but the tables. Tables that can be
// moved are moved on the way. It returns nil if no level needs merging.
func (t *Tree) pick() *job {
	for {
		level, ok := t.neediest()
		if !ok {
			return nil
		}
		if j := t.pickLevel(level); j != nil {
			return j
		}
	}
}

// pickLevel returns the next merge of a level, or nil if it has moved a table.
func (t *Tree) pickLevel(level int) *job {
	switch {
	case level == 0 || t.config.Tiered:
		return t.pickRuns(level)
	case len(t.version.level(level)) == 0:
		return nil
	}
	return t.pickPart(level)
}

// pickRuns merges the oldest runs of a level, a range of keys after the other
// from the first to the last, into the level below: into its tables, or in a
// tiered tree into a new run of its own. Newer runs wait for the next sweep.
func (t *Tree) pickRuns(level int) *job {
	if t.sweeps[level] == 0 && !t.beginSweep(level) {
		return nil
	}
	runs := t.version.levels[level]
	first := len(runs) - t.sweeps[level]
	sweep := runs[first:]
	least := 0
	for i := range sweep {
		if sweep[i][0].from.Less(sweep[least][0].from) {
			least = i
		}
	}
	head := sweep[least][0]
	alone := true
	for i := range sweep {
		if i != least && !head.last.Less(sweep[i][0].from) {
			alone = false
		}
	}
	if !alone || !t.movable(level, head) {
		return t.plan(level, sweep, head.from)
	}
	v := *t.version
	v.levels[level] = slices.Clone(runs)
	v.levels[level][first+least] = runs[first+least][1:]
	t.dropSwept(&v, level)
	t.moveTo(&v, level+1, head)
	return nil
}

// beginSweep chooses the runs of a sweep. It reports false if there are none.
func (t *Tree) beginSweep(level int) bool {
	t.sweeps[level] = min(len(t.version.levels[level]), sweepRunsMax)
	if t.config.Tiered && t.sweeps[level] > 0 {
		v := *t.version
		v.levels[level+1] = slices.Insert(slices.Clone(v.levels[level+1]), 0, run(nil))
		t.checkRuns(v.levels[level+1])
		t.adoptVersion(v)
	}
	return t.sweeps[level] > 0
}

func (t *Tree) checkRuns(runs []run) {
	if len(runs) > runsMax {
		panic("lsm: merging has fallen behind")
	}
}

// pickPart merges the next parts of a level of a leveled tree into the level
// below, in turn, so that each part of the level below is merged once in a turn.
func (t *Tree) pickPart(level int) *job {
	r := t.version.level(level)
	at := sort.Search(len(r), func(i int) bool { return !r[i].from.Less(t.cursors[level]) })
	if at == len(r) {
		at = 0
	}
	p := r[at]
	if !t.movable(level, p) {
		return t.plan(level, []run{t.segment(level, at)}, p.from)
	}
	v := *t.version
	v.setLevel(level, r.replace(at, at+1, nil))
	t.cursors[level] = p.last
	t.moveTo(&v, level+1, p)
	return nil
}

// segment returns the parts of a level from one on that are merged together:
// as long as there may be room in a job, and the next one begins in the table
// of the level below in which this one ends.
func (t *Tree) segment(level, at int) run {
	r, lower := t.version.level(level), t.version.level(level+1)
	end, entries := at+1, r[at].entries
	for ; end < len(r) && entries < t.jobEntries(); end++ {
		i := lower.search(r[end-1].last)
		if i == len(lower) || r[end-1].last.Less(lower[i].from) || lower[i].last.Less(r[end].from) {
			break
		}
		entries += r[end].entries
	}
	return r[at:end]
}

// movable reports whether a part may go one level down as it is: if there is
// nothing to merge it with, and no tombstones that would be kept for nothing.
func (t *Tree) movable(level int, p part) bool {
	if t.config.Tiered {
		return true
	}
	return !t.version.level(level+1).overlaps(p.from, p.last) &&
		(p.tombstones == 0 || t.version.deeper(level+1, p.from, p.last))
}

// moveTo adds a part to a level: to the end of the run that a sweep fills, or
// in a leveled tree between parts that it does not overlap. It takes over the
// version.
func (t *Tree) moveTo(v *version, level int, p part) {
	if t.config.Tiered {
		v.extend(level, run{p})
	} else {
		r := v.level(level)
		at := r.search(p.from)
		v.setLevel(level, r.replace(at, at, run{p}))
	}
	t.adoptVersion(*v)
	t.moved++
}

// plan makes the merge of runs of a level, from a key on, into the level below.
// It takes tables, in the order of their ends, until it has enough. Where
// exactly it ends is decided when their indexes are there; see cut.
func (t *Tree) plan(level int, runs []run, from Key) *job {
	j := &job{level: level, beat: t.beat, from: from, uppers: len(runs), inputs: slices.Clone(runs)}
	if !t.config.Tiered {
		last := from
		for _, r := range runs {
			last = keyMax(last, r[len(r)-1].last)
		}
		lower := t.version.level(level + 1)
		j.lower = lower.search(from)
		j.inputs = append(j.inputs, lower[j.lower:max(j.lower, lower.searchFrom(last))])
	}
	heads := make([]int, len(j.inputs))
	var last Key
	for j.estimate < t.jobEntries() {
		least := -1
		for i, r := range j.inputs {
			if heads[i] < len(r) && (least < 0 || r[heads[i]].last.Less(j.inputs[least][heads[least]].last)) {
				least = i
			}
		}
		if least < 0 {
			break
		}
		p := j.inputs[least][heads[least]]
		heads[least]++
		j.estimate += p.entries
		last = p.last
	}
	first := from
	if lower := j.inputs[len(j.inputs)-1]; len(lower) > 0 {
		first = keyMin(first, lower[0].from)
	}
	j.work.bottom = !t.version.deeper(level+1, first, last)
	if until, ok := last.Next(); ok {
		j.end(until)
	}
	j.estimate = min(j.estimate, t.jobEntries())
	return j
}

// jobEntries is how many entries a merge has, about: a page more of each input
// at most. What it makes is two tables with filters, or one without.
func (t *Tree) jobEntries() int {
	n := t.tables.EntriesMax
	if t.config.Filter {
		n *= 2
	}
	return n - n/8
}

func keyMin(a, b table.Key) table.Key {
	if b.Less(a) {
		return b
	}
	return a
}

func keyMax(a, b table.Key) table.Key {
	if a.Less(b) {
		return b
	}
	return a
}
