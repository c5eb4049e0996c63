package forest

import (
	"fmt"

	"github.com/ledgerd/ledgerd/lsm"
)

// rowQuery answers with the transfers that meet all conditions of one of some
// lists. The indexes give the positions of those that do and of no others; their
// rows are read all at a time.
type rowQuery struct {
	tables *tables
	answer *answer
	// take writes a row as a result. It reports false if the row is not what
	// the indexes say.
	take func(row, result []byte) bool

	conditions [2][]lsm.Condition // nothing meets both lists; an empty one does not count
	span       span
	descending bool
	wave       wave
	found      [2][]uint64 // for each list, in the direction of the query
	window     int         // how many of each list were asked for
	positions  []position
	damage     error
	done       func(error)
}

// run answers what can be found within a span.
//
// Of two lists each is likely to have about half of the answer. To ask both for
// all of it would search them twice as far, so each is asked for a little more
// than half at first.
func (q *rowQuery) run(s span, descending bool, done func(error)) {
	q.span, q.descending, q.done = s, descending, done
	window := q.answer.limit
	if len(q.conditions[0]) > 0 && len(q.conditions[1]) > 0 {
		window = min(window, window/2+window/8+8)
	}
	q.search(window)
}

// search asks each list for as many positions as a window has.
func (q *rowQuery) search(window int) {
	q.window = window
	q.wave.begin(q.readRows)
	p := lsm.Positions{Min: uint64(q.span.low), Max: uint64(q.span.high - 1), Descending: q.descending}
	for i, conditions := range q.conditions {
		if len(conditions) == 0 {
			continue
		}
		came := q.wave.read()
		lsm.Intersect(conditions, p, window, q.found[i][:0], func(found []uint64, err error) {
			q.found[i] = found
			came(err)
		})
	}
	q.wave.end()
}

// readRows reads the rows that were found.
func (q *rowQuery) readRows(err error) {
	if err != nil {
		q.done(err)
		return
	}
	if !q.merge() {
		q.search(q.answer.limit)
		return
	}
	q.answer.count = len(q.positions)
	q.tables.events.Fetch(q.positions, func(i int, row []byte) {
		if rowKindOf(row) != rowTransfer || !q.take(row, q.answer.room(i)) {
			q.damage = fmt.Errorf("forest: %v of the events is not what the indexes say", q.positions[i])
		}
	}, func(err error) {
		if err == nil {
			err = q.damage
		}
		q.done(err)
	})
}

// merge takes what was found in order, up to the limit. It reports false if a
// list may have more that belongs there than it was asked for.
func (q *rowQuery) merge() bool {
	q.positions = q.positions[:0]
	a, b := q.found[0], q.found[1]
	for len(q.positions) < q.answer.limit && len(a)+len(b) > 0 {
		switch {
		case len(a) == 0 && q.cut(0) || len(b) == 0 && q.cut(1):
			return false
		case len(b) == 0 || len(a) > 0 && (a[0] < b[0]) != q.descending:
			q.positions, a = append(q.positions, position(a[0])), a[1:]
		default:
			q.positions, b = append(q.positions, position(b[0])), b[1:]
		}
	}
	return len(q.positions) == q.answer.limit || !q.cut(0) && !q.cut(1)
}

// cut reports whether a list may go on beyond what was found.
func (q *rowQuery) cut(list int) bool {
	return q.window < q.answer.limit && len(q.found[list]) == q.window
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
