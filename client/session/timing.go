package session

import (
	"slices"
	"time"

	"github.com/ledgerd/ledgerd/wire"
)

// The retry and ping times of PROTOCOL.md section 11.1. Two things are faster
// than written there: a new connection is pinged at once and given the request
// in flight at once, and so is a replica that turns out to be the primary.
const (
	firstRetryAfter = 600 * time.Millisecond
	retryMargin     = 10 * time.Millisecond
	jitterStepMS    = 10
	jitterMaxMS     = 9990
	pingEvery       = 30 * time.Second

	rttUnknown = 300 * time.Millisecond
	rttMin     = 10 * time.Millisecond
	rttMax     = 60 * time.Second
)

// retryDelay returns how long to wait for a reply after the request was sent
// for the attempts-th time, 1 being the first.
func (s *Session) retryDelay(attempts int) time.Duration {
	if attempts == 1 {
		return firstRetryAfter
	}
	jitterMS := min(jitterMaxMS, jitterStepMS<<min(attempts, 16))
	jitter := time.Duration(s.cfg.Random.IntN(jitterMS+1)) * time.Millisecond
	return 2*s.roundTrip() + retryMargin + jitter
}

// roundTrip returns the median over replicas of the last measured round trip.
func (s *Session) roundTrip() time.Duration {
	var known [wire.ReplicasMax]time.Duration
	rtts := known[:0]
	for i := range s.replicas {
		if r := &s.replicas[i]; r.rtt > 0 {
			rtts = append(rtts, r.rtt)
		}
	}
	if len(rtts) == 0 {
		return rttUnknown
	}
	slices.Sort(rtts)
	return min(max(rtts[len(rtts)/2], rttMin), rttMax)
}

// Deadline returns when Tick has something to do next; false if nothing is
// pending. Every other method may move it.
func (s *Session) Deadline() (at time.Duration, ok bool) {
	if s.err != nil {
		return 0, false
	}
	if s.request.message != nil {
		at, ok = s.request.retryAt, true
	}
	for i := range s.replicas {
		if r := &s.replicas[i]; r.connected && (!ok || r.pingAt < at) {
			at, ok = r.pingAt, true
		}
	}
	return at, ok
}

// Tick does what is due at now: pings, and resending the request in flight.
func (s *Session) Tick(now time.Duration) {
	if s.err != nil {
		return
	}
	for i := range s.replicas {
		if r := &s.replicas[i]; r.connected && r.pingAt <= now {
			s.ping(now, i)
		}
	}
	if s.request.message != nil && s.request.retryAt <= now {
		s.retry(now)
	}
}
