package killtest

import (
	"flag"
	"slices"
	"syscall"
	"testing"
	"time"
)

var faultTime = flag.Duration("kill.faults", 4*time.Second, "how long TestFaults makes faults")

// faultVictims is how many replicas may have faults at a time.
const faultVictims = 2

// A fault is something that is wrong with a replica, or with its roads; or with
// the roads of two, which still have each other.
type fault struct {
	name    string
	victims []*member
	until   time.Time
	// begin and end are for a fault of the first victim itself; or nil.
	begin, end func(victim *member)
	// in and out are the weather on the roads to the victims and away from them.
	in, out weather
	// clients says that those reach it by the same roads.
	clients bool
}

// drawFault draws what happens to one or two replicas, and for how long.
func (c *cluster) drawFault(victims []*member) *fault {
	f := &fault{victims: victims, clients: c.random.IntN(2) == 0}
	f.until = time.Now().Add(time.Duration(50+c.random.IntN(2000)) * time.Millisecond)
	if len(victims) > 1 {
		f.name, f.in, f.out = "split", weather{blocked: true}, weather{blocked: true}
		f.until = f.until.Add(time.Second)
		return f
	}
	var bad weather
	switch c.random.IntN(8) {
	case 0, 1:
		f.name, f.begin, f.end = "kill", c.kill, c.start
		return f
	case 2:
		f.name = "stop"
		f.begin = func(m *member) { m.server.command.Process.Signal(syscall.SIGSTOP) }
		f.end = func(m *member) { m.server.command.Process.Signal(syscall.SIGCONT) }
		return f
	case 3:
		f.name, bad = "close", weather{closed: true}
	case 4, 5:
		f.name, bad = "cut", weather{blocked: true}
	case 6:
		f.name, bad = "delay", weather{delay: time.Duration(1+c.random.IntN(200)) * time.Millisecond}
	case 7:
		f.name, bad = "rot", weather{rotten: 2 + c.random.IntN(50)}
	}
	switch c.random.IntN(4) {
	case 0:
		f.name, f.in = f.name+" in", bad
	case 1:
		f.name, f.out = f.name+" out", bad
	default:
		f.in, f.out = bad, bad
	}
	return f
}

// hits reports whether a replica is a victim.
func (f *fault) hits(m *member) bool { return slices.Contains(f.victims, m) }

// drawVictims draws replicas for a new fault, beside those there are.
func (c *cluster) drawVictims(faults []*fault) []*member {
	var sound []*member
	for _, i := range c.random.Perm(len(c.members)) {
		m := c.members[i]
		if !slices.ContainsFunc(faults, func(f *fault) bool { return f.hits(m) }) {
			sound = append(sound, m)
		}
	}
	room := faultVictims - (len(c.members) - len(sound))
	if room > 1 && c.random.IntN(3) > 0 {
		room = 1
	}
	return sound[:room]
}

// setWeather makes the weather on all roads what the faults say. Of two at the
// ends of a road the later one has it.
func (c *cluster) setWeather(faults []*fault) {
	clear := weather{}
	for i, roads := range c.roads {
		door := clear
		for j, road := range roads {
			if road == nil {
				continue
			}
			now := clear
			for _, f := range faults {
				from, to := f.hits(c.members[i]), f.hits(c.members[j])
				if from && !to && f.out != clear {
					now = f.out
				}
				if to && !from && f.in != clear {
					now = f.in
				}
			}
			road.set(now)
		}
		for _, f := range faults {
			if f.hits(c.members[i]) && f.clients {
				door = f.in
			}
		}
		c.doors[i].set(door)
	}
}

// TestFaults lets all kinds of things happen to five replicas under load, to two
// at a time. Whatever clients were told must hold, and when it is over the
// replicas must come together.
func TestFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	c := newCluster(t, small(5))
	l := newLoad(c, 700*time.Millisecond)
	tally := make(map[string]int)
	var faults []*fault
	for end := time.Now().Add(*faultTime); time.Now().Before(end) || len(faults) > 0; {
		time.Sleep(time.Duration(10+c.random.IntN(200)) * time.Millisecond)
		c.check()
		faults = slices.DeleteFunc(faults, func(f *fault) bool {
			over := time.Now().After(f.until)
			if over && f.end != nil {
				f.end(f.victims[0])
			}
			return over
		})
		if victims := c.drawVictims(faults); len(victims) > 0 && time.Now().Before(end) {
			f := c.drawFault(victims)
			if f.begin != nil {
				f.begin(victims[0])
			}
			tally[f.name]++
			faults = append(faults, f)
		}
		c.setWeather(faults)
	}
	healed, before := time.Now(), l.watch.count()
	l.watch.start(healed, len(l.tellers))
	c.await("all clients to be answered", patience, func() bool {
		_, all := l.watch.read()
		return all != 0
	})
	c.awaitAll()
	together := time.Since(healed)
	l.conclude()
	first, all := l.watch.read()
	t.Logf("seed %d: faults in %v: %v", *seed, *faultTime, tally)
	t.Logf("%d writes of tellers meanwhile; afterwards a write after %v, all clients answered after %v, all replicas"+
		" together after %v", before, first, all, together)
}
