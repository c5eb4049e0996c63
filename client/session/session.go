package session

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/checksum"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/wire"
)

// Host carries messages to replicas.
type Host interface {
	// Send queues message for the connection to the replica of that index. It
	// is called from within the Session's methods, only enqueues, never blocks
	// and never calls back.
	//
	// The bytes are a whole sealed frame and never change; a host that keeps
	// them beyond the call retains the buffer. It may drop the message, for
	// want of room or a connection: what matters is sent again.
	Send(replica int, message *buffer.Buffer)
}

// Config is what a Session needs for its life. All of it is required.
type Config struct {
	Cluster  u128.Uint128
	Client   u128.Uint128 // random, not 0, never used before
	Release  wire.Release // what the client announces
	Replicas int          // 1 .. wire.ReplicasMax; replica i is the i-th address
	Random   *rand.Rand
	Buffers  *buffer.Pool
	Host     Host
}

// Session is one client of a cluster. It is not safe for concurrent use; see
// the package comment.
type Session struct {
	cfg      Config
	replicas []replica

	number        uint64       // session number, 0 until registered
	bodySizeLimit int          // largest request body in bytes, told on registering
	parent        checksum.Sum // context of the last reply
	view          uint32       // highest view seen
	requestNext   uint64       // number of the next request, 0 being register
	latency       uint32       // of the last request, in microseconds

	queue   []*Call // waiting, oldest first; as many as callers wait
	request request // the one in flight
	counts  []uint16

	err error // not nil: stopped
}

// replica is what the session knows of one address.
type replica struct {
	connected bool
	given     bool // the request in flight was sent over the present connection
	pingAt    time.Duration
	pinged    uint64        // timestamp of the last ping
	rtt       time.Duration // last measured, 0 if never
}

// New returns a session that registers as soon as a replica is connected.
func New(cfg Config) *Session {
	if cfg.Replicas < 1 || cfg.Replicas > wire.ReplicasMax {
		panic(fmt.Sprintf("session: %d replicas are not in 1 .. %d", cfg.Replicas, wire.ReplicasMax))
	}
	if cfg.Client.IsZero() {
		panic("session: client id 0")
	}
	return &Session{
		cfg:           cfg,
		replicas:      make([]replica, cfg.Replicas),
		bodySizeLimit: wire.BodySizeMax,
	}
}

// Registered reports whether the cluster has granted the session.
func (s *Session) Registered() bool { return s.number != 0 }

// Err returns why the session has stopped, nil while it has not.
func (s *Session) Err() error { return s.err }

// Connected says that a new connection to the replica is up. It is pinged at
// once: that points the cluster's replies to this connection (PROTOCOL.md
// section 4.2) and teaches the view.
func (s *Session) Connected(now time.Duration, replica int) {
	r := &s.replicas[replica]
	r.connected, r.given, r.pinged = true, false, 0
	if s.err != nil {
		return
	}
	s.ping(now, replica)
	s.route(now)
	s.advance(now)
}

// Disconnected says that the connection to the replica is gone, with
// everything that was queued for it.
func (s *Session) Disconnected(now time.Duration, replica int) {
	r := &s.replicas[replica]
	r.connected, r.given, r.pinged = false, false, 0
	s.route(now)
}

// Submit queues a call. If nothing is in flight it is sent at once.
func (s *Session) Submit(now time.Duration, call *Call) {
	if call.state != callIdle {
		panic("session: call submitted twice")
	}
	call.Reply, call.Body, call.Err = nil, nil, nil
	if s.err != nil {
		s.fail(call, s.err)
		return
	}
	if err := call.check(s.bodySizeLimit); err != nil {
		s.fail(call, err)
		return
	}
	call.state = callQueued
	s.queue = append(s.queue, call)
	s.advance(now)
}

// Withdraw gives up a call for the given cause. A call that waits leaves the
// queue and fails with cause alone; one that may have been sent fails with
// ErrOutcomeUnknown and cause, while the session carries its request through.
// A call that is complete stays as it is.
func (s *Session) Withdraw(call *Call, cause error) {
	switch call.state {
	case callQueued:
		for i, queued := range s.queue {
			if queued == call {
				s.queue = append(s.queue[:i], s.queue[i+1:]...)
				break
			}
		}
		s.fail(call, cause)
	case callSent:
		for i := range s.request.batches {
			if b := &s.request.batches[i]; b.call == call {
				b.call = nil
			}
		}
		s.fail(call, unknownOutcome(cause))
	}
}

// Close stops the session for the given cause: waiting calls fail with it, the
// ones in flight with ErrOutcomeUnknown too. Only the first Close counts.
func (s *Session) Close(cause error) {
	if s.err == nil {
		s.stop(cause, unknownOutcome(cause))
	}
}

// stop ends the session and fails every call: sent ones with inFlight.
func (s *Session) stop(cause, inFlight error) {
	s.err = cause
	for _, b := range s.request.batches {
		if b.call != nil {
			s.fail(b.call, inFlight)
		}
	}
	s.request.reset()
	for _, call := range s.queue {
		s.fail(call, cause)
	}
	clear(s.queue)
	s.queue = s.queue[:0]
}

// fail completes a call with err.
func (s *Session) fail(call *Call, err error) {
	call.state, call.Err = callIdle, err
	call.Submitter.Complete(call)
}

// ping sends a ping to a connected replica and sets the time of the next.
func (s *Session) ping(now time.Duration, replica int) {
	r := &s.replicas[replica]
	r.pingAt = now + pingEvery
	r.pinged = uint64(now)
	ping := wire.PingClient{
		Frame:                  s.frame(wire.HeaderSize, 0),
		Client:                 s.cfg.Client,
		PingTimestampMonotonic: r.pinged,
		Session:                s.number,
	}
	message := s.cfg.Buffers.Acquire(wire.HeaderSize)
	ping.Encode(message.Bytes)
	wire.Seal(message.Bytes)
	s.cfg.Host.Send(replica, message)
	message.Release()
}

// frame returns the common part of a header; Encode adds the command.
func (s *Session) frame(size int, view uint32) wire.Frame {
	return wire.Frame{
		Cluster: s.cfg.Cluster,
		Size:    uint32(size),
		View:    view,
		Release: s.cfg.Release,
	}
}
