package killtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/ledgerd/ledgerd/client"
	"github.com/ledgerd/ledgerd/ledger"
)

const (
	accountCount = 32
	batchMax     = 250 // transfers; the development layout takes little more
	chainMax     = 5
)

func accountID(index uint8) ledger.Uint128 { return ledger.Uint128{Lo: uint64(index) + 1} }

// createAccounts creates the accounts of the workers.
func createAccounts(ctx context.Context, c *client.Client) error {
	var accounts []ledger.Account
	for i := range uint8(accountCount) {
		accounts = append(accounts, ledger.Account{ID: accountID(i), Ledger: 1, Code: 1})
	}
	accounts[0].Flags = ledger.AccountHistory
	return allCreated(c.CreateAccounts(ctx, accounts))
}

// allCreated returns the error of a call, or one for an account that was not
// created.
func allCreated(results []ledger.CreateAccountResult, err error) error {
	for i, result := range results {
		if result.Status != ledger.AccountCreated {
			err = errors.Join(err, fmt.Errorf("account %d: %v", i, result.Status))
		}
	}
	return err
}

// A record is what a worker knows about one of its transfers.
type record struct {
	timestamp     uint64 // 0 unless it is known to have been created
	pending       uint32 // number of the transfer that it posts or voids
	amount        uint16
	flags         ledger.TransferFlags
	debit, credit uint8
	// want is the status that its execution must have.
	want ledger.CreateTransferStatus
}

// balance is of one account.
type balance struct {
	debitsPending, debitsPosted, creditsPending, creditsPosted uint64
}

// A worker is one client and everything it has sent. Between rounds it is the
// test's; during a round, the goroutine's that runs it.
type worker struct {
	number  int
	address string
	random  *rand.Rand
	// mortal says that its client dies with the server. The others outlive it.
	mortal bool
	client *client.Client

	records  []record // by transfer number
	open     []uint32 // numbers of pending transfers to be posted or voided
	balances [accountCount]balance
	seen     [accountCount]uint64 // debits posted when last read

	// unanswered is the number of the first transfer of the request without
	// an answer; len(records) if there is none.
	unanswered int
	// verified is the number of the first transfer yet to be looked up.
	verified int
	// acknowledged counts the transfers that an answer says were created.
	acknowledged int
	// The last answer: when its request was sent, when it came, and the first
	// timestamp in it.
	sentAt, answeredAt time.Time
	answerTimestamp    uint64
}

// run sends requests until halt is set, or ctx ends, or its client is closed.
func (w *worker) run(ctx context.Context, halt *atomic.Bool) error {
	if w.client == nil {
		var err error
		w.client, err = client.Connect(ctx, client.Config{Addresses: []string{w.address}})
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("worker %d: %w", w.number, err)
		}
	}
	for !halt.Load() {
		step := w.transfer
		if w.random.IntN(10) == 0 {
			step = w.query
		}
		if err := step(ctx); err != nil {
			if w.mortal && (errors.Is(err, client.ErrOutcomeUnknown) || ctx.Err() != nil) {
				return nil
			}
			return fmt.Errorf("worker %d: %w", w.number, err)
		}
	}
	return nil
}

// transfer sends one batch.
func (w *worker) transfer(ctx context.Context) error {
	w.compose()
	batch := make([]ledger.Transfer, 0, batchMax)
	for i := w.unanswered; i < len(w.records); i++ {
		batch = append(batch, w.sent(i))
	}
	w.sentAt = time.Now()
	results, err := w.client.CreateTransfers(ctx, batch)
	if err != nil {
		return err
	}
	w.answeredAt, w.answerTimestamp = time.Now(), results[0].Timestamp
	for i, result := range results {
		r := &w.records[w.unanswered+i]
		if result.Status != r.want {
			return fmt.Errorf("transfer %d of %+v: %v, want %v", i, batch[i], result.Status, r.want)
		}
		if result.Status == ledger.TransferCreated {
			r.timestamp = result.Timestamp
			w.acknowledged++
		}
	}
	w.settle(true)
	return nil
}

// query reads one account, whose debits must not have shrunk.
func (w *worker) query(ctx context.Context) error {
	account := uint8(w.random.IntN(accountCount))
	found, err := w.client.LookupAccounts(ctx, []ledger.Uint128{accountID(account)})
	if err != nil {
		return err
	}
	if len(found) != 1 || found[0].DebitsPosted.Lo < w.seen[account] {
		return fmt.Errorf("account %d had %d debits posted, and now: %+v", account, w.seen[account], found)
	}
	w.seen[account] = found[0].DebitsPosted.Lo
	return nil
}

