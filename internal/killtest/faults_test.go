package killtest

import (
	"flag"
	"slices"
	"syscall"
	"testing"
	"time"
)

var faultTime = flag.Duration("kill.faults", 4*time.Second, "how long TestFaults makes faults")

// A fault is something that is wrong with one replica, or with its roads.
type fault struct {
	name   string
	victim *member
	until  time.Time
	begin  func(f *fault)
	end    func(f *fault)
	// in and out are the weather on the roads to the victim and away from it.
	in, out weather
	// clients says that those reach it by the same roads.
	clients bool
}

// drawFault draws what happens to a replica, and for how long.
func (c *cluster) drawFault(victim *member) *fault {
	f := &fault{victim: victim, clients: c.random.IntN(2) == 0}
	f.until = time.Now().Add(time.Duration(50+c.random.IntN(2000)) * time.Millisecond)
	var bad weather
	switch c.random.IntN(8) {
	case 0, 1:
		f.name = "kill"
		f.begin, f.end = func(f *fault) { c.kill(f.victim) }, func(f *fault) { c.start(f.victim) }
		return f
	case 2:
		f.name = "stop"
		f.begin = func(f *fault) { f.victim.server.command.Process.Signal(syscall.SIGSTOP) }
		f.end = func(f *fault) { f.victim.server.command.Process.Signal(syscall.SIGCONT) }
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
				if f.victim.index == i && f.out != clear {
					now = f.out
				}
				if f.victim.index == j && f.in != clear {
					now = f.in
				}
			}
			road.set(now)
		}
		for _, f := range faults {
			if f.victim.index == i && f.clients {
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
				f.end(f)
			}
			return over
		})
		victim := c.members[c.random.IntN(len(c.members))]
		free := !slices.ContainsFunc(faults, func(f *fault) bool { return f.victim == victim })
		if len(faults) < 2 && free && time.Now().Before(end) {
			f := c.drawFault(victim)
			if f.begin != nil {
				f.begin(f)
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
