package vsr

import (
	"math/bits"

	"github.com/ledgerd/ledgerd/vsr/superblock"
	"github.com/ledgerd/ledgerd/wire"
)

// Recovering reports whether this replica has lost its data file, and does not
// know yet what it had promised and acknowledged. Until it does it follows the
// others, and says nothing that counts (docs/REPLICATION.md section 7).
func (r *Replica) Recovering() bool { return r.root.Recovery != 0 }

// askWhatWas asks all others where they are. They hear by it, too, that this
// replica is there: a primary without anybody would abdicate.
func (r *Replica) askWhatWas() {
	r.tellAll(wire.CommandGetView, wire.Peer{Nonce: r.root.Recovery}, nil)
}

// onAmnesiac answers a replica that has lost its data file: with the view; and
// the primary with its log. Who does not know what it has promised itself is no
// witness, and a primary whose view has not begun has no log to show.
func (r *Replica) onAmnesiac(h *wire.Peer) {
	switch {
	case r.Recovering() || r.isPrimary() && !r.leads():
	case r.leads():
		r.group.ackedAt[h.Replica] = r.group.ticks
		r.sendView(h.Replica, h.Nonce)
	default:
		r.tell(h.Replica, wire.CommandView, wire.Peer{Nonce: h.Nonce}, nil)
	}
}

// onWhatWas handles the answer to askWhatWas. So many have to answer that they
// meet every quorum of which this replica may have been a part; and then the
// primary of the latest view that they know of says which log is to be had.
// This replica is in that view already, if only as a listener.
func (r *Replica) onWhatWas(h *wire.Peer, headers []wire.Prepare) {
	g := &r.group
	if !r.Recovering() || h.Nonce != r.root.Recovery {
		return
	}
	g.witnesses |= 1 << h.Replica
	if bits.OnesCount8(g.witnesses) < WitnessesNeeded(r.root.ReplicaCount) || g.goal.set || !r.changesView() ||
		View(h.View) != r.view || h.Replica != r.primaryOf(r.view) {
		return
	}
	r.follow(Op(h.Op), h.ChecksumOf, Op(h.Commit), headers)
}

// remember ends the amnesia: all that the primary had when it answered is
// durable here. What this replica had acknowledged is part of that, and the view
// that it enters is as high as any that it can have been in; so from there on it
// is a replica like any other.
func (r *Replica) remember() {
	g, logView := &r.group, uint32(r.view)
	g.updating = true // all of it is one write
	r.enterView(r.view + View(r.root.ReplicaCount) - 1)
	r.updateRoot(func(root *superblock.State) {
		root.Recovery = 0
		root.LogView, root.View = logView, uint32(g.entering)
		root.CommitMax = max(root.CommitMax, uint64(r.commitMin))
	}, r.onViewDurable)
}
