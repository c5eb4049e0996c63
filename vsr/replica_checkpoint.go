package vsr

import (
	"fmt"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/vsr/grid"
	"github.com/ledgerd/ledgerd/vsr/journal"
	"github.com/ledgerd/ledgerd/vsr/superblock"
)

// blockKindSessions marks the blocks of the session table.
const blockKindSessions = 2

// checkpointShare is the part of the journal, in records or in bytes, after
// which a checkpoint is taken. With a third, one checkpoint's worth is being
// filled while the last one is made durable, and one remains for the slowest.
const checkpointShare = 3

// naming is a checkpoint on its way to the superblock, beside execution.
type naming struct {
	next *superblock.Checkpoint // nil if none is
	sync blockio.Request
}

// checkpointDue reports whether the prepare just executed ends a checkpoint's
// interval. It depends on the log alone, so that every replica, and every
// replay, takes its checkpoints at the same ops.
func (r *Replica) checkpointDue() bool {
	last, layout := r.naming.next, &r.root.Layout
	if last == nil {
		last = &r.root.Checkpoint
	}
	ops := uint64(r.commitMin) - last.Op
	bytes := journal.OffsetEnd(&r.commit.header) - last.JournalOffset
	return ops >= uint64(layout.JournalSlots)/checkpointShare || bytes >= layout.JournalRingSize/checkpointShare
}

// startCheckpoint makes the state after the prepare just executed durable on
// the grid and names it in the superblock, as soon as the one before is named.
// Execution waits while the state machine writes what it has, and goes on while
// that is made durable and named; ordering and journalling go on all the time.
//
// A crash before the superblock is durable leaves the last two checkpoints as
// they were: no block they refer to has been overwritten, nor any record after
// them.
func (r *Replica) startCheckpoint() {
	if r.naming.next != nil {
		return
	}
	header := &r.commit.header
	next := &superblock.Checkpoint{
		Parent:         r.root.Checkpoint.ID(),
		Op:             header.Op,
		HeaderChecksum: header.Checksum,
		NextOrdinal:    uint64(r.commitOrdinal + 1),
		Timestamp:      header.Timestamp,
		JournalOffset:  journal.OffsetEnd(header),
	}
	r.machine.Checkpoint(func(root []byte) {
		next.SetRoot(root)
		r.commit.made = next
		r.nameCheckpoint()
	})
}

// nameCheckpoint lets execution go on after the checkpoint that the state machine
// has made, and completes it and names it in the superblock, as soon as the one
// before is durable on a replication quorum: from then on nobody may need what
// only the last but one has, and it is overwritten. All witnesses up to it are
// durable: by them a restart finds the log that is kept for others.
//
// The sessions and the free set are put into words before anything else happens.
// What is written to the grid from then on waits until the checkpoint is named.
func (r *Replica) nameCheckpoint() {
	next := r.commit.made
	if next == nil || !r.journal.Witnessed(next.Op) || !r.onQuorum(r.CheckpointOp()) {
		return
	}
	r.commit.made, r.naming.next = nil, next
	if !r.root.Checkpoint.Sessions.IsZero() {
		r.grid.ReleaseStream(r.root.Checkpoint.Sessions)
	}
	table := r.sessions.encode(make([]byte, 0, r.sessions.encodedSize()))
	r.grid.WriteStream(blockKindSessions, table, func(head block.Ref) { next.Sessions = head })
	r.grid.Checkpoint(func(state grid.State) {
		next.Grid = state
		r.syncCheckpoint()
	})
	r.commit.stage = stageIdle
	if r.status == statusReplay {
		r.replayNext()
	}
}

// syncCheckpoint makes the blocks of the checkpoint durable, which are all written,
// and names it.
func (r *Replica) syncCheckpoint() {
	r.naming.sync = blockio.Request{Kind: blockio.Sync, Done: func(io *blockio.Request) {
		if io.Err != nil {
			r.fail(fmt.Errorf("make the blocks of a checkpoint durable: %w", io.Err))
			return
		}
		next := r.naming.next
		r.updateRoot(func(root *superblock.State) {
			root.Previous, root.Checkpoint = root.Checkpoint, *next
			root.CommitMax = max(root.CommitMax, next.Op)
		}, r.checkpointNamed)
	}}
	r.options.Storage.Submit(&r.naming.sync)
}

// checkpointNamed ends a checkpoint, and begins the next one if that is due.
func (r *Replica) checkpointNamed() {
	next := r.naming.next
	r.naming.next = nil
	r.grid.CheckpointDurable()
	r.journal.CheckpointDurable(next.Op, next.JournalOffset)
	if !r.alone() {
		r.ping() // the others hear of the checkpoint
	}
	if r.commit.stage == stageCheckpoint {
		r.startCheckpoint()
	}
}

// onQuorum reports whether a replication quorum is known to have made the
// checkpoint at op durable, which this replica has: they have told so, or one of
// them has a later one, which it named for that reason.
func (r *Replica) onQuorum(op Op) bool {
	if r.group.named > op {
		return true
	}
	count := 0
	for i := range r.root.ReplicaCount {
		if i == r.root.Replica || r.group.checkpoints[i] >= op {
			count++
		}
	}
	return count >= r.quorum
}

// stableCheckpoint returns the newest checkpoint that is known to be durable on a
// replication quorum, and whose blocks are here: others may take it over.
func (r *Replica) stableCheckpoint() *superblock.Checkpoint {
	if r.onQuorum(r.CheckpointOp()) {
		return &r.root.Checkpoint
	}
	return &r.root.Previous
}

// updateRoot changes the superblock, and calls done when that is durable.
func (r *Replica) updateRoot(change func(*superblock.State), done func()) {
	r.superblock.Update(change, func() {
		r.root = r.superblock.State()
		done()
	})
}
