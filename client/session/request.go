package session

import (
	"math"
	"time"

	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/checksum"
	"github.com/ledgerd/ledgerd/internal/multibatch"
	"github.com/ledgerd/ledgerd/wire"
)

// request is the one in flight; message is nil if there is none.
type request struct {
	message  *buffer.Buffer
	checksum checksum.Sum // of the message: the request's identity
	number   uint32       // 0: register
	kind     Kind
	batches  []batch // in the order of the body; empty for register

	started  time.Duration
	attempts int // sendings since route chose its target, that one included
	retryAt  time.Duration
}

// batch is one call's part of a request.
type batch struct {
	call       *Call // nil if it was withdrawn
	resultsMax int
}

// reset forgets the request and keeps its memory.
func (r *request) reset() {
	if r.message != nil {
		r.message.Release()
	}
	clear(r.batches)
	*r = request{batches: r.batches[:0]}
}

// advance forms and sends the next request, if it is time for one.
func (s *Session) advance(now time.Duration) {
	if s.err != nil || s.request.message != nil || !s.anyConnected() {
		return
	}
	switch {
	case s.requestNext == 0:
		s.form(now, Kind{Operation: wire.OperationRegister}, wire.RegisterSize)
	case len(s.queue) == 0:
		return
	case s.requestNext > math.MaxUint32:
		s.stop(ErrExhausted, ErrExhausted)
		return
	default:
		kind, bodySize := s.take()
		s.form(now, kind, bodySize)
	}
	s.route(now)
}

// take moves the first call of the queue, and those behind it that fit the
// same request, to s.request.batches. It returns their kind and the size
// of the body.
//
// It stops at the first call of the kind that does not fit, so that none is
// overtaken by its like for ever.
func (s *Session) take() (kind Kind, bodySize int) {
	kind = s.queue[0].Kind
	events, results, full := 0, 0, false
	waiting := s.queue[:0]
	for _, call := range s.queue {
		batches := len(s.request.batches)
		if full || call.Kind != kind || batches > 0 && !kind.MultiBatch {
			waiting = append(waiting, call)
			continue
		}
		if batches > 0 && !kind.fit(events+call.Events, results+call.Results, batches+1, s.bodySizeLimit) {
			full = true
			waiting = append(waiting, call)
			continue
		}
		events, results = events+call.Events, results+call.Results
		call.state = callSent
		s.request.batches = append(s.request.batches, batch{call, call.Results})
	}
	clear(s.queue[len(waiting):])
	s.queue = waiting
	return kind, events*kind.EventSize + kind.trailerSize(kind.EventSize, len(s.request.batches))
}

// form builds the message of the next request from s.request.batches.
func (s *Session) form(now time.Duration, kind Kind, bodySize int) {
	message := s.cfg.Buffers.Acquire(wire.HeaderSize + bodySize)
	s.encodeBody(kind, message.Bytes[wire.HeaderSize:])
	header := wire.Request{
		Frame:                  s.frame(len(message.Bytes), s.view),
		Parent:                 s.parent,
		Client:                 s.cfg.Client,
		Session:                s.number,
		Request:                uint32(s.requestNext),
		Operation:              kind.Operation,
		PreviousRequestLatency: s.latency,
	}
	header.Encode(message.Bytes)

	r := &s.request
	r.message = message
	r.checksum = wire.Seal(message.Bytes)
	r.number = header.Request
	r.kind = kind
	r.started = now
	s.requestNext++
	for i := range s.replicas {
		s.replicas[i].given = false
	}
}

// encodeBody fills body, which has exactly the room for the batches.
func (s *Session) encodeBody(kind Kind, body []byte) {
	if kind.Operation == wire.OperationRegister {
		clear(body)
		return
	}
	offset := 0
	s.counts = s.counts[:0]
	for _, b := range s.request.batches {
		size := b.call.Events * kind.EventSize
		b.call.Submitter.Encode(body[offset : offset+size : offset+size])
		offset += size
		s.counts = append(s.counts, uint16(b.call.Events))
	}
	if kind.MultiBatch {
		multibatch.AppendTrailer(body[:offset], kind.EventSize, s.counts)
	}
}

// retry sends the request again, to the primary and to another replica, which
// passes it on or answers from its own copy (PROTOCOL.md section 10.2).
func (s *Session) retry(now time.Duration) {
	primary := s.primary()
	if s.replicas[primary].connected {
		s.send(primary)
	}
	if other := s.randomConnected(primary); other >= 0 {
		s.send(other)
	}
	s.request.attempts++
	s.request.retryAt = now + s.retryDelay(s.request.attempts)
}

// route sees to it that the replica which should have the request in flight
// was given it: the primary, or, while there is no connection to that one, any.
// It is called whenever that may have changed, and starts the back-off anew
// when it sends. A retry that is due sooner stays: before a dead replica there may
// be something that accepts connections and drops them, again and again.
//
// A new request goes to one replica only, since hedging would double the bytes
// of the normal case. A retry, a lost connection or news of another primary
// brings in more.
func (s *Session) route(now time.Duration) {
	if s.request.message == nil {
		return
	}
	target := s.primary()
	if !s.replicas[target].connected {
		if s.anyGiven() {
			return
		}
		target = s.randomConnected(target)
	}
	if target >= 0 && !s.replicas[target].given {
		s.send(target)
		retryAt := now + s.retryDelay(1)
		if s.request.attempts == 0 || s.request.retryAt > retryAt {
			s.request.retryAt = retryAt
		}
		s.request.attempts = 1
	}
}

// send hands the request in flight to the connection to a replica.
func (s *Session) send(replica int) {
	s.replicas[replica].given = true
	s.cfg.Host.Send(replica, s.request.message)
}

// primary returns the replica that leads the newest known view.
func (s *Session) primary() int { return int(s.view) % len(s.replicas) }

// learnView takes note of a view, and gives the request in flight to its
// primary.
func (s *Session) learnView(now time.Duration, view uint32) {
	if view > s.view {
		s.view = view
		s.route(now)
	}
}

func (s *Session) anyConnected() bool {
	for i := range s.replicas {
		if s.replicas[i].connected {
			return true
		}
	}
	return false
}

// anyGiven reports whether some present connection has the request in flight.
func (s *Session) anyGiven() bool {
	for i := range s.replicas {
		if s.replicas[i].given {
			return true
		}
	}
	return false
}

// randomConnected picks one of the connected replicas other than except; -1 if
// there is none.
func (s *Session) randomConnected(except int) int {
	var others [wire.ReplicasMax]int
	n := 0
	for i := range s.replicas {
		if i != except && s.replicas[i].connected {
			others[n] = i
			n++
		}
	}
	if n == 0 {
		return -1
	}
	return others[s.cfg.Random.IntN(n)]
}
