package forest

import (
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/ledger"
)

// expected knows the accounts of the transfers that a request is to create, in
// order: Prefetch finds them, so that Commit need not search again.
type expected struct {
	frames []frameNumber // of debit and credit account of each event, plus 1; 0 if not cached
	told   int           // of frames, those that ExpectTransfers was told of
	next   int           // of frames, the one that is probably asked for next
	hashes [2 * expectedMax]uint64
	sum    uint64 // of all that was loaded
}

const (
	// expectedMax bounds what expect looks at in one call.
	expectedMax = 64
	// expectedSkip is how many accounts that were not asked for find passes
	// over: two events that failed before.
	expectedSkip = 4
)

func (x *expected) reset() { x.frames, x.told, x.next = x.frames[:0], 0, 0 }

// find returns the account with an id if it is the one to come, nil otherwise.
func (x *expected) find(c *cache, id ledger.Uint128) (frameNumber, *account) {
	for i := x.next; i < min(x.next+expectedSkip+1, len(x.frames)); i++ {
		if n := x.frames[i]; n != 0 {
			if a := c.frame(n - 1); a.ID == id {
				x.next = i + 1
				return n - 1, a
			}
		}
	}
	return 0, nil
}

// expect finds the accounts of the next events of a request that creates
// transfers, of the first expectedMax at most. It returns the frames of both
// accounts of each, plus 1, or 0 if the account is not cached.
//
// A load from main memory takes as long as executing a transfer; but loads that
// do not depend on each other overlap, about ten at a time, when hardly any
// instructions lie between them. Hence the separate loops here and in
// ExpectTransfers, and the sums, without which the compiler would leave the
// loads out.
func (t *tables) expect(events []byte) []frameNumber {
	const size = ledger.TransferSize
	n := min(len(events)/size, expectedMax)
	x := &t.expected
	for i := range n {
		event := events[i*size:][:size]
		x.hashes[2*i] = hashOf(u128.FromBytes(event[16:]))
		x.hashes[2*i+1] = hashOf(u128.FromBytes(event[32:]))
	}
	sum := uint64(0)
	for _, hash := range x.hashes[:2*n] {
		sum += t.cache.byID.touch(hash)
	}
	first := len(x.frames)
	for _, hash := range x.hashes[:2*n] {
		p := t.cache.byID.probe(hash)
		x.frames = append(x.frames, frameNumber(p.next()))
	}
	frames := x.frames[first:]
	for _, f := range frames {
		if f != 0 {
			sum += t.cache.frame(f - 1).ID.Lo
		}
	}
	x.sum += sum
	for i := range frames {
		id := u128.FromBytes(events[i/2*size+16+i%2*16:])
		if frames[i] == 0 {
			continue
		}
		if a := t.cache.frame(frames[i] - 1); a.ID == id {
			a.hot = true
		} else if f, a := t.cache.find(id); a != nil { // another id has its hash
			frames[i] = f + 1
		} else {
			frames[i] = 0
		}
	}
	return frames
}

// ExpectTransfers implements ledger.Transfers: it touches the memory of the
// accounts of the events that follow those it was told of before.
func (t *tables) ExpectTransfers(events []byte) {
	x := &t.expected
	first := x.told
	x.told = min(first+2*len(events)/ledger.TransferSize, len(x.frames))
	x.next = first
	sum := uint64(0)
	for _, f := range x.frames[first:x.told] {
		if f != 0 {
			a := t.cache.frame(f - 1)
			sum += a.ID.Lo + a.Timestamp + uint64(a.slot) // one in each cache line
		}
	}
	x.sum += sum
}
