package lsm

import "math"

// Condition selects the keys of a tree that begin with a prefix: all words that
// the tree uses but the last one, which is the position of what the key is of.
type Condition struct {
	Tree   *Tree
	Prefix Key
}

// key returns the key with a position.
func (c *Condition) key(position uint64) Key {
	key := c.Prefix
	key[c.Tree.config.Words-1] = position
	return key
}

// Positions is the positions from Min to Max, both included, and the direction
// in which they are read.
type Positions struct {
	Min, Max   uint64
	Descending bool
}

// Intersect appends to dst the first limit positions within p, in its
// direction, that meet all conditions, of which there is at least one. Whichever
// condition is furthest leads, and the others skip what lies before it, so that
// what is read is about what the rarest condition selects. done gets the result,
// often before Intersect returns.
func Intersect(conditions []Condition, p Positions, limit int, dst []uint64, done func(positions []uint64, err error)) {
	x := &intersection{
		conditions: conditions, descending: p.Descending, target: p.Min,
		limit: limit, positions: dst, done: done,
	}
	if p.Descending {
		x.target = p.Max
	}
	for i := range conditions {
		c := &conditions[i]
		x.cursors = append(x.cursors, c.Tree.newCursor(Range{c.key(p.Min), c.key(p.Max), p.Descending}, limit))
	}
	if p.Min > p.Max {
		x.limit = 0
	}
	x.run()
}

type intersection struct {
	conditions []Condition
	cursors    []*cursor
	descending bool
	target     uint64 // nothing before it is wanted any more
	limit      int
	positions  []uint64
	done       func([]uint64, error)
}

// run goes on until it has to wait.
func (x *intersection) run() {
	for x.limit > 0 {
		placed := true
		for _, c := range x.cursors {
			if !c.place(x.resume) {
				placed = false
			}
		}
		if !placed {
			return
		}
		if x.failed() != nil || !x.step() {
			break
		}
	}
	err := x.failed()
	for _, c := range x.cursors {
		c.close()
	}
	if err != nil {
		x.done(nil, err)
		return
	}
	x.done(x.positions, nil)
}

// resume goes on when no cursor waits any more.
func (x *intersection) resume() {
	for _, c := range x.cursors {
		if c.inFlight > 0 {
			return
		}
	}
	x.run()
}

func (x *intersection) failed() error {
	for _, c := range x.cursors {
		if c.err != nil {
			return c.tree.wrap(c.err)
		}
	}
	return nil
}

// step takes one look at all cursors: they agree on a position, or those behind
// the furthest skip to it. It reports false when there can be no more.
func (x *intersection) step() bool {
	agreed := true
	var first uint64
	for i, c := range x.cursors {
		e, ok := c.entry()
		if !ok {
			return false
		}
		position := e.Key[c.tree.config.Words-1]
		if i == 0 {
			first = position
		}
		agreed = agreed && position == first && e.Value != Absent
		x.target = x.furthest(position)
		if e.Value == Absent && x.target == position && !x.pass(position) {
			return false
		}
	}
	if agreed {
		x.positions = append(x.positions, x.target)
		x.limit--
		if x.limit == 0 || !x.pass(x.target) {
			return false
		}
	}
	for i, c := range x.cursors {
		c.seek(x.conditions[i].key(x.target))
	}
	return true
}

func (x *intersection) before(a, b uint64) bool {
	if x.descending {
		return a > b
	}
	return a < b
}

func (x *intersection) furthest(position uint64) uint64 {
	if x.before(x.target, position) {
		return position
	}
	return x.target
}

// pass moves the target behind a position. It reports false if there is none.
func (x *intersection) pass(position uint64) bool {
	if x.descending {
		x.target = position - 1
		return position != 0
	}
	x.target = position + 1
	return position != math.MaxUint64
}
