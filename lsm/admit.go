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
		v.levels[0] = slices.Insert(slices.Clone(v.levels[0]), 0, made)
		t.checkRuns(v.levels[0])
		t.adoptVersion(v)
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
	left := make([]run, len(j.inputs))
	for i, r := range j.inputs {
		parts := j.work.sources[i].parts
		for k := range parts {
			merged += parts[k].used
		}
		left[i] = t.consume(r, parts, j.until)
	}
	v := *t.version
	if t.config.Tiered {
		v.extend(j.level+1, made)
	} else {
		r := v.level(j.level + 1)
		made = append(made, left[j.uppers]...)
		v.setLevel(j.level+1, r.replace(j.lower, j.lower+len(j.inputs[j.uppers]), made))
	}
	if j.level > 0 && !t.config.Tiered {
		r := v.level(j.level)
		at := r.search(j.inputs[0][0].last)
		end := at + len(j.inputs[0])
		t.cursors[j.level] = r[end-1].last
		if len(left[0]) > 0 {
			t.cursors[j.level] = left[0][0].from
		}
		v.setLevel(j.level, r.replace(at, end, left[0]))
	} else {
		v.levels[j.level] = slices.Clone(v.levels[j.level])
		sweep := v.levels[j.level][len(v.levels[j.level])-j.uppers:]
		for i := range sweep {
			sweep[i] = sweep[i].replace(0, len(j.inputs[i]), left[i])
		}
		t.dropSwept(&v, j.level)
	}
	t.adoptVersion(v)
	return merged
}

// consume returns what is left of parts after a merge up to until, and gives
// back the tables of which that is nothing.
func (t *Tree) consume(parts run, sources []sourcePart, until *Key) (left run) {
	for i, p := range parts {
		p.entries -= sources[i].used
		if p.entries == 0 {
			t.releaseTable(p.sortedTable)
			continue
		}
		if until == nil {
			panic("lsm: a merge to the end has left entries")
		}
		p.from = keyMax(p.from, *until)
		left = append(left, p)
	}
	return left
}

// dropSwept removes the runs of the sweep of a level of which nothing is left.
func (t *Tree) dropSwept(v *version, level int) {
	runs := v.levels[level]
	first := len(runs) - t.sweeps[level]
	kept := slices.Clone(runs[:first])
	for _, r := range runs[first:] {
		if len(r) > 0 {
			kept = append(kept, r)
		}
	}
	t.sweeps[level] = len(kept) - first
	v.levels[level] = kept
}

// adopt gives new tables their addresses and begins to write them.
func (t *Tree) adopt(images []*table.Image) run {
	var made run
	for _, image := range images {
		x := image.Index
		s := &sortedTable{
			first: x.First(), last: x.Last, entries: x.Entries, tombstones: x.Tombstones,
			low: x.Low, high: x.High, blocks: len(image.Blocks) + 1,
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
