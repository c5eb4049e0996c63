package forest

import (
	"fmt"
	"math"
	"slices"

	"github.com/ledgerd/ledgerd/ledger"
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

// sidesWindowMin is how many entries of an account index are looked at at least
// when only some of them are wanted.
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

// accountQuery answers get_account_transfers and get_account_balances.
type accountQuery struct {
	queries  *queries
	filter   ledger.AccountFilter
	balances bool
	rows     rowQuery
	wave     wave
	span     span
	account  slot
	slots    [1]uint64 // of the account, or lsm.Absent
	done     func(error)
}

func (q *accountQuery) begin(done func(error)) {
	t := q.queries.tables
	q.done = done
	q.wave.begin(q.search)
	q.span.seek(t.events, q.filter.TimestampMin, q.filter.TimestampMax, &q.wave)
	_, cached := t.cache.find(q.filter.AccountID)
	switch {
	case cached != nil:
		q.slots[0] = uint64(cached.slot)
	case q.balances: // they depend on a flag of the account
		came, l := q.wave.read(), q.queries.idleLoader()
		l.needID(q.filter.AccountID)
		l.load(func(err error) {
			q.queries.loaders = append(q.queries.loaders, l)
			q.slots[0] = lsm.Absent
			if _, a := t.cache.find(q.filter.AccountID); a != nil {
				q.slots[0] = uint64(a.slot)
			}
			came(err)
		})
	default:
		t.trees.all[accountIDs].Lookup([]lsm.Key{idKey(q.filter.AccountID)}, q.slots[:], q.wave.read())
	}
	q.wave.end()
}

func (q *accountQuery) search(err error) {
	if err != nil || q.slots[0] == lsm.Absent || q.balances && !q.hasHistory() {
		q.done(err)
		return
	}
	t, f := q.queries.tables, &q.filter
	q.account = slot(q.slots[0])
	q.rows.conditions = []lsm.Condition{{Tree: t.trees.all[accountIndex], Prefix: accountKey(q.account, 0)}}
	q.rows.conditions = t.trees.conditions(transfersBy, q.queried(), q.rows.conditions)
	switch f.Flags & (ledger.AccountFilterDebits | ledger.AccountFilterCredits) {
	case ledger.AccountFilterDebits:
		q.rows.sides = onDebitSide
	case ledger.AccountFilterCredits:
		q.rows.sides = onCreditSide
	}
	q.rows.run(q.span, f.Flags&ledger.AccountFilterReversed != 0, q.done)
}

func (q *accountQuery) queried() *queried {
	f := &q.filter
	return &queried{userData128: f.UserData128, userData64: f.UserData64, userData32: f.UserData32, code: f.Code}
}

func (q *accountQuery) hasHistory() bool {
	_, a := q.queries.tables.cache.find(q.filter.AccountID)
	return a.Flags&ledger.AccountHistory != 0
}

// take writes a row as a transfer, or as the balance of the account after it.
func (q *accountQuery) take(row, result []byte) bool {
	s, ok := sideOf(row, q.account)
	if !ok || q.rows.sides != 0 && q.rows.sides != onDebitSide<<s || !q.queried().matches(row) {
		return false
	}
	if q.balances {
		b := readBalances(row, s)
		balance := ledger.AccountBalance{
			DebitsPending: b.debitsPending, DebitsPosted: b.debitsPosted,
			CreditsPending: b.creditsPending, CreditsPosted: b.creditsPosted,
			Timestamp: rowStamp(row),
		}
		balance.Encode(result)
		return true
	}
	var x ledger.Transfer
	readTransfer(row, &x)
	x.Encode(result)
	return true
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
	if q.rows.conditions = t.trees.conditions(transfersBy, &q.fields, nil); len(q.rows.conditions) > 0 {
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
