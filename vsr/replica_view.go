package vsr

import (
	"github.com/ledgerd/ledgerd/internal/checksum"
	"github.com/ledgerd/ledgerd/vsr/superblock"
	"github.com/ledgerd/ledgerd/wire"
)

// enterView leaves the current view for a later one. Until that is durable
// nothing is said in it, nor in the old one.
//
// Invariant: nobody is in a view that is ReplicaCount or more above the highest
// one that a view change quorum has been in. A replica that has lost its data
// file relies on it.
func (r *Replica) enterView(view View) {
	g := &r.group
	if view <= g.entering {
		return
	}
	g.entering = view
	g.verified = min(r.certain(), r.commitMax)
	if !r.calm() && g.ticks-g.heard > g.patience {
		g.patience = min(2*g.patience, patienceMax)
	}
	r.status = statusViewChange
	r.requests.clear()
	r.pulse = 0
	r.pipeline.clear()
	r.dropExpected()
	g.votes, g.amnesiacs = [wire.ReplicasMax]vote{}, 0
	g.chosen, g.goal.set, g.known = false, false, 0
	g.heard = g.ticks
	r.persistView()
}

// calm reports whether the view has lasted for a while: then it was not entered in
// vain.
func (r *Replica) calm() bool {
	return r.status == statusNormal && r.group.ticks-r.group.normalSince > calmTicks
}

func (r *Replica) persistView() {
	g := &r.group
	if g.updating {
		return // its completion sees to the later view
	}
	g.updating = true
	r.updateRoot(func(root *superblock.State) {
		root.View = max(root.View, uint32(g.entering))
		root.CommitMax = max(root.CommitMax, uint64(r.commitMin))
	}, r.onViewDurable)
}

func (r *Replica) onViewDurable() {
	r.group.updating = false
	r.view = View(r.root.View)
	if r.view < r.group.entering {
		r.persistView()
		return
	}
	r.sendJoin()
}

// changesView reports whether the replica waits for the current view to begin,
// and this view is durable.
func (r *Replica) changesView() bool {
	return r.status == statusViewChange && r.view == r.group.entering && !r.group.updating
}

// sendJoin gives the new primary this replica's vote: its log as it is. A log
// that has lost its end is no vote; nor is that of a replica which has lost its
// data file, who only says that it has come along.
func (r *Replica) sendJoin() {
	g := &r.group
	if !r.changesView() || g.goal.set || g.cut.set || !r.journal.Quiet() || r.journal.LostOp() != 0 {
		return
	}
	if r.standby() {
		// All hear of the view by it: its primary may be gone, and the others in an
		// older one.
		r.tellAll(wire.CommandGetView, wire.Peer{}, nil)
		return
	}
	if r.Recovering() {
		if !r.isPrimary() {
			r.tell(r.primaryOf(r.view), wire.CommandJoinView, wire.Peer{Nonce: r.root.Recovery}, nil)
		}
		return
	}
	headers, present := r.lastHeaders()
	commit := max(r.commitMax, r.certain())
	if n := len(headers); n > 0 {
		commit = max(commit, Op(headers[n-1].Commit))
	}
	own := wire.Peer{
		Op: uint64(r.head.op), ChecksumOf: r.head.checksum, Commit: uint64(commit), Present: present, LogView: r.root.LogView,
	}
	if r.isPrimary() {
		// A view that was entered without an exit_view of the others (one forfeits,
		// or has recovered) is news to them.
		r.tellAll(wire.CommandExitView, wire.Peer{Target: uint32(r.view)}, nil)
		r.count(r.root.Replica, &own, headers)
		return
	}
	r.tell(r.primaryOf(r.view), wire.CommandJoinView, own, headers)
}

// onJoinView handles a vote for this replica. One who comes late is told how it
// went.
func (r *Replica) onJoinView(h *wire.Peer, headers []wire.Prepare) {
	switch {
	case r.leads():
		r.sendView(h.Replica, 0)
	case r.changesView() && h.Nonce != 0:
		r.group.amnesiacs |= 1 << h.Replica
	case r.changesView():
		r.count(h.Replica, h, headers)
	}
}

func (r *Replica) count(replica uint8, h *wire.Peer, headers []wire.Prepare) {
	g := &r.group
	if g.chosen || len(headers) > int(h.Op) {
		return
	}
	g.votes[replica] = vote{
		valid: true, logView: View(h.LogView), head: Op(h.Op), checksum: h.ChecksumOf, commit: Op(h.Commit),
		checkpoint: Op(h.CheckpointOp), headers: append([]wire.Prepare(nil), headers...), present: h.Present,
	}
	if !g.votes[r.root.Replica].valid {
		return
	}
	log, ok := chooseLog(g.votes[:r.root.ReplicaCount], g.amnesiacs, r.root.ReplicaCount)
	if !ok {
		return
	}
	if view, ok := r.viewOfAnother(); ok {
		r.enterView(view)
		return
	}
	g.chosen = true
	r.follow(log.head, log.checksum, log.commit, log.headers)
}

