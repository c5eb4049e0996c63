package forest

import "github.com/ledgerd/ledgerd/ledger"

// The general queries look at every record within the bounds of time, which
// are found by binary search. Indexes on the conditions would make rare
// values fast to find; until then the cost is about 10 ns a record.

// AppendAccounts implements ledger.Queries.
func (t *tables) AppendAccounts(f *ledger.QueryFilter, limit int, reply []byte) []byte {
	first, end := 0, t.accounts.count
	if f.TimestampMin != 0 {
		first = t.accounts.lowerBound(f.TimestampMin)
	}
	if f.TimestampMax != 0 {
		end = t.accounts.lowerBound(f.TimestampMax + 1)
	}
	for n := first; n < end && limit > 0; n++ {
		i := n
		if f.Flags&ledger.QueryFilterReversed != 0 {
			i = end - 1 - (n - first)
		}
		if a := t.accounts.at(ledger.AccountRef(i)); matchesAccount(&a.Account, f) {
			reply = a.Append(reply)
			limit--
		}
	}
	return reply
}

func matchesAccount(a *ledger.Account, f *ledger.QueryFilter) bool {
	return (f.Code == 0 || f.Code == a.Code) &&
		(f.Ledger == 0 || f.Ledger == a.Ledger) &&
		(f.UserData128.IsZero() || f.UserData128 == a.UserData128) &&
		(f.UserData64 == 0 || f.UserData64 == a.UserData64) &&
		(f.UserData32 == 0 || f.UserData32 == a.UserData32)
}

// AppendTransfers implements ledger.Queries.
func (t *tables) AppendTransfers(f *ledger.QueryFilter, limit int, reply []byte) []byte {
	var x ledger.Transfer
	visit := func(row []byte) bool {
		if t.matchesTransfer(row, f) {
			t.readTransfer(row, &x)
			reply = x.Append(reply)
			limit--
		}
		return limit > 0
	}
	low, high := t.transfers.bounds(f.TimestampMin, f.TimestampMax)
	high = min(high, t.transfers.end())
	if f.Flags&ledger.QueryFilterReversed != 0 {
		t.descend(low, high, visit)
		return reply
	}
	for at := t.transfers.normal(low); at < high; {
		row := t.transfers.at(at)
		if !visit(row) {
			break
		}
		at = t.transfers.normal(at + position(rowLength(row)))
	}
	return reply
}

// descend visits the rows of the transfer log from high down to low. Rows lead
// forwards only, so it collects each page's first.
func (t *tables) descend(low, high position, visit func(row []byte) bool) {
	for n := high.page(); n >= low.page() && n >= 0; n-- {
		at := max(low, position(n)<<offsetBits|pageHeaderSize)
		end := position(n)<<offsetBits | position(t.transfers.used(n))
		t.found = t.found[:0]
		for at < min(end, high) {
			t.found = append(t.found, at)
			at += position(rowLength(t.transfers.at(at)))
		}
		for i := len(t.found) - 1; i >= 0; i-- {
			if !visit(t.transfers.at(t.found[i])) {
				return
			}
		}
	}
}

// used returns how many bytes of a page are in use, 0 if there is no such page.
func (l *log) used(page int) int {
	if page >= len(l.pages) {
		return 0
	}
	return l.pages[page].used
}

func (t *tables) matchesTransfer(row []byte, f *ledger.QueryFilter) bool {
	return matchesFields(row, f.UserData128, f.UserData64, f.UserData32, f.Code) &&
		(f.Ledger == 0 || f.Ledger == t.accounts.at(rowAccount(row, debitSide)).Ledger)
}
