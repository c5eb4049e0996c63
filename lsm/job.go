package lsm

import (
	"fmt"

	"github.com/ledgerd/ledgerd/internal/block"
)

const (
	// jobReadsMax is how many blocks a job reads at a time. Reads that an op
	// waits for have to share the disk with them.
	jobReadsMax = 4
	// buffersMax is how many idle block buffers a tree keeps.
	buffersMax = 32
)

// job is a flush or a merge on its way: fetching its inputs, then at work, then
// waiting to be admitted.
type job struct {
	work work
	done bool // the work is

	// Of a merge.
	level    int   // that is merged into the next
	inputs   []run // newest first; the last one is of level+1, and may be empty
	lower    int   // number of the first input of level+1 in its level
	until    *Key
	estimate int // of the entries merged, at most the truth
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
	j.work.set, j.work.until = t.config.Set, j.until
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
