package sim

import (
	"errors"
	"time"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/node"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/vsr"
	"github.com/ledgerd/ledgerd/vsr/faultdisk"
)

// Times of a process.
const (
	stepDelayMax  = 20 * time.Microsecond // what arrives in between is handled together
	openTimeout   = 5 * time.Minute
	downMax       = 2 * time.Second
	faultTimeout  = 5 * time.Second
	realtimeStart = 1_700_000_000_000_000_000
)

// replica is a data file and, unless it is down, the process that serves it.
type replica struct {
	sim      *simulation
	index    int
	disk     *faultdisk.Disk
	fileSize int64
	process  *process // nil: down
	// clockOffset is what the machine's clock shows beyond virtual time.
	clockOffset int64
	// intact says that the end of the last process has destroyed nothing: it
	// came when nothing was in flight, or the machine went on. A fault beside
	// the garbage that a power cut leaves would be two.
	intact bool
	// record is the record of the journal that was written last.
	record struct{ offset, size int64 }
	// view is the last one that a process was in. Each has one of its own.
	view vsr.View
	// forgetful says that the disk was lost and that the replica does not count
	// again yet.
	forgetful bool
	// said is what it has told the others; checkpoint is the one whose blocks were
	// looked at last.
	said       said
	checkpoint vsr.Op
	// gone says that the replica does not come back.
	gone bool
	// lost is a write that was never stored. After it no other fault comes.
	lost *fault
}

// process is one life of a replica. What it asked for dies with it.
type process struct {
	replica *replica
	node    *vsr.Replica
	storage *storage
	machine *checkMachine
	fault   *fault
	cue     cue
	pool    buffer.Pool
	opened  bool
	// checking says that the state is being read back: the replica takes no step.
	checking bool
	// stepping says that a step is on its way.
	stepping bool
	dead     bool
	// paused says that nothing happens in the process; waiting is what will, and
	// unread how many packets there are among that.
	paused  bool
	waiting []func()
	unread  int
}

// cue is when a process crashes: soon after so many requests to its disk, or
// only writes of witnesses, if after is greater than 0.
type cue struct {
	after     int
	witnesses bool
}

// newReplica makes a data file.
func newReplica(s *simulation, index int) *replica {
	r := &replica{sim: s, index: index}
	r.format(0)
	return r
}

// format gives the replica a new disk, with a nonce if it has lost another one.
func (r *replica) format(nonce uint64) {
	s := r.sim
	r.fileSize, r.intact, r.record.size = s.options.layout.GridOffset(), true, 0
	r.said, r.checkpoint = said{}, 0
	r.disk = faultdisk.New(newRandom(s.seed, streamDisk+1000*uint64(r.index)+nonce).Rand)
	r.disk.Poke(0, vsr.Format(vsr.FormatConfig{
		Cluster: s.cluster, Replica: uint8(r.index), ReplicaCount: uint8(s.options.cluster.replicas), Layout: s.options.layout,
		Recovery: nonce,
	}))
}

// Realtime implements vsr.Clock.
func (r *replica) Realtime() uint64 {
	now := uint64(realtimeStart + int64(r.sim.scheduler.now) + r.clockOffset)
	r.sim.latestRealtime = max(r.sim.latestRealtime, now)
	return now
}

// start begins a process, which opens the data file.
func (r *replica) start() {
	s := r.sim
	s.totals.Starts++
	r.moveClock()
	p := &process{replica: r, fault: &fault{}}
	if r.lost == nil && (r.intact || s.options.fault == faultWrite) {
		p.fault = r.drawFault()
	}
	r.process = p
	s.trace("replica %d starts, clock %+v, fault %v at %d effect %d offset %d",
		r.index, time.Duration(r.clockOffset), p.fault.kind, p.fault.at, p.fault.effect, p.fault.offset)
	r.disk.Inject = p.fault.inject(s.faults, &s.options.layout)
	p.cue = s.drawCue()
	p.storage = &storage{
		options: s.options.storage, random: s.storage, scheduler: &s.scheduler, disk: r.disk, calm: s.calm,
		running: p.running, onComplete: p.happened,
	}
	p.node = node.New(node.Options{
		Storage: p, Bus: p, Peers: p, Clock: r, Pool: &p.pool, Workers: p,
		FileSize: r.fileSize, GridCacheSize: s.options.gridCacheSize,
		CacheAccounts: s.options.cacheAccounts,
		Identity:      &vsr.Identity{Cluster: s.cluster, Replica: uint8(r.index)},
		Watch: func(inner vsr.StateMachine) vsr.StateMachine {
			p.machine = newCheckMachine(p, inner)
			return p.machine
		},
	})
	p.node.Open(p.onOpen)
	s.scheduler.after(openTimeout, func() {
		if !p.dead && !p.opened {
			s.fail("replica %d has not opened after %v", r.index, openTimeout)
		}
	})
	p.tick()
	p.happened()
}

