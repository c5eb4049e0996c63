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

// checkpointDue reports whether the prepare just executed ends a checkpoint's
// interval. It depends on the log alone, so that every replica, and every
// replay, takes its checkpoints at the same ops.
func (r *Replica) checkpointDue() bool {
	last, layout := &r.root.Checkpoint, &r.root.Layout
	ops := uint64(r.commitMin) - last.Op
	bytes := journal.OffsetEnd(&r.commit.header) - last.JournalOffset
	return ops >= uint64(layout.JournalSlots)/checkpointShare || bytes >= layout.JournalRingSize/checkpointShare
}

// startCheckpoint makes the state after the prepare just executed durable on
// the grid and names it in the superblock. Execution waits; ordering and
// journalling go on.
//
// A crash before the superblock is durable leaves the old checkpoint as it
// was: no block it refers to has been overwritten, nor any record after it.
func (r *Replica) startCheckpoint() {
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
		r.checkpointSessions(next)
	})
}

func (r *Replica) checkpointSessions(next *superblock.Checkpoint) {
	if !r.root.Checkpoint.Sessions.IsZero() {
		r.grid.ReleaseStream(r.root.Checkpoint.Sessions)
	}
	table := r.sessions.encode(make([]byte, 0, r.sessions.encodedSize()))
	r.grid.WriteStream(blockKindSessions, table, func(head block.Ref) {
		next.Sessions = head
		r.checkpointGrid(next)
	})
}

func (r *Replica) checkpointGrid(next *superblock.Checkpoint) {
	r.grid.Checkpoint(func(state grid.State) {
		next.Grid = state
		r.sync = blockio.Request{Kind: blockio.Sync, Done: func(io *blockio.Request) {
			if io.Err != nil {
				r.fail(fmt.Errorf("make the blocks of a checkpoint durable: %w", io.Err))
				return
			}
			r.checkpointSuperblock(next)
		}}
		r.options.Storage.Submit(&r.sync)
	})
}

func (r *Replica) checkpointSuperblock(next *superblock.Checkpoint) {
	r.updateRoot(func(root *superblock.State) {
		root.Checkpoint = *next
		root.CommitMax = max(root.CommitMax, next.Op)
	}, func() {
		r.grid.CheckpointDurable()
		r.journal.CheckpointDurable(next.Op, next.JournalOffset)
		r.commit.stage = stageIdle
		if r.status == statusReplay {
			r.replayNext()
		}
	})
}

// updateRoot changes the superblock, and calls done when that is durable.
func (r *Replica) updateRoot(change func(*superblock.State), done func()) {
	r.superblock.Update(change, func() {
		r.root = r.superblock.State()
		done()
	})
}
