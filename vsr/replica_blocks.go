package vsr

import (
	"encoding/binary"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/checksum"
	"github.com/ledgerd/ledgerd/vsr/grid"
	"github.com/ledgerd/ledgerd/vsr/superblock"
	"github.com/ledgerd/ledgerd/wire"
)

// mendBeats is how often a damaged block is asked for, every beatTicks, until it
// must be that nobody has it any more.
const mendBeats = 20

// gridConfig says where the grid is and who is told when a block is damaged.
func (r *Replica) gridConfig() grid.Config {
	layout := &r.root.Layout
	config := grid.Config{
		ZoneOffset: layout.GridOffset(), BlockSize: int(layout.BlockSize), CacheSize: r.options.GridCacheSize, Fault: r.fail,
	}
	if !r.alone() {
		config.Missing = r.askForMissingBlock
	}
	return config
}

// askForMissingBlock asks for a block that is damaged here. While the data file is
// being opened all of the grid is compared instead: there may be more.
func (r *Replica) askForMissingBlock(ref block.Ref, tries int) bool {
	if r.status == statusOpening {
		return false
	}
	blockPeers{r}.AskBlock(ref, tries)
	return true
}

// blockPeers asks the other replicas for blocks.
type blockPeers struct{ *Replica }

// AskRefs implements grid.Peers.
func (p blockPeers) AskRefs(addresses []block.Address, tries int) {
	body := make([]byte, 0, 8*len(addresses))
	for _, a := range addresses {
		body = binary.LittleEndian.AppendUint64(body, uint64(a))
	}
	p.sendBlocks(p.helper(addresses[0], tries), wire.CommandGetBlocks, wire.Peer{}, body)
}

// AskBlock implements grid.Peers.
func (p blockPeers) AskBlock(ref block.Ref, tries int) {
	p.sendBlocks(p.helper(ref.Address, tries), wire.CommandGetBlocks, wire.Peer{Op: uint64(ref.Address), ChecksumOf: ref.Checksum}, nil)
}

// helper returns the replica to be asked about a block: each in turn, but the
// primary not at first, because it has enough to do.
func (r *Replica) helper(a block.Address, tries int) uint8 {
	turn := uint64(a) + uint64(tries)
	if helper := r.inTurn(turn); tries > 0 || helper != r.primaryOf(r.view) {
		return helper
	}
	return r.inTurn(turn + 1)
}

// sendBlocks sends a message about blocks, with content as its body.
func (r *Replica) sendBlocks(to uint8, command wire.Command, peer wire.Peer, content []byte) {
	message := r.options.Pool.Acquire(wire.HeaderSize + len(content))
	copy(message.Bytes[wire.HeaderSize:], content)
	r.sealPeer(message, peer, command)
	r.options.Peers.SendToReplica(to, message)
	message.Release()
}

// onMessageSyncing handles a message while this replica has no state: it
// listens to nothing but what it needs, and gives what it has.
func (r *Replica) onMessageSyncing(message *buffer.Buffer) {
	var h wire.Peer
	if wire.CommandOf(message.Bytes).IsPeer() && h.Decode(message.Bytes) == nil && isAboutBlocks(h.Command) {
		r.onBlocks(&h, message.Bytes[wire.HeaderSize:])
	}
}

func isAboutBlocks(c wire.Command) bool {
	return c == wire.CommandGetBlocks || c == wire.CommandRefs || c == wire.CommandBlock
}

