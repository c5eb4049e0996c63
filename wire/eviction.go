package wire

import (
	"fmt"

	"github.com/ledgerd/ledgerd/internal/u128"
)

// EvictionReason tells a client why it is no longer served (PROTOCOL.md section
// 5.5).
type EvictionReason uint8

// The reasons.
const (
	EvictionNoSession               EvictionReason = 1
	EvictionClientReleaseTooLow     EvictionReason = 2
	EvictionClientReleaseTooHigh    EvictionReason = 3
	EvictionInvalidRequestOperation EvictionReason = 4
	EvictionInvalidRequestBody      EvictionReason = 5
	EvictionInvalidRequestBodySize  EvictionReason = 6
	EvictionSessionTooLow           EvictionReason = 7
	EvictionSessionReleaseMismatch  EvictionReason = 8
)

var evictionReasonNames = [...]string{
	EvictionNoSession:               "no_session",
	EvictionClientReleaseTooLow:     "client_release_too_low",
	EvictionClientReleaseTooHigh:    "client_release_too_high",
	EvictionInvalidRequestOperation: "invalid_request_operation",
	EvictionInvalidRequestBody:      "invalid_request_body",
	EvictionInvalidRequestBodySize:  "invalid_request_body_size",
	EvictionSessionTooLow:           "session_too_low",
	EvictionSessionReleaseMismatch:  "session_release_mismatch",
}

// Known reports whether r is one of the reasons above.
func (r EvictionReason) Known() bool {
	return r != 0 && int(r) < len(evictionReasonNames)
}

// String returns the reason's name in PROTOCOL.md section 5.5.
func (r EvictionReason) String() string {
	if !r.Known() {
		return fmt.Sprintf("reason %d", uint8(r))
	}
	return evictionReasonNames[r]
}

// Eviction ends a client's session from the client's point of view (PROTOCOL.md
// section 5.5). It has no body. Release is the server's own.
//
//	offset  size  field
//	   128    16  client, not 0
//	   144   111  reserved
//	   255     1  reason
type Eviction struct {
	Frame
	Client u128.Uint128
	Reason EvictionReason
}

// Decode reads a header that has passed VerifyHeader. The error is a *HeaderError.
func (h *Eviction) Decode(b []byte) error {
	if err := h.Frame.decode(b, CommandEviction); err != nil {
		return err
	}
	h.Client = u128.FromBytes(b[128:])
	h.Reason = EvictionReason(b[255])
	if !isZero(b[144:255]) {
		return h.invalid("reserved", "is not zero")
	}
	return h.Validate()
}

// Encode writes all HeaderSize bytes of the header to b, checksums as they are
// in h. It sets h.Command, and panics if h is not valid.
func (h *Eviction) Encode(b []byte) {
	h.Command = CommandEviction
	mustBeValid(h.Validate())
	h.Frame.encode(b)
	h.Client.PutBytes(b[128:])
	b[255] = byte(h.Reason)
}

// Validate checks the fields by PROTOCOL.md section 5.5. The error is a
// *HeaderError.
func (h *Eviction) Validate() error {
	if err := h.Frame.validate(); err != nil {
		return err
	}
	switch {
	case h.Size != HeaderSize:
		return h.invalid("size", "is not that of a header")
	case h.Client.IsZero():
		return h.invalid("client", "is zero")
	case !h.Reason.Known():
		return h.invalid("reason", "is unknown")
	}
	return nil
}
