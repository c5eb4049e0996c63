package lsm

import "sort"

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
func (s *place) aimUp(end Key) {
	for {
		n := s.parts.search(s.target)
		if n == len(s.parts) || end.Less(s.target) || end.Less(s.parts[n].from) {
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
			// The target is behind its last entry, or that is behind the end.
			if page++; page == len(p.index.Pages) {
				var ok bool
				if s.target, ok = p.last.Next(); !ok {
					s.ended = true
					return
				}
				continue
			}
			s.target = p.index.Pages[page].First
			if end.Less(s.target) {
				s.ended = true
				return
			}
		}
		s.choosePage(page)
		if !s.loaded {
			return
		}
	}
}

// aimDown finds the last entry at or before the target, as aimUp does in the
// other direction.
func (s *place) aimDown(end Key) {
	for {
		n := s.parts.search(s.target)
		if n == len(s.parts) || s.target.Less(s.parts[n].from) {
			n--
		}
		if n < 0 || s.target.Less(end) || s.parts[n].last.Less(end) {
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

func (s *place) head() *Entry {
	if s.parts == nil {
		return &s.entries[s.order[s.at]]
	}
	return &s.window[s.at]
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
