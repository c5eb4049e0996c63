package session

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/multibatch"
	"github.com/ledgerd/ledgerd/wire"
)

// Receive takes a message that came over the connection to a replica. frame is
// its decoded frame; the stream layer (PROTOCOL.md section 4.1) has passed,
// that is: command, size, cluster and both checksums are right.
//
// The session retains what it needs of message. An error is always a
// *ViolationError, meant for a log: the message was ignored, or, where a
// request was answered by nonsense, its calls have failed.
func (s *Session) Receive(now time.Duration, replica int, frame wire.Frame, message *buffer.Buffer) error {
	if s.err != nil {
		return nil
	}
	reason := ""
	switch frame.Command {
	case wire.CommandReply:
		var reply wire.Reply
		if err := reply.Decode(message.Bytes); err != nil {
			reason = err.Error()
			break
		}
		reason = s.onReply(now, &reply, message)
	case wire.CommandPongClient:
		var pong wire.PongClient
		if err := pong.Decode(message.Bytes); err != nil {
			reason = err.Error()
			break
		}
		s.onPong(now, replica, &pong)
	case wire.CommandEviction:
		var eviction wire.Eviction
		if err := eviction.Decode(message.Bytes); err != nil {
			reason = err.Error()
			break
		}
		reason = s.onEviction(&eviction)
	default:
		reason = fmt.Sprintf("%v sent to a client", frame.Command)
	}
	if reason != "" {
		return &ViolationError{Replica: replica, Reason: reason}
	}
	return nil
}

// onReply completes the request in flight, if reply answers it. It returns
// what was wrong with the reply, "" if nothing was.
//
// Replies to earlier requests are normal: a second replica may answer too.
func (s *Session) onReply(now time.Duration, reply *wire.Reply, message *buffer.Buffer) (violation string) {
	r := &s.request
	switch {
	case reply.Client != s.cfg.Client:
		return "reply to another client"
	case uint64(reply.Request) >= s.requestNext:
		return fmt.Sprintf("reply to request %d, which was not sent yet", reply.Request)
	case r.message == nil || reply.Request < r.number:
		return ""
	case reply.RequestChecksum != r.checksum:
		return fmt.Sprintf("reply to request %d names the checksum of another request", reply.Request)
	case reply.Operation != r.kind.Operation:
		return fmt.Sprintf("reply of %v to a request of %v", reply.Operation, r.kind.Operation)
	case reply.Release != s.cfg.Release:
		return fmt.Sprintf("reply of release %v to a client of %v", reply.Release, s.cfg.Release)
	}
	body := message.Bytes[wire.HeaderSize:]
	registering := r.number == 0
	if registering {
		if violation = s.onRegistered(reply, body); violation != "" {
			return violation
		}
	}
	s.parent = reply.Context
	s.latency = microseconds(now - r.started)
	if !registering {
		violation = s.deliver(body, message)
	}
	r.reset()
	s.learnView(now, reply.View)
	s.advance(now)
	return violation
}

// onRegistered takes the session from the reply to register, and fails the
// waiting calls that this cluster has no room for. The body starts with
// batch_size_limit u32 (PROTOCOL.md section 7); wire has checked its size.
func (s *Session) onRegistered(reply *wire.Reply, body []byte) (violation string) {
	limit := binary.LittleEndian.Uint32(body)
	if limit == 0 || limit > wire.BodySizeMax {
		return fmt.Sprintf("reply to register has batch_size_limit %d", limit)
	}
	s.number = reply.Commit
	s.bodySizeLimit = int(limit)
	waiting := s.queue[:0]
	for _, call := range s.queue {
		if err := call.check(s.bodySizeLimit); err != nil {
			s.fail(call, err)
			continue
		}
		waiting = append(waiting, call)
	}
	clear(s.queue[len(waiting):])
	s.queue = waiting
	return ""
}

// deliver completes the calls of the request in flight with their parts of
// body. If the body makes no sense they fail: the request was executed, so the
// same reply would come again for ever.
func (s *Session) deliver(body []byte, message *buffer.Buffer) (violation string) {
	kind := s.request.kind
	payload, err := s.resultCounts(kind, body)
	if err != nil {
		violation = fmt.Sprintf("reply of %v: %v", kind.Operation, err)
		for _, b := range s.request.batches {
			if b.call != nil {
				s.fail(b.call, fmt.Errorf("%w: %s", ErrOutcomeUnknown, violation))
			}
		}
		return violation
	}
	offset := 0
	for i, b := range s.request.batches {
		size := int(s.counts[i]) * kind.ResultSize
		if b.call != nil {
			b.call.state = callIdle
			b.call.Reply = message.Retain()
			b.call.Body = payload[offset : offset+size : offset+size]
			b.call.Submitter.Complete(b.call)
		}
		offset += size
	}
	return ""
}

// resultCounts sets s.counts to the number of results of each batch, and
// returns the results. It refuses what the request did not ask for.
func (s *Session) resultCounts(kind Kind, body []byte) (payload []byte, err error) {
	s.counts = s.counts[:0]
	if kind.MultiBatch {
		s.counts, payload, err = multibatch.Decode(body, kind.ResultSize, s.counts)
		if err != nil {
			return nil, err
		}
	} else {
		if len(body)%kind.ResultSize != 0 {
			return nil, fmt.Errorf("body of %d bytes is not whole results of %d", len(body), kind.ResultSize)
		}
		s.counts, payload = append(s.counts, uint16(len(body)/kind.ResultSize)), body
	}
	if len(s.counts) != len(s.request.batches) {
		return nil, fmt.Errorf("%d batches for a request of %d", len(s.counts), len(s.request.batches))
	}
	for i, b := range s.request.batches {
		if int(s.counts[i]) > b.resultsMax {
			return nil, fmt.Errorf("batch %d has %d results, at most %d were asked for", i, s.counts[i], b.resultsMax)
		}
	}
	return payload, nil
}

// onPong learns the view and, from the answer to the last ping, the round trip.
func (s *Session) onPong(now time.Duration, replica int, pong *wire.PongClient) {
	r := &s.replicas[replica]
	if r.connected && pong.PingTimestampMonotonic == r.pinged {
		r.rtt = max(1, now-time.Duration(r.pinged))
	}
	s.learnView(now, pong.View)
}

// onEviction stops the session, unless the eviction is of a view that has
// passed: its sender had been deposed (PROTOCOL.md section 11.1).
func (s *Session) onEviction(eviction *wire.Eviction) (violation string) {
	if eviction.Client != s.cfg.Client {
		return "eviction of another client"
	}
	if eviction.View < s.view {
		return ""
	}
	evicted := &EvictedError{Reason: eviction.Reason}
	inFlight := error(evicted)
	if !evicted.neverExecuted() {
		inFlight = unknownOutcome(evicted)
	}
	s.stop(evicted, inFlight)
	return ""
}

// microseconds converts a latency for the header, where 2^32-1 is the most.
func microseconds(d time.Duration) uint32 {
	return uint32(min(max(0, d.Microseconds()), math.MaxUint32))
}
