package forest

import (
	"math"

	"github.com/ledgerd/ledgerd/ledger"
)

// AppendAccountTransfers implements ledger.Queries.
func (t *tables) AppendAccountTransfers(f *ledger.AccountFilter, limit int, reply []byte) []byte {
	var x ledger.Transfer
	t.ofAccount(f, limit, func(row []byte, _ side) {
		t.readTransfer(row, &x)
		reply = x.Append(reply)
	})
	return reply
}

// AppendAccountBalances implements ledger.Queries.
func (t *tables) AppendAccountBalances(f *ledger.AccountFilter, limit int, reply []byte) []byte {
	t.ofAccount(f, limit, func(row []byte, s side) {
		b := readBalances(row, s)
		balance := ledger.AccountBalance{
			DebitsPending: b.debitsPending, DebitsPosted: b.debitsPosted,
			CreditsPending: b.creditsPending, CreditsPosted: b.creditsPosted,
			Timestamp: rowTimestamp(row),
		}
		reply = balance.Append(reply)
	})
	return reply
}

// cursor is a row in the chain of an account's rows, which are counted from 0.
// Going back n rows takes about n/4096 + 128 steps.
type cursor struct {
	tables  *tables
	account ledger.AccountRef
	at      position // 0 before the first row
	number  uint64   // of the row at position at
}

// newestRow returns the cursor of an account's newest row.
func (t *tables) newestRow(ref ledger.AccountRef) cursor {
	a := t.accounts.at(ref)
	return cursor{t, ref, a.last, a.rows - 1}
}

// row returns the row and which side the account is on.
func (c *cursor) row() ([]byte, side) {
	row := c.tables.transfers.at(c.at)
	if rowAccount(row, debitSide) == c.account {
		return row, debitSide
	}
	return row, creditSide
}

// previous moves one row back.
func (c *cursor) previous() {
	l := readLinks(c.row())
	c.at = l.previous
	c.number--
}

// back moves back as far as the predicate stays true of the rows passed, in
// as few steps as the links allow: to the oldest row of which it is true. It
// must be true of the row at hand, and of no row older than one it is not
// true of.
func (c *cursor) back(stays func(at position, number uint64) bool) {
	if a := c.tables.accounts.at(c.account); c.number == a.rows-1 {
		// The account itself knows the first stop of each kind.
		c.jump(a.near, c.number%nearDistance, stays)
		if c.number%nearDistance == 0 {
			c.jump(a.far, c.number%farDistance, stays)
		}
	}
	for {
		l := readLinks(c.row())
		if c.jump(l.far, farDistance, stays) || c.jump(l.near, nearDistance, stays) || c.jump(l.previous, 1, stays) {
			continue
		}
		return
	}
}

// jump moves distance rows back, to a position, if there is such a row and the
// predicate allows it.
func (c *cursor) jump(to position, distance uint64, stays func(at position, number uint64) bool) bool {
	if to == 0 || distance == 0 || !stays(to, c.number-distance) {
		return false
	}
	c.at = to
	c.number -= distance
	return true
}

// accountWindow is how many rows an ascending query looks at at a time.
const accountWindow = 8192

// ofAccount calls found for the first limit transfers that match the filter,
// in its order.
func (t *tables) ofAccount(f *ledger.AccountFilter, limit int, found func(row []byte, s side)) {
	ref, a := t.accounts.find(f.AccountID)
	if a == nil || a.rows == 0 {
		return
	}
	low, high := t.transfers.bounds(f.TimestampMin, f.TimestampMax)
	c := t.newestRow(ref)
	if c.at >= high {
		c.back(func(at position, _ uint64) bool { return at >= high })
		c.previous()
	}
	if c.at < low { // also if there is no row at all
		return
	}
	visit := func(at position) bool {
		row := t.transfers.at(at)
		s := debitSide
		if rowAccount(row, debitSide) != ref {
			s = creditSide
		}
		if matchesAccountFilter(row, s, f) {
			found(row, s)
			limit--
		}
		return limit > 0
	}
	if f.Flags&ledger.AccountFilterReversed != 0 {
		for c.at != 0 && c.at >= low && visit(c.at) {
			c.previous()
		}
		return
	}
	t.ascending(c, low, limit, visit)
}

// ascending visits the rows from low up to the cursor's, oldest first. The
// chain leads backwards, so it looks at one window of rows after the other.
func (t *tables) ascending(newest cursor, low position, limit int, visit func(at position) bool) {
	oldest := newest
	oldest.back(func(at position, _ uint64) bool { return at >= low })
	// What matches is often everything: begin with as many as are wanted.
	size := uint64(min(limit, accountWindow))
	for first := oldest.number; first <= newest.number; {
		last := min(first+size-1, newest.number)
		size = accountWindow
		c := newest
		if c.number > last {
			c.back(func(_ position, number uint64) bool { return number >= last })
		}
		t.found = t.found[:0]
		for {
			t.found = append(t.found, c.at)
			if c.number == first {
				break
			}
			c.previous()
		}
		for i := len(t.found) - 1; i >= 0; i-- {
			if !visit(t.found[i]) {
				return
			}
		}
		first = last + 1
	}
}

// bounds turns inclusive bounds of time, where 0 is none, into positions: the
// first row, and the first one after the last.
func (l *log) bounds(timestampMin, timestampMax uint64) (low, high position) {
	low, high = pageHeaderSize, math.MaxUint64
	if timestampMin != 0 {
		low = l.lowerBound(timestampMin)
	}
	if timestampMax != 0 {
		high = l.lowerBound(timestampMax + 1)
	}
	return low, high
}

func matchesAccountFilter(row []byte, s side, f *ledger.AccountFilter) bool {
	wanted := ledger.AccountFilterDebits
	if s == creditSide {
		wanted = ledger.AccountFilterCredits
	}
	return f.Flags&wanted != 0 && matchesFields(row, f.UserData128, f.UserData64, f.UserData32, f.Code)
}

// matchesFields reports whether a row equals each condition that is not 0.
func matchesFields(row []byte, userData128 ledger.Uint128, userData64 uint64, userData32 uint32, code uint16) bool {
	if code != 0 && code != rowCode(row) {
		return false
	}
	if userData128.IsZero() && userData64 == 0 && userData32 == 0 {
		return true
	}
	r := readRow(row, fieldUserData128)
	v128, v64, v32 := r.next(), r.next64(), uint32(r.next64())
	return (userData128.IsZero() || userData128 == v128) &&
		(userData64 == 0 || userData64 == v64) &&
		(userData32 == 0 || userData32 == v32)
}
