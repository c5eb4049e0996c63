package forest

import (
	"fmt"
	"slices"

	"github.com/ledgerd/ledgerd/lsm"
)

// rowQuery answers with the transfers that meet all of some conditions. The
// indexes give the positions of those that do and of no others; their rows are
// read all at a time.
type rowQuery struct {
	tables *tables
	answer *answer
	// take writes a row as a result. It reports false if the row is not what
	// the indexes say.
	take func(row, result []byte) bool

	conditions []lsm.Condition
	sides      uint64 // those of the first condition, an account; 0: all
	left       lsm.Positions
	window     int // entries of an index to look at next
	ended      bool

	entries   []lsm.Entry
	found     []uint64
	values    []uint64
	keys      []lsm.Key
	positions []position
	damage    error
	done      func(error)
}

// How many entries of an account index are looked at at a time when those of one
// side are wanted.
const (
	sidesWindowMin = 128
	sidesWindowMax = 8192
)

// run answers what can be found within a span. There is a condition at least.
func (q *rowQuery) run(s span, descending bool, done func(error)) {
	q.done = done
	q.left = lsm.Positions{Min: uint64(s.low), Max: uint64(s.high - 1), Descending: descending}
	q.window = q.answer.limit
	if q.sides != 0 {
		q.window = min(max(q.window, sidesWindowMin), sidesWindowMax)
	}
	q.search(nil)
}

// search looks at the next window of the indexes.
func (q *rowQuery) search(err error) {
	if err == nil {
		err = q.damage
	}
	if err != nil || q.ended || q.answer.count == q.answer.limit || q.left.Min > q.left.Max {
		q.done(err)
		return
	}
	if q.sides == 0 || len(q.conditions) > 1 {
		lsm.Intersect(q.conditions, q.left, q.window, q.found[:0], q.intersected)
		return
	}
	c := &q.conditions[0]
	from, to := c.Prefix, c.Prefix
	from[1], to[1] = q.left.Min, q.left.Max
	c.Tree.Scan(lsm.Range{Min: from, Max: to, Descending: q.left.Descending}, q.window, q.entries[:0], q.scanned)
}

// scanned takes entries of an account index: positions with sides.
func (q *rowQuery) scanned(entries []lsm.Entry, err error) {
	if err != nil {
		q.done(err)
		return
	}
	q.entries, q.found, q.values = entries, q.found[:0], q.values[:0]
	for _, e := range entries {
		q.found, q.values = append(q.found, e.Key[1]), append(q.values, e.Value)
	}
	q.chooseSides(nil)
}

// intersected takes positions that meet all conditions. Which side they are on
// is still to be found.
func (q *rowQuery) intersected(found []uint64, err error) {
	q.found = found
	if err != nil || q.sides == 0 {
		q.readRows(err)
		return
	}
	q.keys = q.keys[:0]
	for _, p := range found {
		key := q.conditions[0].Prefix
		key[1] = p
		q.keys = append(q.keys, key)
	}
	q.values = slices.Grow(q.values[:0], len(q.keys))[:len(q.keys)]
	q.conditions[0].Tree.Lookup(q.keys, q.values, q.chooseSides)
}

// chooseSides drops what is found on a side that is not wanted.
func (q *rowQuery) chooseSides(err error) {
	full := len(q.found) == q.window
	if err == nil {
		q.pass(full)
		kept := q.found[:0]
		for i, p := range q.found {
			if q.values[i]&q.sides != 0 {
				kept = append(kept, p)
			}
		}
		q.found = kept
		q.window = min(2*q.window, sidesWindowMax)
	}
	q.readRows(err)
}

// pass goes on behind what was found, or ends if the window was not full.
func (q *rowQuery) pass(full bool) {
	q.ended = !full
	if n := len(q.found); n > 0 && q.left.Descending {
		q.left.Max = q.found[n-1] - 1
	} else if n > 0 {
		q.left.Min = q.found[n-1] + 1
	}
}

// readRows reads what was found and is still wanted.
func (q *rowQuery) readRows(err error) {
	if err != nil {
		q.done(err)
		return
	}
	if q.sides == 0 {
		q.ended = true // the window was all that is wanted
	}
	wanted := q.found[:min(len(q.found), q.answer.limit-q.answer.count)]
	q.positions = q.positions[:0]
	for _, p := range wanted {
		q.positions = append(q.positions, position(p))
	}
	first := q.answer.count
	q.answer.count += len(wanted)
	q.tables.events.Fetch(q.positions, func(i int, row []byte) {
		if rowKindOf(row) != rowTransfer || !q.take(row, q.answer.room(first+i)) {
			q.damage = fmt.Errorf("forest: %v of the events is not what the indexes say", q.positions[i])
		}
	}, q.search)
}

// matches reports whether the row of a transfer has all fields that are not zero.
func (f *queried) matches(row []byte) bool {
	r := readRow(row, fieldUserData128)
	v128, v64, rest := r.next(), r.next64(), r.next()
	return (f.userData128.IsZero() || f.userData128 == v128) &&
		(f.userData64 == 0 || f.userData64 == v64) &&
		(f.userData32 == 0 || f.userData32 == uint32(rest.Lo>>32)) &&
		(f.ledger == 0 || f.ledger == uint32(rest.Lo)) &&
		(f.code == 0 || f.code == rowCode(row))
}
