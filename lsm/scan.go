package lsm

// Range is the keys from Min to Max, both included, and the direction in which
// they are read.
type Range struct {
	Min, Max   Key
	Descending bool
}

// Scan appends the first limit entries of a range, in its direction, to dst.
// done gets the result, often before Scan returns, for nothing but pages of
// tables is ever waited for. Changes of the tree while the scan goes on make no
// difference.
func (t *Tree) Scan(r Range, limit int, dst []Entry, done func(entries []Entry, err error)) {
	s := &scan{cursor: t.newCursor(r, limit), limit: limit, entries: dst, done: done}
	s.run()
}

type scan struct {
	cursor  *cursor
	limit   int
	entries []Entry
	done    func([]Entry, error)
}

// run goes on until it has to wait.
func (s *scan) run() {
	c := s.cursor
	for s.limit > 0 {
		if !c.place(s.run) {
			return
		}
		if c.err != nil {
			break
		}
		e, ok := c.entry()
		if !ok {
			break
		}
		c.next(e.Key)
		if e.Value != Absent {
			s.entries = append(s.entries, e)
			s.limit--
		}
	}
	c.close()
	if c.err != nil {
		s.done(nil, c.tree.wrap(c.err))
		return
	}
	s.done(s.entries, nil)
}
