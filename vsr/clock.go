package vsr

import (
	"slices"
	"time"

	"github.com/ledgerd/ledgerd/wire"
)

// Times of the agreement on time.
const (
	// pingTicks is how often the others are asked for their time.
	pingTicks = 50
	// sampleTicks is how long an answer counts.
	sampleTicks = 1000
	// clockTolerance is how far two clocks that are right may be apart.
	clockTolerance = int64(5 * time.Second)
	// clockJump is by how much time may have passed between two ticks; beyond it
	// the own clock has jumped, or the process has slept.
	clockJump = int64(time.Second)
	// tickError is what the measurement of a round trip may be off.
	tickError = int64(TickInterval)
)

// clock is what a replica knows of the clocks of the others, relative to its
// own: so that the primary of a cluster takes no time that a majority would
// call wrong (Marzullo, 1984). All of it is in nanoseconds.
type clock struct {
	samples [wire.ReplicasMax]clockSample
	// last is what the own clock showed at the last tick.
	last uint64
	// move is the correction as of the last tick; agreed says that there is one.
	move   int64
	agreed bool
	// unsynchronised counts the ticks since a majority has agreed.
	unsynchronised uint64
}

// clockSample says that another clock is ahead by offset, give or take margin.
type clockSample struct {
	valid          bool
	offset, margin int64
	at             uint64 // ticks
}

// tick notes that time passes. What was measured before a jump means nothing.
func (c *clock) tick(now uint64) {
	if c.jumped(now) {
		c.samples = [wire.ReplicasMax]clockSample{}
	}
	c.last = now
}

// jumped reports whether the own clock shows something else than it should so
// soon after the last tick.
func (c *clock) jumped(now uint64) bool {
	passed := int64(now - c.last)
	return passed < -clockJump || passed > clockJump
}

// measure takes the answer of a replica that was asked when the own clock showed
// asked, and showed answered when its own clock showed now. The best answer
// counts for sampleTicks.
func (c *clock) measure(replica uint8, asked, answered, now, ticks uint64) {
	trip := int64(now - asked)
	if trip < 0 || trip > clockTolerance {
		return
	}
	sample := clockSample{valid: true, offset: int64(answered-now) + trip/2, margin: trip/2 + tickError, at: ticks}
	if old := &c.samples[replica]; !old.valid || old.at+sampleTicks < ticks || sample.margin <= old.margin {
		*old = sample
	}
}

// correction returns by how much the own clock must be moved at least to be
// right, if a majority of replicaCount clocks agrees on what is right. The own
// one, that of replica, is one of them.
func (c *clock) correction(replica, replicaCount uint8, ticks uint64) (move int64, ok bool) {
	intervals := make([]interval, 0, wire.ReplicasMax)
	for i := range replicaCount {
		s := &c.samples[i]
		switch {
		case i == replica:
			intervals = append(intervals, interval{-clockTolerance, clockTolerance})
		case s.valid && s.at+sampleTicks >= ticks:
			margin := s.margin + clockTolerance
			intervals = append(intervals, interval{s.offset - margin, s.offset + margin})
		}
	}
	agreed, count := agree(intervals)
	if count <= int(replicaCount)/2 {
		return 0, false
	}
	return min(max(0, agreed.low), agreed.high), true
}

// interval is a range of offsets, both ends included.
type interval struct{ low, high int64 }

// agree returns the first of the smallest intervals that lie in as many of the
// given ones as possible, and in how many.
func agree(intervals []interval) (best interval, most int) {
	type edge struct {
		at   int64
		ends bool
	}
	edges := make([]edge, 0, 2*wire.ReplicasMax)
	for _, i := range intervals {
		edges = append(edges, edge{i.low, false}, edge{i.high, true})
	}
	slices.SortFunc(edges, func(a, b edge) int {
		switch {
		case a.at != b.at:
			return compare(a.at, b.at)
		case a.ends == b.ends:
			return 0
		case b.ends:
			return -1 // intervals that touch have a point in common
		}
		return 1
	})
	count := 0
	for i, e := range edges {
		if e.ends {
			count--
			continue
		}
		if count++; count > most {
			most, best = count, interval{e.at, edges[i+1].at}
		}
	}
	return best, most
}

func compare(a, b int64) int {
	if a < b {
		return -1
	}
	return 1
}

// tickClock asks the others for their time now and then.
func (r *Replica) tickClock() {
	g := &r.group
	now := r.options.Clock.Realtime()
	g.clock.tick(now)
	if g.ticks%pingTicks == 1 {
		r.ping()
	}
	g.clock.move, g.clock.agreed = g.clock.correction(r.root.Replica, r.root.ReplicaCount, g.ticks)
	g.clock.unsynchronised++
	if g.clock.agreed {
		g.clock.unsynchronised = 0
	}
}

// ping asks the others for their time, and tells them of the checkpoint here.
func (r *Replica) ping() {
	r.tellAll(wire.CommandPing, wire.Peer{Op: r.options.Clock.Realtime()}, nil)
}

// onPing answers with what the own clock shows.
func (r *Replica) onPing(h *wire.Peer) {
	r.tell(h.Replica, wire.CommandPong, wire.Peer{Op: h.Op, Commit: r.options.Clock.Realtime()}, nil)
}

func (r *Replica) onPong(h *wire.Peer) {
	r.group.clock.measure(h.Replica, h.Op, h.Commit, r.options.Clock.Realtime(), r.group.ticks)
}

// realtime returns what the time is according to this replica's clock and, in a
// cluster, to a majority. It reports false if no majority agrees.
func (r *Replica) realtime() (now uint64, ok bool) {
	now = r.options.Clock.Realtime()
	if r.alone() {
		return now, true
	}
	c := &r.group.clock
	return now + uint64(c.move), c.agreed && !c.jumped(now) // the move was for the clock as it was
}
