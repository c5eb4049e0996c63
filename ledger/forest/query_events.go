package forest

import (
	"fmt"

	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/lsm"
)

// eventsQuery answers get_change_events: transfers of a span of the log, merged
// with expiries, which a tree finds by time (see stamp.go). What an event needs
// of other rows is filled in afterwards, in up to three waves: the rows of
// expiries, those of the transfers that expired, and those of accounts.
type eventsQuery struct {
	tables *tables
	filter ledger.ChangeEventsFilter
	answer *answer
	wave   wave
	span   span
	done   func(error)

	events   []event
	expiries []lsm.Entry
	merged   int // of expiries

	positions []position // whose rows are being read
	eventOf   []int32    // for each of them
	damage    error
}

// event is a change event on its way.
type event struct {
	ledger.ChangeEvent
	slots    [2]slot  // of the accounts, by side
	expiry   position // of its row, if it is one
	transfer position // of the transfer that expired
}

func (q *eventsQuery) begin(done func(error)) {
	q.done = done
	f := &q.filter
	last := f.TimestampMax
	if last == 0 {
		last = ledger.TimestampMax
	}
	q.wave.begin(q.merge)
	q.span.seek(q.tables.events, f.TimestampMin, f.TimestampMax, &q.wave)
	came := q.wave.read()
	q.tables.trees.all[expired].Scan(lsm.Range{Min: expiredKey(f.TimestampMin), Max: expiredKey(last)}, q.answer.limit, nil,
		func(entries []lsm.Entry, err error) {
			q.expiries = entries
			came(err)
		})
	q.wave.end()
}

// merge puts transfers and expiries in the order of their timestamps.
func (q *eventsQuery) merge(err error) {
	if err != nil {
		q.done(err)
		return
	}
	q.tables.events.Scan(q.span.low, q.span.high, false, q.mergeTransfer, func(err error) {
		for q.merged < len(q.expiries) && len(q.events) < q.answer.limit {
			q.mergeExpiry()
		}
		q.readExpiries(err)
	})
}

// mergeTransfer adds a row of the log and the expiries before it. It reports
// whether there is room for more.
func (q *eventsQuery) mergeTransfer(_ position, row []byte) bool {
	if rowKindOf(row) != rowTransfer {
		return true
	}
	for q.merged < len(q.expiries) && q.expiries[q.merged].Key[0] < rowStamp(row) && len(q.events) < q.answer.limit {
		q.mergeExpiry()
	}
	if len(q.events) == q.answer.limit {
		return false
	}
	var e event
	var x ledger.Transfer
	readTransfer(row, &x)
	e.Timestamp = x.Timestamp
	e.Type = kindOf(x.Flags)
	e.setTransfer(&x)
	e.setBalances(row)
	q.events = append(q.events, e)
	return len(q.events) < q.answer.limit
}

func (q *eventsQuery) mergeExpiry() {
	entry := q.expiries[q.merged]
	q.merged++
	e := event{expiry: position(entry.Value)}
	e.Timestamp, e.Type = entry.Key[0], ledger.ChangeEventTwoPhaseExpired
	q.events = append(q.events, e)
}

func kindOf(flags ledger.TransferFlags) ledger.ChangeEventType {
	switch {
	case flags&ledger.TransferPending != 0:
		return ledger.ChangeEventTwoPhasePending
	case flags&ledger.TransferPostPendingTransfer != 0:
		return ledger.ChangeEventTwoPhasePosted
	case flags&ledger.TransferVoidPendingTransfer != 0:
		return ledger.ChangeEventTwoPhaseVoided
	}
	return ledger.ChangeEventSinglePhase
}

// readExpiries reads the rows of the expiries.
func (q *eventsQuery) readExpiries(err error) {
	if err != nil {
		q.done(err)
		return
	}
	q.positions, q.eventOf = q.positions[:0], q.eventOf[:0]
	for i := range q.events {
		if p := q.events[i].expiry; p != 0 {
			q.positions, q.eventOf = append(q.positions, p), append(q.eventOf, int32(i))
		}
	}
	q.tables.events.Fetch(q.positions, func(i int, row []byte) {
		e := &q.events[q.eventOf[i]]
		if rowKindOf(row) != rowExpiry || readExpiry(row).timestamp != e.Timestamp {
			q.damage = fmt.Errorf("forest: %v of the events is not the expiry at %d", e.expiry, e.Timestamp)
			return
		}
		e.transfer = readExpiry(row).position
		e.setBalances(row)
	}, q.readExpired)
}

