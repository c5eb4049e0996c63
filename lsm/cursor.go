package lsm

import (
	"slices"

	"github.com/ledgerd/ledgerd/lsm/table"
)

// cursor walks the entries of a range of a tree in one direction, over all its
// memtables and runs at once. It sees the tree as it was when the cursor was
// made.
//
// Each of its sources is at an entry, at its end, or has to be placed, for
// which it may have to wait for a page. Only when all are placed has the cursor
// an entry.
//
// In a tiered tree a range with one prefix is a chain: its sources follow one
// another, and the next one matters only when the one before has ended. Sources
// are then opened a few at a time, so that many entries are found in a few
// rounds of reads, and few entries by a few reads.
type cursor struct {
	tree       *Tree
	descending bool
	end        Key
	sources    []place // the newest first; of a chain in its order
	chain      bool
	first      int // of a chain, the source at hand
	open       int // sources that are placed, the first ones
	ahead      int // how many more are opened next
	target     Key // of a chain, at or behind which it shall be
	inFlight   int
	err        error
	resume     func() // when the last read is complete
}

// chainRunsMin and chainRunsMax bound how many runs of a chain are read first: as
// many as entries are wanted, for many runs have one of them or none. Then come
// twice as many.
const (
	chainRunsMin = 8
	chainRunsMax = 32
)

// newCursor returns a cursor at the first entry of a range, in its direction, of
// which so many entries are wanted at most.
func (t *Tree) newCursor(r Range, wanted int) *cursor {
	t.reads++
	c := &cursor{tree: t, descending: r.Descending, target: r.Min, end: r.Max}
	c.ahead = min(max(wanted, chainRunsMin), chainRunsMax)
	if r.Descending {
		c.target, c.end = r.Max, r.Min
	}
	c.chain = t.config.Tiered && samePrefix(r.Min, r.Max, t.config.Words)
	for _, m := range [...]*memtable{t.active, t.frozen} {
		if m == nil {
			continue
		}
		m.sortNew()
		for i := len(m.runs) - 1; i >= 0; i-- {
			c.sources = append(c.sources, place{entries: m.entries, order: m.runs[i]})
		}
	}
	c.open = len(c.sources)
	word := t.config.Words - 1
	for _, parts := range t.version.order {
		if !c.chain || parts.mayHave(r, word) {
			c.sources = append(c.sources, place{parts: parts, part: -1})
		}
	}
	if c.chain && !c.descending {
		slices.Reverse(c.sources) // the oldest first
		c.open = 0
	}
	if !c.chain {
		c.open = len(c.sources)
	}
	for i := range c.sources {
		c.sources[i].target = c.target
	}
	return c
}

func samePrefix(a, b Key, words int) bool {
	a[words-1] = b[words-1]
	return a == b
}

// mayHave reports whether a run may have entries of a range of one prefix, whose
// keys end with that word: it has a part of such keys and of such last words.
func (r run) mayHave(keys Range, word int) bool {
	for i := r.search(keys.Min); i < len(r) && !keys.Max.Less(r[i].from); i++ {
		if r[i].low <= keys.Max[word] && keys.Min[word] <= r[i].high {
			return true
		}
	}
	return false
}

// close must be called once. Reads that are on their way do no harm after it.
func (c *cursor) close() {
	c.tree.reads--
	c.resume = nil
}

// before reports whether a comes before b in the cursor's direction.
func (c *cursor) before(a, b Key) bool {
	if c.descending {
		return b.Less(a)
	}
	return a.Less(b)
}

// place places all sources that are open. It reports false if it has to wait;
// resume is called then, later.
func (c *cursor) place(resume func()) bool {
	c.resume = resume
	for {
		for i := c.first; i < c.open; i++ {
			if s := &c.sources[i]; !s.placed && !s.ended && c.err == nil {
				c.placeSource(s)
			}
		}
		if c.inFlight > 0 {
			return false
		}
		if c.err != nil || !c.chain || !c.chainOn() {
			return true
		}
	}
}

