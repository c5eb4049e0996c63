package cases

import (
	"fmt"
	"math"
	"time"

	"github.com/ledgerd/ledgerd/internal/multibatch"
	"github.com/ledgerd/ledgerd/ledger"
)

// StateMachine is what Local drives: the part of vsr.StateMachine, under the
// same contracts, that needs no storage.
type StateMachine interface {
	Check(operation byte, body []byte, bodySizeLimit int) (slots int, known, valid bool)
	Pulse(now uint64) (slots int, due bool)
	Prefetch(operation byte, timestamp uint64, body []byte, done func())
	Commit(operation byte, timestamp uint64, body, reply []byte) []byte
}

// Pumped is a StateMachine whose Prefetch may wait for something.
type Pumped interface {
	StateMachine
	// Pump lets one thing happen that may be waited for, and reports whether
	// there was one.
	Pump() bool
}

// bodySizeMax is the largest body of a request or reply.
const bodySizeMax = 1<<20 - 256

// Local is the Executor for a state machine in this process. It does what a
// lone replica does: it gives requests their timestamps by a clock of its
// own, adds and removes multi-batch trailers, and runs pulses that are due.
type Local struct {
	Target StateMachine
	// Now is the clock in nanoseconds since the epoch. Every request moves it
	// on a little, because some cases import records that are a few hundred
	// nanoseconds old.
	Now uint64
	// PulseLag delays pulses: a transfer that is due is expired only when
	// PulseLag has passed as well. Below 0.1 s the cases allow it.
	PulseLag time.Duration

	last uint64 // timestamp of the last operation
}

// NewLocal returns a Local whose clock starts in the year 2023.
func NewLocal(target StateMachine) *Local {
	return &Local{Target: target, Now: 1_700_000_000_000_000_000}
}

// requestInterval is how far each request moves the clock.
const requestInterval = 100 * time.Microsecond

// Execute implements Executor.
func (l *Local) Execute(operation ledger.Operation, events []byte) ([]byte, error) {
	if operation == ledger.OperationGetChangeEvents { // the one operation without trailer
		return l.commit(operation, events)
	}
	results, err := l.ExecuteConcurrent(operation, [][]byte{events})
	if err != nil {
		return nil, err
	}
	return results[0], nil
}

// ExecuteConcurrent implements ConcurrentExecutor: all batches go into one
// multi-batch request.
func (l *Local) ExecuteConcurrent(operation ledger.Operation, batches [][]byte) ([][]byte, error) {
	eventSize, resultSize := sizes(operation)
	var body []byte
	var counts []uint16
	for _, batch := range batches {
		body = append(body, batch...)
		counts = append(counts, uint16(len(batch)/eventSize))
	}
	reply, err := l.commit(operation, multibatch.AppendTrailer(body, eventSize, counts))
	if err != nil {
		return nil, err
	}
	counts, payload, err := multibatch.Decode(reply, resultSize, nil)
	if err != nil {
		return nil, fmt.Errorf("reply: %w", err)
	}
	if len(counts) != len(batches) {
		return nil, fmt.Errorf("reply has %d batches, want %d", len(counts), len(batches))
	}
	results := make([][]byte, len(counts))
	for i, count := range counts {
		results[i], payload = payload[:int(count)*resultSize], payload[int(count)*resultSize:]
	}
	return results, nil
}

// Wait implements Executor.
func (l *Local) Wait(seconds float64) error {
	l.Now += uint64(math.Round(seconds * float64(time.Second)))
	l.pulses()
	return nil
}

func (l *Local) commit(operation ledger.Operation, body []byte) ([]byte, error) {
	l.Now += uint64(requestInterval)
	l.pulses()
	slots, known, valid := l.Target.Check(byte(operation), body, bodySizeMax)
	if !known || !valid {
		return nil, fmt.Errorf("request refused: operation known %t, body valid %t", known, valid)
	}
	return l.run(operation, slots, body), nil
}

// run gives the operation its timestamp (SEMANTICS.md section 4) and executes
// it.
func (l *Local) run(operation ledger.Operation, slots int, body []byte) []byte {
	l.last = max(l.last+1, l.Now) + uint64(slots)
	prefetched := false
	l.Target.Prefetch(byte(operation), l.last, body, func() { prefetched = true })
	for pumped, _ := l.Target.(Pumped); !prefetched; {
		if pumped == nil || !pumped.Pump() {
			panic(fmt.Sprintf("cases: the prefetch of %v waits for nothing", operation))
		}
	}
	return l.Target.Commit(byte(operation), l.last, body, nil)
}

// pulses runs pulses until none is due.
func (l *Local) pulses() {
	for {
		slots, due := l.Target.Pulse(max(l.last+1, l.Now) - uint64(l.PulseLag))
		if !due {
			return
		}
		l.run(ledger.OperationPulse, slots, nil)
	}
}

// sizes returns the sizes of an event and of a result.
func sizes(operation ledger.Operation) (event, result int) {
	for _, o := range operations {
		if o.operation == operation {
			return o.event.size, o.result.size
		}
	}
	panic(fmt.Sprintf("cases: unknown operation %v", operation))
}
