package forest

import (
	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/lsm"
)

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
	q.account = slot(q.slots[0])
	trees := q.queries.tables.trees
	for s := debitSide; s <= creditSide; s++ {
		if q.wants(s) {
			one := lsm.Condition{Tree: trees.all[accountIndex], Prefix: accountKey(q.account, s, 0)}
			q.rows.conditions[s] = trees.conditions(transfersBy, q.queried(), []lsm.Condition{one})
		}
	}
	q.rows.run(q.span, q.filter.Flags&ledger.AccountFilterReversed != 0, q.done)
}

// wants reports whether transfers are asked for in which the account is on a side.
func (q *accountQuery) wants(s side) bool {
	return q.filter.Flags&[...]ledger.AccountFilterFlags{ledger.AccountFilterDebits, ledger.AccountFilterCredits}[s] != 0
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
	if !ok || !q.wants(s) || !q.queried().matches(row) {
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
