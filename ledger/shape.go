package ledger

import (
	"encoding/binary"
	"errors"

	"github.com/ledgerd/ledgerd/internal/multibatch"
)

// BodySizeMax is the largest body of a request or reply in bytes
// (PROTOCOL.md section 1).
const BodySizeMax = 1<<20 - 256

// shape is what the body of an operation looks like.
type shape struct {
	eventSize   int  // 0: clients may not ask for it
	resultSize  int  // of one result
	framed      bool // bodies are multi-batch (PROTOCOL.md section 13)
	creates     bool // each event takes a timestamp
	limitOffset int  // of the limit in a filter; 0: not a query
}

// The offsets of the limit in the filters.
const (
	accountFilterLimit      = 120
	queryFilterLimit        = 56
	changeEventsFilterLimit = 16
)

// shapes is PROTOCOL.md section 12.1.
var shapes = [256]shape{
	OperationCreateAccountsUnbatched:      {AccountSize, CreateErrorResultSize, false, true, 0},
	OperationCreateTransfersUnbatched:     {TransferSize, CreateErrorResultSize, false, true, 0},
	OperationLookupAccountsUnbatched:      {idSize, AccountSize, false, false, 0},
	OperationLookupTransfersUnbatched:     {idSize, TransferSize, false, false, 0},
	OperationGetAccountTransfersUnbatched: {AccountFilterSize, TransferSize, false, false, accountFilterLimit},
	OperationGetAccountBalancesUnbatched:  {AccountFilterSize, AccountBalanceSize, false, false, accountFilterLimit},
	OperationQueryAccountsUnbatched:       {QueryFilterSize, AccountSize, false, false, queryFilterLimit},
	OperationQueryTransfersUnbatched:      {QueryFilterSize, TransferSize, false, false, queryFilterLimit},
	OperationGetChangeEvents:              {ChangeEventsFilterSize, ChangeEventSize, false, false, changeEventsFilterLimit},
	OperationCreateAccountsSparse:         {AccountSize, CreateErrorResultSize, true, true, 0},
	OperationCreateTransfersSparse:        {TransferSize, CreateErrorResultSize, true, true, 0},
	OperationLookupAccounts:               {idSize, AccountSize, true, false, 0},
	OperationLookupTransfers:              {idSize, TransferSize, true, false, 0},
	OperationGetAccountTransfers:          {AccountFilterSize, TransferSize, true, false, accountFilterLimit},
	OperationGetAccountBalances:           {AccountFilterSize, AccountBalanceSize, true, false, accountFilterLimit},
	OperationQueryAccounts:                {QueryFilterSize, AccountSize, true, false, queryFilterLimit},
	OperationQueryTransfers:               {QueryFilterSize, TransferSize, true, false, queryFilterLimit},
	OperationCreateAccounts:               {AccountSize, CreateResultSize, true, true, 0},
	OperationCreateTransfers:              {TransferSize, CreateResultSize, true, true, 0},
}

// idSize is the size of an event of the lookup operations.
const idSize = 16

func (o Operation) shape() *shape { return &shapes[o] }

// EventSize returns the size of one event in bytes, 0 if clients may not ask
// for the operation.
func (o Operation) EventSize() int { return o.shape().eventSize }

// ResultSize returns the size of one result in bytes, 0 if clients may not
// ask for the operation.
func (o Operation) ResultSize() int { return o.shape().resultSize }

// MultiBatch reports whether bodies of the operation end with a multi-batch
// trailer.
func (o Operation) MultiBatch() bool { return o.shape().framed }

// EventsMax returns how many events one batch may hold at most, where
// bodySizeLimit is the largest request body of the server: for queries 1
// (PROTOCOL.md section 12.2).
func (o Operation) EventsMax(bodySizeLimit int) int { return o.shape().eventsMax(bodySizeLimit) }

// ResultsMax returns how many results a query gives at most, whatever its
// limit says.
func (o Operation) ResultsMax() int { return o.shape().resultsMax() }

func (s *shape) eventsMax(bodySizeLimit int) int {
	if s.limitOffset != 0 {
		return 1
	}
	if s.framed {
		bodySizeLimit -= multibatch.TrailerSize(s.eventSize, 1)
	}
	return min(bodySizeLimit/s.eventSize, s.resultsMax())
}

func (s *shape) resultsMax() int {
	if s.framed {
		return (BodySizeMax - multibatch.TrailerSize(s.resultSize, 1)) / s.resultSize
	}
	return BodySizeMax / s.resultSize
}

var errBodySize = errors.New("body is not a whole number of events")

// split finds the batches of a body: how many events each has, appended to
// counts, and all events back to back.
func (s *shape) split(body []byte, counts []uint16) ([]uint16, []byte, error) {
	if s.framed {
		return multibatch.Decode(body, s.eventSize, counts)
	}
	// The quotient is bounded by the size of a message, far below 2^16.
	if len(body)%s.eventSize != 0 || len(body) > BodySizeMax {
		return counts, nil, errBodySize
	}
	return append(counts, uint16(len(body)/s.eventSize)), body, nil
}

// fits reports whether each batch is within the operation's limits and the
// largest possible reply within one message (PROTOCOL.md section 12.3).
func (s *shape) fits(counts []uint16, payload []byte, bodySizeLimit int) bool {
	eventsMax, resultsMax := s.eventsMax(bodySizeLimit), s.resultsMax()
	results := 0
	for i, count := range counts {
		if int(count) > eventsMax {
			return false
		}
		if s.limitOffset == 0 {
			results += int(count)
			continue
		}
		if count != 1 {
			return false
		}
		limit := binary.LittleEndian.Uint32(payload[i*s.eventSize+s.limitOffset:])
		results += int(min(uint64(limit), uint64(resultsMax)))
	}
	size := results * s.resultSize
	if s.framed {
		size += multibatch.TrailerSize(s.resultSize, len(counts))
	}
	return size <= BodySizeMax
}
