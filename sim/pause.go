package sim

import (
	"bytes"
	"time"

	"github.com/ledgerd/ledgerd/wire"
)

// Bounds of what stands still for a while.
const (
	pauseMax = 8 * time.Second
	clogMax  = 3 * time.Second
	// unreadMax bounds the packets that wait for a process which reads none.
	unreadMax = 200
)

// running lets something happen within a process: at once, or, while it is
// paused, when it goes on.
func (p *process) running(happen func()) {
	switch {
	case p.dead:
	case p.paused:
		p.waiting = append(p.waiting, happen)
	default:
		happen()
	}
}

// pause stops a process for a while, as SIGSTOP does: it handles nothing, then
// everything that has come meanwhile, but for ticks and what found no room.
func (p *process) pause(d time.Duration) {
	s := p.replica.sim
	if p.paused || p.checking {
		return
	}
	p.paused = true
	s.totals.Pauses++
	s.trace("replica %d is paused for %v", p.replica.index, d)
	s.scheduler.after(d, p.resume)
}

func (p *process) resume() {
	if p.dead || !p.paused {
		return
	}
	p.replica.sim.trace("replica %d goes on", p.replica.index)
	p.paused, p.unread = false, 0
	waiting := p.waiting
	p.waiting = nil
	for _, happen := range waiting {
		p.running(happen)
	}
}

// read handles a packet, or leaves it unread while the process is paused.
func (p *process) read(packet []byte) {
	if p.paused {
		if p.unread++; p.unread > unreadMax {
			return
		}
		packet = bytes.Clone(packet)
	}
	p.running(func() {
		p.replica.sim.note(packet)
		p.receive(packet)
	})
}

// pauseInTime stops a process now and then.
func (s *simulation) pauseInTime() {
	s.sometimes(streamPauses, s.options.cluster.pauseEvery, func(r random) {
		if p := s.replicas[r.IntN(len(s.replicas))].process; p != nil {
			p.pause(r.duration(0, pauseMax))
		}
	})
}

// clogs says until when what is sent from one replica to another waits.
type clogs [wire.MembersMax][wire.MembersMax]time.Duration

// clogInTime clogs the way from one replica to another now and then: what is sent
// on it is held, and then arrives all at once.
func (s *simulation) clogInTime() {
	if len(s.replicas) == 1 {
		return
	}
	s.sometimes(streamClogs, s.options.cluster.clogEvery, func(r random) {
		from, to := r.IntN(len(s.replicas)), r.IntN(len(s.replicas))
		d := r.duration(0, clogMax)
		s.trace("the way from replica %d to replica %d is clogged for %v", from, to, d)
		s.clogs[from][to] = s.scheduler.now + d
	})
}
