package vsr

import (
	"errors"

	"github.com/ledgerd/ledgerd/vsr/grid"
	"github.com/ledgerd/ledgerd/vsr/superblock"
	"github.com/ledgerd/ledgerd/wire"
)

// ErrRestart is the Err of a replica which lags so far behind that it must take
// over a checkpoint of another one. Nothing is wrong: its owner ends it, waits
// for the disk, and opens the data file again, at once.
var ErrRestart = errors.New("the replica has to be opened again, to take over a checkpoint of another one")

// askForCheckpoint asks a replica for its checkpoint, because the next op of
// this one's log is in nobody's journal any more.
func (r *Replica) askForCheckpoint(from uint8) {
	if !r.leads() && !r.group.updating {
		r.tell(from, wire.CommandGetBlocks, wire.Peer{}, nil)
	}
}

// sayCheckpoint tells the others which op is the last of the checkpoint that
// this replica has taken over. One that has this op in its log, and has not
// heard that it is committed, can then execute it and have the same checkpoint:
// it may be the only one left who can.
func (r *Replica) sayCheckpoint() {
	own := &r.root.Checkpoint
	r.tellAll(wire.CommandGetBlocks, wire.Peer{Commit: own.Op, ChecksumOf: own.HeaderChecksum}, nil)
}

// onSayCheckpoint believes that an op is committed if it is the one that the
// log has.
func (r *Replica) onSayCheckpoint(h *wire.Peer) {
	op := Op(h.Commit)
	if r.status == statusSyncing || h.Commit <= r.root.Checkpoint.Op {
		return
	}
	if sum, ok := r.checksumAt(op); ok && sum == h.ChecksumOf && op <= r.head.op && !r.leads() {
		r.commitMax, r.group.verified = max(r.commitMax, op), max(r.group.verified, op)
	}
}

// reachable returns the op up to which this replica has all that it needs: what
// follows it is not known, or has rotted.
func (r *Replica) reachable() Op {
	if faulty, ok := r.journal.NextFaulty(uint64(r.commitMin)); ok {
		return min(r.certain(), Op(faulty)-1)
	}
	return r.certain()
}

// adopt makes another replica's checkpoint this one's. From then on until all
// of its blocks are here, this replica has no state: a crash leaves it syncing.
func (r *Replica) adopt(checkpoint *superblock.Checkpoint) {
	g := &r.group
	behind := checkpoint.Op > r.root.Checkpoint.Op && (r.status == statusSyncing || Op(checkpoint.Op) > r.reachable())
	busy := r.commit.stage != stageIdle || r.naming.next != nil
	if !behind || g.adopting || g.updating || r.leads() || busy && r.status != statusSyncing {
		return
	}
	g.adopting = true
	if g.receiver == nil {
		r.takeOver(checkpoint)
		return
	}
	g.receiver.Stop(func() {
		g.receiver = nil
		r.takeOver(checkpoint)
	})
}

func (r *Replica) takeOver(checkpoint *superblock.Checkpoint) {
	g := &r.group
	r.updateRoot(func(root *superblock.State) {
		root.Checkpoint, root.Previous, root.Syncing = *checkpoint, *checkpoint, true
		root.CommitMax = max(root.CommitMax, checkpoint.Op)
	}, func() {
		g.adopting = false
		if r.status == statusSyncing {
			r.receive()
			return
		}
		r.fail(ErrRestart)
	})
}

// openSyncing opens a replica that has taken over a checkpoint and lacks its
// blocks.
func (r *Replica) openSyncing() {
	r.superblock.Repair(func() {
		r.status, r.view = statusSyncing, View(r.root.View)
		r.group.entering = r.view
		done := r.opened
		r.opened = nil
		done(nil)
		r.receive()
	})
}

// receive fetches the blocks of the checkpoint, and then opens it.
func (r *Replica) receive() {
	g := &r.group
	if g.contents == nil {
		g.contents = grid.Contents{}
	}
	g.receiver = grid.Receive(r.options.Storage, r.gridConfig(), r.root.Checkpoint.Grid, g.contents, blockPeers{r}, func() {
		g.receiver, g.contents, g.adopting = nil, nil, true
		r.updateRoot(func(root *superblock.State) { root.Syncing = false }, func() {
			g.adopting = false
			r.status = statusOpening
			r.openCheckpoint()
		})
	})
}

// mendGrid lets a replica whose grid is damaged compare all of it with the
// others, block by block, as one does that takes over a checkpoint: its own.
func (r *Replica) mendGrid() {
	g := &r.group
	if g.adopting {
		return
	}
	g.adopting = true
	update := func() {
		r.updateRoot(func(root *superblock.State) { root.Syncing = true }, func() { r.fail(ErrRestart) })
	}
	if r.status == statusOpening && r.opened != nil {
		r.superblock.Repair(update)
		return
	}
	update()
}