// onBlocks handles what is said about blocks.
func (r *Replica) onBlocks(h *wire.Peer, body []byte) {
	receiver, ref := r.group.receiver, block.Ref{Address: block.Address(h.Op), Checksum: h.ChecksumOf}
	switch {
	case h.Replica == r.root.Replica:
	case h.Command == wire.CommandGetBlocks && h.Op != 0:
		r.sendWanted(h, ref)
	case h.Command == wire.CommandGetBlocks && len(body) > 0:
		r.sendRefs(h, body)
	case h.Command == wire.CommandGetBlocks:
		r.onSayCheckpoint(h)
		r.offerCheckpoint(h)
	case h.Command == wire.CommandRefs:
		if receiver != nil && h.ChecksumOf == r.root.Checkpoint.ID() {
			receiver.Refs(decodeRefs(body))
		}
	case h.Op == 0:
		var checkpoint superblock.Checkpoint
		if checkpoint.Decode(body) == nil {
			r.adopt(&checkpoint)
		}
	case receiver != nil:
		receiver.Put(ref, body)
	case r.status != statusSyncing:
		r.grid.Put(ref, body)
	}
}

// hasCheckpoint reports whether the checkpoint is the last one here or the one
// before: none of its blocks has been overwritten.
func (r *Replica) hasCheckpoint(id checksum.Sum) bool {
	return id == r.root.Checkpoint.ID() || id == r.root.Previous.ID()
}

// sendWanted answers with a block, if it is here. If it is not, and the checkpoint
// that it is wanted for is an old one, the answer is a later one.
func (r *Replica) sendWanted(h *wire.Peer, ref block.Ref) {
	asked := *h
	r.group.sender.Block(ref, func(whole []byte) {
		if whole != nil {
			r.sendBlocks(asked.Replica, wire.CommandBlock, wire.Peer{Op: asked.Op, ChecksumOf: asked.ChecksumOf}, whole)
		} else if !r.hasCheckpoint(asked.Checkpoint) {
			r.offerCheckpoint(&asked)
		}
	})
}

// sendRefs tells which blocks the checkpoint that the other replica names has at
// some addresses. Who is receiving that checkpoint knows some of them.
func (r *Replica) sendRefs(h *wire.Peer, body []byte) {
	asked := *h
	answer := func(refs []block.Ref) {
		if r.hasCheckpoint(asked.Checkpoint) && len(refs) > 0 {
			r.sendBlocks(asked.Replica, wire.CommandRefs, wire.Peer{ChecksumOf: asked.Checkpoint}, encodeRefs(refs))
		}
	}
	var addresses []block.Address
	for ; len(body) >= 8 && len(addresses) < grid.RefsMax; body = body[8:] {
		if a := block.Address(binary.LittleEndian.Uint64(body)); grid.Addressable(a) {
			addresses = append(addresses, a)
		}
	}
	switch {
	case !r.hasCheckpoint(h.Checkpoint):
		r.offerCheckpoint(h)
	case !r.root.Syncing:
		r.group.sender.Refs(addresses, answer)
	case r.group.receiver != nil:
		answer(r.group.receiver.Has(addresses))
	}
}

// offerCheckpoint answers with a checkpoint that can be taken over, if it is a
// later one.
func (r *Replica) offerCheckpoint(h *wire.Peer) {
	if r.root.Syncing {
		return
	}
	if stable := r.stableCheckpoint(); stable.Op > h.CheckpointOp {
		encoded := make([]byte, superblock.CheckpointSize)
		stable.Encode(encoded)
		r.sendBlocks(h.Replica, wire.CommandBlock, wire.Peer{ChecksumOf: stable.ID()}, encoded)
	}
}

func encodeRefs(refs []block.Ref) []byte {
	b := make([]byte, block.RefSize*len(refs))
	for i, ref := range refs {
		ref.Put(b[i*block.RefSize:])
	}
	return b
}

func decodeRefs(b []byte) (refs []block.Ref) {
	for ; len(b) >= block.RefSize; b = b[block.RefSize:] {
		refs = append(refs, block.RefFrom(b))
	}
	return refs
}

// mendBlocks asks once more for the blocks that are damaged here. If nobody has
// one of them, the checkpoint that it is of is an old one.
func (r *Replica) mendBlocks() {
	if r.grid.AskAgain() > mendBeats {
		r.mendGrid()
	}
}
