package forest

import (
	"math"

	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/lsm"
)

// transfersQuery answers query_transfers.
type transfersQuery struct {
	filter ledger.QueryFilter
	fields queried
	rows   rowQuery
	wave   wave
	span   span
	done   func(error)
}

func (q *transfersQuery) begin(done func(error)) {
	q.done, q.fields = done, fieldsOf(&q.filter)
	q.wave.begin(q.search)
	q.span.seek(q.rows.tables.events, q.filter.TimestampMin, q.filter.TimestampMax, &q.wave)
	q.wave.end()
}

func fieldsOf(f *ledger.QueryFilter) queried {
	return queried{f.UserData128, f.UserData64, f.UserData32, f.Ledger, f.Code}
}

func (q *transfersQuery) search(err error) {
	if err != nil {
		q.done(err)
		return
	}
	t, descending := q.rows.tables, q.filter.Flags&ledger.QueryFilterReversed != 0
	if q.rows.conditions[0] = t.trees.conditions(transfersBy, &q.fields, nil); len(q.rows.conditions[0]) > 0 {
		q.rows.run(q.span, descending, q.done)
		return
	}
	a := q.rows.answer
	t.events.Scan(q.span.low, q.span.high, descending, func(_ position, row []byte) bool {
		if rowKindOf(row) == rowTransfer {
			q.take(row, a.room(a.count))
			a.count++
		}
		return a.count < a.limit
	}, q.done)
}

func (q *transfersQuery) take(row, result []byte) bool {
	var x ledger.Transfer
	readTransfer(row, &x)
	x.Encode(result)
	return q.fields.matches(row)
}

// accountsQuery answers query_accounts.
type accountsQuery struct {
	queries *queries
	filter  ledger.QueryFilter
	answer  *answer
	wave    wave
	span    span
	slots   []uint64
	done    func(error)
}

func (q *accountsQuery) begin(done func(error)) {
	q.done = done
	q.wave.begin(q.search)
	q.span.seek(q.queries.tables.accounts, q.filter.TimestampMin, q.filter.TimestampMax, &q.wave)
	q.wave.end()
}

// search finds the slots of the accounts.
func (q *accountsQuery) search(err error) {
	t := q.queries.tables
	low, high := uint64(0), uint64(t.slots())
	if q.span.low != 0 {
		low = t.accounts.NumberOf(q.span.low, accountRowSize)
	}
	if q.span.high != math.MaxUint64 {
		high = t.accounts.NumberOf(q.span.high, accountRowSize)
	}
	if err != nil || low >= high {
		q.done(err)
		return
	}
	descending := q.filter.Flags&ledger.QueryFilterReversed != 0
	fields := fieldsOf(&q.filter)
	if conditions := t.trees.conditions(accountsBy, &fields, nil); len(conditions) > 0 {
		lsm.Intersect(conditions, lsm.Positions{Min: low, Max: high - 1, Descending: descending}, q.answer.limit, nil, q.load)
		return
	}
	for i := range min(high-low, uint64(q.answer.limit)) {
		s := low + i
		if descending {
			s = high - 1 - i
		}
		q.slots = append(q.slots, s)
	}
	q.load(q.slots, nil)
}

// load brings the accounts in.
func (q *accountsQuery) load(slots []uint64, err error) {
	if err != nil {
		q.done(err)
		return
	}
	q.slots = slots
	l := q.queries.idleLoader()
	for _, s := range slots {
		l.need(slot(s))
	}
	l.load(func(err error) {
		q.queries.loaders = append(q.queries.loaders, l)
		for i, s := range q.slots {
			if err == nil {
				q.queries.tables.cache.ofSlot(slot(s)).Encode(q.answer.room(i))
				q.answer.count++
			}
		}
		q.done(err)
	})
}
