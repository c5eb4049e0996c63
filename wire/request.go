package wire

import (
	"encoding/binary"

	"github.com/ledgerd/ledgerd/internal/checksum"
	"github.com/ledgerd/ledgerd/internal/u128"
)

// RegisterSize is the size of a register request's body: u32 batch_size_limit,
// 0, and zero bytes. RegisterReplySize is that of its reply's body: u32
// batch_size_limit, the largest request body the server accepts, and zero
// bytes (PROTOCOL.md section 7).
const (
	RegisterSize      = 256
	RegisterReplySize = 64
)

// Request asks for an operation (PROTOCOL.md section 5.3). A client sends it to
// the primary and builds it once: a retry has the same bytes.
//
//	offset  size  field
//	   128    16  parent, the context of the previous reply; 0 for register
//	   144    16  parent_padding
//	   160    16  client, not 0
//	   176     8  session; 0 for register only
//	   184     8  timestamp, 0
//	   192     4  request; 0 for register only
//	   196     1  operation
//	   197     3  padding
//	   200     4  previous_request_latency
//	   204    52  reserved
type Request struct {
	Frame
	Parent                 checksum.Sum
	Client                 u128.Uint128
	Session                uint64
	Timestamp              uint64 // a server ignores a request in which it is not 0
	Request                uint32 // counts the session's requests without gaps
	Operation              Operation
	PreviousRequestLatency uint32 // statistics, µs (ns before 0.17.0)
}

// Decode reads a header that has passed VerifyHeader. The error is a
// *HeaderError. Whether the operation is known is not looked at.
func (h *Request) Decode(b []byte) error {
	if err := h.Frame.decode(b, CommandRequest); err != nil {
		return err
	}
	h.Parent = checksum.Sum(b[128:144])
	h.Client = u128.FromBytes(b[160:])
	h.Session = binary.LittleEndian.Uint64(b[176:])
	h.Timestamp = binary.LittleEndian.Uint64(b[184:])
	h.Request = binary.LittleEndian.Uint32(b[192:])
	h.Operation = Operation(b[196])
	h.PreviousRequestLatency = binary.LittleEndian.Uint32(b[200:])
	switch {
	case !isZero(b[144:160]):
		return h.invalid("parent_padding", "is not zero")
	case !isZero(b[197:200]):
		return h.invalid("padding", "is not zero")
	case !isZero(b[204:HeaderSize]):
		return h.invalid("reserved", "is not zero")
	}
	return h.Validate()
}

// Encode writes all HeaderSize bytes of the header to b, checksums as they are
// in h. It sets h.Command, and panics if h is not valid.
func (h *Request) Encode(b []byte) {
	h.Command = CommandRequest
	mustBeValid(h.Validate())
	h.Frame.encode(b)
	copy(b[128:], h.Parent[:])
	h.Client.PutBytes(b[160:])
	binary.LittleEndian.PutUint64(b[176:], h.Session)
	binary.LittleEndian.PutUint64(b[184:], h.Timestamp)
	binary.LittleEndian.PutUint32(b[192:], h.Request)
	b[196] = byte(h.Operation)
	binary.LittleEndian.PutUint32(b[200:], h.PreviousRequestLatency)
}

// Validate checks the fields by PROTOCOL.md section 5.3. The error is a
// *HeaderError. The internal operations, pulse and upgrade, are refused: no
// client may send them.
func (h *Request) Validate() error {
	if err := h.Frame.validate(); err != nil {
		return err
	}
	switch {
	case h.Replica != 0:
		return h.invalid("replica", "is not zero")
	case h.Client.IsZero():
		return h.invalid("client", "is zero")
	}
	switch op := h.Operation; {
	case op == OperationRegister:
		return h.validateRegister()
	case op == OperationReconfigure || op == OperationNoop || op >= OperationStateMachineMin:
		return h.validateOrdinary()
	}
	return h.invalid("operation", "is not one of a client")
}

func (h *Request) validateRegister() error {
	switch {
	case !h.Parent.IsZero():
		return h.invalid("parent", "is not zero in a register")
	case h.Session != 0:
		return h.invalid("session", "is not zero in a register")
	case h.Request != 0:
		return h.invalid("request", "is not zero in a register")
	case h.Size != HeaderSize && h.Size != HeaderSize+RegisterSize:
		return h.invalid("size", "is not that of a register")
	}
	return nil
}

func (h *Request) validateOrdinary() error {
	switch {
	case h.Session == 0:
		return h.invalid("session", "is zero")
	case h.Request == 0:
		return h.invalid("request", "is zero")
	case h.Operation == OperationReconfigure && h.Size != HeaderSize+256:
		return h.invalid("size", "is not that of a reconfigure")
	case h.Operation == OperationNoop && h.Size != HeaderSize:
		return h.invalid("size", "is not that of a noop")
	}
	return nil
}
