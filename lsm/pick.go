package lsm

import (
	"slices"
	"sort"

	"github.com/ledgerd/ledgerd/lsm/table"
)

// sweepRunsMax is how many runs of level 0 are merged down together.
const sweepRunsMax = 8

// score is how much a level needs merging: 16 or more if it does.
const scoreFull = 16

// capacity returns how many entries a level from 1 on should have at most.
func (t *Tree) capacity(level int) int { return t.config.MemtableEntries << (3 * level) }

// neediest returns the level that is fullest for its capacity, the upper one of
// equals, and whether it is over it.
func (t *Tree) neediest() (level int, ok bool) {
	best := scoreFull * len(t.version.runs) / runsMerge
	if t.sweep > 0 {
		best = max(best, scoreFull) // what was begun is finished
	}
	for i := 1; i < levelsMax-1; i++ {
		entries, capacity := t.version.levels[i].entries(), t.capacity(i)
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
		var j *job
		if level == 0 {
			j = t.pickRuns()
		} else {
			j = t.pickPart(level)
		}
		if j != nil {
			return j
		}
	}
}

// pickRuns merges the oldest runs of level 0 into level 1, a range of keys after
// the other from the first to the last. Newer runs wait for the next sweep. It
// returns nil if it has moved a table.
func (t *Tree) pickRuns() *job {
	if t.sweep == 0 {
		t.sweep = min(len(t.version.runs), sweepRunsMax)
	}
	first := len(t.version.runs) - t.sweep
	sweep := t.version.runs[first:]
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
	if !alone || !t.movable(0, head) {
		return t.plan(0, sweep, head.from)
	}
	v := *t.version
	v.runs = slices.Clone(v.runs)
	v.runs[first+least] = v.runs[first+least][1:]
	t.dropSwept(&v)
	t.moveTo(&v, 1, head)
	return nil
}

// pickPart merges the next part of a level into the level below, in turn, so
// that each part of the level below is merged once in a turn. It returns nil if
// it has moved a table.
func (t *Tree) pickPart(level int) *job {
	r := t.version.levels[level]
	at := sort.Search(len(r), func(i int) bool { return !r[i].from.Less(t.cursors[level]) })
	if at == len(r) {
		at = 0
	}
	p := r[at]
	if !t.movable(level, p) {
		return t.plan(level, []run{r[at : at+1]}, p.from)
	}
	v := *t.version
	v.levels[level] = r.replace(at, at+1, nil)
	t.cursors[level] = p.last
	t.moveTo(&v, level+1, p)
	return nil
}

// movable reports whether a part may go one level down as it is: if there is
// nothing to merge it with, and no tombstones that would be kept for nothing.
func (t *Tree) movable(level int, p part) bool {
	return !t.version.levels[level+1].overlaps(p.from, p.last) &&
		(p.tombstones == 0 || t.version.deeper(level+1, p.from, p.last))
}

// moveTo adds a part to a level that it does not overlap, and takes over the
// version.
func (t *Tree) moveTo(v *version, level int, p part) {
	at := v.levels[level].search(p.from)
	v.levels[level] = v.levels[level].replace(at, at, run{p})
	t.version = v
	t.moved++
}

// plan makes the merge of runs, from a key on, into the level below. It goes on
// to the end of the runs, or to the beginning of a table of the level below
// when it has had enough of those: whole tables of that level are merged.
func (t *Tree) plan(level int, runs []run, from Key) *job {
	last := runs[0][len(runs[0])-1].last
	for _, r := range runs {
		if end := r[len(r)-1].last; last.Less(end) {
			last = end
		}
	}
	lower := t.version.levels[level+1]
	j := &job{level: level, lower: lower.search(from), beat: t.beat}
	end := j.lower
	for ; end < len(lower) && !last.Less(lower[end].from); end++ {
		if end > j.lower && j.estimate+lower[end].entries > t.jobEntries() {
			j.until = &lower[end].from
			break
		}
		j.estimate += lower[end].entries
	}
	for _, r := range runs {
		n := 0
		for n < len(r) && (j.until == nil || r[n].from.Less(*j.until)) {
			if j.until == nil || r[n].last.Less(*j.until) {
				j.estimate += r[n].entries
			}
			n++
		}
		j.inputs = append(j.inputs, r[:n])
	}
	j.inputs = append(j.inputs, lower[j.lower:end])
	first := from
	if end > j.lower {
		first = keyMin(first, lower[j.lower].from)
		last = keyMax(last, lower[end-1].last)
	}
	j.work.bottom = !t.version.deeper(level+1, first, last)
	return j
}

// jobEntries is how many entries of the lower level a merge has, if that is at
// least one table.
func (t *Tree) jobEntries() int { return 2 * t.config.MemtableEntries }

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
