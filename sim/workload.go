package sim

import (
	"encoding/binary"
	"time"

	"github.com/ledgerd/ledgerd/client/session"
	"github.com/ledgerd/ledgerd/internal/multibatch"
	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/sim/model/gen"
	"github.com/ledgerd/ledgerd/wire"
)

// workload makes up what clients ask. All clients draw from one generator, so
// that they use each other's accounts, transfers and timestamps.
type workload struct {
	sim       *simulation
	random    random
	generator *gen.Generator
	left      int // requests to be made
}

func newWorkload(s *simulation) *workload {
	return &workload{
		sim: s, left: s.options.requests,
		random:    newRandom(s.seed, streamWorkload),
		generator: gen.New(newRandom(s.seed, streamWorkload+100).Rand),
	}
}

// saw tells the generator of a timestamp that exists.
func (w *workload) saw(timestamp uint64) { w.generator.Saw(timestamp) }

// pause returns how long a client waits before its next request.
func (w *workload) pause() time.Duration {
	pause := w.generator.Elapse(w.sim.clusterTime())
	if w.sim.options.hurry && w.random.chance(98) {
		return 0
	}
	return pause
}

// part is one call of a request: events of an operation.
type part struct {
	kind    session.Kind
	events  int
	results int
	body    []byte
}

// next returns the calls of one more request.
func (w *workload) next() []part {
	w.left--
	if w.random.chance(w.sim.options.bulk) {
		return []part{w.bulk()}
	}
	operation, body := ledger.OperationPulse, []byte(nil)
	for operation < ledger.Operation(wire.OperationStateMachineMin) { // which no session would send
		operation, body = w.generator.Next(w.sim.clusterTime())
	}
	_, known, valid := w.sim.history.model.Check(byte(operation), body, w.sim.bodySizeLimit())
	if known && valid && w.random.chance(w.sim.options.packing) {
		if parts := split(operation, body); parts != nil {
			return parts
		}
	}
	// As the generator made it, trailer and all.
	kind := session.Kind{Operation: wire.Operation(operation), EventSize: 1, ResultSize: 16}
	if size := sizes[operation].result; size > 0 && size < 16 {
		kind.ResultSize = size
	}
	return []part{{kind: kind, events: len(body), results: kind.ResultsMax(), body: body}}
}

// bulk returns a large request that costs little: it looks up accounts that
// mostly do not exist, or creates transfers that are not valid. Two of them are
// enough for the replica to journal one prepare beside another.
func (w *workload) bulk() part {
	if count := w.sim.bodySizeLimit() / ledger.TransferSize; count > 4000 && w.random.chance(50) {
		operation := wire.Operation(ledger.OperationCreateTransfersUnbatched)
		kind := session.Kind{Operation: operation, EventSize: ledger.TransferSize, ResultSize: ledger.CreateErrorResultSize}
		return part{kind: kind, events: count, results: count, body: make([]byte, count*ledger.TransferSize)}
	}
	operation := wire.Operation(ledger.OperationLookupAccountsUnbatched)
	kind := session.Kind{Operation: operation, EventSize: idSize, ResultSize: ledger.AccountSize}
	count := w.sim.bodySizeLimit() / idSize
	count = min(count, kind.ResultsMax())
	if w.random.chance(50) { // equal sizes let a record lie where another did
		count -= w.random.IntN(count / 4)
	}
	body := make([]byte, idSize*count)
	// In order, and few: to sort and find as many ids took most of a run's time.
	first := w.random.Uint64N(1_000_000)
	for i := range count {
		binary.LittleEndian.PutUint64(body[idSize*i:], first+uint64(i/100))
	}
	return part{kind: kind, events: count, results: count, body: body}
}

// idSize is the size of an id, in bytes.
const idSize = 16

// sizes are, in bytes, those of an event and of a result, and the offset of
// the limit if the event is a filter (PROTOCOL.md section 12.1).
var sizes = map[ledger.Operation]struct{ event, result, limit int }{
	ledger.OperationCreateAccountsUnbatched:  {128, 8, 0},
	ledger.OperationCreateTransfersUnbatched: {128, 8, 0},
	ledger.OperationCreateAccountsSparse:     {128, 8, 0},
	ledger.OperationCreateTransfersSparse:    {128, 8, 0},
	ledger.OperationLookupAccounts:           {16, 128, 0},
	ledger.OperationLookupTransfers:          {16, 128, 0},
	ledger.OperationGetAccountTransfers:      {128, 128, 120},
	ledger.OperationGetAccountBalances:       {128, 128, 120},
	ledger.OperationQueryAccounts:            {64, 128, 56},
	ledger.OperationQueryTransfers:           {64, 128, 56},
	ledger.OperationCreateAccounts:           {128, 16, 0},
	ledger.OperationCreateTransfers:          {128, 16, 0},
}

// split returns a call for each batch of a valid body, for the session to pack
// together again, with others perhaps. It returns nil for operations that are
// not multi-batch.
func split(operation ledger.Operation, body []byte) []part {
	size, ok := sizes[operation]
	if !ok || operation < ledger.OperationCreateAccountsSparse {
		return nil
	}
	counts, payload, err := multibatch.Decode(body, size.event, nil)
	if err != nil {
		return nil
	}
	kind := session.Kind{Operation: wire.Operation(operation), EventSize: size.event, ResultSize: size.result, MultiBatch: true}
	var parts []part
	for _, count := range counts {
		p := part{kind: kind, events: int(count), results: int(count), body: payload[:int(count)*size.event]}
		if size.limit > 0 {
			p.results = min(kind.ResultsMax(), int(binary.LittleEndian.Uint32(p.body[size.limit:])))
		}
		payload = payload[len(p.body):]
		parts = append(parts, p)
	}
	return parts
}
