package server

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ledgerd/ledgerd/client"
	"github.com/ledgerd/ledgerd/internal/cases"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/ledger"
)

// TestGoldenCases replays what the reference answered, through a client, over
// TCP, against servers with their data files. Only the time is not the real one:
// nothing expires early because the machine is busy, or late.
func TestGoldenCases(t *testing.T) {
	tally := cases.ReplayAll(t, func() cases.Executor { return newExecutor(t) })
	t.Logf("%+v", tally)
	if want := 5305; tally.Steps+tally.Skipped != want && !t.Failed() {
		t.Errorf("%d steps replayed and %d skipped, want %d in all", tally.Steps, tally.Skipped, want)
	}
}

// An executor replays cases through a client. It has no batches in flight
// together: the client promises no order among concurrent calls.
type executor struct {
	client *client.Client
	clock  *testClock
}

// newExecutor returns an executor for an empty ledger.
func newExecutor(t *testing.T) cases.Executor {
	t.Helper()
	clock := new(testClock)
	clock.now.Store(1_700_000_000_000_000_000)
	s := startServerWithClock(t, layoutForTests(), clock)
	ctx, cancel := context.WithTimeout(t.Context(), callTimeout)
	defer cancel()
	c, err := client.Connect(ctx, client.Config{Addresses: []string{s.Addr().String()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &executor{c, clock}
}

// A testClock stands still unless it is moved.
type testClock struct{ now atomic.Uint64 }

// Realtime implements vsr.Clock.
func (c *testClock) Realtime() uint64 { return c.now.Load() }

func (c *testClock) move(d time.Duration) { c.now.Add(uint64(d)) }

// requestInterval is how far each request moves the clock: some cases import
// records that are a few hundred nanoseconds old.
const requestInterval = 100 * time.Microsecond

// callTimeout is how long one request may take, on a busy machine.
const callTimeout = time.Minute

// Wait implements cases.Executor. Each request is ordered behind a pulse, if one
// is due, and a pulse expires a batch of transfers at most: the cases have no
// more than two batches at once.
func (e *executor) Wait(seconds float64) error {
	e.clock.move(time.Duration(seconds * float64(time.Second)))
	nobody := make([]byte, idSize)
	for range 2 {
		if _, err := e.Execute(ledger.OperationLookupAccounts, nobody); err != nil {
			return err
		}
	}
	return nil
}

// Execute implements cases.Executor.
func (e *executor) Execute(operation ledger.Operation, events []byte) ([]byte, error) {
	e.clock.move(requestInterval)
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	switch c := e.client; operation {
	case ledger.OperationCreateAccounts:
		accounts := decode(events, ledger.AccountSize, (*ledger.Account).Decode)
		results, err := c.CreateAccounts(ctx, accounts)
		return encode(results, ledger.CreateResultSize, (*ledger.CreateAccountResult).Encode), err
	case ledger.OperationCreateTransfers:
		transfers := decode(events, ledger.TransferSize, (*ledger.Transfer).Decode)
		results, err := c.CreateTransfers(ctx, transfers)
		return encode(results, ledger.CreateResultSize, (*ledger.CreateTransferResult).Encode), err
	case ledger.OperationLookupAccounts:
		accounts, err := c.LookupAccounts(ctx, decode(events, idSize, decodeID))
		return encode(accounts, ledger.AccountSize, (*ledger.Account).Encode), err
	case ledger.OperationLookupTransfers:
		transfers, err := c.LookupTransfers(ctx, decode(events, idSize, decodeID))
		return encode(transfers, ledger.TransferSize, (*ledger.Transfer).Encode), err
	default:
		return e.query(ctx, operation, events)
	}
}

// query executes an operation whose one event is a filter.
func (e *executor) query(ctx context.Context, operation ledger.Operation, events []byte) ([]byte, error) {
	switch c := e.client; operation {
	case ledger.OperationGetAccountTransfers:
		filter := decode(events, ledger.AccountFilterSize, (*ledger.AccountFilter).Decode)[0]
		transfers, err := c.GetAccountTransfers(ctx, filter)
		return encode(transfers, ledger.TransferSize, (*ledger.Transfer).Encode), err
	case ledger.OperationGetAccountBalances:
		filter := decode(events, ledger.AccountFilterSize, (*ledger.AccountFilter).Decode)[0]
		balances, err := c.GetAccountBalances(ctx, filter)
		return encode(balances, ledger.AccountBalanceSize, (*ledger.AccountBalance).Encode), err
	case ledger.OperationQueryAccounts:
		filter := decode(events, ledger.QueryFilterSize, (*ledger.QueryFilter).Decode)[0]
		accounts, err := c.QueryAccounts(ctx, filter)
		return encode(accounts, ledger.AccountSize, (*ledger.Account).Encode), err
	case ledger.OperationQueryTransfers:
		filter := decode(events, ledger.QueryFilterSize, (*ledger.QueryFilter).Decode)[0]
		transfers, err := c.QueryTransfers(ctx, filter)
		return encode(transfers, ledger.TransferSize, (*ledger.Transfer).Encode), err
	case ledger.OperationGetChangeEvents:
		filter := decode(events, ledger.ChangeEventsFilterSize, (*ledger.ChangeEventsFilter).Decode)[0]
		changes, err := c.GetChangeEvents(ctx, filter)
		return encode(changes, ledger.ChangeEventSize, (*ledger.ChangeEvent).Encode), err
	}
	panic("server: a case of operation " + operation.String())
}

const idSize = 16

func decodeID(id *ledger.Uint128, b []byte) { *id = u128.FromBytes(b) }

// decode reads records of the given size that lie back to back.
func decode[T any](records []byte, size int, one func(*T, []byte)) []T {
	list := make([]T, len(records)/size)
	for i := range list {
		one(&list[i], records[i*size:])
	}
	return list
}

// encode is the inverse of decode.
func encode[T any](list []T, size int, one func(*T, []byte)) []byte {
	records := make([]byte, len(list)*size)
	for i := range list {
		one(&list[i], records[i*size:])
	}
	return records
}
