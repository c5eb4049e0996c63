package server

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ledgerd/ledgerd/client"
	"github.com/ledgerd/ledgerd/internal/cases"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/ledger"
)

// TestGoldenCases replays what the reference answered, through a client, over
// TCP, against servers with their data files. Nothing is simulated: where a
// case lets a transfer expire, it waits.
//
// Scenarios that wait have servers of their own, and wait together. Then the
// fresh files have theirs, and all the rest shares one, in order.
func TestGoldenCases(t *testing.T) {
	files, err := cases.Load()
	if err != nil {
		t.Fatal(err)
	}
	var waiting, fresh, shared []cases.File
	for _, file := range files {
		if file.Fresh() {
			fresh = append(fresh, file)
			continue
		}
		rest := cases.File{Name: file.Name}
		for _, scenario := range file.Scenarios {
			if slices.ContainsFunc(scenario.Steps, func(s cases.Step) bool { return s.Operation == "wait" }) {
				waiting = append(waiting, cases.File{Name: file.Name, Scenarios: []cases.Scenario{scenario}})
			} else {
				rest.Scenarios = append(rest.Scenarios, scenario)
			}
		}
		shared = append(shared, rest)
	}

	var tally cases.Tally
	add := func(one cases.Tally) {
		tally.Steps += one.Steps
		tally.Skipped += one.Skipped
	}
	for _, one := range replayTogether(t, waiting) {
		add(one)
	}
	for _, file := range fresh {
		add(cases.Replay(t, file, newExecutor(t)))
	}
	executor := newExecutor(t)
	for _, file := range shared {
		add(cases.Replay(t, file, executor))
	}
	t.Logf("%+v", tally)
	if want := 5305; tally.Steps+tally.Skipped != want && !t.Failed() {
		t.Errorf("%d steps replayed and %d skipped, want %d in all", tally.Steps, tally.Skipped, want)
	}
}

// replayTogether replays each file against a server of its own, all at the same
// time.
func replayTogether(t *testing.T, files []cases.File) []cases.Tally {
	tallies := make([]cases.Tally, len(files))
	executors := make([]cases.Executor, len(files))
	for i := range files {
		executors[i] = newExecutor(t) // may end the test, so not in a goroutine
	}
	var running sync.WaitGroup
	for i, file := range files {
		running.Go(func() { tallies[i] = cases.Replay(t, file, executors[i]) })
	}
	running.Wait()
	return tallies
}

// An executor replays cases through a client. It has no batches in flight
// together: the client promises no order among concurrent calls.
type executor struct {
	client *client.Client
}

// newExecutor returns an executor for an empty ledger.
func newExecutor(t *testing.T) cases.Executor {
	t.Helper()
	s := startServer(t, layoutForTests())
	ctx, cancel := context.WithTimeout(t.Context(), callTimeout)
	defer cancel()
	c, err := client.Connect(ctx, client.Config{Addresses: []string{s.Addr().String()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &executor{c}
}

// callTimeout is how long one request may take, on a busy machine.
const callTimeout = time.Minute

// Wait implements cases.Executor.
func (e *executor) Wait(seconds float64) error {
	time.Sleep(time.Duration(seconds * float64(time.Second)))
	return nil
}

// Execute implements cases.Executor.
func (e *executor) Execute(operation ledger.Operation, events []byte) ([]byte, error) {
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
