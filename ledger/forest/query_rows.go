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
	descending bool
	wave       wave
	found      [2][]uint64 // for each list, in the direction of the query
	positions  []position
	damage     error
	done       func(error)
}

// run answers what can be found within a span.
func (q *rowQuery) run(s span, descending bool, done func(error)) {
	q.descending, q.done = descending, done
	q.wave.begin(q.readRows)
	p := lsm.Positions{Min: uint64(s.low), Max: uint64(s.high - 1), Descending: descending}
	for i, conditions := range q.conditions {
		if len(conditions) == 0 {
			continue
		}
		came := q.wave.read()
		lsm.Intersect(conditions, p, q.answer.limit, nil, func(found []uint64, err error) {
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
	q.merge()
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

// merge takes what was found in order, up to the limit.
func (q *rowQuery) merge() {
	a, b := q.found[0], q.found[1]
	for len(q.positions) < q.answer.limit && len(a)+len(b) > 0 {
		if len(b) == 0 || len(a) > 0 && (a[0] < b[0]) != q.descending {
			q.positions, a = append(q.positions, position(a[0])), a[1:]
		} else {
			q.positions, b = append(q.positions, position(b[0])), b[1:]
		}
	}
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
