package client

import (
	"errors"

	"github.com/ledgerd/ledgerd/client/session"
)

// The errors of calls, to be compared with errors.Is.
var (
	// ErrTooMuchData: the events of one call, or the results it may return,
	// do not fit one message. Nothing was sent. A default server takes 8,189
	// events a call.
	ErrTooMuchData = session.ErrTooMuchData

	// ErrOutcomeUnknown: the call may have been executed, or not, or may be
	// yet. It comes wrapped together with the reason for giving up.
	ErrOutcomeUnknown = session.ErrOutcomeUnknown

	// ErrEvicted: the cluster has ended the session. Every such error is an
	// *EvictedError, which has the reason. If the call may have been executed
	// before, the error is ErrOutcomeUnknown too.
	ErrEvicted = session.ErrEvicted

	// ErrExhausted: the session has used up its 2^32 request numbers. The call
	// was not sent; connect again.
	ErrExhausted = session.ErrExhausted

	// ErrClosed: Close was called, before the call or while it waited. In the
	// latter case the error may be ErrOutcomeUnknown too.
	ErrClosed = errors.New("client closed")
)

// EvictedError says why the cluster ended the session.
type EvictedError = session.EvictedError
