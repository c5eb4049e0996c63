package vsr

import (
	"fmt"

	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/vsr/journal"
	"github.com/ledgerd/ledgerd/wire"
)

// onPrepare handles a prepare: the next one of the primary, or one that was
// asked for by its checksum.
func (r *Replica) onPrepare(message *buffer.Buffer) {
	g := &r.group
	var header wire.Prepare
	if r.alone() || header.Decode(message.Bytes) != nil || header.Op == 0 ||
		header.ValidateBody(message.Bytes[wire.HeaderSize:]) != nil {
		return
	}
	op := Op(header.Op)
	if View(header.View) > r.view {
		r.enterView(View(header.View))
	}
	if op <= r.head.op {
		r.repair(&header, message)
		return
	}
	fresh, expected := r.status == statusNormal && View(header.View) == r.view && !r.isPrimary(), r.expects(&header)
	if fresh {
		if !expected { // else it may have been asked for, of another backup
			g.heard = g.ticks
		}
		g.known = max(g.known, op)
		r.commitMax = max(r.commitMax, Op(header.Commit))
	}
	if op > r.head.op+stashMax || !fresh && !expected {
		return
	}
	if slot := &g.stash[op%stashMax]; slot.message == nil || slot.header.Checksum != header.Checksum {
		slot.drop()
		*slot = stashed{header: header, message: message.Retain()}
	}
	r.appendStashed()
	r.askForMissing()
}

// expects reports whether a prepare is known to be part of the view's log.
func (r *Replica) expects(header *wire.Prepare) bool {
	i := int(header.Op) - int(r.head.op) - 1
	expected := r.group.expected
	return i >= 0 && i < len(expected) && expected[i].Checksum == header.Checksum
}

func (s *stashed) drop() {
	if s.message != nil {
		s.message.Release()
	}
	*s = stashed{}
}

// dropExpected forgets all that was to come after the head.
func (r *Replica) dropExpected() {
	g := &r.group
	for i := range g.stash {
		g.stash[i].drop()
	}
	g.expected, g.headersAsked = g.expected[:0], 0
}

// appendStashed appends the prepares that follow the head, as far as there is
// room in the journal: more comes when a checkpoint has made some.
func (r *Replica) appendStashed() {
	g := &r.group
	for !g.cut.set && r.err == nil {
		slot := &g.stash[(r.head.op+1)%stashMax]
		header := &slot.header
		if slot.message == nil || Op(header.Op) != r.head.op+1 {
			return
		}
		ours := r.status == statusNormal && View(header.View) == r.view
		if header.Parent != r.head.checksum || !ours && !r.expects(header) {
			slot.drop()
			return
		}
		size := int(header.Size)
		if r.journal.Mending() || r.journal.InFlight() == journal.AppendsMax || !r.journal.Fits(header.Op, header.Offset, size) {
			return
		}
		if header.Offset != r.journal.NextOffset(r.head.offsetEnd, size) || Ordinal(header.Ordinal) != r.head.ordinal+1 {
			r.fail(fmt.Errorf("op %d, which replica %d made, does not follow op %d: the replicas have diverged, or their data files were formatted differently",
				header.Op, header.Replica, r.head.op))
			return
		}
		r.appendBackup(slot)
	}
}

func (r *Replica) appendBackup(slot *stashed) {
	g, header := &r.group, slot.header
	message := slot.message
	*slot = stashed{}
	r.head.advance(&header)
	g.verified = r.head.op
	if len(g.expected) > 0 {
		g.expected = g.expected[:copy(g.expected, g.expected[1:])]
	}
	if p := &r.pipeline; !p.full() && (p.count == 0 || Op(header.Op) == p.first+Op(p.count)) {
		p.push(prepared{header: header, message: message.Retain()})
	}
	r.journal.Append(message, r.onDurable)
	message.Release()
}

// sendPrepareOK tells the primary what is durable here: not what was, and has
// rotted before it was committed. The log is the view's, and log_view says so.
func (r *Replica) sendPrepareOK() {
	op := Op(r.journal.DurableOp())
	if faulty, ok := r.journal.NextFaulty(uint64(r.commitMin)); ok {
		op = min(op, Op(faulty)-1)
	}
	if sum, ok := r.checksumAt(op); ok && !r.standby() {
		r.tell(r.primaryOf(r.view), wire.CommandPrepareOK, wire.Peer{Op: uint64(op), ChecksumOf: sum, Commit: uint64(r.commitMin)}, nil)
	}
}

// onPrepareOK counts an acknowledgement: of an op, and of all before it.
func (r *Replica) onPrepareOK(h *wire.Peer) {
	r.group.ackedAt[h.Replica] = r.group.ticks
	if sum, ok := r.checksumAt(Op(h.Op)); !ok || sum != h.ChecksumOf {
		return
	}
	for op := r.commitMin + 1; op <= min(Op(h.Op), r.pipelined()); op++ {
		r.pipeline.at(op).acks |= 1 << h.Replica
	}
}

// sendCommit tells the backups that the primary is there, how long the log is,
// and what of it is committed.
func (r *Replica) sendCommit() {
	r.tellAll(wire.CommandCommit, wire.Peer{
		Op: uint64(r.head.op), ChecksumOf: r.head.checksum, Commit: uint64(r.commitMin),
	}, nil)
}

// longShare is the part of the largest request from which on a prepare counts as
// long.
const longShare = 8

// tellOfCommit tells the backups of a long op that is committed, if no prepare
// will do so at once. They then execute it while this replica does, and not when
// the next one has come, whose acknowledgement would wait for it.
func (r *Replica) tellOfCommit(header *wire.Prepare) {
	if r.alone() || Op(header.Op) != r.head.op || len(r.requests.waiting) > 0 ||
		longShare*uint64(header.Size) < uint64(r.root.Layout.RequestSizeMax) {
		return
	}
	r.tellAll(wire.CommandCommit, wire.Peer{Op: header.Op, ChecksumOf: header.Checksum, Commit: header.Op}, nil)
}

// onCommit handles the primary's heartbeat.
func (r *Replica) onCommit(h *wire.Peer) {
	g := &r.group
	g.heard = g.ticks
	if r.status != statusNormal {
		if !r.Recovering() {
			r.tell(h.Replica, wire.CommandGetView, wire.Peer{}, nil)
		}
		return
	}
	own := &r.root.Checkpoint
	if h.CheckpointOp == own.Op && h.Checkpoint != own.ID() {
		r.fail(fmt.Errorf("checkpoint at op %d: replica %d has id %x, this one %x: the replicas have diverged",
			own.Op, h.Replica, h.Checkpoint, own.ID()))
		return
	}
	r.commitMax = max(r.commitMax, Op(h.Commit))
	g.known = max(g.known, Op(h.Op))
	r.sendPrepareOK()
	r.askForMissing()
}

// abdicates reports whether a primary has not heard of a quorum, or not known
// the time, for so long that another should lead: it then falls silent.
func (r *Replica) abdicates() bool {
	g := &r.group
	if r.alone() {
		return false
	}
	if g.clock.unsynchronised > abdicateTicks {
		return true
	}
	heard := 1
	for i := range r.root.ReplicaCount {
		if i != r.root.Replica && g.ticks-g.ackedAt[i] <= abdicateTicks {
			heard++
		}
	}
	return heard < r.quorum
}
