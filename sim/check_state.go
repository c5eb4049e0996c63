package sim

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/sim/model"
	"github.com/ledgerd/ledgerd/vsr"
)

// pageSize is how many records checkState reads at once.
const pageSize = 1000

// waiter lets things happen until done, and reports whether it came to that.
type waiter func(done func() bool) bool

// checkState reads all accounts, transfers and change events of a machine,
// demands that they are those of the model, adds up the accounts, and lets the
// machine verify itself. Both are as of the given timestamp. The machine must
// not be executing anything, nor begin to while wait lets its disk go on.
func checkState(machine vsr.StateMachine, want *model.Model, timestamp uint64, wait waiter) error {
	c := &stateCheck{machine: machine, want: want, timestamp: timestamp, wait: wait}
	filter := func(from uint64) []byte {
		b := make([]byte, ledger.QueryFilterSize)
		f := ledger.QueryFilter{TimestampMin: from, Limit: pageSize}
		f.Encode(b)
		return b
	}
	events := func(from uint64) []byte {
		b := make([]byte, ledger.ChangeEventsFilterSize)
		f := ledger.ChangeEventsFilter{TimestampMin: from, Limit: pageSize}
		f.Encode(b)
		return b
	}
	accounts, err := c.pages(ledger.OperationQueryAccountsUnbatched, ledger.AccountSize, filter, accountTime)
	if err != nil {
		return err
	}
	if _, err := c.pages(ledger.OperationQueryTransfersUnbatched, ledger.TransferSize, filter, transferTime); err != nil {
		return err
	}
	if _, err := c.pages(ledger.OperationGetChangeEvents, ledger.ChangeEventSize, events, eventTime); err != nil {
		return err
	}
	if err := c.accounts(accounts); err != nil {
		return err
	}
	if err := c.expiry(); err != nil {
		return err
	}
	return c.verify()
}

type stateCheck struct {
	machine   vsr.StateMachine
	want      *model.Model
	timestamp uint64
	wait      waiter
}

func accountTime(b []byte) uint64 {
	var a ledger.Account
	a.Decode(b)
	return a.Timestamp
}

func transferTime(b []byte) uint64 {
	var t ledger.Transfer
	t.Decode(b)
	return t.Timestamp
}

func eventTime(b []byte) uint64 {
	var e ledger.ChangeEvent
	e.Decode(b)
	return e.Timestamp
}

// pages reads all records of one sort, in order of their timestamps.
func (c *stateCheck) pages(operation ledger.Operation, size int, filter func(from uint64) []byte,
	timeOf func([]byte) uint64) (all []byte, err error) {
	for from := uint64(0); ; {
		page, err := c.ask(operation, filter(from))
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if len(page) < pageSize*size {
			return all, nil
		}
		from = timeOf(page[len(page)-size:]) + 1
	}
}

// ask puts a question to both sides. Questions change nothing.
func (c *stateCheck) ask(operation ledger.Operation, body []byte) ([]byte, error) {
	ready := false
	c.machine.Prefetch(byte(operation), c.timestamp, body, func() { ready = true })
	if !c.wait(func() bool { return ready }) {
		return nil, fmt.Errorf("the state cannot be read back: %v is never done", operation)
	}
	got := c.machine.Commit(byte(operation), c.timestamp, body, nil)
	want := c.want.Commit(byte(operation), c.timestamp, body, nil)
	if !bytes.Equal(got, want) {
		return nil, fmt.Errorf("state after the request at %d: %v has %d bytes, the model %d:\n%x\n%x",
			c.timestamp, operation, len(got), len(want), got, want)
	}
	return got, nil
}

// accounts checks that debits are credits, on each ledger, and each account's
// history.
func (c *stateCheck) accounts(encoded []byte) error {
	type sums struct{ pending, posted ledger.Uint128 } // debits - credits, modulo 2^128
	ledgers := make(map[uint32]sums)
	for ; len(encoded) > 0; encoded = encoded[ledger.AccountSize:] {
		var a ledger.Account
		a.Decode(encoded)
		s := ledgers[a.Ledger]
		s.pending, _ = s.pending.Add(a.DebitsPending)
		s.pending, _ = s.pending.Sub(a.CreditsPending)
		s.posted, _ = s.posted.Add(a.DebitsPosted)
		s.posted, _ = s.posted.Sub(a.CreditsPosted)
		ledgers[a.Ledger] = s

		f := ledger.AccountFilter{AccountID: a.ID, Limit: pageSize, Flags: ledger.AccountFilterDebits | ledger.AccountFilterCredits}
		body := make([]byte, ledger.AccountFilterSize)
		f.Encode(body)
		for _, operation := range []ledger.Operation{
			ledger.OperationGetAccountTransfersUnbatched, ledger.OperationGetAccountBalancesUnbatched,
		} {
			if _, err := c.ask(operation, body); err != nil {
				return err
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(ledgers)) {
		if s := ledgers[id]; s != (sums{}) {
			return fmt.Errorf("debits of ledger %d are not its credits: %+v apart", id, s)
		}
	}
	return nil
}

// expiry checks when the next transfers expire, as far as Pulse tells: a pulse may
// be due for nothing, but must not be missing.
func (c *stateCheck) expiry() error {
	for after := uint64(1); after < 1<<42; after *= 4 {
		now := c.timestamp + after
		slots, due := c.machine.Pulse(now)
		wantSlots, wantDue := c.want.Pulse(now)
		if wantDue && (!due || slots != wantSlots) {
			return fmt.Errorf("state after the request at %d: at %d a pulse is due: %v, the model says %v",
				c.timestamp, now, due, wantDue)
		}
	}
	return nil
}

// verify asks a ledger what is wrong with it.
func (c *stateCheck) verify() error {
	ledger, ok := c.machine.(interface{ Verify(done func(error)) })
	if !ok {
		return nil
	}
	done, wrong := false, error(nil)
	ledger.Verify(func(err error) { done, wrong = true, err })
	if !c.wait(func() bool { return done }) {
		return fmt.Errorf("the state cannot be read back: Verify is never done")
	}
	return wrong
}
