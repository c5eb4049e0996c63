package vsr

import (
	"errors"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/checksum"
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

// onGetBlock answers with a block of the checkpoint that the other replica names,
// which is the last one here or the one before. If it is neither, the answer is a
// checkpoint that can be taken over.
func (r *Replica) onGetBlock(h *wire.Peer) {
	own := &r.root.Checkpoint
	if h.Op == 0 && h.Commit > own.Op {
		r.onSayCheckpoint(h)
	}
	if h.Op == 0 || h.Checkpoint != own.ID() && h.Checkpoint != r.root.Previous.ID() {
		stable := r.stableCheckpoint()
		if stable.Op == 0 || stable.Op <= h.CheckpointOp {
			return
		}
		encoded := make([]byte, superblock.CheckpointSize)
		stable.Encode(encoded)
		r.sendBlock(h.Replica, wire.Peer{ChecksumOf: stable.ID()}, encoded)
		return
	}
	r.grid.ReadWhole(block.Address(h.Op), r.answerWith(h))
}

// answerWith returns what sends a block to the one who has asked for it, or says
// that it is there already.
func (r *Replica) answerWith(h *wire.Peer) func(whole []byte, sum checksum.Sum) {
	to, have := h.Replica, h.ChecksumOf
	answer := wire.Peer{Op: h.Op, Commit: h.CheckpointOp}
	return func(whole []byte, sum checksum.Sum) {
		answer.ChecksumOf = sum
		switch {
		case whole == nil:
		case sum == have:
			r.sendBlock(to, answer, nil)
		default:
			r.sendBlock(to, answer, whole)
		}
	}
}

// sendBlock sends a block of the checkpoint at op peer.Commit, or as block 0 a
// checkpoint.
func (r *Replica) sendBlock(to uint8, peer wire.Peer, content []byte) {
	message := r.options.Pool.Acquire(wire.HeaderSize + len(content))
	peer.Frame = r.frame(wire.CommandBlock)
	peer.Size = uint32(len(message.Bytes))
	peer.CheckpointOp, peer.Checkpoint = r.root.Checkpoint.Op, r.root.Checkpoint.ID()
	peer.Encode(message.Bytes)
	copy(message.Bytes[wire.HeaderSize:], content)
	wire.Seal(message.Bytes)
	r.options.Peers.SendToReplica(to, message)
	message.Release()
}

// onBlock handles a checkpoint of another replica, or a block of it.
func (r *Replica) onBlock(h *wire.Peer, body []byte) {
	switch {
	case h.Op == 0:
		var checkpoint superblock.Checkpoint
		if checkpoint.Decode(body) == nil {
			r.adopt(&checkpoint)
		}
	case r.status == statusSyncing && Op(h.Commit) == r.CheckpointOp() && r.group.receiver != nil:
		r.group.receiver.Put(block.Address(h.Op), h.ChecksumOf, body)
	}
}

// adopt makes another replica's checkpoint this one's. From then on until all
// of its blocks are here, this replica has no state: a crash leaves it syncing.
func (r *Replica) adopt(checkpoint *superblock.Checkpoint) {
	g := &r.group
	behind := checkpoint.Op > r.root.Checkpoint.Op && (r.status == statusSyncing || Op(checkpoint.Op) > r.reachable())
	if !behind || g.adopting || g.updating || r.leads() || r.commit.stage != stageIdle && r.status != statusSyncing {
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
	g, layout := &r.group, &r.root.Layout
	config := grid.Config{ZoneOffset: layout.GridOffset(), BlockSize: int(layout.BlockSize), Fault: r.fail}
	g.receiver = grid.Receive(r.options.Storage, config, r.root.Checkpoint.Grid, r.askForBlock, func() {
		g.receiver, g.adopting = nil, true
		r.updateRoot(func(root *superblock.State) { root.Syncing = false }, func() {
			g.adopting = false
			r.status = statusOpening
			r.openCheckpoint()
		})
	})
}

func (r *Replica) askForBlock(address block.Address, have checksum.Sum) {
	r.tell(r.source(true), wire.CommandGetBlocks, wire.Peer{Op: uint64(address), ChecksumOf: have}, nil)
}

// onMessageSyncing handles a message while this replica has no state: it listens
// to nothing but what it needs.
func (r *Replica) onMessageSyncing(message *buffer.Buffer) {
	var h wire.Peer
	if !wire.CommandOf(message.Bytes).IsPeer() || h.Decode(message.Bytes) != nil {
		return
	}
	switch receiver := r.group.receiver; {
	case h.Command == wire.CommandBlock:
		r.onBlock(&h, message.Bytes[wire.HeaderSize:])
	case h.Command == wire.CommandGetBlocks && receiver != nil && h.Op != 0 && h.Checkpoint == r.root.Checkpoint.ID():
		receiver.ReadWhole(block.Address(h.Op), r.answerWith(&h))
	}
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
