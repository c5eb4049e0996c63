package vsr

import (
	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/checksum"
	"github.com/ledgerd/ledgerd/vsr/grid"
	"github.com/ledgerd/ledgerd/wire"
)

// Times, in ticks.
const (
	// beatTicks is how often the primary says that it is there, and how often
	// anything that was not answered is said again.
	beatTicks = 10
	// patienceMin is how long a backup waits for a sign of the primary, and a
	// replica for a view to begin. It doubles with each view that has brought
	// neither calm nor a sign in that time, up to patienceMax, and halves again
	// with each calmTicks of normal operation.
	patienceMin = 50
	patienceMax = 64 * patienceMin
	calmTicks   = 200
	// abdicateTicks is how long a primary goes on without hearing of a quorum.
	abdicateTicks = 200
)

// forwardMax bounds the requests that a backup passes on in a tick.
const forwardMax = 32

// stashMax bounds the prepares that a replica holds beyond its head, and those
// it knows the checksums of.
const stashMax = 32

// group is a replica's part in a cluster of more than one.
type group struct {
	ticks uint64
	// standbys are those that have been heard of, a bit for each.
	standbys uint16
	// forwarded counts the requests passed on to the primary in this tick: a
	// circle of replicas in different views must not pass them on for ever.
	forwarded int
	// heard is when the primary was heard of last, or the view was entered.
	heard    uint64
	patience uint64
	clock    clock
	// normalSince is when the status became normal, or patience halved last.
	normalSince uint64
	// ackedAt is when each replica acknowledged something last, at a primary.
	ackedAt [wire.ReplicasMax]uint64
	// checkpoints are the ops of the others' durable checkpoints, as they have told
	// last. One that has lost its disk has another one afterwards.
	checkpoints [wire.ReplicasMax]Op
	// named is the latest checkpoint that any of the others has told of, whether
	// it is still whole there or not.
	named Op
	exits [wire.ReplicasMax]exit

	// entering is the view that the replica has decided to enter, at least
	// Replica.view; updating says that the superblock is being told.
	entering View
	updating bool
	// votes are the join_views for the current view, at its primary. chosen
	// says that they have led to a goal.
	votes  [wire.ReplicasMax]vote
	chosen bool
	// inheriting says that a prepare is being read which this replica takes over
	// as the new primary.
	inheriting bool
	// amnesiacs have joined the current view without a log, a bit for each.
	amnesiacs uint8
	// witnesses have told this replica, which has lost its data file, where they
	// are, a bit for each.
	witnesses uint8

	// verified is an op up to which the log is known to be that of the view,
	// or committed, while the status is not normal.
	verified Op
	// goal is the log to be reached before the status becomes normal.
	goal struct {
		set      bool
		op       Op
		checksum checksum.Sum
	}
	// cut, if set, is the op to which the log is to be truncated when the
	// journal is quiet.
	cut struct {
		set, busy bool
		op        Op
	}
	// known is an op that the view's log is known to have.
	known Op
	// expected are the headers that follow the head in the log of the view, as
	// far as they are known.
	expected []wire.Prepare
	// stash has prepares beyond the head, by op.
	stash [stashMax]stashed
	asked [stashMax]asked
	// repairing says that a record is being written again.
	repairing bool
	// headersAsked is when headers were asked for last; 0: not at all.
	headersAsked uint64
	headers      []wire.Prepare // scratch

	// receiver brings the grid to the checkpoint, while syncing. adopting says
	// that the superblock is being told of a checkpoint of another replica.
	receiver *grid.Receiver
	// contents is what the receiver, or the one before it, knows to be here.
	contents grid.Contents
	// sender reads blocks for others.
	sender   *grid.Sender
	adopting bool
}

// exit is what a replica wants: to leave for a view.
type exit struct {
	target View
	at     uint64 // ticks
}

type stashed struct {
	header  wire.Prepare
	message *buffer.Buffer // nil: empty
}

// asked is when a prepare was asked for last.
type asked struct {
	op Op
	at uint64 // ticks
}

// openInCluster ends Open in a cluster of more than one: the log is as the
// journal has it, and what of it is committed will be learnt from the others.
func (r *Replica) openInCluster() {
	g := &r.group
	r.setHead(Op(r.journal.HeadOp()))
	r.view, g.entering = View(r.root.View), View(r.root.View)
	g.patience = patienceMin
	r.commitMax = max(r.commitMin, Op(r.root.CommitMax))
	header, ok := r.journal.Find(uint64(r.head.op))
	if ok {
		r.commitMax = max(r.commitMax, Op(header.Commit))
	}
	g.verified = min(r.commitMax, r.head.op)
	ownView := r.root.LogView == r.root.View
	switch {
	case !ownView || r.Recovering():
		r.status = statusViewChange
	case r.isPrimary():
		r.status = statusViewChange
		r.enterView(r.view + 1)
	case ok && View(header.View) == r.view || r.head.op == 0 && r.view == 0:
		r.status = statusNormal
	default:
		r.status = statusRecovering
	}
	r.startScrub()
	if done := r.opened; done != nil {
		r.opened = nil
		done(nil)
	}
}

