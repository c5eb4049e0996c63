package wire

import (
	"encoding/binary"
	"iter"

	"github.com/ledgerd/ledgerd/internal/checksum"
)

// offsetUnit is what a record's place in the journal is a multiple of.
const offsetUnit = 4096

// Prepare is one op of the log: the requests that the primary ordered together.
// It is both the message between replicas and the record in the journal
// (PROTOCOL.md section 5.6).
//
//	offset  size  field
//	   128    16  parent, the checksum of the prepare before it
//	   144    16  checkpoint, the id of the checkpoint the primary has
//	   160     8  op
//	   168     8  commit, the primary's; at most op
//	   176     8  offset, a multiple of 4096
//	   184     8  timestamp, that of the last request
//	   192     8  ordinal, that of the first request
//	   200     4  request_count
//	   204    52  reserved
//
// The body is the requests' bodies back to back, then the table: an Entry for
// each of them in the same order. So a lone request becomes a prepare in place.
// The root of the log, op 0, is the only prepare without a request.
type Prepare struct {
	Frame
	Parent       checksum.Sum
	Checkpoint   checksum.Sum
	Op           uint64
	Commit       uint64
	Offset       uint64 // bytes before the record in the journal's endless ring
	Timestamp    uint64
	Ordinal      uint64
	RequestCount uint32
}

// Decode reads a header that has passed VerifyHeader. The error is a
// *HeaderError. The body is the matter of ValidateBody.
func (h *Prepare) Decode(b []byte) error {
	if err := h.Frame.decode(b, CommandPrepare); err != nil {
		return err
	}
	h.Parent = checksum.Sum(b[128:144])
	h.Checkpoint = checksum.Sum(b[144:160])
	h.Op = binary.LittleEndian.Uint64(b[160:])
	h.Commit = binary.LittleEndian.Uint64(b[168:])
	h.Offset = binary.LittleEndian.Uint64(b[176:])
	h.Timestamp = binary.LittleEndian.Uint64(b[184:])
	h.Ordinal = binary.LittleEndian.Uint64(b[192:])
	h.RequestCount = binary.LittleEndian.Uint32(b[200:])
	if !isZero(b[204:HeaderSize]) {
		return h.invalid("reserved", "is not zero")
	}
	return h.Validate()
}

// Encode writes all HeaderSize bytes of the header to b, checksums as they are
// in h. It sets h.Command, and panics if h is not valid.
func (h *Prepare) Encode(b []byte) {
	h.Command = CommandPrepare
	mustBeValid(h.Validate())
	h.Frame.encode(b)
	copy(b[128:], h.Parent[:])
	copy(b[144:], h.Checkpoint[:])
	binary.LittleEndian.PutUint64(b[160:], h.Op)
	binary.LittleEndian.PutUint64(b[168:], h.Commit)
	binary.LittleEndian.PutUint64(b[176:], h.Offset)
	binary.LittleEndian.PutUint64(b[184:], h.Timestamp)
	binary.LittleEndian.PutUint64(b[192:], h.Ordinal)
	binary.LittleEndian.PutUint32(b[200:], h.RequestCount)
}

// Validate checks the header's fields by PROTOCOL.md section 5.6. The error is a
// *HeaderError.
func (h *Prepare) Validate() error {
	switch {
	case h.Size < HeaderSize || h.Size > PrepareSizeMax:
		return h.invalid("size", "is out of bounds")
	case h.Replica >= ReplicasMax:
		return h.invalid("replica", "is no index of a replica")
	case h.Commit > h.Op:
		return h.invalid("commit", "exceeds op")
	case h.Offset%offsetUnit != 0:
		return h.invalid("offset", "is not a multiple of 4096")
	case (h.Op == 0) != (h.RequestCount == 0):
		return h.invalid("request_count", "is zero elsewhere than in the root")
	case h.Op != 0 && h.Timestamp == 0:
		return h.invalid("timestamp", "is zero")
	case h.Op != 0 && h.Ordinal == 0:
		return h.invalid("ordinal", "is zero")
	case uint64(h.Size) < HeaderSize+uint64(h.RequestCount)*EntrySize:
		return h.invalid("request_count", "exceeds what the body holds")
	case h.RequestCount == 0 && h.Size != HeaderSize:
		return h.invalid("size", "is not that of a header, though there is no request")
	}
	return nil
}

// ValidateBody checks that the body of h is what a primary would have formed:
// valid entries, bodies that fill the rest exactly, timestamps that increase up
// to h.Timestamp. h must be valid and body must have the size it says. The error
// is a *HeaderError that names the entry's field.
func (h *Prepare) ValidateBody(body []byte) error {
	if len(body) != int(h.Size)-HeaderSize {
		panic("wire: prepare's body does not have its size")
	}
	table := h.table(body)
	bodiesSize := uint64(len(body) - len(table))
	var timestamp uint64
	for ; len(table) > 0; table = table[EntrySize:] {
		var e Entry
		if err := e.Decode(table); err != nil {
			return err
		}
		if e.Timestamp <= timestamp {
			return h.invalid("entry.timestamp", "does not increase")
		}
		timestamp = e.Timestamp
		if uint64(e.BodySize) > bodiesSize {
			return h.invalid("entry.body_size", "exceeds what is left")
		}
		bodiesSize -= uint64(e.BodySize)
	}
	switch {
	case bodiesSize != 0:
		return h.invalid("entry.body_size", "leaves bytes without an entry")
	case h.RequestCount > 0 && timestamp != h.Timestamp:
		return h.invalid("timestamp", "is not that of the last request")
	}
	return nil
}

// Requests yields the entry and the body of each request in order. body is the
// prepare's, which must have passed ValidateBody; what is yielded aliases it.
func (h *Prepare) Requests(body []byte) iter.Seq2[Entry, []byte] {
	table := h.table(body)
	return func(yield func(Entry, []byte) bool) {
		for ; len(table) > 0; table = table[EntrySize:] {
			var e Entry
			mustBeValid(e.Decode(table))
			if !yield(e, body[:e.BodySize:e.BodySize]) {
				return
			}
			body = body[e.BodySize:]
		}
	}
}

// table returns the entries' bytes, the last part of body.
func (h *Prepare) table(body []byte) []byte {
	return body[len(body)-int(h.RequestCount)*EntrySize:]
}
