package vsr

import (
	"fmt"

	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/wire"
)

const (
	// askMax bounds the prepares that are asked for at a time.
	askMax = 8
	// headersMax is how many headers are sent at a time.
	headersMax = stashMax
)

// repair writes the record of an op whose own has rotted.
func (r *Replica) repair(header *wire.Prepare, message *buffer.Buffer) {
	g := &r.group
	own, ok := r.journal.Find(header.Op)
	if ok && own.Checksum == header.Checksum && r.journal.Faulty(header.Op) && !g.repairing && !g.cut.busy {
		g.repairing = true
		r.journal.Repair(message, func() { g.repairing = false })
	}
}

// askForFaulty asks for the records that have rotted.
func (r *Replica) askForFaulty() {
	op := r.root.Checkpoint.Op
	for range askMax / 2 {
		var ok bool
		if op, ok = r.journal.NextFaulty(op); !ok {
			return
		}
		if header, known := r.journal.Find(op); known {
			r.tell(r.source(Op(op), true), wire.CommandGetPrepare, wire.Peer{Op: op, ChecksumOf: header.Checksum}, nil)
		}
	}
}

// askForMissing asks the other replicas for what this one lacks of the log:
// prepares that it knows the checksums of, and headers.
// What was asked for is not asked for again before beatTicks have passed.
func (r *Replica) askForMissing() {
	g := &r.group
	count := 0
	for i := range g.expected {
		if op := r.head.op + 1 + Op(i); count < askMax && g.stash[op%stashMax].header.Checksum != g.expected[i].Checksum {
			r.askForPrepare(&g.expected[i])
			count++
		}
	}
	r.askForHeaders()
}

func (r *Replica) askForPrepare(header *wire.Prepare) {
	g, op := &r.group, Op(header.Op)
	last := &g.asked[op%stashMax]
	if last.op == op && last.at+beatTicks > g.ticks {
		return
	}
	again := last.op == op
	*last = asked{op: op, at: g.ticks}
	r.tell(r.source(op, again), wire.CommandGetPrepare, wire.Peer{Op: header.Op, ChecksumOf: header.Checksum}, nil)
}

// source returns a replica to ask about op: the primary, unless that is this one
// or has not answered. Each question goes round by itself, from beat to beat: by a
// turn that all of them shared, two questions would each come to the same replica
// for ever.
func (r *Replica) source(op Op, again bool) uint8 {
	if primary := r.primaryOf(r.view); !again && primary != r.root.Replica {
		return primary
	}
	return r.inTurn(r.group.ticks/beatTicks + uint64(op))
}

// inTurn returns one of the other replicas, and another one for the next turn.
func (r *Replica) inTurn(turn uint64) uint8 {
	own, count := uint64(r.root.Replica), uint64(r.root.ReplicaCount)
	if r.standby() {
		return uint8(turn % count)
	}
	return uint8((own + 1 + turn%(count-1)) % count)
}

// askForHeaders asks for the headers that come next in the view's log, if there
// are any.
func (r *Replica) askForHeaders() {
	g := &r.group
	from := r.head.op + Op(len(g.expected))
	switch {
	case len(g.expected) >= askMax || g.cut.set:
		return
	case r.status == statusNormal && (r.isPrimary() || !r.lacks(from)):
		return
	case r.status != statusNormal && (!g.goal.set || r.atGoal()):
		return
	case r.status != statusNormal && len(g.expected) == 0:
		from = r.certain() // beyond it the log may have to be replaced
	}
	if g.headersAsked != 0 && g.headersAsked+beatTicks > g.ticks {
		return
	}
	again := g.headersAsked != 0
	g.headersAsked = g.ticks
	r.tell(r.source(from, again), wire.CommandGetHeaders, wire.Peer{Op: uint64(from)}, nil)
}

// lacks reports whether the view's log has more ops than those up to from,
// which is the head or what is expected after it, and those in the stash.
func (r *Replica) lacks(from Op) bool {
	next := &r.group.stash[(from+1)%stashMax]
	return r.group.known > from && (next.message == nil || Op(next.header.Op) != from+1)
}

