package wire

import (
	"encoding/binary"

	"github.com/ledgerd/ledgerd/internal/checksum"
	"github.com/ledgerd/ledgerd/internal/u128"
)

const (
	// EntrySize is the encoded size of an Entry in bytes.
	EntrySize = 64
	// BodyUnit is what the size of every request's body is a multiple of, so
	// that bodies and table of a prepare stay aligned.
	BodyUnit = 16
)

// Entry is what a prepare keeps of one request's header (PROTOCOL.md section 5.6).
//
//	offset  size  field
//	     0    16  client; 0 for internal requests only
//	    16    16  request_checksum
//	    32     8  session
//	    40     8  timestamp, not 0
//	    48     4  request
//	    52     4  release
//	    56     4  body_size, a multiple of 16
//	    60     1  operation
//	    61     3  reserved
type Entry struct {
	Client          u128.Uint128
	RequestChecksum checksum.Sum
	Session         uint64
	Timestamp       uint64 // the request's highest
	Request         uint32
	Release         Release
	BodySize        uint32
	Operation       Operation
}

// Decode reads the first EntrySize bytes of b. The error is a *HeaderError.
func (e *Entry) Decode(b []byte) error {
	_ = b[EntrySize-1]
	e.Client = u128.FromBytes(b)
	e.RequestChecksum = checksum.Sum(b[16:32])
	e.Session = binary.LittleEndian.Uint64(b[32:])
	e.Timestamp = binary.LittleEndian.Uint64(b[40:])
	e.Request = binary.LittleEndian.Uint32(b[48:])
	e.Release = Release(binary.LittleEndian.Uint32(b[52:]))
	e.BodySize = binary.LittleEndian.Uint32(b[56:])
	e.Operation = Operation(b[60])
	if !isZero(b[61:EntrySize]) {
		return e.invalid("entry.reserved", "is not zero")
	}
	return e.Validate()
}

// Encode writes the first EntrySize bytes of b. It panics if e is not valid.
func (e *Entry) Encode(b []byte) {
	mustBeValid(e.Validate())
	clear(b[:EntrySize])
	e.Client.PutBytes(b)
	copy(b[16:], e.RequestChecksum[:])
	binary.LittleEndian.PutUint64(b[32:], e.Session)
	binary.LittleEndian.PutUint64(b[40:], e.Timestamp)
	binary.LittleEndian.PutUint32(b[48:], e.Request)
	binary.LittleEndian.PutUint32(b[52:], uint32(e.Release))
	binary.LittleEndian.PutUint32(b[56:], e.BodySize)
	b[60] = byte(e.Operation)
}

// Validate checks the fields by PROTOCOL.md section 5.6. The error is a
// *HeaderError.
func (e *Entry) Validate() error {
	switch {
	case e.Timestamp == 0:
		return e.invalid("entry.timestamp", "is zero")
	case e.BodySize > BodySizeMax || e.BodySize%BodyUnit != 0:
		return e.invalid("entry.body_size", "is no size of a request's body")
	case e.Operation == OperationReserved:
		return e.invalid("entry.operation", "is zero")
	}
	return nil
}

func (e *Entry) invalid(field, problem string) error {
	return &HeaderError{Command: CommandPrepare, Field: field, Problem: problem}
}
