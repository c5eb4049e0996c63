package lsm

import (
	"sort"

	"github.com/ledgerd/ledgerd/lsm/table"
)

// cursor walks the entries of a tree in one direction, over all its memtables
// and runs at once. It sees the tree as it was when the cursor was made.
//
// Each of its sources is at an entry, at its end, or has to be placed, for
// which it may have to wait for a page. Only when all are placed has the cursor
// an entry.
type cursor struct {
	tree       *Tree
	descending bool
	sources    []place // the newest first
	inFlight   int
	err        error
	resume     func() // when the last read is complete
}

// place is where a cursor is in one source: a sorted run of a memtable, or a
// run of tables.
type place struct {
	// Of a memtable.
	entries []Entry
	order   []uint32

	// Of a run of tables: window is a decoded page of a part.
	parts      run
	part, page int // that window is of, or that is wanted next
	window     []Entry
	loaded     bool // window is of part and page

	at     int // in order or window
	target Key // at or behind which the place shall be, unless placed
	placed bool
	ended  bool
}

// newCursor returns a cursor at the first entry at or behind start, in its
// direction.
func (t *Tree) newCursor(start Key, descending bool) *cursor {
	t.reads++
	c := &cursor{tree: t, descending: descending}
	for _, m := range [...]*memtable{t.active, t.frozen} {
		if m == nil {
			continue
		}
		m.sortNew()
		for i := len(m.runs) - 1; i >= 0; i-- {
			c.sources = append(c.sources, place{entries: m.entries, order: m.runs[i]})
		}
	}
	for _, r := range t.version.order {
		c.sources = append(c.sources, place{parts: r, part: -1})
	}
	for i := range c.sources {
		c.sources[i].target = start
	}
	return c
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

// place places all sources. It reports false if it has to wait; resume is
// called then, later.
func (c *cursor) place(resume func()) bool {
	c.resume = resume
	for i := range c.sources {
		if s := &c.sources[i]; !s.placed && !s.ended && c.err == nil {
			c.placeSource(s)
		}
	}
	return c.inFlight == 0
}

func (c *cursor) placeSource(s *place) {
	if s.parts == nil {
		s.placeInOrder(c.descending)
		return
	}
	for !s.placed && !s.ended && c.err == nil {
		if c.descending {
			s.aimDown()
		} else {
			s.aimUp()
		}
		if s.placed || s.ended || !c.load(s) {
			return
		}
	}
}

// placeInOrder finds the target in a memtable. Of equal keys the last one is
// the newest.
func (s *place) placeInOrder(descending bool) {
	key := func(i int) Key { return s.entries[s.order[i]].Key }
	if descending {
		s.at = sort.Search(len(s.order), func(i int) bool { return s.target.Less(key(i)) }) - 1
	} else {
		s.at = sort.Search(len(s.order), func(i int) bool { return !key(i).Less(s.target) })
		for s.at+1 < len(s.order) && key(s.at+1) == key(s.at) {
			s.at++
		}
	}
	s.ended = s.at < 0 || s.at == len(s.order)
	s.placed = !s.ended
}

// aimUp finds the first entry at or behind the target, as far as it can be told
// without reading. If it is not placed or ended after that, then a part has no
// index, or the page that it names is not loaded.
func (s *place) aimUp() {
	for {
		n := s.parts.search(s.target)
		if n == len(s.parts) {
			s.ended = true
			return
		}
		s.choosePart(n)
		p := &s.parts[n]
		if p.index == nil {
			return
		}
		if s.target.Less(p.from) {
			s.target = p.from
		}
		page := max(0, p.index.Find(s.target))
		if s.loaded && s.page == page {
			s.at = sort.Search(len(s.window), func(i int) bool { return !s.window[i].Key.Less(s.target) })
			if s.at < len(s.window) {
				s.placed = true
				return
			}
			page++ // the target is behind its last entry
			if page == len(p.index.Pages) {
				panic("lsm: the last page of a table ends before its last key")
			}
			s.target = p.index.Pages[page].First
		}
		s.choosePage(page)
		if !s.loaded {
			return
		}
	}
}

// aimDown finds the last entry at or before the target, as aimUp does in the
// other direction.
func (s *place) aimDown() {
	for {
		n := s.parts.search(s.target)
		if n == len(s.parts) || s.target.Less(s.parts[n].from) {
			n--
		}
		if n < 0 {
			s.ended = true
			return
		}
		s.choosePart(n)
		p := &s.parts[n]
		if p.index == nil {
			return
		}
		page := p.index.Find(s.target)
		if page < 0 {
			panic("lsm: a part begins before its table")
		}
		s.choosePage(page)
		if !s.loaded {
			return
		}
		s.at = sort.Search(len(s.window), func(i int) bool { return s.target.Less(s.window[i].Key) }) - 1
		if s.at >= 0 && !s.window[s.at].Key.Less(p.from) {
			s.placed = true
			return
		}
		// Nothing of the part is left at or before the target.
		if n == 0 {
			s.ended = true
			return
		}
		s.target = s.parts[n-1].last
	}
}

func (s *place) choosePart(n int) {
	if s.part != n {
		s.part, s.loaded = n, false
	}
}

func (s *place) choosePage(n int) {
	if s.page != n {
		s.page, s.loaded = n, false
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
		c.note(s.take(p, data, t.config.Words))
		return c.err == nil
	}
	c.inFlight++
	t.readPage(p, s.page, func(data []byte, err error) {
		if err == nil {
			err = s.take(p, data, t.config.Words)
		}
		c.came(err)
	})
	return false
}

// take decodes a page into the window.
func (s *place) take(p *sortedTable, data []byte, words int) error {
	page, err := table.OpenPage(data, words)
	if err == nil {
		s.window, err = page.Append(s.window[:0])
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
	for i := range c.sources {
		if s := &c.sources[i]; !s.ended {
			if head := s.head(); !ok || c.before(head.Key, e.Key) {
				e, ok = *head, true
			}
		}
	}
	return e, ok
}

func (s *place) head() *Entry {
	if s.parts == nil {
		return &s.entries[s.order[s.at]]
	}
	return &s.window[s.at]
}

// next passes the key at which the cursor is.
func (c *cursor) next(key Key) {
	for i := range c.sources {
		if s := &c.sources[i]; !s.ended && s.head().Key == key {
			s.pass(key, c.descending)
		}
	}
}

// pass moves a source behind a key at which it is.
func (s *place) pass(key Key, descending bool) {
	if s.parts != nil {
		step := 1
		if descending {
			step = -1
		}
		at := s.at + step
		if at >= 0 && at < len(s.window) && !s.window[at].Key.Less(s.parts[s.part].from) {
			s.at = at
			return
		}
	}
	var ok bool
	if descending {
		s.target, ok = key.Before()
	} else {
		s.target, ok = key.Next()
	}
	s.placed, s.ended = false, !ok
}

// seek moves the cursor to the first entry at or behind a key, unless it is
// there or further.
func (c *cursor) seek(key Key) {
	for i := range c.sources {
		s := &c.sources[i]
		if s.ended || !c.before(s.head().Key, key) {
			continue
		}
		s.target, s.placed = key, false
	}
}
