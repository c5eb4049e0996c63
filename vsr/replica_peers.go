package vsr

import (
	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/wire"
)

// tickGroup does what is due in a cluster: the primary says that it is there,
// the others ask for what they lack, and for another primary.
func (r *Replica) tickGroup() {
	g := &r.group
	g.ticks++
	g.forwarded = 0
	beat := g.ticks%beatTicks == 0
	if r.status == statusSyncing {
		if beat && g.receiver != nil {
			g.receiver.Again()
			r.sayCheckpoint()
		}
		return
	}
	r.tickClock()
	switch {
	case r.leads():
		if beat && r.abdicates() {
			r.suspect() // itself
		} else if beat {
			r.sendCommit()
		}
	case r.status == statusViewChange:
		if beat && r.Recovering() {
			r.askWhatWas()
		}
		if beat {
			r.sendJoin()
		}
		if g.ticks-g.heard > 2*g.patience && beat {
			r.suspect()
		}
	default:
		if beat && r.status == statusRecovering {
			r.tell(r.primaryOf(r.view), wire.CommandGetView, wire.Peer{}, nil)
		}
		if g.ticks-g.heard > g.patience && beat {
			r.suspect()
		}
	}
	if beat {
		r.askForMissing()
		r.askForFaulty()
		r.mendBlocks()
	}
	if r.calm() && g.patience > patienceMin {
		g.normalSince, g.patience = g.ticks, max(g.patience/2, patienceMin)
	}
}

// suspect says that the primary should go. It binds nobody: the replica stays
// where it is until a quorum wants to leave.
func (r *Replica) suspect() {
	if r.group.updating || r.standby() {
		return
	}
	target := r.group.entering + 1
	r.tellAll(wire.CommandExitView, wire.Peer{Target: uint32(target)}, nil)
	r.countExit(r.root.Replica, target)
}

// countExit notes what a replica wants, and leaves the view when a quorum wants
// to.
func (r *Replica) countExit(replica uint8, target View) {
	g := &r.group
	g.exits[replica] = exit{target: target, at: g.ticks}
	count := 0
	for i := range r.root.ReplicaCount {
		if e := &g.exits[i]; e.target == g.entering+1 && e.at+patienceMin >= g.ticks {
			count++
		}
	}
	if count >= quorumViewChange(r.root.ReplicaCount) {
		r.enterView(g.entering + 1)
	}
}

// noteCheckpoint notes which checkpoint another replica has. One that asks for
// blocks, or sends some, may not have all of its own; that of a standby does not
// count.
func (r *Replica) noteCheckpoint(h *wire.Peer) {
	r.group.named = max(r.group.named, Op(h.CheckpointOp))
	if !isAboutBlocks(h.Command) && h.Replica < r.root.ReplicaCount {
		r.group.checkpoints[h.Replica] = Op(h.CheckpointOp)
	}
}

// onPeerOfAnyView handles a message if views mean nothing to it, and reports
// whether that is so.
func (r *Replica) onPeerOfAnyView(h *wire.Peer, body []byte) bool {
	switch h.Command {
	case wire.CommandGetBlocks, wire.CommandRefs, wire.CommandBlock:
		r.onBlocks(h, body)
	case wire.CommandPing:
		r.onPing(h)
	case wire.CommandPong:
		r.onPong(h)
	default:
		return false
	}
	return true
}

// onPeer handles all messages of other replicas but prepares.
func (r *Replica) onPeer(message *buffer.Buffer) {
	var h wire.Peer
	if r.alone() || !wire.CommandOf(message.Bytes).IsPeer() || h.Decode(message.Bytes) != nil || !r.hears(&h) {
		return
	}
	if r.noteCheckpoint(&h); r.onPeerOfAnyView(&h, message.Bytes[wire.HeaderSize:]) {
		return
	}
	headers, err := wire.DecodeHeaders(message.Bytes[wire.HeaderSize:], nil)
	if err != nil {
		return
	}
	if View(h.View) > r.view {
		r.enterView(View(h.View))
	}
	switch h.Command {
	case wire.CommandGetHeaders:
		r.onGetHeaders(&h)
		return
	case wire.CommandGetPrepare:
		r.onGetPrepare(&h)
		return
	}
	if h.Nonce != 0 {
		switch h.Command {
		case wire.CommandGetView:
			r.onAmnesiac(&h)
			return
		case wire.CommandView:
			r.onWhatWas(&h, headers)
			return
		}
	}
	if View(h.View) != r.view || r.group.entering != r.view {
		return
	}
	ofPrimary := h.Replica == r.primaryOf(r.view)
	switch {
	case h.Command == wire.CommandExitView && View(h.Target) > r.view:
		r.countExit(h.Replica, View(h.Target))
	case h.Command == wire.CommandHeaders:
		r.onHeaders(&h, headers)
	case h.Command == wire.CommandPrepareOK && r.leads():
		r.onPrepareOK(&h)
	case h.Command == wire.CommandJoinView && r.isPrimary():
		r.onJoinView(&h, headers)
	case h.Command == wire.CommandGetView && r.leads():
		r.sendView(h.Replica, 0)
	case h.Command == wire.CommandView && ofPrimary:
		r.onView(&h, headers)
	case h.Command == wire.CommandCommit && ofPrimary:
		r.onCommit(&h)
	}
	r.appendStashed()
}