// Submit implements vsr.Storage; it notes how far the file reaches, and crashes
// the process on its cue.
func (p *process) Submit(request *blockio.Request) {
	r, s := p.replica, p.replica.sim
	layout := &s.options.layout
	witness := false
	if end := request.Offset + int64(len(request.Buf)); request.Kind == blockio.Write {
		r.fileSize = max(r.fileSize, end)
		if f := p.fault; request.Offset <= f.offset && f.offset < end {
			f.overwritten = true
		}
		if request.Offset >= layout.JournalRecordsOffset() && request.Offset < layout.GridOffset() {
			r.record.offset, r.record.size = request.Offset, int64(len(request.Buf))
		}
		witness = request.Offset >= layout.JournalHeadersOffset() && end <= layout.JournalRecordsOffset()
	}
	if s.lie != nil {
		s.lie(request)
	}
	p.storage.Submit(request)
	if witness || !p.cue.witnesses {
		if p.cue.after--; p.cue.after == 0 {
			s.scheduler.after(s.faults.duration(0, 2*s.options.storage.delayMax), func() { r.crash(p) })
		}
	}
}

// Go implements node.Options.Workers: the job is done at some time, and the
// process hears of it some time later.
func (p *process) Go(job, done func()) {
	most := p.replica.sim.options.workerDelayMax
	p.later(most, func() {
		job()
		p.later(most, done)
	})
}

// later lets something happen within the process after a time of up to most, or
// at once for 0.
func (p *process) later(most time.Duration, happen func()) {
	if most == 0 {
		happen()
		return
	}
	s := p.replica.sim
	s.scheduler.after(s.workers.duration(0, most), func() {
		p.running(func() {
			happen()
			p.happened()
		})
	})
}

// SendToClient implements vsr.Bus.
func (p *process) SendToClient(client u128.Uint128, message *buffer.Buffer) {
	s := p.replica.sim
	if err := s.bus.check(p, client, message.Bytes); err != nil {
		s.fail("replica %d sends to client %v: %v", p.replica.index, client, err)
		return
	}
	s.network.send(endpoint{replica: p.replica.index}, endpoint{client: client}, message)
}

func (p *process) onOpen(err error) {
	r, s := p.replica, p.replica.sim
	if err != nil {
		return // p.happened looks at the node's error
	}
	s.trace("replica %d has opened: view %d, %v", r.index, p.node.View(), p.node.CommitMin())
	if !r.followsItself(p.node) {
		return
	}
	p.checking = true // from now on, though it cannot begin within the replica
	s.scheduler.after(0, func() {
		if !r.alone() {
			p.checking = false
		}
		if !r.alone() || p.check(p.machine.opened) {
			p.opened = true
			s.connectClients(r.index)
		}
	})
}

// check reads the state back, while the replica takes no step but its disk and
// its workers go on. It reports false if the process has died meanwhile, or the
// state is wrong.
func (p *process) check(state func(waiter) error) bool {
	s := p.replica.sim
	p.checking = true
	err := state(func(done func() bool) bool {
		return s.until(calmMax, func() bool { return p.dead || done() }) && !p.dead
	})
	if p.dead || s.over {
		return false
	}
	if err != nil {
		s.fail("replica %d is up: %v", p.replica.index, err)
		return false
	}
	p.checking = false
	p.happened()
	return true
}

// receive is what the bus does with a packet: it lets whole, intact frames of
// this cluster through.
func (p *process) receive(packet []byte) {
	message := p.pool.Acquire(len(packet))
	defer message.Release()
	copy(message.Bytes, packet)
	frame, err := verify(message.Bytes)
	if err != nil || frame.Cluster != p.replica.sim.cluster {
		p.replica.sim.fail("a client sent an invalid frame: %v", err)
		return
	}
	p.node.OnMessage(message)
	p.happened()
}

// happened is called after whatever happened to the node: it may have failed,
// or can take a step soon.
func (p *process) happened() {
	if p.dead {
		return
	}
	if err := p.node.Err(); err != nil {
		p.replica.onFailure(err)
		return
	}
	if r := p.replica; r.forgetful && p.opened && !p.node.Recovering() && !r.followsItself(p.node) {
		return
	}
	if f := p.fault; f.struck && !f.watched {
		f.watched = true
		p.afterFault(f)
	}
	p.checkCheckpoint()
	if p.stepping {
		return
	}
	p.stepping = true
	s := p.replica.sim
	s.scheduler.after(s.storage.duration(0, stepDelayMax), func() { p.running(p.step) })
}

