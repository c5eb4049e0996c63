package lsm

import (
	"fmt"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/lsm/table"
)

const (
	// jobReadsMax is how many blocks a job reads at a time. Reads that an op
	// waits for have to share the disk with them.
	jobReadsMax = 4
	// buffersMax is how many idle block buffers a tree keeps.
	buffersMax = 16
)

// job is a flush or a merge on its way: fetching its inputs, then at work, then
// waiting to be admitted.
type job struct {
	work work
	done bool // the work is

	// Of a merge.
	level    int   // that is merged into the next
	inputs   []run // newest first; of a leveled tree the last one is of level+1
	uppers   int   // inputs of level
	lower    int   // number of the first input of level+1 in its level
	from     Key   // of the first entry
	until    *Key  // the first key that is left alone; nil for none
	estimate int   // of the entries merged
	beat     uint64

	reads    []jobRead
	next     int // of reads
	inFlight int
	buffers  [][]byte // that hold the inputs
}

// jobRead is a block of which some pages are merged.
type jobRead struct {
	table *sortedTable
	into  *sourcePart
	block int // number in the table
	first int // page
	end   int // page
	slot  int // in into.pages of the first page
}

// start begins a job. Its inputs are read as soon as no table of the tree is
// being written, because one of those may be an input.
func (t *Tree) start(j *job) {
	j.work.set = t.config.Set
	if j.work.memtable != nil {
		t.hire(j)
		return
	}
	t.whenWritten(func() { t.openInputs(j, 0) })
}

// openInputs makes sure that the index of each input is there.
func (t *Tree) openInputs(j *job, from int) {
	n := 0
	for _, r := range j.inputs {
		for _, p := range r {
			if n++; n <= from || p.index != nil {
				continue
			}
			t.loadIndex(p.sortedTable, func(err error) {
				if err != nil {
					t.fail(err)
					return
				}
				t.openInputs(j, n)
			})
			return
		}
	}
	j.cut(t.jobEntries())
	j.work.until = j.until
	j.work.sources = make([]source, len(j.inputs))
	for i, r := range j.inputs {
		s := &j.work.sources[i]
		s.parts = make([]sourcePart, len(r))
		for k, p := range r {
			s.parts[k] = sourcePart{name: p.root.Address, from: p.from}
			j.plan(p, &s.parts[k])
		}
	}
	t.readInputs(j)
}

// end ends the job before a key.
func (j *job) end(until Key) {
	j.until = &until
	for i, r := range j.inputs {
		n := len(r)
		for n > 0 && !r[n-1].from.Less(until) {
			n--
		}
		j.inputs[i] = r[:n]
	}
}

// cut ends the job at the first end of a page by which it has enough entries,
// so that it goes beyond that by less than a page of each input.
func (j *job) cut(enough int) {
	type place struct{ part, page int }
	places := make([]place, len(j.inputs))
	enter := func(i, part int) {
		places[i] = place{part: part}
		if r := j.inputs[i]; part < len(r) {
			places[i].page = max(0, r[part].index.Find(keyMax(j.from, r[part].from)))
		}
	}
	for i := range places {
		enter(i, 0)
	}
	for entries := 0; ; {
		least, end := -1, table.KeyMax
		for i, r := range j.inputs {
			if at := places[i]; at.part < len(r) {
				if key := r[at.part].pageEnd(at.page); key.Less(end) {
					least, end = i, key
				}
			}
		}
		if least < 0 || j.until != nil && !end.Less(*j.until) {
			return
		}
		at := &places[least]
		p := j.inputs[least][at.part]
		entries += p.sortedTable.entries / len(p.index.Pages)
		if at.page++; at.page == len(p.index.Pages) {
			enter(least, at.part+1)
		}
		if entries >= enough {
			j.end(end)
			return
		}
	}
}

// pageEnd returns a key behind the entries of a page and before those of the
// next.
func (s *sortedTable) pageEnd(page int) Key {
	if page+1 < len(s.index.Pages) {
		return s.index.Pages[page+1].First
	}
	end, _ := s.last.Next()
	return end
}

// plan lists the blocks of a part that have entries to merge.
func (j *job) plan(p part, into *sourcePart) {
	pages := p.index.Pages
	first := max(0, p.index.Find(p.from))
	end := len(pages)
	if j.until != nil {
		for end > first && !pages[end-1].First.Less(*j.until) {
			end--
		}
	}
	into.pages = make([][]byte, end-first)
	for at := first; at < end; {
		read := jobRead{table: p.sortedTable, into: into, block: int(pages[at].Block), first: at, slot: at - first}
		for at < end && int(pages[at].Block) == read.block {
			at++
		}
		read.end = at
		j.reads = append(j.reads, read)
	}
}

func (t *Tree) readInputs(j *job) {
	for ; j.next < len(j.reads) && j.inFlight < jobReadsMax; j.next++ {
		r := &j.reads[j.next]
		j.inFlight++
		t.grid.Read(r.table.ref(r.block), func(payload []byte, err error) {
			j.inFlight--
			if err == nil {
				err = t.keepPages(j, r, payload)
			}
			if err != nil {
				t.fail(err)
				return
			}
			t.readInputs(j)
		})
	}
	if j.inFlight == 0 && j.next == len(j.reads) {
		t.hire(j)
	}
}

// keepPages copies the pages of a block that are merged.
func (t *Tree) keepPages(j *job, r *jobRead, payload []byte) error {
	pages := r.table.index.Pages[r.first:r.end]
	start := int(pages[0].Offset)
	end := int(pages[len(pages)-1].Offset) + int(pages[len(pages)-1].Size)
	if start > end || end > len(payload) {
		return fmt.Errorf("%v ends before a page of its table", r.table.ref(r.block).Address)
	}
	buf := append(t.buffer(), payload[start:end]...)
	j.buffers = append(j.buffers, buf)
	for i, p := range pages {
		from := int(p.Offset) - start
		if from < 0 || from+int(p.Size) > len(buf) {
			return fmt.Errorf("%v: page outside of what its index says", r.table.ref(r.block).Address)
		}
		r.into.pages[r.slot+i] = buf[from : from+int(p.Size)]
	}
	return nil
}

// hire gives the job to a worker.
func (t *Tree) hire(j *job) {
	j.work.free, t.buffers = t.buffers, nil
	if n := len(t.tools); n > 0 {
		j.work.tools, t.tools = t.tools[n-1], t.tools[:n-1]
	} else {
		j.work.tools = newTools(t.tables)
	}
	t.workers.Go(j.work.do, func() {
		t.tools = append(t.tools, j.work.tools)
		t.recycle(j.work.free)
		t.recycle(j.buffers)
		j.work.tools, j.work.free, j.buffers, j.reads = nil, nil, nil, nil
		j.done = true
		if j.work.err != nil {
			t.fail(j.work.err)
			return
		}
		t.poke()
	})
}

// buffer returns an empty buffer for the payload of a block.
func (t *Tree) buffer() []byte {
	if n := len(t.buffers); n > 0 {
		buf := t.buffers[n-1]
		t.buffers = t.buffers[:n-1]
		return buf
	}
	return make([]byte, 0, t.grid.PayloadSize())
}

func (t *Tree) recycle(buffers [][]byte) {
	for _, buf := range buffers {
		if len(t.buffers) < buffersMax {
			t.buffers = append(t.buffers, buf[:0])
		}
	}
}

// ref returns the reference of a block of a written table.
func (s *sortedTable) ref(n int) block.Ref {
	if n == len(s.index.Blocks) {
		return s.root
	}
	return s.index.Blocks[n]
}
