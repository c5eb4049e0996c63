package vsr

import (
	"errors"
	"fmt"

	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/vsr/grid"
	"github.com/ledgerd/ledgerd/vsr/journal"
	"github.com/ledgerd/ledgerd/vsr/superblock"
	"github.com/ledgerd/ledgerd/wire"
)

// Open reads the data file and brings the replica to where it was: superblock,
// checkpoint, then whatever the journal has after it. done is called once,
// with an error that says what is wrong with the file, or with nil when the
// replica serves. A file that is not this replica's is left untouched.
func (r *Replica) Open(done func(error)) {
	r.opened = done
	r.superblock = superblock.New(r.options.Storage, r.fail)
	r.superblock.Open(r.options.FileSize, func(err error) {
		if err == nil {
			r.root = r.superblock.State()
			err = r.options.expect(&r.root)
		}
		if err == nil && !r.alone() && r.options.Peers == nil {
			err = fmt.Errorf("the data file is of a cluster of %d replicas, and there is no way to reach the others", r.root.ReplicaCount)
		}
		if err != nil {
			r.fail(err)
			return
		}
		if !r.alone() {
			r.group.sender = grid.NewSender(r.options.Storage, r.gridConfig())
		}
		if r.root.Syncing {
			r.openSyncing()
			return
		}
		r.openCheckpoint()
	})
}

// openCheckpoint reads the grid's free set and the state machine's state.
func (r *Replica) openCheckpoint() {
	layout, checkpoint := &r.root.Layout, &r.root.Checkpoint
	r.quorum = quorumReplication(r.root.ReplicaCount)
	r.requestSizeMax = int(layout.RequestSizeMax)
	if limit := r.options.RequestSizeMax; limit > 0 {
		r.requestSizeMax = min(r.requestSizeMax, limit)
	}
	r.sessions = newSessions(int(layout.SessionsMax))
	r.requests = newRequests(int(layout.SessionsMax), int(layout.PrepareSizeMax())-wire.HeaderSize)
	r.journal = journal.New(r.options.Storage, r.options.Pool, journal.Config{
		Cluster:       r.root.Cluster,
		HeadersOffset: layout.JournalHeadersOffset(), Slots: layout.JournalSlots,
		SparesOffset: layout.JournalSparesOffset(), Spares: layout.JournalSpares, SpareSize: superblock.SpareSize,
		RecordsOffset: layout.JournalRecordsOffset(), RingSize: layout.JournalRingSize,
		Repairable: !r.alone(), Fault: r.fail,
	})
	r.grid = grid.New(r.options.Storage, r.gridConfig())
	r.machine = r.options.NewStateMachine(r.grid, r.damaged)
	r.grid.Open(checkpoint.Grid, r.orFail("read the free set", func() {
		root := checkpoint.Root[:checkpoint.RootSize]
		r.machine.Open(root, r.orFail("read the state of the checkpoint", r.openSessions))
	}))
}

// orFail returns a callback that fails the replica on an error and goes on to
// next otherwise.
func (r *Replica) orFail(what string, next func()) func(error) {
	return func(err error) {
		switch {
		case err == nil:
			next()
		case errors.Is(err, grid.ErrCorrupt) && !r.alone():
			r.mendGrid()
		default:
			r.fail(fmt.Errorf("%s: %w", what, r.explain(err)))
		}
	}
}

// explain says of a block that lies behind the end of the data file that the
// file was cut: bytes that are not there read as damaged ones.
func (r *Replica) explain(err error) error {
	var damage *grid.CorruptError
	end := r.options.FileSize
	if !errors.As(err, &damage) || damage.Offset+int64(r.root.Layout.BlockSize) <= end {
		return err
	}
	return fmt.Errorf("%w: it ends at %d bytes: %w", superblock.ErrTruncated, end, err)
}

func (r *Replica) openSessions() {
	checkpoint := &r.root.Checkpoint
	r.commitMin, r.commitChecksum = Op(checkpoint.Op), checkpoint.HeaderChecksum
	r.commitOrdinal, r.timestamp = Ordinal(checkpoint.NextOrdinal-1), checkpoint.Timestamp
	r.commitMax = r.commitMin
	if checkpoint.Sessions.IsZero() {
		r.openJournal()
		return
	}
	r.grid.ReadStream(checkpoint.Sessions, func(table []byte, err error) {
		if err == nil {
			err = r.sessions.decode(table, r.options.Pool)
		}
		r.orFail("read the sessions", r.openJournal)(err)
	})
}

// openJournal finds what the journal has after the checkpoint.
func (r *Replica) openJournal() {
	checkpoint := &r.root.Checkpoint
	r.head = head{
		op: r.commitMin, checksum: r.commitChecksum, ordinal: r.commitOrdinal, offsetEnd: checkpoint.JournalOffset,
	}
	r.journal.Recover(JournalStart(&r.root), func(headOp uint64, err error) {
		r.replayEnd = Op(headOp)
		r.orFail("recover the journal", func() {
			if !r.alone() && r.opened == nil {
				r.openInCluster() // it has been repaired before the sync
				return
			}
			r.superblock.Repair(func() {
				if !r.alone() {
					r.openInCluster()
					return
				}
				r.status = statusReplay
				r.replayNext()
			})
		})(err)
	})
}

// JournalStart returns where the journal of a data file with this root begins.
func JournalStart(root *superblock.State) journal.Start {
	last, previous := &root.Checkpoint, &root.Previous
	return journal.Start{
		Op: last.Op, Checksum: last.HeaderChecksum, Offset: last.JournalOffset,
		CommitMax: root.CommitMax,
		Kept:      journal.Mark{Op: previous.Op, Checksum: previous.HeaderChecksum, Offset: previous.JournalOffset},
	}
}

// replayNext executes the next prepare of the journal, or ends the replay.
// Replies are stored in the sessions as they were the first time; nothing is
// sent. Checkpoints are taken where they would have been.
func (r *Replica) replayNext() {
	if r.commitMin == r.replayEnd {
		r.openView()
		return
	}
	r.journal.Read(uint64(r.commitMin+1), func(message *buffer.Buffer, err error) {
		r.orFail("read the journal", func() {
			var header wire.Prepare
			if err := header.Decode(message.Bytes); err != nil {
				panic("vsr: the journal returned what it had not verified: " + err.Error())
			}
			r.head.advance(&header)
			r.startCommit(header, message)
		})(err)
	})
}

// openView begins a new view. A primary that restarts never resumes its old
// one: prepares of it may be on their way whose fate it does not know. The
// view is durable before a word is said in it.
func (r *Replica) openView() {
	r.updateRoot(func(root *superblock.State) {
		root.View++
		root.LogView = root.View
	}, func() {
		r.view = View(r.root.View)
		r.status = statusNormal
		r.startScrub()
		done := r.opened
		r.opened = nil
		done(nil)
	})
}
