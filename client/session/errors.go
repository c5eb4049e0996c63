package session

import (
	"errors"
	"fmt"

	"github.com/ledgerd/ledgerd/wire"
)

// The errors by which calls fail. All are compared by errors.Is.
var (
	// ErrTooMuchData: the events of the call, or the results it may return,
	// do not fit one message. Nothing was sent.
	ErrTooMuchData = errors.New("too much data for one message")

	// ErrOutcomeUnknown: the request of the call may have reached a replica,
	// and no valid reply came back while the caller waited. It may or may not
	// have been executed, or may be still.
	ErrOutcomeUnknown = errors.New("outcome unknown")

	// ErrEvicted is matched by every *EvictedError.
	ErrEvicted = errors.New("evicted")

	// ErrExhausted: the session has used its last request number, 2^32-1. The
	// call was not sent; a new session goes on.
	ErrExhausted = errors.New("session has no request numbers left")
)

// EvictedError says that the cluster has ended the session, and why
// (PROTOCOL.md section 5.5). A client has to connect anew to go on.
type EvictedError struct {
	Reason wire.EvictionReason
}

// Error implements error.
func (e *EvictedError) Error() string { return "evicted by the cluster: " + e.Reason.String() }

// Is reports whether target is ErrEvicted.
func (e *EvictedError) Is(target error) bool { return target == ErrEvicted }

// neverExecuted reports whether the reason tells that the request in flight
// was refused for its shape, and so was not executed and never will be.
func (e *EvictedError) neverExecuted() bool {
	switch e.Reason {
	case wire.EvictionInvalidRequestOperation, wire.EvictionInvalidRequestBody, wire.EvictionInvalidRequestBodySize:
		return true
	}
	return false
}

// ViolationError says that a replica broke the protocol. The message was
// ignored, unless Reason says otherwise, and the session goes on.
type ViolationError struct {
	Replica int // the index of the connection it came over
	Reason  string
}

// Error implements error.
func (e *ViolationError) Error() string {
	return fmt.Sprintf("replica %d broke the protocol: %s", e.Replica, e.Reason)
}

// unknownOutcome marks cause as leaving the outcome of a call open.
func unknownOutcome(cause error) error { return fmt.Errorf("%w: %w", ErrOutcomeUnknown, cause) }
