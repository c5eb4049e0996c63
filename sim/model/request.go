package model

import (
	"encoding/binary"
	"errors"

	"github.com/ledgerd/ledgerd/ledger"
)

// bodySizeMax is the largest body of a request or reply.
const bodySizeMax = 1<<20 - 256

// batchesMax is the largest number of batches in one body.
const batchesMax = 65534

// shape describes the bodies of an operation (PROTOCOL.md section 12.1).
type shape struct {
	eventSize  int
	resultSize int
	plain      bool // no multi-batch trailer
	single     bool // exactly one event, a filter
	create     bool // each event takes a slot
	limit      int  // offset of the filter's limit, when single
}

var shapes = map[ledger.Operation]shape{
	ledger.OperationCreateAccountsUnbatched:      {eventSize: 128, resultSize: 8, plain: true, create: true},
	ledger.OperationCreateTransfersUnbatched:     {eventSize: 128, resultSize: 8, plain: true, create: true},
	ledger.OperationLookupAccountsUnbatched:      {eventSize: 16, resultSize: 128, plain: true},
	ledger.OperationLookupTransfersUnbatched:     {eventSize: 16, resultSize: 128, plain: true},
	ledger.OperationGetAccountTransfersUnbatched: {eventSize: 128, resultSize: 128, plain: true, single: true, limit: 120},
	ledger.OperationGetAccountBalancesUnbatched:  {eventSize: 128, resultSize: 128, plain: true, single: true, limit: 120},
	ledger.OperationQueryAccountsUnbatched:       {eventSize: 64, resultSize: 128, plain: true, single: true, limit: 56},
	ledger.OperationQueryTransfersUnbatched:      {eventSize: 64, resultSize: 128, plain: true, single: true, limit: 56},
	ledger.OperationGetChangeEvents:              {eventSize: 64, resultSize: 384, plain: true, single: true, limit: 16},
	ledger.OperationCreateAccountsSparse:         {eventSize: 128, resultSize: 8, create: true},
	ledger.OperationCreateTransfersSparse:        {eventSize: 128, resultSize: 8, create: true},
	ledger.OperationLookupAccounts:               {eventSize: 16, resultSize: 128},
	ledger.OperationLookupTransfers:              {eventSize: 16, resultSize: 128},
	ledger.OperationGetAccountTransfers:          {eventSize: 128, resultSize: 128, single: true, limit: 120},
	ledger.OperationGetAccountBalances:           {eventSize: 128, resultSize: 128, single: true, limit: 120},
	ledger.OperationQueryAccounts:                {eventSize: 64, resultSize: 128, single: true, limit: 56},
	ledger.OperationQueryTransfers:               {eventSize: 64, resultSize: 128, single: true, limit: 56},
	ledger.OperationCreateAccounts:               {eventSize: 128, resultSize: 16, create: true},
	ledger.OperationCreateTransfers:              {eventSize: 128, resultSize: 16, create: true},
}

// Check judges a client's request by its shape alone (PROTOCOL.md section
// 12.3). slots is how many timestamps it takes. bodySizeLimit is the limit
// for requests that the server was started with.
func (m *Model) Check(operation byte, body []byte, bodySizeLimit int) (slots int, known, valid bool) {
	shape, known := shapes[ledger.Operation(operation)]
	if !known {
		return 0, false, false
	}
	batches, err := shape.split(body)
	if err != nil {
		return 0, true, false
	}
	results := 0
	for _, batch := range batches {
		count := len(batch) / shape.eventSize
		switch {
		case shape.single && count != 1, !shape.single && count > shape.eventsMax(bodySizeLimit):
			return 0, true, false
		case shape.single:
			results += min(int(binary.LittleEndian.Uint32(batch[shape.limit:])), shape.resultsMax())
		default:
			results += count
		}
		slots += shape.slots(batch)
	}
	replySize := results * shape.resultSize
	if !shape.plain {
		replySize += trailerSize(shape.resultSize, len(batches))
	}
	return slots, true, replySize <= bodySizeMax
}

// Prefetch has nothing to do.
func (m *Model) Prefetch(operation byte, timestamp uint64, body []byte, done func()) { done() }

// slots is the number of timestamps that the events of a batch take.
func (s shape) slots(batch []byte) int {
	if s.create {
		return len(batch) / s.eventSize
	}
	return 0
}

// eventsMax is the largest number of events in a batch (PROTOCOL.md section
// 12.2).
func (s shape) eventsMax(bodySizeLimit int) int {
	if s.plain {
		return min(bodySizeLimit/s.eventSize, bodySizeMax/s.resultSize)
	}
	return min((bodySizeLimit-trailerSize(s.eventSize, 1))/s.eventSize,
		(bodySizeMax-trailerSize(s.resultSize, 1))/s.resultSize)
}

// resultsMax is the largest number of results that a filter can ask for.
func (s shape) resultsMax() int {
	if s.plain {
		return bodySizeMax / s.resultSize
	}
	return (bodySizeMax - trailerSize(s.resultSize, 1)) / s.resultSize
}

var errBody = errors.New("malformed")

// split cuts a body into its batches (PROTOCOL.md section 13).
func (s shape) split(body []byte) (batches [][]byte, err error) {
	if s.plain {
		if len(body)%s.eventSize != 0 {
			return nil, errBody
		}
		return [][]byte{body}, nil
	}
	if len(body) < 2 {
		return nil, errBody
	}
	count := int(binary.LittleEndian.Uint16(body[len(body)-2:]))
	trailer := len(body) - trailerSize(s.eventSize, count)
	if count < 1 || count > batchesMax || trailer < 0 {
		return nil, errBody
	}
	rest := body[:trailer]
	for i := range count {
		size := s.eventSize * int(binary.LittleEndian.Uint16(body[len(body)-4-2*i:]))
		if size > len(rest) {
			return nil, errBody
		}
		batches = append(batches, rest[:size])
		rest = rest[size:]
	}
	if len(rest) != 0 {
		return nil, errBody
	}
	for _, padding := range body[trailer : len(body)-2-2*count] {
		if padding != 0xff {
			return nil, errBody
		}
	}
	return batches, nil
}

// trailerSize is the size of the trailer of a body with so many batches.
func trailerSize(elementSize, batches int) int {
	return (2*batches + 2 + elementSize - 1) / elementSize * elementSize
}

// appendTrailer completes a multi-batch body.
func appendTrailer(body []byte, elementSize int, counts []uint16) []byte {
	for range trailerSize(elementSize, len(counts)) - 2*len(counts) - 2 {
		body = append(body, 0xff)
	}
	for i := len(counts) - 1; i >= 0; i-- {
		body = binary.LittleEndian.AppendUint16(body, counts[i])
	}
	return binary.LittleEndian.AppendUint16(body, uint16(len(counts)))
}