// chainOn moves a chain to the next source that has an entry at or behind the
// target. It reports whether sources have to be placed for that.
func (c *cursor) chainOn() bool {
	for ; c.first < c.open; c.first++ {
		s := &c.sources[c.first]
		if s.ended {
			continue
		}
		if !c.before(s.head().Key, c.target) {
			return false
		}
		s.target, s.placed = c.target, false
		return true
	}
	first := c.open
	c.open = min(len(c.sources), c.open+c.ahead)
	c.ahead *= 2
	for i := first; i < c.open; i++ {
		c.sources[i].target = c.target
	}
	return first < c.open
}

func (c *cursor) placeSource(s *place) {
	for !s.placed && !s.ended && c.err == nil {
		switch {
		case s.parts == nil:
			s.placeInOrder(c.descending)
		case c.descending:
			s.aimDown(c.end)
		default:
			s.aimUp(c.end)
		}
		if s.placed && c.before(c.end, s.head().Key) {
			s.placed, s.ended = false, true
		}
		if s.placed || s.ended || !c.load(s) {
			return
		}
	}
}

// load brings in what a source waits for: the index of its part, or its page.
// It reports whether it is there at once.
func (c *cursor) load(s *place) bool {
	t, p := c.tree, s.parts[s.part].sortedTable
	if p.index == nil {
		c.inFlight++
		t.loadIndex(p, c.came)
		return false
	}
	if data, ok := t.pageNow(p, s.page); ok {
		c.note(c.take(s, p, data))
		return c.err == nil
	}
	c.inFlight++
	t.readPage(p, s.page, func(data []byte, err error) {
		if err == nil {
			err = c.take(s, p, data)
		}
		c.came(err)
	})
	return false
}

// take decodes a page into the window, as far as the cursor may need it: from
// the target to the end.
func (c *cursor) take(s *place, p *sortedTable, data []byte) error {
	first, last := s.target, c.end
	if c.descending {
		first, last = last, first
	}
	page, err := table.OpenPage(data, c.tree.config.Words)
	if err == nil {
		s.window, err = page.AppendRange(s.window[:0], first, last)
	}
	if err != nil {
		return p.pageError(err)
	}
	s.loaded = true
	return nil
}

func (c *cursor) note(err error) {
	if err != nil && c.err == nil {
		c.err = err
	}
}

// came takes note that a read is complete, and resumes after the last.
func (c *cursor) came(err error) {
	c.inFlight--
	c.note(err)
	if c.inFlight == 0 && c.resume != nil {
		c.resume()
	}
}

// entry returns the newest entry at the least key, which may be a tombstone,
// and false at the end. All sources must be placed, without an error.
func (c *cursor) entry() (e Entry, ok bool) {
	for i := c.first; i < c.open; i++ {
		if s := &c.sources[i]; !s.ended {
			if head := s.head(); !ok || c.before(head.Key, e.Key) {
				e, ok = *head, true
			}
			if c.chain {
				break
			}
		}
	}
	return e, ok
}

// next passes the key at which the cursor is.
func (c *cursor) next(key Key) {
	for i := c.first; i < c.open; i++ {
		if s := &c.sources[i]; !s.ended && s.head().Key == key {
			s.pass(key, c.descending)
			if s.placed && c.before(c.end, s.head().Key) {
				s.placed, s.ended = false, true
			}
		}
		if c.chain {
			break
		}
	}
}

// seek moves the cursor to the first entry at or behind a key, unless it is
// there or further.
func (c *cursor) seek(key Key) {
	if c.chain {
		if c.before(c.target, key) {
			c.target = key
		}
		return // see chainOn
	}
	for i := range c.sources {
		s := &c.sources[i]
		if s.ended || !c.before(s.head().Key, key) {
			continue
		}
		s.target, s.placed = key, false
	}
}
