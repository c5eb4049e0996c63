package wire

import (
	"encoding/binary"

	"github.com/ledgerd/ledgerd/internal/u128"
)

// PingClient is a client's sign of life, to every replica (PROTOCOL.md section
// 5.1). It has no body.
//
//	offset  size  field
//	   128    16  client, not 0
//	   144     8  ping_timestamp_monotonic
//	   152     8  session
//	   160    96  reserved
type PingClient struct {
	Frame
	Client                 u128.Uint128
	PingTimestampMonotonic uint64 // the client's own clock in ns, returned as it is
	Session                uint64 // 0 while not registered, and always before 0.17.6
}

// Decode reads a header that has passed VerifyHeader. The error is a *HeaderError.
func (h *PingClient) Decode(b []byte) error {
	if err := h.Frame.decode(b, CommandPingClient); err != nil {
		return err
	}
	h.Client = u128.FromBytes(b[128:])
	h.PingTimestampMonotonic = binary.LittleEndian.Uint64(b[144:])
	h.Session = binary.LittleEndian.Uint64(b[152:])
	if !isZero(b[160:HeaderSize]) {
		return h.invalid("reserved", "is not zero")
	}
	return h.Validate()
}

// Encode writes all HeaderSize bytes of the header to b, checksums as they are
// in h. It sets h.Command, and panics if h is not valid.
func (h *PingClient) Encode(b []byte) {
	h.Command = CommandPingClient
	mustBeValid(h.Validate())
	h.Frame.encode(b)
	h.Client.PutBytes(b[128:])
	binary.LittleEndian.PutUint64(b[144:], h.PingTimestampMonotonic)
	binary.LittleEndian.PutUint64(b[152:], h.Session)
}

// Validate checks the fields by PROTOCOL.md section 5.1. The error is a
// *HeaderError.
func (h *PingClient) Validate() error {
	if err := h.Frame.validate(); err != nil {
		return err
	}
	switch {
	case h.Size != HeaderSize:
		return h.invalid("size", "is not that of a header")
	case h.View != 0:
		return h.invalid("view", "is not zero")
	case h.Replica != 0:
		return h.invalid("replica", "is not zero")
	case h.Client.IsZero():
		return h.invalid("client", "is zero")
	}
	return nil
}

// PongClient answers a PingClient (PROTOCOL.md section 5.2). It has no body and
// does not name the client. Release is the server's own.
//
//	offset  size  field
//	   128     8  ping_timestamp_monotonic
//	   136   120  reserved
type PongClient struct {
	Frame
	PingTimestampMonotonic uint64 // copied from the ping
}

// Decode reads a header that has passed VerifyHeader. The error is a *HeaderError.
func (h *PongClient) Decode(b []byte) error {
	if err := h.Frame.decode(b, CommandPongClient); err != nil {
		return err
	}
	h.PingTimestampMonotonic = binary.LittleEndian.Uint64(b[128:])
	if !isZero(b[136:HeaderSize]) {
		return h.invalid("reserved", "is not zero")
	}
	return h.Validate()
}

// Encode writes all HeaderSize bytes of the header to b, checksums as they are
// in h. It sets h.Command, and panics if h is not valid.
func (h *PongClient) Encode(b []byte) {
	h.Command = CommandPongClient
	mustBeValid(h.Validate())
	h.Frame.encode(b)
	binary.LittleEndian.PutUint64(b[128:], h.PingTimestampMonotonic)
}

// Validate checks the fields by PROTOCOL.md sections 5.2 and 11.2. The error is
// a *HeaderError.
func (h *PongClient) Validate() error {
	if err := h.Frame.validate(); err != nil {
		return err
	}
	switch {
	case h.Size != HeaderSize:
		return h.invalid("size", "is not that of a header")
	case h.Replica >= ReplicasMax:
		return h.invalid("replica", "is no index of a replica")
	}
	return nil
}
