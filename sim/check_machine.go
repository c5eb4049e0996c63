package sim

import (
	"bytes"
	"fmt"
	"time"

	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/sim/model"
	"github.com/ledgerd/ledgerd/vsr"
)

// history is all that was ever executed, in order, and the ledger that it
// makes according to the model. It belongs to the cluster, not to a replica:
// what one has executed, every one executes, now or after a crash.
type history struct {
	commits     []commit
	byTimestamp map[uint64]int
	model       *model.Model
	// checkpoints are those that were ever made, by their op: it is the same
	// on all replicas, and so are the commits before it, and the root.
	checkpoints map[vsr.Op]checkpoint
}

// commit is one executed request.
type commit struct {
	operation   byte
	timestamp   uint64
	body, reply []byte
}

// checkpoint is what all replicas make of an op.
type checkpoint struct {
	position int // how many commits are in it
	root     string
}

func newHistory() *history {
	return &history{
		byTimestamp: make(map[uint64]int),
		model:       model.New(),
		checkpoints: map[vsr.Op]checkpoint{0: {}},
	}
}

// last returns the timestamp of the last commit.
func (h *history) last() uint64 {
	if len(h.commits) == 0 {
		return 0
	}
	return h.commits[len(h.commits)-1].timestamp
}

// checkMachine stands between a replica and its ledger, and fails the run
// unless
//
//   - what is executed again is what was executed before, at the same place,
//     and has the same reply, byte for byte;
//   - what is executed for the first time comes later than all before, not
//     before its time, and has the reply of the model;
//   - no restart loses anything that was ever executed;
//   - each request is executed when its own prefetch is done, and the one before;
//   - the model agrees on which requests are valid, how many timestamps they
//     take, and when a pulse is due.
//
// It is slower than what it stands for: the ledger is done with a prefetch, and
// the replica hears of it later.
type checkMachine struct {
	sim     *simulation
	process *process
	inner   vsr.StateMachine
	history *history

	// position is how many commits of the history the machine has seen.
	position int
	// prefetching is the timestamp of the request that is being prefetched,
	// prefetched of the one that may be executed; 0: none.
	prefetching, prefetched uint64
}

func newCheckMachine(p *process, inner vsr.StateMachine) *checkMachine {
	s := p.replica.sim
	return &checkMachine{sim: s, process: p, inner: inner, history: s.history}
}

// busy reports whether a request is between the beginning of its prefetch and
// its end.
func (m *checkMachine) busy() bool { return m.prefetching != 0 || m.prefetched != 0 }

// Open implements vsr.StateMachine.
func (m *checkMachine) Open(root []byte, done func(error)) {
	op := m.process.node.CheckpointOp()
	known, ok := m.history.checkpoints[op]
	if !ok || known.root != string(root) {
		m.sim.fail("opened from root %x at %v, which no checkpoint had", root, op)
	}
	m.position = known.position
	m.inner.Open(root, done)
}

// opened is called when the replica has executed its journal.
func (m *checkMachine) opened(wait waiter) error {
	if lost := len(m.history.commits) - m.position; lost != 0 {
		return fmt.Errorf("of %d requests executed before, the last %d are gone", len(m.history.commits), lost)
	}
	return m.unchanged(wait)
}

// unchanged checks that the machine has the state that the history makes.
func (m *checkMachine) unchanged(wait waiter) error {
	return checkState(m.inner, m.history.model, m.history.last(), wait)
}

// Check implements vsr.StateMachine.
func (m *checkMachine) Check(operation byte, body []byte, bodySizeLimit int) (slots int, known, valid bool) {
	slots, known, valid = m.inner.Check(operation, body, bodySizeLimit)
	wantSlots, wantKnown, wantValid := m.history.model.Check(operation, body, bodySizeLimit)
	if known != wantKnown || valid != wantValid || valid && slots != wantSlots {
		m.sim.fail("%v of %d bytes: known %v, valid %v, %d slots; the model says %v, %v, %d", ledger.Operation(operation),
			len(body), known, valid, slots, wantKnown, wantValid, wantSlots)
	}
	return slots, known, valid
}

// Pulse implements vsr.StateMachine.
func (m *checkMachine) Pulse(now uint64) (slots int, due bool) {
	slots, due = m.inner.Pulse(now)
	if m.position == len(m.history.commits) {
		wantSlots, wantDue := m.history.model.Pulse(now)
		if wantDue && (!due || slots != wantSlots) {
			m.sim.fail("pulse at %d: due %v, %d slots; the model says %v, %d", now, due, slots, wantDue, wantSlots)
		}
	}
	return slots, due
}