// compose makes the records of the next request.
func (w *worker) compose() {
	end := len(w.records) + 1 + w.random.IntN(batchMax)
	if w.random.IntN(3) == 0 {
		end = len(w.records) + 1 + w.random.IntN(3)
	}
	for len(w.records) < end {
		switch w.random.IntN(10) {
		case 0, 1:
			if length := 2 + w.random.IntN(chainMax-1); len(w.records)+length <= end {
				w.composeChain(length)
			}
		case 2:
			if n := len(w.open); n > 0 {
				w.composeResolution(w.open[n-1])
				w.open = w.open[:n-1]
			}
		case 3:
			w.composeOne(ledger.TransferPending)
		default:
			w.composeOne(0)
		}
	}
}

func (w *worker) composeOne(flags ledger.TransferFlags) *record {
	debit := w.random.IntN(accountCount)
	w.records = append(w.records, record{
		amount: uint16(1 + w.random.IntN(1000)),
		flags:  flags,
		debit:  uint8(debit),
		credit: uint8((debit + 1 + w.random.IntN(accountCount-1)) % accountCount),
		want:   ledger.TransferCreated,
	})
	return &w.records[len(w.records)-1]
}

func (w *worker) composeResolution(pending uint32) {
	r := w.records[pending]
	r.pending, r.timestamp = pending, 0
	r.flags = ledger.TransferPostPendingTransfer
	if w.random.IntN(2) == 0 {
		r.flags = ledger.TransferVoidPendingTransfer
	}
	w.records = append(w.records, r)
}

// composeChain makes linked transfers, one chain in four with a last one that
// must fail, and all others with it.
func (w *worker) composeChain(length int) {
	first := len(w.records)
	for range length {
		flags := ledger.TransferLinked
		if w.random.IntN(4) == 0 {
			flags |= ledger.TransferPending
		}
		w.composeOne(flags)
	}
	last := &w.records[first+length-1]
	last.flags &^= ledger.TransferLinked
	if w.random.IntN(4) > 0 {
		return
	}
	for i := first; i < first+length; i++ {
		w.records[i].want = ledger.TransferLinkedEventFailed
	}
	last.credit, last.want = last.debit, ledger.TransferAccountsMustBeDifferent
}

// sent returns a transfer as it was sent. The ledger must have it like that,
// with a timestamp.
func (w *worker) sent(number int) ledger.Transfer {
	r := w.records[number]
	t := ledger.Transfer{
		ID:              w.id(number),
		DebitAccountID:  accountID(r.debit),
		CreditAccountID: accountID(r.credit),
		Amount:          ledger.Uint128{Lo: uint64(r.amount)},
		Ledger:          1,
		Code:            1,
		Flags:           r.flags,
	}
	if r.flags&(ledger.TransferPostPendingTransfer|ledger.TransferVoidPendingTransfer) != 0 {
		t.PendingID = w.id(int(r.pending))
	}
	return t
}

func (w *worker) id(number int) ledger.Uint128 {
	return ledger.Uint128{Hi: uint64(w.number) + 1, Lo: uint64(number) + 1}
}

// settle takes note that the last request was executed, or never will be.
func (w *worker) settle(executed bool) {
	for i := w.unanswered; i < len(w.records); i++ {
		r := &w.records[i]
		resolves := r.flags&(ledger.TransferPostPendingTransfer|ledger.TransferVoidPendingTransfer) != 0
		switch {
		case executed && r.want == ledger.TransferCreated:
			w.apply(r)
			if r.flags&ledger.TransferPending != 0 {
				w.open = append(w.open, uint32(i))
			}
		case !executed && resolves:
			w.open = append(w.open, r.pending)
		}
	}
	w.unanswered = len(w.records)
}

// apply adds a transfer that was created to the balances.
func (w *worker) apply(r *record) {
	debit, credit, amount := &w.balances[r.debit], &w.balances[r.credit], uint64(r.amount)
	const resolution = ledger.TransferPostPendingTransfer | ledger.TransferVoidPendingTransfer
	if r.flags&ledger.TransferPending != 0 {
		debit.debitsPending += amount
		credit.creditsPending += amount
	}
	if r.flags&resolution != 0 {
		debit.debitsPending -= amount
		credit.creditsPending -= amount
	}
	if r.flags&(ledger.TransferPending|ledger.TransferVoidPendingTransfer) == 0 {
		debit.debitsPosted += amount
		credit.creditsPosted += amount
	}
}
