package forest

import (
	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/lsm"
)

// put adds an entry to a tree, with a key of up to three words. at is the
// position of the row from which it follows, in the log that the tree follows
// from.
func (t *trees) put(tree int, at position, a, b, c, value uint64) {
	switch {
	case !t.replaying:
		t.all[tree].PutWords(a, b, c, value)
	case t.sums != nil:
		t.sums[tree].add(lsm.Key{a, b, c}, summed(tree, value))
	case at >= t.marks[tree]:
		t.all[tree].Refill(lsm.Key{a, b, c}, value)
	}
}

// remove takes an entry from a tree. at is as in put.
func (t *trees) remove(tree int, at position, key lsm.Key) {
	switch {
	case !t.replaying:
		t.all[tree].Remove(key)
	case t.sums != nil:
		t.sums[tree].remove(key, 0)
	case at >= t.marks[tree]:
		t.all[tree].RefillRemove(key)
	}
}

// index adds what follows from the row of the events log at a position. Rows
// come in order.
func (t *trees) index(row []byte, at position) {
	switch rowKindOf(row) {
	case rowTransfer:
		t.indexTransfer(row, at)
	case rowExpiry:
		e := readExpiry(row)
		t.remove(expiries, at, expiryKey(e.expiresAt, e.number))
		t.put(expired, at, e.timestamp, 0, 0, uint64(at))
	case rowBurnt:
		id := rowID(row)
		t.put(transferIDs, at, id.Hi, id.Lo, 0, 0)
	}
}

func (t *trees) indexTransfer(row []byte, at position) {
	p := uint64(at)
	id := rowID(row)
	t.put(transferIDs, at, id.Hi, id.Lo, 0, p)
	t.put(accountIndex, at, sideWord(rowSlot(row, debitSide), debitSide), p, 0, 0)
	t.put(accountIndex, at, sideWord(rowSlot(row, creditSide), creditSide), p, 0, 0)

	r := readRow(row, fieldUserData128)
	v128, v64, rest := r.next(), r.next64(), r.next()
	f := queried{v128, v64, uint32(rest.Lo >> 32), uint32(rest.Lo), rowCode(row)}
	t.indexFields(transfersBy, at, &f, p)

	flags := rowFlags(row)
	switch {
	case flags&ledger.TransferPending != 0 && rest.Hi != 0:
		pending := rowPending(row)
		t.put(expiries, at, pending.expiresAt, pending.number, 0, p)
	case isResolution(flags):
		if resolved := rowResolved(row); resolved.expiresAt != 0 {
			t.remove(expiries, at, expiryKey(resolved.expiresAt, resolved.number))
		}
	}
}

// queried are the fields that general queries ask for.
type queried struct {
	userData128 ledger.Uint128
	userData64  uint64
	userData32  uint32
	ledger      uint32
	code        uint16
}

// indexFields adds the fields that are not zero to the five trees from first on.
func (t *trees) indexFields(first int, at position, f *queried, last uint64) {
	if !f.userData128.IsZero() {
		t.put(first+int(byUserData128), at, f.userData128.Hi, f.userData128.Lo, last, 0)
	}
	if f.userData64 != 0 {
		t.put(first+int(byUserData64), at, f.userData64, last, 0, 0)
	}
	if f.userData32 != 0 {
		t.put(first+int(byUserData32), at, uint64(f.userData32), last, 0, 0)
	}
	t.put(first+int(byLedger), at, uint64(f.ledger), last, 0, 0)
	t.put(first+int(byCode), at, uint64(f.code), last, 0, 0)
}

// indexAccount adds what follows from the row of the accounts log at a position.
// Rows come in order.
func (t *trees) indexAccount(row []byte, s slot, at position) {
	a := accountFromRow(row)
	t.put(accountIDs, at, a.ID.Hi, a.ID.Lo, 0, uint64(s))
	f := queried{a.UserData128, a.UserData64, a.UserData32, a.Ledger, a.Code}
	t.indexFields(accountsBy, at, &f, uint64(s))
}
