package lsm

import (
	"slices"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/lsm/table"
)

// admissible reports whether the result of a job can be admitted: it is there,
// and what was admitted before is written, so that memory holds the output of
// two jobs at most.
func (t *Tree) admissible(j *job) bool { return j.done && t.writing == 0 }

// admitFlush makes the tables of the memtable the newest run.
func (t *Tree) admitFlush() {
	made := t.adopt(t.flush.work.images)
	if len(made) > 0 {
		v := *t.version
		v.runs = append([]run{made}, v.runs...)
		if len(v.runs) > runsMax {
			panic("lsm: merging has fallen behind")
		}
		t.version = &v
	}
	t.flush = nil
	if t.reads == 0 {
		t.spare = t.frozen
		t.spare.reset()
	}
	t.frozen = nil
}

// admitMerge puts the output of a merge in the place of its inputs, and returns
// how many entries were merged.
func (t *Tree) admitMerge() (merged int) {
	j := t.merge
	t.merge = nil
	made := t.adopt(j.work.images)
	for i := range j.work.sources {
		for k := range j.work.sources[i].parts {
			merged += j.work.sources[i].parts[k].used
		}
	}
	v := *t.version
	last := len(j.inputs) - 1
	v.levels[j.level+1] = v.levels[j.level+1].replace(j.lower, j.lower+len(j.inputs[last]), made)
	for _, p := range j.inputs[last] {
		t.releaseTable(p.sortedTable)
	}
	if j.level == 0 {
		v.runs = slices.Clone(v.runs)
		sweep := v.runs[len(v.runs)-last:]
		for i := range sweep {
			sweep[i] = t.consume(sweep[i], j.inputs[i], j.work.sources[i].parts, j.until)
		}
		t.dropSwept(&v)
	} else {
		at := v.levels[j.level].search(j.inputs[0][0].last)
		level := v.levels[j.level]
		left := t.consume(level[at:at+1], j.inputs[0], j.work.sources[0].parts, j.until)
		t.cursors[j.level] = level[at].last
		if len(left) > 0 {
			t.cursors[j.level] = left[0].from
		}
		v.levels[j.level] = level.replace(at, at+1, left)
	}
	t.version = &v
	return merged
}

// consume returns what is left of the parts of a run after a merge up to until.
// merged are its first parts as they went into the merge.
func (t *Tree) consume(r, merged run, sources []sourcePart, until *Key) run {
	var left run
	for i, p := range r {
		if i >= len(merged) {
			left = append(left, p)
			continue
		}
		p.entries -= sources[i].used
		if p.entries == 0 {
			t.releaseTable(p.sortedTable)
			continue
		}
		if until == nil {
			panic("lsm: a merge to the end has left entries")
		}
		if p.from.Less(*until) {
			p.from = *until
		}
		left = append(left, p)
	}
	return left
}

// dropSwept removes the runs of the sweep of which nothing is left.
func (t *Tree) dropSwept(v *version) {
	kept := v.runs[:0:0]
	first := len(v.runs) - t.sweep
	for i, r := range v.runs {
		if i >= first && len(r) == 0 {
			t.sweep--
			continue
		}
		kept = append(kept, r)
	}
	v.runs = kept
}

// adopt gives new tables their addresses and begins to write them.
func (t *Tree) adopt(images []*table.Image) run {
	var made run
	for _, image := range images {
		x := &image.Index
		s := &sortedTable{
			first: x.First(), last: x.Last, entries: x.Entries, tombstones: x.Tombstones,
			index: x, image: image,
		}
		x.Blocks = make([]block.Ref, len(image.Blocks))
		for i := range x.Blocks {
			x.Blocks[i].Address = t.grid.Acquire()
		}
		s.root.Address = t.grid.Acquire()
		made = append(made, whole(s))
		t.writing++
		t.writeTable(s)
	}
	return made
}

// writeTable writes the blocks of a new table, then its root, which holds their
// checksums.
func (t *Tree) writeTable(s *sortedTable) {
	pending := len(s.image.Blocks)
	if pending == 0 {
		t.writeRoot(s)
		return
	}
	for i, b := range s.image.Blocks {
		fill := func(dst []byte) int { return copy(dst, b) }
		t.grid.Write(s.index.Blocks[i].Address, t.config.Kind, fill, func(ref block.Ref) {
			s.index.Blocks[i] = ref
			if pending--; pending == 0 {
				t.writeRoot(s)
			}
		})
	}
}

func (t *Tree) writeRoot(s *sortedTable) {
	fill := func(dst []byte) int {
		return len(s.index.AppendRoot(dst[:copy(dst, s.image.Tail)]))
	}
	t.grid.Write(s.root.Address, t.config.Kind, fill, func(ref block.Ref) {
		s.root = ref
		t.recycle(s.image.Blocks)
		t.recycle([][]byte{s.image.Tail})
		s.image = nil
		t.writing--
		if t.writing == 0 {
			t.written()
		}
	})
}

// written goes on with what waited for the tables to be written.
func (t *Tree) written() {
	waiting := t.waiting
	t.waiting = nil
	for _, next := range waiting {
		next()
	}
	t.poke()
}

// whenWritten calls next once no table is being written, at once if none is.
func (t *Tree) whenWritten(next func()) {
	if t.writing == 0 {
		next()
		return
	}
	t.waiting = append(t.waiting, next)
}

// releaseTable gives the blocks of a table back, of which the index is there.
func (t *Tree) releaseTable(s *sortedTable) {
	for _, ref := range s.index.Blocks {
		t.grid.Release(ref.Address)
	}
	t.grid.Release(s.root.Address)
}