// readExpired reads the rows of the transfers that expired.
func (q *eventsQuery) readExpired(err error) {
	if err = q.orDamage(err); err != nil {
		q.done(err)
		return
	}
	for i, n := range q.eventOf {
		q.positions[i] = q.events[n].transfer
	}
	q.tables.events.Fetch(q.positions, func(i int, row []byte) {
		if rowKindOf(row) != rowTransfer {
			q.damage = fmt.Errorf("forest: %v of the events is not a transfer", q.positions[i])
			return
		}
		var x ledger.Transfer
		readTransfer(row, &x)
		q.events[q.eventOf[i]].setTransfer(&x)
	}, q.readAccounts)
}

// readAccounts fills in what never changes of accounts: from the cache, or from
// their rows.
func (q *eventsQuery) readAccounts(err error) {
	if err = q.orDamage(err); err != nil {
		q.done(err)
		return
	}
	q.positions, q.eventOf = q.positions[:0], q.eventOf[:0]
	for i := range q.events {
		e := &q.events[i]
		for s := debitSide; s <= creditSide; s++ {
			if a := q.tables.cache.ofSlot(e.slots[s]); a != nil {
				e.setAccount(&a.Account, s)
				continue
			}
			q.positions = append(q.positions, q.tables.accountAt(e.slots[s]))
			q.eventOf = append(q.eventOf, int32(i)<<1|int32(s))
		}
	}
	q.tables.accounts.Fetch(q.positions, func(i int, row []byte) {
		a := accountFromRow(row)
		q.events[q.eventOf[i]>>1].setAccount(&a, side(q.eventOf[i]&1))
	}, q.finish)
}

func (q *eventsQuery) finish(err error) {
	if err == nil {
		for i := range q.events {
			q.events[i].Encode(q.answer.room(i))
		}
		q.answer.count = len(q.events)
	}
	q.done(err)
}

func (q *eventsQuery) orDamage(err error) error {
	if err == nil {
		return q.damage
	}
	return err
}

// setTransfer fills in the transfer that the event is about.
func (e *event) setTransfer(x *ledger.Transfer) {
	e.TransferID, e.TransferAmount, e.TransferPendingID = x.ID, x.Amount, x.PendingID
	e.TransferUserData128, e.TransferUserData64, e.TransferUserData32 = x.UserData128, x.UserData64, x.UserData32
	e.TransferTimeout, e.TransferCode, e.TransferFlags = x.Timeout, x.Code, x.Flags
	e.TransferTimestamp, e.Ledger = x.Timestamp, x.Ledger
}

// setBalances fills in what both accounts are after the event.
func (e *event) setBalances(row []byte) {
	e.slots = [2]slot{rowSlot(row, debitSide), rowSlot(row, creditSide)}
	d, c := readBalances(row, debitSide), readBalances(row, creditSide)
	e.DebitAccountDebitsPending, e.DebitAccountDebitsPosted = d.debitsPending, d.debitsPosted
	e.DebitAccountCreditsPending, e.DebitAccountCreditsPosted = d.creditsPending, d.creditsPosted
	e.DebitAccountFlags = d.flags
	e.CreditAccountDebitsPending, e.CreditAccountDebitsPosted = c.debitsPending, c.debitsPosted
	e.CreditAccountCreditsPending, e.CreditAccountCreditsPosted = c.creditsPending, c.creditsPosted
	e.CreditAccountFlags = c.flags
}

// setAccount fills in what an account was created with.
func (e *event) setAccount(a *ledger.Account, s side) {
	if s == debitSide {
		e.DebitAccountID, e.DebitAccountTimestamp = a.ID, a.Timestamp
		e.DebitAccountUserData128, e.DebitAccountUserData64 = a.UserData128, a.UserData64
		e.DebitAccountUserData32, e.DebitAccountCode = a.UserData32, a.Code
		return
	}
	e.CreditAccountID, e.CreditAccountTimestamp = a.ID, a.Timestamp
	e.CreditAccountUserData128, e.CreditAccountUserData64 = a.UserData128, a.UserData64
	e.CreditAccountUserData32, e.CreditAccountCode = a.UserData32, a.Code
}
