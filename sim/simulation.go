package sim

import (
	"fmt"
	"hash/fnv"
	"runtime/debug"
	"time"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/wire"
)

// Bounds of a run.
const (
	chaosMax  = 30 * time.Minute // of virtual time
	calmMax   = 5 * time.Minute  // of virtual time, until all calls have ended
	eventsMax = 3_000_000
)

// Totals count what happened in one run, or in several.
type Totals struct {
	Virtual     time.Duration // virtual time that passed
	Packets     int           // messages that were sent
	Requests    int           // requests executed for the first time
	Replayed    int           // requests executed again after a crash
	Answers     int           // calls that got their results
	Evictions   int           // sessions that the cluster ended
	Starts      int           // processes that began
	Crashes     int           // processes and machines that were made to stop
	Pauses      int           // of processes that went on
	Failures    int           // processes that stopped for what their disk did
	Checkpoints int
	Syncs       int // checkpoints that were taken over from another replica
	DisksLost   int // that were replaced by new ones, from which the replica recovered
	Lost        int // runs that ended with a data file that cannot be repaired
}

// Add adds the totals of another run.
func (t *Totals) Add(other Totals) {
	t.Virtual += other.Virtual
	t.Packets += other.Packets
	t.Requests += other.Requests
	t.Replayed += other.Replayed
	t.Answers += other.Answers
	t.Evictions += other.Evictions
	t.Starts += other.Starts
	t.Crashes += other.Crashes
	t.Pauses += other.Pauses
	t.Failures += other.Failures
	t.Checkpoints += other.Checkpoints
	t.DisksLost += other.DisksLost
	t.Lost += other.Lost
	t.Syncs += other.Syncs
}

// Result is the outcome of one run.
type Result struct {
	Seed uint64
	// Err is what a checker found, or nil.
	Err    error
	Totals Totals
	// Fingerprint is of all packets sent and when: runs of one seed have the
	// same.
	Fingerprint uint64
}

// Run simulates one cluster from a seed. trace, unless nil, is told line by line
// what happens.
func Run(seed uint64, trace func(line string)) Result {
	s := newSimulation(seed, trace)
	s.run()
	s.totals.Virtual, s.totals.Packets = s.scheduler.now, s.network.packets
	return Result{Seed: seed, Err: s.err, Totals: s.totals, Fingerprint: s.fingerprint.Sum64()}
}

// simulation is one run.
type simulation struct {
	seed    uint64
	options options
	cluster u128.Uint128

	scheduler    scheduler
	network      network
	storage      random // delays of all disks
	workers      random // delays of all workers
	faults       random
	clientRandom random
	buffers      buffer.Pool // of clients

	replicas   []*replica
	partition  partition
	clogs      clogs
	clients    []*client // all there ever were
	clientByID map[u128.Uint128]*client
	workload   *workload
	calls      int // made so far

	history        *history
	bus            *checkBus
	peers          *checkPeers
	grids          *checkGrid
	latestRealtime uint64 // that any clock has shown

	crashesLeft int
	calm        bool // no fault comes any more, and no call
	over        bool // the run is to end
	err         error
	totals      Totals
	fingerprint hash64
	traceLine   func(string)
	// lie, unless nil, changes what disks are asked to do, without a word.
	// Tests of the checkers set it.
	lie func(*blockio.Request)
}

// hash64 is hash.Hash64, as far as it is used.
type hash64 interface {
	Write([]byte) (int, error)
	Sum64() uint64
}

func newSimulation(seed uint64, trace func(string)) *simulation {
	s := &simulation{
		seed: seed, options: drawOptions(seed), cluster: u128.Uint128{Lo: seed, Hi: 7},
		storage: newRandom(seed, streamStorage), workers: newRandom(seed, streamWorkers), faults: newRandom(seed, streamFaults),
		clientRandom: newRandom(seed, streamClients),
		clientByID:   make(map[u128.Uint128]*client),
		history:      newHistory(), fingerprint: fnv.New64a(), traceLine: trace,
	}
	s.network = network{
		options: s.options.network, random: newRandom(seed, streamNetwork), scheduler: &s.scheduler, deliver: s.deliver,
	}
	s.crashesLeft = s.options.crashes
	s.bus, s.peers, s.grids = newCheckBus(s), newCheckPeers(s), newCheckGrid(s)
	s.workload = newWorkload(s)
	s.network.cut = s.partition.cut
	s.network.held = func(from, to int) time.Duration { return s.clogs[from][to] }
	for i := range s.options.cluster.replicas + s.options.cluster.standbys {
		s.replicas = append(s.replicas, newReplica(s, i))
	}
	return s
}

