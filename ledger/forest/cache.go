package forest

import "github.com/ledgerd/ledgerd/ledger"

// cache holds accounts in full: those in use lately, within a budget. Accounts
// that are not here are put together from their rows when a request names them.
// What is in it makes no difference to what the forest answers or writes.
//
// Accounts are added while a request is prefetched or committed, and evicted
// only before the next one is: so what Prefetch has brought in is still there in
// Commit, and pointers stay good, also if the budget is exceeded by as much as
// one request needs.
//
// Invariants:
//  1. Frames below count that are not free are found by the id and by the slot
//     of their accounts, and nothing else is.
//  2. A frame does not move.
type cache struct {
	budget int // frames
	chunks [][]account
	count  int           // frames that were ever used
	free   []frameNumber // below count
	hand   frameNumber   // of the clock that evicts
	byID   index         // to frame number + 1
	bySlot []*[slotChunk]frameNumber
}

// frameNumber counts frames. In bySlot it is one more, and 0 is none.
type frameNumber uint32

// account is a frame: an account as it is now. It fills three cache lines.
type account struct {
	ledger.Account
	slot slot
	used bool // holds an account
	hot  bool // was found since the clock's hand passed
	_    [58]byte
}

const (
	frameSize  = 192
	frameChunk = 1024
	slotChunk  = 1 << 16

	// frameCost is what an account in the cache takes in memory, in bytes: its
	// frame and its share of the index.
	frameCost = frameSize + 32
)

// newCache returns a cache for a budget of bytes.
func newCache(size int64) cache {
	return cache{budget: int(max(1, size/frameCost)), byID: newIndex()}
}

func (c *cache) frame(n frameNumber) *account { return &c.chunks[n/frameChunk][n%frameChunk] }

// find returns the account with an id, and its frame, or nil if it is not
// cached.
func (c *cache) find(id ledger.Uint128) (frameNumber, *account) {
	p := c.byID.probe(hashOf(id))
	for v := p.next(); v != 0; v = p.next() {
		if a := c.frame(frameNumber(v - 1)); a.ID == id {
			a.hot = true
			return frameNumber(v - 1), a
		}
	}
	return 0, nil
}

// ofSlot returns the account in a slot, or nil if it is not cached.
func (c *cache) ofSlot(s slot) *account {
	chunk := int(s / slotChunk)
	if chunk >= len(c.bySlot) || c.bySlot[chunk] == nil {
		return nil
	}
	n := c.bySlot[chunk][s%slotChunk]
	if n == 0 {
		return nil
	}
	a := c.frame(n - 1)
	a.hot = true
	return a
}

// insert adds an account that is not cached.
func (c *cache) insert(s slot, a *ledger.Account) *account {
	n := frameNumber(c.count)
	if last := len(c.free) - 1; last >= 0 {
		n, c.free = c.free[last], c.free[:last]
	} else {
		c.count++
		if int(n/frameChunk) == len(c.chunks) {
			c.chunks = append(c.chunks, make([]account, frameChunk))
		}
	}
	f := c.frame(n)
	*f = account{Account: *a, slot: s, used: true, hot: true}
	c.byID.insert(hashOf(a.ID), uint64(n)+1)
	*c.place(s) = n + 1
	return f
}

// place returns where the frame of a slot is put down.
func (c *cache) place(s slot) *frameNumber {
	chunk := int(s / slotChunk)
	for chunk >= len(c.bySlot) {
		c.bySlot = append(c.bySlot, nil)
	}
	if c.bySlot[chunk] == nil {
		c.bySlot[chunk] = new([slotChunk]frameNumber)
	}
	return &c.bySlot[chunk][s%slotChunk]
}

// remove takes away the account in a slot, which is cached.
func (c *cache) remove(s slot) {
	place := c.place(s)
	n := *place - 1
	*place = 0
	a := c.frame(n)
	c.byID.remove(hashOf(a.ID), uint64(n)+1)
	*a = account{}
	c.free = append(c.free, n)
}

// evict removes accounts until the budget is kept: the first that the clock's
// hand comes to that were not found since it was there last.
func (c *cache) evict() {
	for c.count-len(c.free) > c.budget {
		a := c.frame(c.hand)
		c.hand = (c.hand + 1) % frameNumber(c.count)
		switch {
		case !a.used:
		case a.hot:
			a.hot = false
		default:
			c.remove(a.slot)
		}
	}
}