// Prefetch implements vsr.StateMachine.
func (m *checkMachine) Prefetch(operation byte, timestamp uint64, body []byte, done func()) {
	if m.busy() {
		m.sim.fail("the request at %d is prefetched before the one at %d has ended", timestamp, m.prefetching+m.prefetched)
	}
	m.prefetching = timestamp
	m.inner.Prefetch(operation, timestamp, body, func() {
		m.process.later(m.sim.options.prefetchDelayMax, func() {
			m.prefetching, m.prefetched = 0, timestamp
			done()
		})
	})
}

// Checkpoint implements vsr.StateMachine.
func (m *checkMachine) Checkpoint(done func(root []byte)) {
	position, op := m.position, m.process.node.CommitMin()
	m.inner.Checkpoint(func(root []byte) {
		if m.position != position {
			m.sim.fail("executed something during a checkpoint")
		}
		m.sim.totals.Checkpoints++
		m.sim.trace("checkpoint after %d requests", position)
		made := checkpoint{position, string(root)}
		if known, again := m.history.checkpoints[op]; again && known != made {
			m.sim.fail("the checkpoint at %v has %d requests and root %x, and had %d and %x", op, position, root, known.position, known.root)
		}
		m.history.checkpoints[op] = made
		done(root)
	})
}

// Commit implements vsr.StateMachine.
func (m *checkMachine) Commit(operation byte, timestamp uint64, body, reply []byte) []byte {
	if m.prefetched != timestamp {
		m.sim.fail("the request at %d is executed without a prefetch", timestamp)
	}
	m.prefetched = 0
	before := len(reply)
	reply = m.inner.Commit(operation, timestamp, body, reply)
	done := commit{operation, timestamp, body, reply[before:]}
	var err error
	if m.position < len(m.history.commits) {
		err = m.again(&done)
	} else {
		err = m.first(done)
	}
	if err != nil {
		m.sim.fail("request %d, %v at %d: %v", m.position, ledger.Operation(operation), timestamp, err)
	}
	m.position++
	return reply
}

// again judges a commit that must be the one in the history.
func (m *checkMachine) again(got *commit) error {
	m.sim.totals.Replayed++
	want := &m.history.commits[m.position]
	switch {
	case got.operation != want.operation || got.timestamp != want.timestamp || !bytes.Equal(got.body, want.body):
		return fmt.Errorf("executed again as another one: it was %v at %d with %d bytes, is now of %d bytes",
			ledger.Operation(want.operation), want.timestamp, len(want.body), len(got.body))
	case !bytes.Equal(got.reply, want.reply):
		return fmt.Errorf("executed again with another reply:\n%x, was\n%x", got.reply, want.reply)
	}
	return nil
}

// first judges a commit that is new, and takes it into the history.
func (m *checkMachine) first(got commit) error {
	h := m.history
	slots, _, _ := h.model.Check(got.operation, got.body, m.sim.bodySizeLimit())
	if got.operation == byte(ledger.OperationPulse) {
		slots = pulseSlots
		// Requests that were prepared before a pulse may leave it nothing to
		// do. A pulse cannot: one is prepared at a time.
		_, due := h.model.Pulse(got.timestamp)
		if n := len(h.commits); !due && n > 0 && h.commits[n-1].operation == got.operation {
			return fmt.Errorf("a pulse follows another and has nothing to do")
		}
	}
	if got.timestamp < h.last()+uint64(slots)+1 {
		return fmt.Errorf("it has %d slots, and the one before is at %d", slots, h.last())
	}
	most := max(h.last()+1, m.sim.latestRealtime) + uint64(slots) + registrationsMax
	if len(m.sim.replicas) > 1 {
		most += uint64(clusterTimeAhead) // of a clock that was right, and has been set back since
	}
	if got.timestamp > most {
		return fmt.Errorf("no clock has shown so much yet: %d is the most", most)
	}
	want := h.model.Commit(got.operation, got.timestamp, got.body, nil)
	if !bytes.Equal(got.reply, want) {
		return fmt.Errorf("reply\n%x, the model says\n%x", got.reply, want)
	}
	got.body, got.reply = bytes.Clone(got.body), bytes.Clone(got.reply)
	h.byTimestamp[got.timestamp] = len(h.commits)
	h.commits = append(h.commits, got)
	m.sim.totals.Requests++
	m.sim.workload.saw(got.timestamp)
	return nil
}

// clusterTimeAhead is by how much the time on which a majority agrees may be
// ahead of the clock that was ahead of all.
const clusterTimeAhead = 10 * time.Second

// pulseSlots is how many timestamps a pulse takes (SEMANTICS.md section 10).
const pulseSlots = 8190

// registrationsMax bounds the registrations between two commits. Each takes a
// timestamp, and the machine does not hear of it.
const registrationsMax = 1000
