package forest

import "github.com/ledgerd/ledgerd/ledger"

// pendingTable holds the status of every pending transfer, by its number: they
// are counted from 0 in the order of creation. It is rebuilt from the logs
// when the forest is opened.
type pendingTable struct {
	chunks   [][]pending
	count    uint64
	schedule heap
}

// pending is the position of the transfer in the log, and its status.
type pending uint64

const (
	pendingChunk      = 8192
	pendingStatusBits = 3
)

func newPending(at position, status ledger.PendingStatus) pending {
	return pending(at)<<pendingStatusBits | pending(status)
}

func (p pending) status() ledger.PendingStatus {
	return ledger.PendingStatus(p & (1<<pendingStatusBits - 1))
}

func (p pending) position() position { return position(p >> pendingStatusBits) }

func (t *pendingTable) at(number uint64) *pending {
	return &t.chunks[number/pendingChunk][number%pendingChunk]
}

// insert adds a pending transfer, which gets the next number.
func (t *pendingTable) insert(at position) {
	if t.count == uint64(len(t.chunks))*pendingChunk {
		t.chunks = append(t.chunks, make([]pending, pendingChunk))
	}
	t.count++
	*t.at(t.count - 1) = newPending(at, ledger.PendingOpen)
}

// setStatus changes a status. The schedule learns of it in passing, when it
// comes to the transfer.
func (t *pendingTable) setStatus(number uint64, status ledger.PendingStatus) {
	p := t.at(number)
	*p = newPending(p.position(), status)
}

// scheduled is a pending transfer that expires.
type scheduled struct {
	at     uint64 // when, in nanoseconds since the epoch
	number uint64
}

// before orders by time of expiry, then by time of creation.
func (s scheduled) before(o scheduled) bool {
	return s.at < o.at || s.at == o.at && s.number < o.number
}

// heap is a queue of scheduled transfers, first to expire first. Transfers
// that were resolved, or rolled back, stay in it until their time comes; who
// takes them out must look at the pending table. It grows by chunks, so that
// no push copies all of it.
type heap struct {
	chunks [][]scheduled
	count  int
}

const heapChunk = 4096

func (h *heap) at(i int) *scheduled { return &h.chunks[i/heapChunk][i%heapChunk] }

func (h *heap) push(s scheduled) {
	if h.count == len(h.chunks)*heapChunk {
		h.chunks = append(h.chunks, make([]scheduled, heapChunk))
	}
	i := h.count
	h.count++
	for i > 0 {
		parent := (i - 1) / 2
		if !s.before(*h.at(parent)) {
			break
		}
		*h.at(i) = *h.at(parent)
		i = parent
	}
	*h.at(i) = s
}

// pop removes the first element. There must be one.
func (h *heap) pop() scheduled {
	first := *h.at(0)
	h.count--
	last := *h.at(h.count)
	i := 0
	for {
		child := 2*i + 1
		if child >= h.count {
			break
		}
		if right := child + 1; right < h.count && h.at(right).before(*h.at(child)) {
			child = right
		}
		if !h.at(child).before(last) {
			break
		}
		*h.at(i) = *h.at(child)
		i = child
	}
	if h.count > 0 {
		*h.at(i) = last
	}
	return first
}
