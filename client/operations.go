package client

import (
	"context"
	"fmt"

	"github.com/ledgerd/ledgerd/client/session"
	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/wire"
)

// operation is how calls with events of type E and results of type R are
// carried out (PROTOCOL.md section 12.1).
type operation[E, R any] struct {
	kind   session.Kind
	encode func(*E, []byte)
	decode func(*R, []byte)
	// oneEach says that every event has exactly one result.
	oneEach bool
}

var (
	createAccounts = operation[ledger.Account, ledger.CreateAccountResult]{
		kind:    batched(ledger.OperationCreateAccounts, ledger.AccountSize, ledger.CreateResultSize),
		encode:  (*ledger.Account).Encode,
		decode:  (*ledger.CreateAccountResult).Decode,
		oneEach: true,
	}
	createTransfers = operation[ledger.Transfer, ledger.CreateTransferResult]{
		kind:    batched(ledger.OperationCreateTransfers, ledger.TransferSize, ledger.CreateResultSize),
		encode:  (*ledger.Transfer).Encode,
		decode:  (*ledger.CreateTransferResult).Decode,
		oneEach: true,
	}
	lookupAccounts = operation[ledger.Uint128, ledger.Account]{
		kind:   batched(ledger.OperationLookupAccounts, idSize, ledger.AccountSize),
		encode: encodeID,
		decode: (*ledger.Account).Decode,
	}
	lookupTransfers = operation[ledger.Uint128, ledger.Transfer]{
		kind:   batched(ledger.OperationLookupTransfers, idSize, ledger.TransferSize),
		encode: encodeID,
		decode: (*ledger.Transfer).Decode,
	}
	getAccountTransfers = operation[ledger.AccountFilter, ledger.Transfer]{
		kind:   batched(ledger.OperationGetAccountTransfers, ledger.AccountFilterSize, ledger.TransferSize),
		encode: (*ledger.AccountFilter).Encode,
		decode: (*ledger.Transfer).Decode,
	}
	getAccountBalances = operation[ledger.AccountFilter, ledger.AccountBalance]{
		kind:   batched(ledger.OperationGetAccountBalances, ledger.AccountFilterSize, ledger.AccountBalanceSize),
		encode: (*ledger.AccountFilter).Encode,
		decode: (*ledger.AccountBalance).Decode,
	}
	queryAccounts = operation[ledger.QueryFilter, ledger.Account]{
		kind:   batched(ledger.OperationQueryAccounts, ledger.QueryFilterSize, ledger.AccountSize),
		encode: (*ledger.QueryFilter).Encode,
		decode: (*ledger.Account).Decode,
	}
	queryTransfers = operation[ledger.QueryFilter, ledger.Transfer]{
		kind:   batched(ledger.OperationQueryTransfers, ledger.QueryFilterSize, ledger.TransferSize),
		encode: (*ledger.QueryFilter).Encode,
		decode: (*ledger.Transfer).Decode,
	}
	getChangeEvents = operation[ledger.ChangeEventsFilter, ledger.ChangeEvent]{
		kind: session.Kind{
			Operation:  wire.Operation(ledger.OperationGetChangeEvents),
			EventSize:  ledger.ChangeEventsFilterSize,
			ResultSize: ledger.ChangeEventSize,
		},
		encode: (*ledger.ChangeEventsFilter).Encode,
		decode: (*ledger.ChangeEvent).Decode,
	}
)

const idSize = 16

func encodeID(id *ledger.Uint128, b []byte) { id.PutBytes(b) }

func batched(o ledger.Operation, eventSize, resultSize int) session.Kind {
	return session.Kind{
		Operation:  wire.Operation(o),
		EventSize:  eventSize,
		ResultSize: resultSize,
		MultiBatch: true,
	}
}

// pending is one call under way.
type pending[E, R any] struct {
	session.Call
	operation *operation[E, R]
	events    []E
	done      chan struct{} // closed by Complete
}

// Encode implements session.Submitter. The caller's slice is safe to read: the
// caller waits in run until the call is complete, whatever its context says.
func (p *pending[E, R]) Encode(dst []byte) {
	size := p.operation.kind.EventSize
	for i := range p.events {
		p.operation.encode(&p.events[i], dst[i*size:])
	}
}

// Complete implements session.Submitter.
func (p *pending[E, R]) Complete(*session.Call) { close(p.done) }

// many runs a call of any number of events with at most one result each.
func (o *operation[E, R]) many(ctx context.Context, c *Client, events []E) ([]R, error) {
	return o.run(ctx, c, events, len(events))
}

// query runs a call of one filter, which has a limit of results.
func (o *operation[E, R]) query(ctx context.Context, c *Client, filter E, limit uint32) ([]R, error) {
	return o.run(ctx, c, []E{filter}, int(min(int64(limit), int64(o.kind.ResultsMax()))))
}

func (o *operation[E, R]) run(ctx context.Context, c *Client, events []E, resultsMax int) ([]R, error) {
	p := &pending[E, R]{
		Call:      session.Call{Kind: o.kind, Events: len(events), Results: resultsMax},
		operation: o,
		events:    events,
		done:      make(chan struct{}),
	}
	p.Submitter = p
	if err := c.run(ctx, &p.Call, p.done); err != nil {
		return nil, fmt.Errorf("%v: %w", ledger.Operation(o.kind.Operation), err)
	}
	defer p.Reply.Release()
	n := len(p.Body) / o.kind.ResultSize
	if o.oneEach && n != len(events) {
		return nil, fmt.Errorf("%v: %w: %d results for %d events",
			ledger.Operation(o.kind.Operation), ErrOutcomeUnknown, n, len(events))
	}
	results := make([]R, n)
	for i := range results {
		o.decode(&results[i], p.Body[i*o.kind.ResultSize:])
	}
	return results, nil
}
