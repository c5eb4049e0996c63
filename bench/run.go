package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/ledgerd/ledgerd/ledger"
)

// Ledger is one client's way to a server: client.Client, or a stand-in that
// measures the driver itself. Calls may be made from one goroutine at a time;
// a slice given in may be reused when the call has returned.
type Ledger interface {
	CreateAccounts(ctx context.Context, accounts []ledger.Account) ([]ledger.CreateAccountResult, error)
	CreateTransfers(ctx context.Context, transfers []ledger.Transfer) ([]ledger.CreateTransferResult, error)
	LookupAccounts(ctx context.Context, ids []ledger.Uint128) ([]ledger.Account, error)
	LookupTransfers(ctx context.Context, ids []ledger.Uint128) ([]ledger.Transfer, error)
	GetAccountTransfers(ctx context.Context, filter ledger.AccountFilter) ([]ledger.Transfer, error)
	QueryTransfers(ctx context.Context, filter ledger.QueryFilter) ([]ledger.Transfer, error)
	Close() error
}

// Config says what to run, and against what.
type Config struct {
	Workload Workload
	// Connect opens one client. It is called once for each client of the
	// workload, before the clock starts.
	Connect func(ctx context.Context) (Ledger, error)
	// Progress, if not nil, is told how many more transfers were acknowledged,
	// those of the warm-up included. It is called after each batch, by one
	// goroutine at a time.
	Progress func(transfers int)
	// Began and Ended, if not nil, are called right before the clock starts and
	// right after it has stopped, while no request is in flight.
	Began, Ended func()
	// Between, if not nil, is called after the last transfer, while no client is
	// connected, and before the first query. It may restart the server.
	Between func(ctx context.Context) error
}

// ErrWrongBalances says that the accounts of a run do not hold what the server
// acknowledged: transfers were lost, doubled or made up.
var ErrWrongBalances = errors.New("bench: the balances differ from what was acknowledged")

// Result is what Run measured.
type Result struct {
	Elapsed  time.Duration // from the first transfer sent to the last reply
	Batches  Latencies     // of create_transfers requests; from when each fell due, if the workload has a Rate
	Timeline Timeline      // of the same
	Queries  [QuestionCount]Latencies
}

// Run creates the accounts of the workload, warms up, sends the transfers from
// all clients at once, queries, and checks the balances.
//
// It fails with the first error of any client; with an error that names the
// status when an event was not created; with ErrWrongBalances; or with the
// context's error, soon after ctx ends.
func Run(ctx context.Context, config Config) (Result, error) {
	if err := config.Workload.Validate(); err != nil {
		return Result{}, err
	}
	d := &driver{Config: config, run: uint64(time.Now().UnixMilli())}
	defer d.close()
	if err := d.connect(ctx); err != nil {
		return Result{}, err
	}
	if err := d.createAccounts(ctx); err != nil {
		return Result{}, err
	}
	var result Result
	var err error
	if err = d.transfer(ctx, &result); err != nil {
		return Result{}, err
	}
	if err = d.awaitExpiry(ctx); err != nil {
		return Result{}, err
	}
	if err = d.between(ctx); err != nil {
		return Result{}, err
	}
	if result.Queries, err = d.query(ctx); err != nil {
		return Result{}, err
	}
	return result, d.verify(ctx)
}

// driver is one run.
type driver struct {
	Config
	run     uint64 // milliseconds at the start, a part of all ids
	clients []*loader
	expired time.Time // when none of Workload.Expiring is left

	progressLock sync.Mutex // held while Progress is called
}

// loader is one client of a run, and what it measured. While the transfers are
// under way it belongs to one goroutine.
type loader struct {
	ledger    Ledger
	generator *generator
	latencies *hdrhistogram.Histogram
	timeline  Timeline
}

func (d *driver) connect(ctx context.Context) error {
	for i := range d.Workload.Clients {
		ledger, err := d.Connect(ctx)
		if err != nil {
			return fmt.Errorf("bench: connect client %d: %w", i, err)
		}
		d.clients = append(d.clients, &loader{
			ledger:    ledger,
			generator: newGenerator(d.Workload, d.run, i),
			latencies: newHistogram(),
		})
	}
	return nil
}

func (d *driver) close() {
	for _, client := range d.clients {
		client.ledger.Close() // the run's outcome is known; nothing was left in flight
	}
}

// between lets Config.Between have the server, and connects anew.
func (d *driver) between(ctx context.Context) error {
	if d.Between == nil {
		return nil
	}
	d.close()
	if err := d.Between(ctx); err != nil {
		return err
	}
	for i, client := range d.clients {
		var err error
		if client.ledger, err = d.Connect(ctx); err != nil {
			d.clients = d.clients[:i] // the others are closed
			return fmt.Errorf("bench: connect client %d again: %w", i, err)
		}
	}
	return nil
}

