package forest

import "github.com/ledgerd/ledgerd/ledger"

// batch finds the transfers that the request at hand has created, and the ids
// that it has burnt: those that the trees do not know yet.
//
// It is a hash table with linear probing of numbers of entries. Entries are
// removed in the reverse order of insertion, so that gaps need not be closed.
type batch struct {
	slots   [batchSlots]uint16 // number of an entry + 1, 0 if empty
	entries []batchEntry
}

// batchEntry is an id with the position of its transfer, 0 if it is burnt.
type batchEntry struct {
	id       ledger.Uint128
	position position
}

const (
	// batchMax is how many events a request has at most.
	batchMax = ledger.BodySizeMax / ledger.TransferSize
	// batchSlots is so much more that probing mostly ends at the first slot.
	batchSlots = 1 << 15
)

var _ [batchSlots - 2*batchMax]struct{}

// slot returns where an id is, or would be.
func (b *batch) slot(id ledger.Uint128) int {
	at := int(hashOf(id) % batchSlots)
	for {
		n := b.slots[at]
		if n == 0 || b.entries[n-1].id == id {
			return at
		}
		at = (at + 1) % batchSlots
	}
}

// find returns the entry of an id, nil if there is none.
func (b *batch) find(id ledger.Uint128) *batchEntry {
	if n := b.slots[b.slot(id)]; n != 0 {
		return &b.entries[n-1]
	}
	return nil
}

// insert adds an id that is not there; position is 0 if it is burnt.
func (b *batch) insert(id ledger.Uint128, p position) {
	at := b.slot(id)
	b.entries = append(b.entries, batchEntry{id, p})
	b.slots[at] = uint16(len(b.entries))
}

// truncate removes all entries but the first count.
func (b *batch) truncate(count int) {
	if count == 0 && len(b.entries) > batchSlots/16 {
		clear(b.slots[:])
		b.entries = b.entries[:0]
	}
	for n := len(b.entries); n > count; n-- {
		b.slots[b.slot(b.entries[n-1].id)] = 0
		b.entries = b.entries[:n-1]
	}
}
