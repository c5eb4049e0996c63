package gen

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/ledgerd/ledgerd/internal/multibatch"
	"github.com/ledgerd/ledgerd/ledger"
)

// StateMachine is a ledger as what replicates it sees it: the part of
// vsr.StateMachine, under the same contracts, that every ledger has.
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

// Request is a request that arrives when the wall clock shows Now.
type Request struct {
	Now       uint64
	Operation ledger.Operation
	Body      []byte
}

// Record returns as many requests as asked for, of one seed, the first soon
// after start; more follow that read everything back. The requests refer to
// each other's timestamps, so they are run on oracle, an empty ledger.
func Record(seed, start uint64, requests int, oracle StateMachine) []Request {
	g := New(rand.New(rand.NewPCG(seed, 0)))
	r := runner{ledgers: []StateMachine{oracle}, saw: g.Saw}
	recorded := make([]Request, 0, requests)
	now := start
	for range requests {
		now += uint64(g.Elapse(now))
		operation, body := g.Next(max(r.last+1, now))
		request := Request{now, operation, bytes.Clone(body)}
		if err := r.run(request); err != nil {
			panic(err) // one ledger differs from itself
		}
		recorded = append(recorded, request)
	}
	return append(recorded, g.audit(now)...)
}

// audit returns requests that read all records and events, as far as one
// reply goes, and the history of the latest accounts.
func (g *Generator) audit(now uint64) []Request {
	all := ledger.QueryFilter{Limit: resultsMax}
	query := make([]byte, ledger.QueryFilterSize)
	all.Encode(query)
	events := ledger.ChangeEventsFilter{Limit: resultsMax / 3}
	changes := make([]byte, ledger.ChangeEventsFilterSize)
	events.Encode(changes)
	requests := []Request{
		{now, ledger.OperationQueryAccountsUnbatched, query},
		{now, ledger.OperationQueryTransfersUnbatched, query},
		{now, ledger.OperationGetChangeEvents, changes},
	}
	for _, a := range g.accounts {
		history := ledger.AccountFilter{AccountID: a.ID, Limit: resultsMax, Flags: ledger.AccountFilterDebits | ledger.AccountFilterCredits}
		filter := make([]byte, ledger.AccountFilterSize)
		history.Encode(filter)
		requests = append(requests, Request{now, ledger.OperationGetAccountBalancesUnbatched, filter})
	}
	return requests
}

// Compare runs the requests on two empty ledgers and returns a *Difference if
// they do not agree in everything. Before each request it calls pause, unless
// that is nil, with the number of the request: a chance to restart subject, for
// example. pause may fail, which ends the comparison.
func Compare(requests []Request, oracle, subject StateMachine, pause func(index int) error) error {
	r := runner{ledgers: []StateMachine{oracle, subject}, saw: func(uint64) {}}
	for i, request := range requests {
		if pause != nil {
			if err := pause(i); err != nil {
				return fmt.Errorf("before request %d: %w", i, err)
			}
		}
		if err := r.run(request); err != nil {
			return fmt.Errorf("request %d: %w", i, err)
		}
	}
	return nil
}

// Difference is a question that two ledgers answer differently.
type Difference struct {
	Request   Request // or a pulse before it
	What      string
	Want, Got []byte // replies; nil when What says it all
}

func (d *Difference) Error() string {
	return fmt.Sprintf("at %d: %s", d.Request.Now, d.What)
}

// runner does for several ledgers what the primary does for one: it gives
// requests their timestamps (SEMANTICS.md section 4) and lets pulses run.
type runner struct {
	ledgers []StateMachine // the first one is right
	last    uint64         // timestamp of the last operation
	saw     func(timestamp uint64)
}

// run executes a request and the pulses that are due before it.
func (r *runner) run(request Request) error {
	for idle := true; ; idle = false {
		slots, err := r.pulse(request, idle)
		if err != nil {
			return err
		}
		if slots == 0 {
			break
		}
		if err := r.commit(Request{Now: request.Now, Operation: ledger.OperationPulse}, slots); err != nil {
			return err
		}
	}
	slots, known, valid := r.ledgers[0].Check(byte(request.Operation), request.Body, bodySizeMax)
	for _, other := range r.ledgers[1:] {
		otherSlots, otherKnown, otherValid := other.Check(byte(request.Operation), request.Body, bodySizeMax)
		if known != otherKnown || valid != otherValid || valid && slots != otherSlots {
			return &Difference{Request: request, What: fmt.Sprintf(
				"%v: want known %t, valid %t, %d slots; got known %t, valid %t, %d slots",
				request.Operation, known, valid, slots, otherKnown, otherValid, otherSlots)}
		}
	}
	if !known || !valid {
		return nil
	}
	return r.commit(request, slots)
}

