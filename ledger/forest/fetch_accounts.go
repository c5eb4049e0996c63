package forest

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/lsm"
)

// loader brings accounts into the cache: need and needID say which, load does
// it. That takes up to three waves of reads: indexes and pages of the tree of
// ids, then for each account its row in the accounts log and its newest row in
// the events log.
type loader struct {
	tables *tables
	wave   wave
	done   func(error)

	ids    []lsm.Key // of accounts that are not cached, and may not exist
	values []uint64  // slots of ids
	wanted []wanted  // accounts that are not cached

	rows   []position // of wanted, in the accounts log
	heads  []position // of those that have one, in the events log
	headOf []int32    // which of wanted a head is of
	damage error      // a row that is not of the account that it must be of

	// These are made once, so that a load allocates nothing.
	found, loaded  func(error)
	created, after func(i int, row []byte)
}

// wanted is an account on its way into the cache.
type wanted struct {
	slot    slot
	id      ledger.Uint128 // zero if only the slot is known
	head    position       // 0 if it has none
	account ledger.Account // as it was created
	now     balances       // if it has a head
}

func newLoader(t *tables) *loader {
	l := &loader{tables: t}
	l.found, l.loaded = l.idsFound, l.rowsLoaded
	l.created, l.after = l.takeCreated, l.takeHead
	return l
}

// need asks for the account in a slot.
func (l *loader) need(s slot) {
	if l.tables.cache.ofSlot(s) == nil {
		l.wanted = append(l.wanted, wanted{slot: s})
	}
}

// needID asks for the account with an id, if there is one.
func (l *loader) needID(id ledger.Uint128) {
	if _, a := l.tables.cache.find(id); a == nil {
		l.ids = append(l.ids, idKey(id))
	}
}

// load brings in what was asked for since the last load. After it, accounts
// that were asked for and are not in the cache do not exist.
func (l *loader) load(done func(error)) {
	l.done = done
	if len(l.ids) == 0 {
		l.loadSlots()
		return
	}
	slices.SortFunc(l.ids, lsm.Key.Compare)
	l.ids = slices.Compact(l.ids)
	l.values = slices.Grow(l.values[:0], len(l.ids))[:len(l.ids)]
	l.tables.trees.all[accountIDs].Lookup(l.ids, l.values, l.found)
}

func (l *loader) idsFound(err error) {
	if err != nil {
		l.finish(err)
		return
	}
	for i, value := range l.values {
		if value != lsm.Absent {
			l.wanted = append(l.wanted, wanted{slot: slot(value), id: ledger.Uint128{Hi: l.ids[i][0], Lo: l.ids[i][1]}})
		}
	}
	l.loadSlots()
}

// loadSlots reads all rows of the wanted accounts.
func (l *loader) loadSlots() {
	if len(l.wanted) == 0 {
		l.finish(nil)
		return
	}
	t := l.tables
	// Where an account is wanted twice, the one with the id stays.
	slices.SortFunc(l.wanted, func(a, b wanted) int { return cmp.Or(cmp.Compare(a.slot, b.slot), b.id.Compare(a.id)) })
	l.wanted = slices.CompactFunc(l.wanted, func(a, b wanted) bool { return a.slot == b.slot })
	for i := range l.wanted {
		w := &l.wanted[i]
		if w.slot >= t.slots() {
			l.finish(fmt.Errorf("forest: there is no account number %d of %d", w.slot, t.slots()))
			return
		}
		l.rows = append(l.rows, t.accountAt(w.slot))
		if w.head = t.heads.at(w.slot); w.head != 0 {
			l.heads, l.headOf = append(l.heads, w.head), append(l.headOf, int32(i))
		}
	}
	l.wave.begin(l.loaded)
	t.accounts.Fetch(l.rows, l.created, l.wave.read())
	t.events.Fetch(l.heads, l.after, l.wave.read())
	l.wave.end()
}

func (l *loader) takeCreated(i int, row []byte) {
	w := &l.wanted[i]
	w.account = accountFromRow(row)
	if !w.id.IsZero() && w.id != w.account.ID {
		l.damage = fmt.Errorf("forest: %v of the accounts has id %v, not %v", l.rows[i], w.account.ID, w.id)
	}
}

func (l *loader) takeHead(i int, row []byte) {
	w := &l.wanted[l.headOf[i]]
	s, ok := sideOf(row, w.slot)
	if !ok {
		l.damage = fmt.Errorf("forest: %v of the events does not concern account number %d", l.heads[i], w.slot)
		return
	}
	w.now = readBalances(row, s)
}

// sideOf returns on which side of a row an account is.
func sideOf(row []byte, s slot) (side, bool) {
	switch {
	case rowKindOf(row) == rowBurnt:
		return 0, false
	case rowSlot(row, debitSide) == s:
		return debitSide, true
	}
	return creditSide, rowSlot(row, creditSide) == s
}

func (l *loader) rowsLoaded(err error) {
	if err == nil {
		err = l.damage
	}
	if err != nil {
		l.finish(err)
		return
	}
	for i := range l.wanted {
		w := &l.wanted[i]
		if l.tables.cache.ofSlot(w.slot) != nil {
			continue // another loader was faster
		}
		if w.head != 0 {
			w.account.DebitsPending, w.account.DebitsPosted = w.now.debitsPending, w.now.debitsPosted
			w.account.CreditsPending, w.account.CreditsPosted = w.now.creditsPending, w.now.creditsPosted
			w.account.Flags = w.now.flags
		}
		l.tables.cache.insert(w.slot, &w.account)
	}
	l.finish(nil)
}

func (l *loader) finish(err error) {
	done := l.done
	l.done, l.damage = nil, nil
	l.ids, l.wanted = l.ids[:0], l.wanted[:0]
	l.rows, l.heads, l.headOf = l.rows[:0], l.heads[:0], l.headOf[:0]
	done(err)
}
