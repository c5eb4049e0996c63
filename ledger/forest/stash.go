package forest

import (
	"slices"

	"github.com/ledgerd/ledgerd/ledger"
)

// stash is what Prefetch has found out for the request at hand: the transfers
// and burnt ids that it names, as they were before it, and the times that
// imported records must not have. What is not here is not in the ledger.
//
// It is a hash table with linear probing of numbers of entries.
type stash struct {
	entries []stashed
	slots   [stashSlots]uint16 // number of an entry + 1, 0 if empty

	due        []stashed // transfers that a pulse lets expire, in order
	nextExpiry uint64    // when the first one behind them expires, or noExpiry

	// The timestamps that records have, of those that were asked for, sorted.
	accountsAt, transfersAt, expiriesAt []uint64

	// The answers to the queries of the request, in order. All fit one reply,
	// so each has its place in results from the beginning.
	answers []*answer
	given   int // answers that were taken
	results []byte
	used    int // of results
}

// answer is the results of a query: room for limit of them, each of size bytes,
// of which count are there.
type answer struct {
	size, limit, count int
	results            []byte
}

// room returns where a result belongs, by its number from 0.
func (a *answer) room(i int) []byte { return a.results[i*a.size:][:a.size] }

// stashed is a transfer id with what is stored under it.
type stashed struct {
	id       ledger.Uint128
	burnt    bool
	position position    // of the transfer's row
	pending  openPending // if the transfer is pending
	transfer ledger.Transfer
	slots    [2]slot // of its accounts, by side
}

const (
	// stashMax is how many transfer ids a request names at most: each event its
	// own and that of a pending transfer.
	stashMax = 2 * batchMax
	// stashSlots is so much more that probing ends soon.
	stashSlots = 1 << 15
)

var _ [1<<16 - 1 - stashMax]struct{}
var _ [stashSlots - stashMax - stashMax/4]struct{}

// reset forgets the request before.
func (s *stash) reset() {
	if len(s.entries) > 0 {
		clear(s.slots[:])
	}
	s.entries, s.due = s.entries[:0], s.due[:0]
	s.accountsAt, s.transfersAt, s.expiriesAt = s.accountsAt[:0], s.transfersAt[:0], s.expiriesAt[:0]
	clear(s.answers)
	s.answers, s.given, s.used = s.answers[:0], 0, 0
}

// slot returns where an id is, or would be.
func (s *stash) slot(id ledger.Uint128) int {
	at := int(hashOf(id) % stashSlots)
	for {
		n := s.slots[at]
		if n == 0 || s.entries[n-1].id == id {
			return at
		}
		at = (at + 1) % stashSlots
	}
}

// find returns what is stored under an id, nil if nothing is.
func (s *stash) find(id ledger.Uint128) *stashed {
	if len(s.entries) == 0 { // as mostly
		return nil
	}
	if n := s.slots[s.slot(id)]; n != 0 {
		return &s.entries[n-1]
	}
	return nil
}

// add makes room for what is stored under an id, unless it was added before.
func (s *stash) add(id ledger.Uint128) (entry *stashed, added bool) {
	at := s.slot(id)
	if n := s.slots[at]; n != 0 {
		return &s.entries[n-1], false
	}
	s.entries = append(s.entries, stashed{id: id})
	s.slots[at] = uint16(len(s.entries))
	return &s.entries[len(s.entries)-1], true
}

// expect makes room for the next answer.
func (s *stash) expect(size, limit int) *answer {
	if s.results == nil {
		s.results = make([]byte, ledger.BodySizeMax)
	}
	a := &answer{size: size, limit: limit, results: s.results[s.used:][:size*limit]}
	s.used += size * limit
	s.answers = append(s.answers, a)
	return a
}

// appendAnswer gives the next answer.
func (s *stash) appendAnswer(reply []byte) []byte {
	a := s.answers[s.given]
	s.given++
	return append(reply, a.results[:a.count*a.size]...)
}

// hasAccountAt reports whether an account has the timestamp of an imported
// transfer of the request.
func (s *stash) hasAccountAt(timestamp uint64) bool { return has(s.accountsAt, timestamp) }

// hasTransferAt reports whether a transfer has the timestamp of an imported
// account of the request.
func (s *stash) hasTransferAt(timestamp uint64) bool { return has(s.transfersAt, timestamp) }

// hasExpiryAt reports whether an expiry has the timestamp of an imported
// transfer of the request.
func (s *stash) hasExpiryAt(timestamp uint64) bool { return has(s.expiriesAt, timestamp) }

func has(sorted []uint64, timestamp uint64) bool {
	_, found := slices.BinarySearch(sorted, timestamp)
	return found
}