// checkCheckpoint looks at some of the checkpoints that have become durable.
func (p *process) checkCheckpoint() {
	r := p.replica
	op := p.node.CheckpointOp()
	if op == r.checkpoint {
		return
	}
	r.checkpoint = op
	if op%gridsChecked != 0 {
		return
	}
	if err := r.sim.grids.check(r); err != nil {
		r.sim.fail("replica %d: %v", r.index, err)
	}
}

// gridsChecked is of how many checkpoints one is compared: each takes as long as
// to read the whole grid.
const gridsChecked = 4

func (p *process) step() {
	p.stepping = false
	if p.checking {
		return
	}
	if p.node.Step() || p.node.Err() != nil {
		p.happened()
	}
}

// tick lets time pass for the node.
func (p *process) tick() {
	p.replica.sim.scheduler.after(vsr.TickInterval, func() {
		switch {
		case p.dead:
			return
		case !p.paused:
			if p.opened && !p.checking {
				p.node.Tick()
			}
			p.happened()
		}
		p.tick()
	})
}

// afterFault is called once the fault of the process has struck.
func (p *process) afterFault(f *fault) {
	s := p.replica.sim
	switch {
	case f.kind == faultWrite:
		s.scheduler.after(faultTimeout, p.mustHaveFailed)
	case f.kind == faultLost && s.faults.chance(70):
		// Before a checkpoint makes the lost record superfluous.
		s.crashesLeft++
		s.scheduler.after(s.faults.duration(0, 20*time.Millisecond), func() { p.replica.crash(p) })
	}
}

// mustHaveFailed is called when a write has failed long ago.
func (p *process) mustHaveFailed() {
	if s := p.replica.sim; p.paused {
		s.scheduler.after(faultTimeout, p.mustHaveFailed)
	} else if !p.dead {
		s.fail("replica %d goes on after a failed %v at offset %d",
			p.replica.index, p.fault.request.Kind, p.fault.request.Offset)
	}
}

// onFailure handles a node that has failed: that is right if its disk has, and
// the operator then replaces what is broken.
func (r *replica) onFailure(err error) {
	s, f := r.sim, r.process.fault
	if r.lost != nil {
		f = r.lost
	}
	s.trace("replica %d has failed: %v", r.index, err)
	if errors.Is(err, vsr.ErrRestart) {
		s.totals.Syncs++
		r.end()
		s.scheduler.after(0, r.startIfDown)
		return
	}
	if err := f.excuses(err, &s.options.layout, r.alone()); err != nil {
		s.fail("replica %d: %v", r.index, err)
		return
	}
	s.totals.Failures++
	opened := r.process.opened
	r.end()
	switch {
	case f.kind == faultLost && r.alone():
		s.lose() // what was never written cannot be restored
		return
	case f.kind == faultRot && opened && f.offset < s.options.layout.GridOffset():
		s.fail("replica %d found rot at offset %d only after it had opened", r.index, f.offset)
		return
	}
	s.scheduler.after(s.faults.duration(0, downMax), r.startIfDown)
}

// crash ends process p, if it still runs, and starts another one later.
func (r *replica) crash(p *process) {
	s := r.sim
	if p.dead || s.calm || s.crashesLeft == 0 {
		return
	}
	// A write that was lost and one that is torn would be two faults.
	f := p.fault
	if (r.lost != nil || f.kind == faultLost && f.struck) && r.disk.InFlight() > 0 {
		s.scheduler.after(time.Millisecond, func() { r.crash(p) })
		return
	}
	s.crashesLeft--
	s.totals.Crashes++
	s.trace("replica %d crashes after %d I/Os, %d in flight", r.index, p.storage.submitted, r.disk.InFlight())
	r.end()
	if r.mayForget() && s.faults.chance(s.options.cluster.losses) {
		r.loseDisk()
	}
	s.scheduler.after(s.faults.duration(0, downMax), r.startIfDown)
}

func (r *replica) startIfDown() {
	if r.process == nil && !r.sim.over && !r.gone {
		r.start()
	}
}

// end makes the process dead, its machine perhaps too.
func (r *replica) end() {
	p := r.process
	p.dead, p.storage.dead = true, true
	if p.opened {
		r.view = max(r.view, p.node.View())
	}
	r.process = nil
	r.disk.Inject = nil
	r.intact = r.disk.InFlight() == 0
	if r.sim.faults.chance(r.sim.options.kills) {
		r.intact = true
		r.disk.Kill()
	} else {
		r.disk = r.disk.PowerCut()
	}
	switch f := p.fault; {
	case f.kind == faultRot && !f.overwritten && r.alone():
		r.disk.Poke(f.offset, []byte{f.original})
	case f.kind == faultLost && f.struck:
		r.lost = f
	}
	r.sim.disconnectClients(r.index)
}