// run is a run from its beginning to its end. A panic of the product is a
// failure like any other.
func (s *simulation) run() {
	defer func() {
		if reason := recover(); reason != nil {
			s.fail("panic: %v\n%s", reason, debug.Stack())
		}
	}()
	s.trace("seed %d: %v", s.seed, s.options)
	for _, r := range s.replicas {
		r.start()
		s.crashInTime(r)
	}
	s.partitionInTime()
	s.pauseInTime()
	s.clogInTime()
	for range s.options.clients {
		s.newClient()
	}
	s.until(chaosMax, func() bool { return s.workload.left == 0 && s.crashesLeft == 0 || s.workload.left == 0 && s.idle() })
	s.calmDown()
	if !s.until(calmMax, func() bool { return s.idle() && s.allUp() }) {
		s.fail("%d calls have not ended %v after the last fault: %s", s.unanswered(), calmMax, s.positions())
	}
	s.converge(s.living()...)
	s.checkTwice()
}

// until lets events happen until done, for at most a time. It reports whether
// it is done.
func (s *simulation) until(limit time.Duration, done func() bool) bool {
	for end := s.scheduler.now + limit; !s.over; {
		if done() {
			return true
		}
		if s.scheduler.now > end {
			return false
		}
		if most := eventsMax * len(s.replicas); s.scheduler.events > most {
			s.fail("%d events have not brought the run to an end", most)
		}
		if !s.scheduler.next() {
			s.fail("nothing is left to happen")
		}
	}
	return true
}

// calmDown ends all faults.
func (s *simulation) calmDown() {
	s.trace("calm after %d calls", s.calls)
	s.calm, s.network.calm = true, true
	s.partition, s.clogs = partition{}, clogs{}
	core := s.options.cluster.core(s.faults, s.options.fault, s.forgetful() > 0)
	for _, r := range s.replicas {
		if r.gone = core>>r.index&1 == 0 && !r.standby(); r.gone {
			s.trace("replica %d is given up", r.index)
			if r.process != nil {
				r.end()
			}
			continue
		}
		if !r.alone() {
			r.clockOffset = 0 // somebody has set it right
		}
		if p := r.process; p != nil {
			p.resume()
		}
		if p := r.process; p != nil { // it may have failed with what it had missed
			p.storage.calm = true
			if f := p.fault; !f.struck {
				f.kind = faultNone
			}
		}
		r.startIfDown()
	}
}

// checkTwice reads the state back, loses power once more, and reads it again.
func (s *simulation) checkTwice() {
	for _, r := range s.living() {
		if s.over {
			return
		}
		if r.alone() {
			s.until(calmMax, r.quiet)
			r.process.check(r.process.machine.unchanged)
		}
		s.trace("last crash of replica %d", r.index)
		r.end()
		r.start()
		s.until(calmMax, s.allUp) // which checks the state of a cluster of one
		s.converge(r)
	}
}

// quiet reports whether the replica is up, and neither executing anything nor
// making a checkpoint.
func (r *replica) quiet() bool {
	p := r.process
	return p != nil && p.machine != nil && !p.machine.busy() && r.disk.InFlight() == 0
}

// idle reports whether no call waits for its end.
func (s *simulation) idle() bool { return s.unanswered() == 0 }

func (s *simulation) unanswered() int {
	n := 0
	for _, c := range s.clients {
		n += c.outstanding
	}
	return n
}

func (s *simulation) allUp() bool {
	for _, r := range s.living() {
		if r.process == nil || !r.process.opened {
			return false
		}
	}
	return true
}

