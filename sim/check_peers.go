package sim

import (
	"fmt"

	"github.com/ledgerd/ledgerd/internal/checksum"
	"github.com/ledgerd/ledgerd/vsr"
	"github.com/ledgerd/ledgerd/vsr/superblock"
	"github.com/ledgerd/ledgerd/wire"
)

// checkPeers looks at what replicas send to one another, whether it arrives or
// not. It demands that
//
//   - no replica goes back, neither its view nor its checkpoint, in one life or
//     from one to the next;
//   - checkpoints of one op have one id, which covers sessions, free set and
//     ledger;
//   - an op is made once in a view;
//   - what is acknowledged is in the journal twice: record, and spare or witness.
type checkPeers struct {
	sim         *simulation
	checkpoints map[uint64]checksum.Sum // by op
	prepares    map[madeIn]checksum.Sum
}

// madeIn names a prepare.
type madeIn struct {
	view uint32
	op   uint64
}

// said is the furthest of what a replica has said of itself.
type said struct {
	view, logView uint32
	checkpoint    uint64
	acknowledged  checksum.Sum // of an op, last
}

func newCheckPeers(s *simulation) *checkPeers {
	return &checkPeers{sim: s, checkpoints: make(map[uint64]checksum.Sum), prepares: make(map[madeIn]checksum.Sum)}
}

// check judges what a process sends to another replica.
func (b *checkPeers) check(p *process, message []byte) error {
	frame, err := verify(message)
	switch {
	case err != nil:
		return err
	case frame.Command == wire.CommandRequest:
		return nil // a client's, passed on
	case frame.Command == wire.CommandPrepare:
		return b.checkPrepare(message)
	}
	var h wire.Peer
	if err := h.Decode(message); err != nil {
		return err
	}
	if int(h.Replica) != p.replica.index {
		return fmt.Errorf("%v in the name of replica %d", h.Command, h.Replica)
	}
	if err := b.checkProgress(&p.replica.said, &h); err != nil {
		return fmt.Errorf("%v: %w", h.Command, err)
	}
	if h.Command == wire.CommandPrepareOK {
		return b.checkAcknowledgement(p.replica, &h)
	}
	return nil
}

// verify returns the frame of a message that is whole.
func verify(message []byte) (wire.Frame, error) {
	frame, err := wire.VerifyHeader(message)
	if err == nil {
		err = wire.VerifyBody(message)
	}
	return frame, err
}

// checkPrepare demands that a prepare is the only one of its op in its view.
func (b *checkPeers) checkPrepare(message []byte) error {
	var h wire.Prepare
	if err := h.Decode(message); err != nil {
		return err
	}
	made := madeIn{h.View, h.Op}
	if known, ok := b.prepares[made]; ok && known != h.Checksum {
		return fmt.Errorf("op %d of view %d was made twice: %x, then %x", h.Op, h.View, known, h.Checksum)
	}
	b.prepares[made] = h.Checksum
	return nil
}

// checkProgress compares what a replica says of itself with what it has said, and
// with what others say of the same checkpoint.
func (b *checkPeers) checkProgress(last *said, h *wire.Peer) error {
	switch {
	case h.Command == wire.CommandBlock:
		return nil // which tells of the checkpoint that it is of
	case h.View < last.view || h.LogView < last.logView || h.LogView > h.View:
		return fmt.Errorf("view %d and log view %d after %d and %d", h.View, h.LogView, last.view, last.logView)
	case h.CheckpointOp < last.checkpoint:
		return fmt.Errorf("checkpoint at op %d after one at %d", h.CheckpointOp, last.checkpoint)
	}
	last.view, last.logView, last.checkpoint = h.View, h.LogView, h.CheckpointOp
	if known, ok := b.checkpoints[h.CheckpointOp]; ok && known != h.Checkpoint {
		return fmt.Errorf("checkpoint at op %d has id %x, and has %x elsewhere", h.CheckpointOp, h.Checkpoint, known)
	}
	b.checkpoints[h.CheckpointOp] = h.Checkpoint
	return nil
}

// checkAcknowledgement looks for the op that a replica acknowledges on its disk,
// unless that is in its checkpoint.
func (b *checkPeers) checkAcknowledgement(r *replica, h *wire.Peer) error {
	switch {
	case h.LogView != h.View:
		return fmt.Errorf("op %d is acknowledged in view %d, of which log view %d has no log", h.Op, h.View, h.LogView)
	case h.Op <= h.CheckpointOp || h.ChecksumOf == r.said.acknowledged || r.mayRot() && b.sim.options.fault != faultNone:
		return nil
	}
	r.said.acknowledged = h.ChecksumOf
	if !r.holds(vsr.Op(h.Op), h.ChecksumOf) {
		return fmt.Errorf("op %d is acknowledged, and it is not in the journal twice", h.Op)
	}
	return nil
}

// holds reports whether the journal on the disk has a prepare twice: its record,
// and its spare or its witness.
func (r *replica) holds(op vsr.Op, sum checksum.Sum) bool {
	layout := &r.sim.options.layout
	slot := layout.JournalHeadersOffset() + int64(uint64(op)%uint64(layout.JournalSlots))*wire.HeaderSize
	header, again := r.headerAt(slot)
	if again = again && header.Checksum == sum; !again && layout.JournalSpares > 0 {
		slot = layout.JournalSparesOffset() + int64(uint64(op)%uint64(layout.JournalSpares))*superblock.SpareSize
		header, again = r.headerAt(slot)
		again = again && header.Checksum == sum && wire.VerifyBody(r.disk.Peek(slot, int(header.Size))) == nil
	}
	if !again {
		return false
	}
	place := layout.JournalRecordsOffset() + int64(header.Offset%layout.JournalRingSize)
	record, whole := r.headerAt(place)
	return whole && record.Checksum == sum && wire.VerifyBody(r.disk.Peek(place, int(record.Size))) == nil
}

// headerAt returns the header of a prepare that is at an offset of the disk.
func (r *replica) headerAt(offset int64) (header wire.Prepare, ok bool) {
	b := r.disk.Peek(offset, wire.HeaderSize)
	_, err := wire.VerifyHeader(b)
	return header, err == nil && header.Decode(b) == nil
}
