package session

import (
	"fmt"

	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/multibatch"
	"github.com/ledgerd/ledgerd/wire"
)

// Kind is what a session has to know of an operation (PROTOCOL.md section
// 12.1). Sizes are in bytes.
type Kind struct {
	Operation  wire.Operation
	EventSize  int
	ResultSize int
	MultiBatch bool // bodies have a trailer, and calls may share a request
}

// ResultsMax returns how many results fit the reply to a lone call.
func (k Kind) ResultsMax() int {
	return (wire.BodySizeMax - k.trailerSize(k.ResultSize, 1)) / k.ResultSize
}

// fit reports whether batches with so many events in all fit a request body of
// limit bytes, and their results the largest reply (PROTOCOL.md section 12.2).
func (k Kind) fit(events, results, batches, limit int) bool {
	request := events*k.EventSize + k.trailerSize(k.EventSize, batches)
	reply := results*k.ResultSize + k.trailerSize(k.ResultSize, batches)
	return request <= limit && reply <= wire.BodySizeMax && batches <= multibatch.BatchesMax
}

func (k Kind) trailerSize(elementSize, batches int) int {
	if !k.MultiBatch {
		return 0
	}
	return multibatch.TrailerSize(elementSize, batches)
}

// Call is one call of an operation: a batch of events that gets a batch of
// results.
//
// The caller fills in the first group and submits the call; it then belongs to
// the session until Submitter.Complete hands it back with the second group
// set. After that it may be submitted again.
type Call struct {
	Kind      Kind
	Events    int // number of events, 0 is legal
	Results   int // the most results there can be, at most Kind.ResultsMax()
	Submitter Submitter

	// Reply holds the message that Body is a part of; whoever gets the call
	// back releases it. Nil if the call failed.
	Reply *buffer.Buffer
	// Body is the encoded results, a multiple of Kind.ResultSize.
	Body []byte
	// Err is nil if Body is the outcome. See the package's errors.
	Err error

	state callState
}

// Submitter stands behind a call. Its methods are called from within the
// Session's; they must not block and not call back.
type Submitter interface {
	// Encode writes the events to dst, which has exactly the room for them:
	// they go straight into the message. It is called at most once for each
	// Submit, and not after Complete.
	Encode(dst []byte)

	// Complete hands the call back, exactly once for each Submit.
	Complete(call *Call)
}

type callState uint8

const (
	callIdle   callState = iota // the caller's
	callQueued                  // in Session.queue: no part of it has been sent
	callSent                    // in Session.request: it may have been sent
)

// check returns the error of a call that cannot fit a request by itself.
func (c *Call) check(limit int) error {
	if c.Kind.fit(c.Events, c.Results, 1, limit) {
		return nil
	}
	return fmt.Errorf("%w: %d events, of which at most %d fit", ErrTooMuchData, c.Events, c.eventsMax(limit))
}

// eventsMax returns how many events of the call's kind fit one request, if
// each has as many results as now.
func (c *Call) eventsMax(limit int) int {
	events := max(0, limit-c.Kind.trailerSize(c.Kind.EventSize, 1)) / c.Kind.EventSize
	if c.Events > 0 && c.Results > 0 {
		events = min(events, c.Kind.ResultsMax()*c.Events/c.Results)
	}
	return events
}