// setHead makes an op of the journal, or that of the checkpoint, the head.
func (r *Replica) setHead(op Op) {
	checkpoint := &r.root.Checkpoint
	if op == Op(checkpoint.Op) {
		r.head = head{
			op: op, checksum: checkpoint.HeaderChecksum,
			ordinal: Ordinal(checkpoint.NextOrdinal - 1), offsetEnd: checkpoint.JournalOffset,
		}
		return
	}
	header, ok := r.journal.Find(uint64(op))
	if !ok {
		panic("vsr: a head without a header")
	}
	r.head.advance(&header)
}

// checksumAt returns the checksum of an op of the log, if it is still known.
func (r *Replica) checksumAt(op Op) (sum checksum.Sum, ok bool) {
	switch op {
	case r.head.op:
		return r.head.checksum, true
	case r.commitMin:
		return r.commitChecksum, true
	}
	header, ok := r.journal.Find(uint64(op))
	return header.Checksum, ok
}

// certain returns an op up to which this replica's log is the view's: others
// may be told of it.
func (r *Replica) certain() Op {
	if r.status == statusNormal {
		return r.head.op
	}
	return max(r.group.verified, r.commitMin)
}

// commitNextOfBackup executes the next op if it is known to be committed, in
// this very log.
func (r *Replica) commitNextOfBackup(entry *prepared) {
	next := r.commitMin + 1
	if r.alone() || next > min(r.commitMax, r.certain()) || uint64(next) > r.journal.DurableOp() {
		return
	}
	if entry != nil {
		r.startCommit(entry.header, entry.message.Retain())
		return
	}
	sum, ok := r.checksumAt(next)
	if !ok || !r.journal.Readable(uint64(next), sum) || !r.journal.CanRead() {
		return
	}
	r.commit.stage = stageRead
	r.journal.Read(uint64(next), func(message *buffer.Buffer, err error) {
		r.commit.stage = stageIdle
		if err != nil {
			return // it is repaired first
		}
		var header wire.Prepare
		if err := header.Decode(message.Bytes); err != nil {
			panic("vsr: the journal returned what it had not verified: " + err.Error())
		}
		r.startCommit(header, message)
	})
}

// broadcast sends a message to all other replicas and to the standbys.
func (r *Replica) broadcast(message *buffer.Buffer) {
	for i := range r.others() {
		r.options.Peers.SendToReplica(i, message)
	}
}

// peerMessage builds a message with what every message of its kind says of the
// author's log, and the given headers.
func (r *Replica) peerMessage(peer wire.Peer, command wire.Command, headers []wire.Prepare) *buffer.Buffer {
	message := r.options.Pool.Acquire(wire.HeaderSize * (1 + len(headers)))
	for i := range headers {
		wire.EncodeHeader(message.Bytes[wire.HeaderSize*(1+i):], &headers[i])
	}
	r.sealPeer(message, peer, command)
	return message
}

// sealPeer completes a message whose body is there with its header: peer, and what
// every message says of its author.
func (r *Replica) sealPeer(message *buffer.Buffer, peer wire.Peer, command wire.Command) {
	peer.Frame = r.frame(command)
	peer.Size = uint32(len(message.Bytes))
	peer.LogView = r.root.LogView
	peer.CheckpointOp, peer.Checkpoint = r.root.Checkpoint.Op, r.root.Checkpoint.ID()
	peer.Encode(message.Bytes)
	wire.Seal(message.Bytes)
}

// tell sends a message to one replica, tellAll to all others.
func (r *Replica) tell(replica uint8, command wire.Command, peer wire.Peer, headers []wire.Prepare) {
	message := r.peerMessage(peer, command, headers)
	r.options.Peers.SendToReplica(replica, message)
	message.Release()
}

func (r *Replica) tellAll(command wire.Command, peer wire.Peer, headers []wire.Prepare) {
	message := r.peerMessage(peer, command, headers)
	r.broadcast(message)
	message.Release()
}

// lastHeaders returns the last headers of the log up to the head, those that
// are not known as zero, and a bit for each whose record can be read. It is
// valid until the next call.
func (r *Replica) lastHeaders() (headers []wire.Prepare, present uint64) {
	g := &r.group
	g.headers = g.headers[:0]
	first := max(Op(r.root.Checkpoint.Op), r.head.op-min(r.head.op, pipelineMax)) + 1
	for op := first; op <= r.head.op; op++ {
		header, _ := r.journal.Find(uint64(op))
		if r.journal.Readable(uint64(op), header.Checksum) {
			present |= 1 << len(g.headers)
		}
		g.headers = append(g.headers, header)
	}
	return g.headers, present
}
