package vsr

import (
	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/checksum"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/wire"
)

// request is a client's request that was admitted and waits to be prepared.
type request struct {
	header  wire.Request
	slots   int
	message *buffer.Buffer // one reference, given up when it is prepared
}

// waitingBytesMax bounds the memory of the requests that wait. Beyond it they
// are ignored, and their clients ask again.
const waitingBytesMax = 64 << 20

// requests holds what waits to be prepared, first in first out, and knows
// every client that has a request waiting or in the pipeline.
//
// Invariant: a client has at most one request between admission and commit, so
// both are bounded by max.
type requests struct {
	max     int
	waiting []request
	bytes   int // bodies and table entries of waiting
	// bodySizeMax is the largest body of a prepare.
	bodySizeMax int
	// pending maps a client to the checksum of its request between
	// admission and commit.
	pending map[u128.Uint128]checksum.Sum
}

func newRequests(max, bodySizeMax int) *requests {
	return &requests{
		max: max, bodySizeMax: bodySizeMax,
		waiting: make([]request, 0, max), pending: make(map[u128.Uint128]checksum.Sum, max),
	}
}

func (q *requests) full() bool { return len(q.pending) >= q.max || q.bytes >= waitingBytesMax }

// isPending reports whether the client has a request between admission and
// commit: this one again, or another that forbids this one.
func (q *requests) isPending(client u128.Uint128) bool {
	_, ok := q.pending[client]
	return ok
}

func (q *requests) push(r request) {
	q.pending[r.header.Client] = r.header.Checksum
	q.waiting = append(q.waiting, r)
	q.bytes += entryBytes(&r)
}

// entryBytes is what r takes in the body of a prepare.
func entryBytes(r *request) int {
	return int(r.header.Size) - wire.HeaderSize + wire.EntrySize
}

// next returns how many of the waiting requests, from the first, fit into one
// prepare, and the bytes they take in its body.
func (q *requests) next() (count, bodySize int) {
	for i := range q.waiting {
		n := bodySize + entryBytes(&q.waiting[i])
		if n > q.bodySizeMax {
			break
		}
		count, bodySize = count+1, n
	}
	return count, bodySize
}

// drop forgets the first count waiting requests, which have been prepared.
func (q *requests) drop(count int) {
	for i := range count {
		q.bytes -= entryBytes(&q.waiting[i])
	}
	rest := copy(q.waiting, q.waiting[count:])
	clear(q.waiting[rest:])
	q.waiting = q.waiting[:rest]
}

// clear forgets all that waits and all that is pending.
func (q *requests) clear() {
	for i := range q.waiting {
		q.waiting[i].message.Release()
	}
	clear(q.waiting)
	clear(q.pending)
	q.waiting, q.bytes = q.waiting[:0], 0
}

// committed says that the client's request has been executed. A new primary may
// have taken over a later one of the same client, which stays pending.
func (q *requests) committed(client u128.Uint128, request checksum.Sum) {
	if q.pending[client] == request {
		delete(q.pending, client)
	}
}
