package bus

import (
	"sync/atomic"
	"time"
)

// patience is how long the janitor lets things last, in its rounds of the given
// length. An event lasts up to one round longer than it says.
type patience struct {
	round time.Duration
	// receiveRounds is for a message that is half received.
	receiveRounds int64
	// contendedRounds takes the place of receiveRounds for messages that hold
	// a part of the budget for which another message has waited as long.
	contendedRounds int64
	// sendRounds is for a peer that does not read what it is sent. The same as
	// TCP_USER_TIMEOUT, which covers peers that do not even acknowledge it.
	sendRounds int64
}

var defaultPatience = patience{
	round:           250 * time.Millisecond,
	receiveRounds:   4 * 15,
	contendedRounds: 4 * 1,
	sendRounds:      4 * 17,
}

// A stopwatch tells the janitor since when something lasts. The owner starts
// and stops it for every message, which is why it reads no clock: time is the
// number of the janitor's round.
type stopwatch struct {
	since atomic.Int64 // round + 1; 0: stopped
}

// start begins to measure, unless it has begun already.
func (s *stopwatch) start(clock *atomic.Int64) {
	if s.since.Load() == 0 {
		s.since.Store(clock.Load() + 1)
	}
}

func (s *stopwatch) stop() {
	if s.since.Load() != 0 {
		s.since.Store(0)
	}
}

// exceeds reports whether it has run for more than rounds.
func (s *stopwatch) exceeds(now, rounds int64) bool {
	since := s.since.Load()
	return since != 0 && now-(since-1) > rounds
}

// janitor closes connections that take too long, round after round.
func (b *Bus) janitor() {
	ticker := time.NewTicker(b.patience.round)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			b.closeLate(b.now.Add(1))
		case <-b.closing:
			return
		}
	}
}

func (b *Bus) closeLate(now int64) {
	contended := b.budget.waiting.exceeds(now, b.patience.contendedRounds)
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.connections {
		switch {
		case c.receiving.exceeds(now, b.patience.receiveRounds):
			c.closeLate("message left half sent")
		case contended && c.receiver.borrowed.Load() > 0 && c.receiving.exceeds(now, b.patience.contendedRounds):
			c.closeLate("message left half sent while others wait for memory")
		case c.sending.exceeds(now, b.patience.sendRounds):
			c.closeLate("peer does not read")
		}
	}
}

func (c *connection) closeLate(reason string) {
	c.late.Store(&reason)
	c.close()
}