// onGetHeaders answers with headers of the log, as far as it is the view's for
// certain: with none if they begin before its checkpoint and are forgotten.
func (r *Replica) onGetHeaders(h *wire.Peer) {
	g := &r.group
	g.headers = g.headers[:0]
	last := min(r.certain(), Op(h.Op)+headersMax)
	for op := Op(h.Op) + 1; op <= last; op++ {
		header, ok := r.journal.Find(uint64(op))
		if !ok {
			break
		}
		g.headers = append(g.headers, header)
	}
	if len(g.headers) > 0 || Op(h.Op) < Op(r.root.Checkpoint.Op) {
		r.tell(h.Replica, wire.CommandHeaders, wire.Peer{Op: uint64(r.certain()), Commit: uint64(r.commitMax)}, g.headers)
	}
}

// onGetPrepare answers with a prepare, if this replica has it.
func (r *Replica) onGetPrepare(h *wire.Peer) {
	if entry := r.pipeline.at(Op(h.Op)); entry != nil && entry.header.Checksum == h.ChecksumOf {
		r.options.Peers.SendToReplica(h.Replica, entry.message)
		return
	}
	to := h.Replica
	switch {
	case !r.journal.CanRead():
		return
	case !r.journal.Readable(h.Op, h.ChecksumOf):
		if h.Op <= r.root.Checkpoint.Op {
			r.tell(to, wire.CommandHeaders, wire.Peer{Op: uint64(r.certain()), Commit: uint64(r.commitMax)}, nil)
		}
		return
	}
	r.journal.Read(h.Op, func(message *buffer.Buffer, err error) {
		if err == nil {
			r.options.Peers.SendToReplica(to, message)
			message.Release()
		}
	})
}

// onHeaders takes headers of the view's log.
func (r *Replica) onHeaders(h *wire.Peer, headers []wire.Prepare) {
	if r.leads() {
		return
	}
	r.commitMax = max(r.commitMax, Op(h.Commit))
	if len(headers) == 0 {
		if Op(h.CheckpointOp) > r.reachable() {
			r.askForCheckpoint(h.Replica)
		}
		return
	}
	before, cut := r.head.op+Op(len(r.group.expected)), r.group.cut.set
	r.learn(headers)
	if before != r.head.op+Op(len(r.group.expected)) || cut != r.group.cut.set {
		r.group.headersAsked = 0 // an answer that comes twice does not ask twice
	}
	r.askForMissing()
}

// learn compares headers of the view's log, of consecutive ops, with this log.
// What differs is cut off; what follows the head is expected.
func (r *Replica) learn(headers []wire.Prepare) {
	g := &r.group
	for i := range headers {
		h := &headers[i]
		op := Op(h.Op)
		next := r.head.op + Op(len(g.expected)) + 1
		switch {
		case h.Command == wire.CommandReserved || g.cut.set || r.status != statusNormal && op > g.goal.op:
			return
		case op <= r.head.op:
			switch sum, ok := r.checksumAt(op); {
			case ok && sum != h.Checksum:
				r.cutTo(op - 1)
			case ok:
				g.verified = max(g.verified, op)
			}
		case op == next && len(g.expected) < stashMax:
			parent := r.head.checksum
			if n := len(g.expected); n > 0 {
				parent = g.expected[n-1].Checksum
			}
			switch {
			case h.Parent == parent:
				g.expected = append(g.expected, *h)
				g.verified = max(g.verified, r.head.op) // so it can be executed, which makes room
			case len(g.expected) == 0:
				r.cutTo(r.head.op - 1)
			default:
				g.expected = g.expected[:0]
			}
		}
	}
}

// cutTo decides that the log is not the view's beyond op. What is committed, and
// what the primary of this view made, is never cut off.
func (r *Replica) cutTo(op Op) {
	g := &r.group
	lost, _ := r.journal.Find(uint64(op + 1))
	if op < r.certain() || r.root.LogView == uint32(r.view) && lost.View == uint32(r.view) {
		r.fail(fmt.Errorf("op %d is not the one that other replicas have: the replicas have diverged (%v)", op+1, r))
		return
	}
	r.dropExpected()
	g.cut.set, g.cut.op = true, op
}

// truncate cuts the log off as soon as nothing is being written.
func (r *Replica) truncate() {
	g := &r.group
	if !g.cut.set || g.cut.busy || !r.journal.Quiet() {
		return
	}
	g.cut.busy = true
	r.pipeline.clear()
	op := g.cut.op
	r.journal.Truncate(uint64(op), func() {
		g.cut.set, g.cut.busy = false, false
		r.setHead(op)
	})
}
