package lsm

import (
	"fmt"
	"math/bits"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/lsm/table"
)

// work is a merge or a flush as a worker does it: a pure function of its
// fields. The worker has them for itself until it is done.
type work struct {
	set bool
	// bottom says that no older entries of these keys lie deeper, so that
	// there is nothing a tombstone would have to hide.
	bottom bool

	memtable []Entry  // of a flush
	sources  []source // of a merge, the newest first
	until    *Key     // the first key that is left alone; nil for none

	tools  *tools
	free   [][]byte // buffers for the output, then what is left of them
	images []*table.Image
	err    error
}

// tools is the memory that work needs and leaves no trace in. It is used again
// for other work.
type tools struct {
	config  table.Config
	builder *table.Builder
	sorter  sorter
	order   []uint32
	windows [][]Entry
}

func newTools(config table.Config) *tools {
	return &tools{config: config, builder: table.NewBuilder(config)}
}

// window returns an empty slice with the capacity of one that was used before.
func (t *tools) window() []Entry {
	n := len(t.windows)
	if n == 0 {
		return nil
	}
	w := t.windows[n-1]
	t.windows = t.windows[:n-1]
	return w[:0]
}

// source is one run to be merged.
type source struct {
	parts  []sourcePart
	part   int // that window is from
	page   int // that comes after window
	window []Entry
	at     int
}

// sourcePart is the pages of one part of a run.
type sourcePart struct {
	name  block.Address // of the table, for errors
	from  Key
	pages [][]byte
	// used counts the entries behind from that were merged.
	used int
}

// do carries out the work.
func (w *work) do() {
	w.tools.builder.Use(w.free)
	if w.sources == nil {
		w.flush()
	} else {
		w.merge()
	}
	w.images, w.free = w.tools.builder.Finish()
	for i := range w.sources {
		w.tools.windows = append(w.tools.windows, w.sources[i].window)
		w.sources[i].window = nil
	}
}

// add passes an entry on, unless it is a tombstone that hides nothing.
func (w *work) add(e *Entry) {
	if e.Value != table.Tombstone || !w.bottom {
		w.tools.builder.Add(e)
	}
}

// flushBatch is how many entries are gathered at a time: they lie anywhere, and
// a loop that does nothing else waits for many of them at once.
const flushBatch = 64

func (w *work) flush() {
	t := w.tools
	t.order = t.sorter.sort(w.memtable, 0, t.order[:0])
	var batch [flushBatch]Entry
	var last Entry // the newest entry so far of the key at hand
	same := 0      // entries of that key
	for order := t.order; len(order) > 0; {
		n := min(len(order), flushBatch)
		for i, number := range order[:n] {
			batch[i] = w.memtable[number]
		}
		for i := range batch[:n] {
			if batch[i].Key != last.Key {
				w.flushKey(&last, same)
				same = 0
			}
			last = batch[i]
			same++
		}
		order = order[n:]
	}
	w.flushKey(&last, same)
}

// flushKey passes on what is left of the entries of a key. A set's entry and its
// removal take turns: of an even number nothing is left, of an odd number the
// newest.
func (w *work) flushKey(newest *Entry, count int) {
	if count > 0 && (!w.set || count%2 == 1) {
		w.add(newest)
	}
}

// head is the key at which a source is. Heads are kept in the order of their
// keys, and for equal keys the newer source first.
type head struct {
	key    Key
	source int
}

func (w *work) merge() {
	heads := make([]head, len(w.sources))
	for i := range w.sources {
		w.sources[i].window = w.tools.window()
		heads[i].source = i
	}
	for i := len(heads) - 1; i >= 0; i-- {
		heads = w.settle(heads, i)
	}
	for len(heads) > 0 && w.err == nil {
		bound := table.KeyMax
		if len(heads) > 1 {
			bound = heads[1].key
			if bound == heads[0].key {
				heads = w.mergeEqual(heads)
				continue
			}
		}
		// Mostly several entries of one source follow one another.
		s := &w.sources[heads[0].source]
		for {
			w.add(&s.window[s.at])
			s.at++
			if s.at == len(s.window) || !s.window[s.at].Key.Less(bound) {
				break
			}
		}
		heads = w.settle(heads, 0)
	}
}

// mergeEqual passes on what is left of the entries of a key that several sources
// have.
func (w *work) mergeEqual(heads []head) []head {
	newest := &w.sources[heads[0].source]
	e := newest.window[newest.at]
	same := 1
	for same < len(heads) && heads[same].key == e.Key {
		same++
	}
	if !w.set || same%2 == 1 {
		w.add(&e)
	}
	for i := same - 1; i >= 0; i-- {
		w.sources[heads[i].source].at++
		heads = w.settle(heads, i)
	}
	return heads
}

// settle puts head i, whose source has moved on, in its place among those behind
// it, or takes it away if the source is at its end. It counts the smaller ones
// without a branch: which way that would go no processor can guess.
func (w *work) settle(heads []head, i int) []head {
	h := head{source: heads[i].source}
	s := &w.sources[h.source]
	if s.at == len(s.window) && !w.fill(s) {
		return append(heads[:i], heads[i+1:]...)
	}
	h.key = s.window[s.at].Key
	others := heads[i+1:]
	smaller := 0
	for k := range others {
		key := &others[k].key
		_, borrow := bits.Sub64(key[2], h.key[2], 0)
		_, borrow = bits.Sub64(key[1], h.key[1], borrow)
		_, borrow = bits.Sub64(key[0], h.key[0], borrow)
		smaller += int(borrow)
	}
	for smaller < len(others) && others[smaller].key == h.key && others[smaller].source < h.source {
		smaller++
	}
	copy(heads[i:], others[:smaller])
	heads[i+smaller] = h
	return heads
}

// fill decodes the next page that has entries to merge. It reports false at the
// end of the source.
func (w *work) fill(s *source) bool {
	for ; s.part < len(s.parts); s.part, s.page = s.part+1, 0 {
		p := &s.parts[s.part]
		for s.page < len(p.pages) {
			page, err := table.OpenPage(p.pages[s.page], w.tools.config.Words)
			if err == nil {
				s.window, err = page.Append(s.window[:0])
			}
			if err != nil {
				w.err = fmt.Errorf("table at %v: %w", p.name, err)
				return false
			}
			s.page++
			s.at = 0
			for s.at < len(s.window) && s.window[s.at].Key.Less(p.from) {
				s.at++
			}
			if end := len(s.window); w.until != nil && !s.window[end-1].Key.Less(*w.until) {
				for end > 0 && !s.window[end-1].Key.Less(*w.until) {
					end--
				}
				s.window = s.window[:end]
			}
			if s.at < len(s.window) {
				p.used += len(s.window) - s.at
				return true
			}
		}
	}
	return false
}