func (d *driver) createAccounts(ctx context.Context) error {
	batch := make([]ledger.Account, 0, TransferBatchMax)
	for start := 0; start < d.Workload.Accounts; start += len(batch) {
		batch = batch[:min(TransferBatchMax, d.Workload.Accounts-start)]
		for i := range batch {
			batch[i] = ledger.Account{ID: accountID(d.run, start+i), Ledger: workloadLedger, Code: workloadCode}
		}
		results, err := d.clients[0].ledger.CreateAccounts(ctx, batch)
		if err != nil {
			return fmt.Errorf("bench: create accounts: %w", err)
		}
		if len(results) != len(batch) {
			return fmt.Errorf("bench: %d results for %d accounts", len(results), len(batch))
		}
		for _, result := range results {
			if result.Status != ledger.AccountCreated {
				return fmt.Errorf("bench: an account was not created: %v", result.Status)
			}
		}
	}
	return nil
}

// transfer makes reservations, warms up, and then measures the transfers that count.
func (d *driver) transfer(ctx context.Context, result *Result) error {
	if err := d.reserve(ctx); err != nil {
		return fmt.Errorf("bench: create reservations: %w", err)
	}
	if d.Workload.WarmUp > 0 {
		if _, err := d.send(ctx, d.Workload.WarmUp); err != nil {
			return err
		}
	}
	for _, client := range d.clients {
		client.latencies, client.timeline = newHistogram(), nil
	}
	if d.Began != nil {
		d.Began()
	}
	var err error
	if result.Elapsed, err = d.send(ctx, d.Workload.Transfers); err != nil {
		return err
	}
	if d.Ended != nil {
		d.Ended()
	}
	all := newHistogram()
	for _, client := range d.clients {
		all.Merge(client.latencies)
		result.Timeline.merge(client.timeline)
	}
	result.Batches = newLatencies(all)
	return nil
}

// send sends so many transfers from all clients, waits for all replies, and
// returns how long that took.
func (d *driver) send(ctx context.Context, transfers int) (time.Duration, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var running sync.WaitGroup
	start := time.Now()
	for _, client := range d.clients {
		client.generator.restart(transfers)
		running.Go(func() {
			if err := d.load(ctx, client, start); err != nil {
				cancel(err) // the first error is the cause; it also stops the others
			}
		})
	}
	running.Wait()
	elapsed := time.Since(start)
	if err := context.Cause(ctx); err != nil {
		return 0, fmt.Errorf("bench: create transfers: %w", err)
	}
	return elapsed, nil
}

// load sends all batches of one client, one at a time, from when the clock
// began.
func (d *driver) load(ctx context.Context, client *loader, began time.Time) error {
	pace := newPace(d.Workload, client.generator.client, began)
	for batch := client.generator.next(); batch != nil; batch = client.generator.next() {
		start, err := pace.next(ctx)
		if err != nil {
			return err
		}
		results, err := client.ledger.CreateTransfers(ctx, batch)
		if err != nil {
			return err
		}
		took := time.Since(start)
		record(client.latencies, took)
		client.timeline.add(time.Since(began), len(batch), took)
		if err := checkCreated(batch, results); err != nil {
			return err
		}
		client.generator.acknowledge()
		d.progress(len(batch))
	}
	return nil
}

func (d *driver) progress(transfers int) {
	if d.Progress == nil {
		return
	}
	d.progressLock.Lock()
	defer d.progressLock.Unlock()
	d.Progress(transfers)
}

// verify compares the sums over all accounts with what was acknowledged.
func (d *driver) verify(ctx context.Context) error {
	var want, debits, credits totals
	for _, client := range d.clients {
		want.pending += client.generator.totals.pending
		want.posted += client.generator.totals.posted
	}
	ids := make([]ledger.Uint128, 0, TransferBatchMax)
	for start := 0; start < d.Workload.Accounts; start += len(ids) {
		ids = ids[:min(TransferBatchMax, d.Workload.Accounts-start)]
		for i := range ids {
			ids[i] = accountID(d.run, start+i)
		}
		accounts, err := d.clients[0].ledger.LookupAccounts(ctx, ids)
		if err != nil {
			return fmt.Errorf("bench: look accounts up: %w", err)
		}
		if len(accounts) != len(ids) {
			return fmt.Errorf("%w: %d of %d accounts are there", ErrWrongBalances, len(accounts), len(ids))
		}
		for i := range accounts {
			account := &accounts[i]
			if account.DebitsPending.Hi|account.DebitsPosted.Hi|account.CreditsPending.Hi|account.CreditsPosted.Hi != 0 {
				return fmt.Errorf("%w: account %v holds more than any run moves", ErrWrongBalances, account.ID)
			}
			debits.pending += account.DebitsPending.Lo
			debits.posted += account.DebitsPosted.Lo
			credits.pending += account.CreditsPending.Lo
			credits.posted += account.CreditsPosted.Lo
		}
	}
	if debits != want || credits != want {
		return fmt.Errorf("%w: debits %+v, credits %+v, acknowledged %+v", ErrWrongBalances, debits, credits, want)
	}
	return nil
}