// crashInTime lets a replica crash now and then.
func (s *simulation) crashInTime(r *replica) {
	every := s.options.crashEvery
	if every == 0 {
		return
	}
	s.scheduler.after(s.faults.duration(0, 2*every), func() {
		if s.options.cluster.together > 0 && s.faults.chance(s.options.cluster.together) {
			s.crashAll()
		} else if r.process != nil {
			r.crash(r.process)
		}
		if s.crashesLeft > 0 && !s.calm {
			s.crashInTime(r)
		}
	})
}

// sometimes lets something happen until the calm, every so often on average; 0 is
// never. What happens is drawn from a stream of its own.
func (s *simulation) sometimes(stream uint64, every time.Duration, happen func(random)) {
	if every == 0 {
		return
	}
	random := newRandom(s.seed, stream)
	var again func()
	again = func() {
		if !s.calm && !s.over {
			happen(random)
			s.scheduler.after(random.duration(0, 2*every), again)
		}
	}
	s.scheduler.after(random.duration(0, 2*every), again)
}

// drawCue draws when a process crashes: in the middle of its opening, of its
// replay, of a checkpoint; or between a record and its witness.
func (s *simulation) drawCue() cue {
	switch {
	case s.crashesLeft == 0:
		return cue{}
	case s.faults.chance(30):
		return cue{after: s.faults.between(1, 20), witnesses: true}
	}
	return cue{after: 1 + s.faults.IntN(oneOf(s.faults, 30, 300, 3000))}
}

// deliver hands a packet over.
func (s *simulation) deliver(from, to endpoint, packet []byte) {
	switch {
	case s.over:
	case !to.client.IsZero():
		if c := s.clientByID[to.client]; c != nil {
			c.receive(from.replica, packet)
		}
	default:
		if p := s.replicas[to.replica].process; p != nil && p.opened {
			p.read(packet)
		}
	}
}

// note takes a packet into the fingerprint.
func (s *simulation) note(packet []byte) {
	var b [8]byte
	for i := range b {
		b[i] = byte(s.scheduler.now >> (8 * i))
	}
	s.fingerprint.Write(b[:])
	s.fingerprint.Write(packet[:min(len(packet), wire.HeaderSize)])
}

// connectClient lets a client connect to a replica, after a while. No client knows
// of standbys.
func (s *simulation) connectClient(c *client, replica int) {
	if s.replicas[replica].standby() {
		return
	}
	p := s.replicas[replica].process
	s.scheduler.after(s.clientRandom.duration(0, reconnectMax), func() {
		if !p.dead {
			c.connect(replica)
		}
	})
}

func (s *simulation) connectClients(replica int) {
	for _, c := range s.clients {
		if !c.evicted {
			s.connectClient(c, replica)
		}
	}
}

// disconnectClients lets clients notice that a process has died.
func (s *simulation) disconnectClients(replica int) {
	if s.replicas[replica].standby() {
		return
	}
	for _, c := range s.clients {
		c.disconnect(replica)
	}
}

// clusterTime is about the time that the next request will get.
func (s *simulation) clusterTime() uint64 {
	return max(s.history.last()+1, s.replicas[0].Realtime())
}

// bodySizeLimit is the largest body of a request, in bytes.
func (s *simulation) bodySizeLimit() int {
	return int(s.options.layout.RequestSizeMax) - wire.HeaderSize
}

// lose ends a run whose data file cannot be repaired.
func (s *simulation) lose() {
	s.totals.Lost++
	s.over = true
}

// fail ends the run with what was found. Only the first call counts.
func (s *simulation) fail(format string, arguments ...any) {
	if s.err == nil {
		s.err = fmt.Errorf("at %v: %w", s.scheduler.now, fmt.Errorf(format, arguments...))
		s.trace("FAILED %v", s.err)
	}
	s.over = true
}

func (s *simulation) trace(format string, arguments ...any) {
	if s.traceLine != nil {
		s.traceLine(fmt.Sprintf("%12v  ", s.scheduler.now) + fmt.Sprintf(format, arguments...))
	}
}
