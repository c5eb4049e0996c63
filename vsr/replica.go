package vsr

import (
	"fmt"

	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/checksum"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/vsr/grid"
	"github.com/ledgerd/ledgerd/vsr/journal"
	"github.com/ledgerd/ledgerd/vsr/superblock"
	"github.com/ledgerd/ledgerd/wire"
)

// Options are what a replica is made of. All fields without a stated default
// must be set.
type Options struct {
	Storage Storage
	Bus     Bus
	// Peers may be nil in a cluster of one.
	Peers Peers
	Clock Clock
	Pool  *buffer.Pool

	// NewStateMachine returns the service to replicate, which keeps its
	// state on the given grid. It is called once, by Open. fault stops the
	// replica: the service calls it, from the replica's goroutine, when a
	// block that it needs cannot be read, and then calls nothing any more.
	NewStateMachine func(g *grid.Grid, fault func(error)) StateMachine
	// GridCacheSize bounds the memory of the grid's cache, in bytes; 0 for no
	// cache, otherwise at least grid.CacheSizeMin.
	GridCacheSize int

	// Release is what the replica announces and the newest client release
	// it serves; ReleaseClientMin is the oldest.
	Release, ReleaseClientMin wire.Release

	// FileSize is the size of the data file in bytes, by which a truncated
	// one is recognised.
	FileSize int64

	// Identity, unless nil, is whose file the data file must be.
	Identity *Identity

	// RequestSizeMax is the largest request frame accepted, in bytes, if
	// that is less than what the data file was formatted for. 0 is no limit
	// of its own.
	RequestSizeMax int
}

// Identity says which replica of which cluster a data file belongs to.
type Identity struct {
	Cluster u128.Uint128
	Replica uint8
}

// expect returns an error if the data file is not the one expected.
func (o *Options) expect(root *superblock.State) error {
	if o.Identity == nil {
		return nil
	}
	return root.CheckIdentity(o.Identity.Cluster, o.Identity.Replica)
}

// Replica is one member of a cluster: it orders requests, makes them durable
// and executes them. It is an ordinary value of its owner: one goroutine calls
// its methods, and no other.
//
// The owner calls Open once, then OnMessage for each message, Tick every
// TickInterval, lets the Storage call back, and calls Step after whatever
// happened. After each of these it looks at Err: a replica that has failed must
// not go on.
type Replica struct {
	options Options
	quorum  int // acks that commit a prepare

	superblock *superblock.Superblock
	// root is the durable superblock: who we are, the view, the checkpoint.
	root    superblock.State
	journal *journal.Journal
	grid    *grid.Grid
	machine StateMachine
	// requestSizeMax is the largest request frame accepted, in bytes.
	requestSizeMax int

	status status
	// err is why the replica cannot go on; set once.
	err error
	// opened is called when Open has succeeded; nil afterwards.
	opened func(error)

	view View

	// head is the newest prepare in the log. Invariant: at a primary head.op is
	// commitMin + the prepares in the pipeline, but for a replay.
	head     head
	requests *requests
	pipeline pipeline
	// timestamp is the greatest that was handed out.
	timestamp uint64
	// pulse is the newest prepare with a pulse that this replica, as the primary, has
	// made or taken over.
	pulse Op

	// commitMin is the newest prepare that was executed, commitChecksum its
	// checksum and commitOrdinal the ordinal of its last request.
	// commitMax is an op known to be committed; at a primary it is commitMin.
	commitMax      Op
	commitMin      Op
	commitChecksum checksum.Sum
	commitOrdinal  Ordinal
	commit         committing
	entries        []wire.Entry // scratch of commit
	sessions       *sessions
	// prefetched and onDurable are onPrefetched and onJournalled, bound once:
	// they are passed with each request and each prepare.
	prefetched func()
	onDurable  func(op uint64)
	// replayEnd is the op at which the replay ends.
	replayEnd Op
	// group is the replica's part in a cluster of more than one.
	group group
	// scrub looks for rot, from the moment that the replica serves.
	scrub scrub
	// naming is the checkpoint that is being completed while execution goes on.
	naming naming
	// scratch takes the body of a reply until its size is known.
	scratch []byte
}

// status is the phase of a replica's life.
type status uint8

const (
	statusOpening status = iota
	// statusReplay executes what the journal has after the checkpoint.
	statusReplay
	statusNormal
	// statusViewChange is that of a replica which has left a view and has not
	// taken over the log of the next.
	statusViewChange
	// statusRecovering is that of a restarted backup which has yet to learn
	// where the log of its view ends.
	statusRecovering
	// statusSyncing is that of a replica whose checkpoint is another one's, and
	// which lacks blocks of it. It has no state, no log and no vote.
	statusSyncing
)

// New returns a replica that has yet to be opened.
func New(options Options) *Replica {
	r := &Replica{options: options, status: statusOpening, scratch: make([]byte, 0, wire.BodySizeMax)}
	r.prefetched = r.onPrefetched
	r.onDurable = r.onJournalled
	return r
}

// Err returns why the replica has failed, or nil. A failed replica does
// nothing any more: its owner must stop the process rather than let it serve.
func (r *Replica) Err() error { return r.err }

// Cluster returns the cluster this replica belongs to. It may be called when
// the replica has opened, like the methods below.
func (r *Replica) Cluster() u128.Uint128 { return r.root.Cluster }

// Index returns which replica of its cluster this is, from 0.
func (r *Replica) Index() uint8 { return r.root.Replica }

// ReplicaCount returns how many replicas the cluster has.
func (r *Replica) ReplicaCount() uint8 { return r.root.ReplicaCount }

// View returns the current view, which is durable.
func (r *Replica) View() View { return r.view }

// CheckpointOp returns the op of the checkpoint that the superblock names.
func (r *Replica) CheckpointOp() Op { return Op(r.root.Checkpoint.Op) }

// CommitMin returns the newest op that was executed.
func (r *Replica) CommitMin() Op { return r.commitMin }

// fail stops the replica for good.
func (r *Replica) fail(err error) {
	if r.err != nil {
		return
	}
	r.err = err
	if done := r.opened; done != nil {
		r.opened = nil
		done(err)
	}
}

// alone reports whether this is a cluster of one.
func (r *Replica) alone() bool { return r.root.ReplicaCount == 1 }

// primaryOf returns the replica that leads a view.
func (r *Replica) primaryOf(view View) uint8 {
	return uint8(uint32(view) % uint32(r.root.ReplicaCount))
}

// isPrimary reports whether this replica is the primary of the current view.
func (r *Replica) isPrimary() bool { return r.primaryOf(r.view) == r.root.Replica }

// leads reports whether this replica is the primary, and its view has begun.
func (r *Replica) leads() bool { return r.status == statusNormal && r.isPrimary() }

// Status names the phase of the replica's life, for logs. It may be called at any
// time.
func (r *Replica) Status() string {
	if r.status == statusViewChange && r.Recovering() {
		return "recovering a lost data file"
	}
	return [...]string{"opening", "replay", "normal", "view change", "recovering", "syncing"}[r.status]
}

// Primary returns the index of the replica that leads the current view.
func (r *Replica) Primary() uint8 { return r.primaryOf(r.view) }

// String tells where the replica is, for logs.
func (r *Replica) String() string {
	return fmt.Sprintf("%s in view %d, log view %d, checkpoint %d, head %d, certain %d, committed %d, executed %d",
		r.Status(), r.view, r.root.LogView, r.root.Checkpoint.Op, r.head.op, r.certain(), r.commitMax, r.commitMin)
}