// pulse returns the slots of a pulse that is due before request, 0 if none is.
// All ledgers must agree, but if idle is true one may have it for nothing: whose
// earliest pending transfer was resolved may learn only then which is the next.
func (r *runner) pulse(request Request, idle bool) (slots int, err error) {
	now := max(r.last+1, request.Now)
	want, due := r.ledgers[0].Pulse(now)
	if due {
		slots = want
	}
	for _, other := range r.ledgers[1:] {
		otherSlots, otherDue := other.Pulse(now)
		if due && (!otherDue || otherSlots != want) || !due && otherDue && !idle {
			return 0, &Difference{Request: request, What: fmt.Sprintf(
				"pulse at %d: want due %t (%d slots), got due %t (%d slots)", now, due, want, otherDue, otherSlots)}
		}
		if otherDue {
			slots = otherSlots
		}
	}
	return slots, nil
}

func (r *runner) commit(request Request, slots int) error {
	r.last = max(r.last+1, request.Now) + uint64(slots)
	r.saw(r.last)
	var want []byte
	for i, one := range r.ledgers {
		ready := false
		one.Prefetch(byte(request.Operation), r.last, request.Body, func() { ready = true })
		for pumped, _ := one.(Pumped); !ready; {
			if pumped == nil || !pumped.Pump() {
				return &Difference{Request: request, What: fmt.Sprintf("prefetch of %v waits for nothing", request.Operation)}
			}
		}
		got := one.Commit(byte(request.Operation), r.last, request.Body, nil)
		if i == 0 {
			want = got
		} else if !bytes.Equal(want, got) {
			return newDifference(request, want, got)
		}
	}
	return nil
}

func newDifference(request Request, want, got []byte) *Difference {
	at := 0
	for at < min(len(want), len(got)) && want[at] == got[at] {
		at++
	}
	size := resultSize(request.Operation)
	index := at / size
	what := fmt.Sprintf("%v: replies of %d and %d bytes differ at byte %d (result %d)\nwant %s\ngot  %s",
		request.Operation, len(want), len(got), at, index,
		describeResult(request.Operation, want, index), describeResult(request.Operation, got, index))
	return &Difference{request, what, want, got}
}

// Shrink returns a short part of requests for which fails is still true, by
// leaving out ever smaller pieces: requests, then events. An event that cannot
// go because others would get different timestamps is made blank.
func Shrink(requests []Request, fails func([]Request) bool) []Request {
	requests = shrink(requests, fails)
	for i := range requests {
		events, join := splitEvents(requests[i])
		with := func(events []batchEvent) []Request {
			changed := slices.Clone(requests)
			changed[i].Body = join(events)
			return changed
		}
		test := func(events []batchEvent) bool { return fails(with(events)) }
		events = shrink(events, test)
		for j, e := range events {
			blanked := slices.Clone(events)
			blanked[j].event = make([]byte, len(e.event))
			if test(blanked) {
				events = blanked
			}
		}
		requests = with(events)
	}
	return requests
}

// batchEvent is an encoded event of one of several batches.
type batchEvent struct {
	batch int
	event []byte
}

// splitEvents returns the events of a request, and how to make a body of some
// of them. A body that is not multi-batch or malformed has no events to lose.
func splitEvents(request Request) (events []batchEvent, join func([]batchEvent) []byte) {
	size := eventSize(request.Operation)
	counts, payload, err := multibatch.Decode(request.Body, max(size, 1), nil)
	if !multiBatch(request.Operation) || err != nil {
		return nil, func([]batchEvent) []byte { return request.Body }
	}
	for batch, count := range counts {
		for range count {
			events = append(events, batchEvent{batch, payload[:size]})
			payload = payload[size:]
		}
	}
	return events, func(events []batchEvent) (body []byte) {
		left := make([]uint16, len(counts))
		for _, e := range events {
			body = append(body, e.event...)
			left[e.batch]++
		}
		return multibatch.AppendTrailer(body, size, left)
	}
}

// shrink leaves out pieces of items as long as fails stays true.
func shrink[T any](items []T, fails func([]T) bool) []T {
	for size := (len(items) + 1) / 2; size > 0; size /= 2 {
		for start := 0; start < len(items); {
			shorter := slices.Delete(slices.Clone(items), start, min(start+size, len(items)))
			if fails(shorter) {
				items = shorter
			} else {
				start += size
			}
		}
	}
	return items
}

// Describe lists requests with their events, for people.
func Describe(requests []Request) string {
	var text strings.Builder
	for i, request := range requests {
		fmt.Fprintf(&text, "%d: at %d %v\n", i, request.Now, request.Operation)
		size, events := eventSize(request.Operation), request.Body
		if multiBatch(request.Operation) {
			counts, payload, err := multibatch.Decode(request.Body, size, nil)
			fmt.Fprintf(&text, "   batches %v (error %v)\n", counts, err)
			events = payload
		}
		for ; size > 0 && len(events) >= size; events = events[size:] {
			fmt.Fprintln(&text, "  ", describeEvent(request.Operation, events))
		}
	}
	return text.String()
}