// viewOfAnother returns the next view that is led by a voter whose checkpoint has
// ops that this replica's log lacks, if there is one. Such a replica would have to
// take over that checkpoint before it could lead: it forfeits instead.
func (r *Replica) viewOfAnother() (View, bool) {
	for view := r.view + 1; view < r.view+View(r.root.ReplicaCount); view++ {
		if v := &r.group.votes[r.primaryOf(view)]; v.valid && v.checkpoint > r.head.op {
			return view, true
		}
	}
	return 0, false
}

// follow makes a log the goal.
func (r *Replica) follow(op Op, sum checksum.Sum, commit Op, headers []wire.Prepare) {
	g := &r.group
	r.commitMax = max(r.commitMax, commit)
	g.goal.set, g.goal.op, g.goal.checksum = true, op, sum
	r.learn(headers)
	r.askForMissing()
}

// onView handles the log with which a view has begun.
func (r *Replica) onView(h *wire.Peer, headers []wire.Prepare) {
	if r.status == statusNormal || r.status == statusViewChange && !r.changesView() || r.Recovering() {
		return
	}
	r.group.heard = r.group.ticks
	if !r.group.goal.set {
		r.follow(Op(h.Op), h.ChecksumOf, Op(h.Commit), headers)
	}
}

// atGoal reports whether the log is the one to be reached.
func (r *Replica) atGoal() bool {
	goal := &r.group.goal
	return goal.set && r.head.op == goal.op && r.head.checksum == goal.checksum
}

// advance does what has become possible in a cluster: it cuts off, appends,
// and ends a view change.
func (r *Replica) advance() {
	g := &r.group
	if r.alone() || r.status == statusOpening || r.status == statusReplay {
		return
	}
	r.truncate()
	r.appendStashed()
	if r.takesOver() {
		r.inheritNext()
	}
	if r.status == statusNormal || !g.goal.set || g.cut.set {
		return
	}
	if r.status == statusViewChange && !r.changesView() {
		return
	}
	switch sum, ok := r.checksumAt(g.goal.op); {
	case r.head.op > g.goal.op && ok && sum == g.goal.checksum:
		r.cutTo(g.goal.op)
	case g.goal.op < r.commitMin && !r.isPrimary():
		g.goal.set = false // it came late: the checkpoint that was taken over is beyond it
	case r.atGoal() && r.journal.Quiet():
		if r.journal.LostOp() != 0 {
			g.cut.set, g.cut.op = true, r.head.op // forget what was lost
			return
		}
		g.verified = r.head.op
		r.endViewChange()
	}
}

// endViewChange goes from the right log to normal operation.
func (r *Replica) endViewChange() {
	if r.isPrimary() && !r.readyToLead() {
		return
	}
	switch {
	case r.Recovering():
		r.remember()
		return
	case r.root.LogView == uint32(r.view):
		r.enterNormal()
		return
	}
	g := &r.group
	g.updating = true
	r.updateRoot(func(root *superblock.State) {
		root.LogView = uint32(r.view)
		root.CommitMax = max(root.CommitMax, uint64(r.commitMin))
	}, func() {
		g.updating = false
		if g.entering > r.view {
			r.persistView()
			return
		}
		r.enterNormal()
	})
}

// enterNormal begins normal operation in the view.
func (r *Replica) enterNormal() {
	g := &r.group
	r.status = statusNormal
	g.goal.set = false
	r.dropExpected()
	g.heard, g.normalSince = g.ticks, g.ticks
	g.known = r.head.op
	if !r.isPrimary() {
		r.sendPrepareOK()
		return
	}
	for i := range g.ackedAt {
		g.ackedAt[i] = g.ticks
	}
	r.inheritAll()
	for i := range r.others() {
		r.sendView(i, 0)
	}
}

// sendView tells a replica with which log the view has begun, or where it is
// now. The nonce is that of one who has lost its data file, or 0.
func (r *Replica) sendView(to uint8, nonce uint64) {
	headers, _ := r.lastHeaders()
	r.tell(to, wire.CommandView, wire.Peer{
		Op: uint64(r.head.op), ChecksumOf: r.head.checksum, Commit: uint64(r.commitMin), Nonce: nonce,
	}, headers)
}
