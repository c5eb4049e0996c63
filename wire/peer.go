package wire

import (
	"encoding/binary"

	"github.com/ledgerd/ledgerd/internal/checksum"
)

// Peer is the header of what replicas tell one another, apart from prepares and
// requests: one layout for all of these commands, of which each uses a part
// (docs/REPLICATION.md). What a command does not use is zero, by convention of
// the senders.
//
//	offset  size  field
//	   128    16  checksum_of, of the prepare or the block that op names
//	   144    16  checkpoint, the id of the author's checkpoint
//	   160     8  op
//	   168     8  commit, an op known to be committed
//	   176     8  checkpoint_op
//	   184     8  present, a bit for each header in the body
//	   192     4  log_view
//	   196     4  target, a view
//	   200     8  nonce, of a replica that has lost its data file
//	   208    48  reserved
//
// The body of get_blocks is addresses of blocks, 8 bytes each, that of refs
// references, 24 bytes each, and that of block a block of the grid as it is on the
// disk, without what fills its last sector, or, if op is 0, a checkpoint. The body of
// join_view, view and headers is prepares' headers in the order of their ops, at
// most HeadersMax, each whole or, if it is not known, zero. The others have no
// body. View is the author's, durable there.
type Peer struct {
	Frame
	ChecksumOf   checksum.Sum
	Checkpoint   checksum.Sum
	Op           uint64
	Commit       uint64
	CheckpointOp uint64
	Present      uint64
	LogView      uint32
	Target       uint32
	Nonce        uint64
}

// HeadersMax bounds the headers in a message.
const HeadersMax = 64

// IsPeer reports whether messages of this command have a Peer as their header.
func (c Command) IsPeer() bool {
	switch c {
	case CommandPrepareOK, CommandCommit, CommandExitView, CommandJoinView, CommandGetView, CommandView,
		CommandGetHeaders, CommandHeaders, CommandGetPrepare, CommandGetBlocks, CommandBlock, CommandRefs,
		CommandPing, CommandPong:
		return true
	}
	return false
}

// Decode reads a header that has passed VerifyHeader, of any command that
// IsPeer. The error is a *HeaderError.
func (h *Peer) Decode(b []byte) error {
	command := CommandOf(b)
	if err := h.Frame.decode(b, command); err != nil {
		return err
	}
	h.ChecksumOf = checksum.Sum(b[128:144])
	h.Checkpoint = checksum.Sum(b[144:160])
	h.Op = binary.LittleEndian.Uint64(b[160:])
	h.Commit = binary.LittleEndian.Uint64(b[168:])
	h.CheckpointOp = binary.LittleEndian.Uint64(b[176:])
	h.Present = binary.LittleEndian.Uint64(b[184:])
	h.LogView = binary.LittleEndian.Uint32(b[192:])
	h.Target = binary.LittleEndian.Uint32(b[196:])
	h.Nonce = binary.LittleEndian.Uint64(b[200:])
	if !isZero(b[208:HeaderSize]) {
		return h.invalid("reserved", "is not zero")
	}
	return h.Validate()
}

// Encode writes all HeaderSize bytes of the header to b, checksums as they are
// in h. It panics if h is not valid.
func (h *Peer) Encode(b []byte) {
	mustBeValid(h.Validate())
	h.Frame.encode(b)
	copy(b[128:], h.ChecksumOf[:])
	copy(b[144:], h.Checkpoint[:])
	binary.LittleEndian.PutUint64(b[160:], h.Op)
	binary.LittleEndian.PutUint64(b[168:], h.Commit)
	binary.LittleEndian.PutUint64(b[176:], h.CheckpointOp)
	binary.LittleEndian.PutUint64(b[184:], h.Present)
	binary.LittleEndian.PutUint32(b[192:], h.LogView)
	binary.LittleEndian.PutUint32(b[196:], h.Target)
	binary.LittleEndian.PutUint64(b[200:], h.Nonce)
}

// Validate checks what all commands have in common, and the size of the body.
// The error is a *HeaderError.
func (h *Peer) Validate() error {
	if err := h.Frame.validate(); err != nil {
		return err
	}
	hasHeaders := h.Command == CommandJoinView || h.Command == CommandView || h.Command == CommandHeaders
	switch {
	case !h.Command.IsPeer():
		return h.invalid("command", "is not one between replicas")
	case h.Replica >= MembersMax:
		return h.invalid("replica", "is no index of a replica")
	case h.Command == CommandBlock || h.Command == CommandGetBlocks || h.Command == CommandRefs:
		return nil // its size has been compared with the command's
	case h.Size != HeaderSize && !hasHeaders:
		return h.invalid("size", "is not that of a header")
	case h.Size%HeaderSize != 0 || h.Size > (1+HeadersMax)*HeaderSize:
		return h.invalid("size", "is not that of headers")
	}
	return nil
}

// DecodeHeaders reads the body of a join_view, view or headers message and
// appends its headers to dst. Those that are not known are zero: their
// Command is CommandReserved. The error is a *HeaderError, or that of
// VerifyHeader.
func DecodeHeaders(body []byte, dst []Prepare) ([]Prepare, error) {
	for ; len(body) >= HeaderSize; body = body[HeaderSize:] {
		var h Prepare
		if b := body[:HeaderSize]; !isZero(b) {
			if _, err := VerifyHeader(b); err != nil {
				return dst, err
			}
			if err := h.Decode(b); err != nil {
				return dst, err
			}
		}
		dst = append(dst, h)
	}
	return dst, nil
}

// EncodeHeader writes the header of a prepare as it was sealed to the first
// HeaderSize bytes of b, or zeros if its Command is CommandReserved.
func EncodeHeader(b []byte, h *Prepare) {
	if h.Command == CommandReserved {
		clear(b[:HeaderSize])
		return
	}
	h.Encode(b)
}
