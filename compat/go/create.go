package main

import (
	"errors"
	"sync"
	"time"

	tb "github.com/tigerbeetle/tigerbeetle-go"
)

const created = tb.TransferCreated

// amountMax posts all of a pending transfer.
var amountMax = tb.BytesToUint128([16]byte(repeat(byte(0xff), 16)))

func (s *scenario) accounts() {
	s.bank = s.account(30, tb.AccountFlags{})
	s.alice = s.account(10, tb.AccountFlags{History: true})
	s.bob = s.account(10, tb.AccountFlags{})
	s.carol = s.account(20, tb.AccountFlags{DebitsMustNotExceedCredits: true})
	batch := []tb.Account{s.alice, s.bob, s.carol, s.bank}
	results := must(s.client.CreateAccounts(batch))
	check(s, "create accounts", accountStatuses(results), repeat(tb.AccountCreated, 4))
	for i := 1; i < len(results); i++ {
		check(s, "account timestamps rise", results[i].Timestamp > results[i-1].Timestamp, true)
	}
	again := must(s.client.CreateAccounts(batch))
	check(s, "create accounts again", accountStatuses(again), repeat(tb.AccountExists, 4))
	check(s, "timestamp of the existing", again[0].Timestamp, results[0].Timestamp)

	other, zero, withoutLedger := s.alice, s.account(1, tb.AccountFlags{}), s.account(1, tb.AccountFlags{})
	other.Code, zero.ID, withoutLedger.Ledger = 11, tb.Uint128{}, 0
	linked := s.account(1, tb.AccountFlags{Linked: true})
	results = must(s.client.CreateAccounts([]tb.Account{other, zero, linked, withoutLedger}))
	check(s, "accounts refused", accountStatuses(results), []tb.CreateAccountStatus{
		tb.AccountExistsWithDifferentCode, tb.AccountIDMustNotBeZero,
		tb.AccountLinkedEventFailed, tb.AccountLedgerMustNotBeZero})

	found := must(s.client.LookupAccounts([]tb.Uint128{s.bank.ID, tb.ID(), s.alice.ID}))
	check(s, "lookup accounts", accountIDs(found), accountIDs([]tb.Account{s.bank, s.alice}))
	s.alice.Timestamp = again[0].Timestamp
	check(s, "account as created", found[1], s.alice)
}

func accountStatuses(results []tb.CreateAccountResult) []tb.CreateAccountStatus {
	var statuses []tb.CreateAccountStatus
	for _, r := range results {
		statuses = append(statuses, r.Status)
	}
	return statuses
}

func (s *scenario) plain() {
	s.funding = s.transfer(s.bank, s.alice, 1000, tb.TransferFlags{})
	s.funding.UserData64 = 42
	first := s.create("plain", []tb.Transfer{s.funding}, created)
	s.balances("alice is funded", s.alice, 0, 0, 0, 1000)
	s.balances("bank has paid", s.bank, 0, 1000, 0, 0)

	again := s.create("plain again", []tb.Transfer{s.funding}, tb.TransferExists)
	check(s, "timestamp of the existing", again[0].Timestamp, first[0].Timestamp)
	other := s.funding
	other.Amount = tb.ToUint128(999)
	s.create("other amount", []tb.Transfer{other}, tb.TransferExistsWithDifferentAmount)
	orphan := s.transfer(tb.Account{ID: tb.ID()}, s.bob, 1, tb.TransferFlags{})
	codeless := s.transfer(s.alice, s.bob, 1, tb.TransferFlags{})
	codeless.Code = 0
	s.create("refused", []tb.Transfer{
		orphan,
		s.transfer(s.alice, s.alice, 1, tb.TransferFlags{}),
		s.transfer(s.carol, s.bob, 1, tb.TransferFlags{}),
		codeless,
	}, tb.TransferDebitAccountNotFound, tb.TransferAccountsMustBeDifferent,
		tb.TransferExceedsCredits, tb.TransferCodeMustNotBeZero)
	s.create("id used up", []tb.Transfer{orphan}, tb.TransferIDAlreadyFailed)
	s.funding.Timestamp = first[0].Timestamp
}

func (s *scenario) linked() {
	linked, last := tb.TransferFlags{Linked: true}, tb.TransferFlags{}
	s.create("linked", []tb.Transfer{
		s.transfer(s.alice, s.bob, 100, linked), s.transfer(s.bob, s.bank, 40, last),
	}, created, created)
	s.create("linked, broken", []tb.Transfer{
		s.transfer(s.alice, s.bob, 5, linked), s.transfer(s.alice, s.alice, 5, last),
	}, tb.TransferLinkedEventFailed, tb.TransferAccountsMustBeDifferent)
	s.create("linked, open", []tb.Transfer{s.transfer(s.alice, s.bob, 5, linked)}, tb.TransferLinkedEventChainOpen)
	s.balances("a broken chain leaves no trace", s.alice, 0, 100, 0, 1000)
}

// resolutions posts and voids pending transfers.
func (s *scenario) resolutions() {
	reserve := tb.TransferFlags{Pending: true}
	posting, voiding := tb.TransferFlags{PostPendingTransfer: true}, tb.TransferFlags{VoidPendingTransfer: true}
	some := tb.ToUint128(150)
	s.pending = s.transfer(s.alice, s.bob, 200, reserve)
	s.pending.Timestamp = s.create("pending", []tb.Transfer{s.pending}, created)[0].Timestamp
	s.balances("reserved", s.alice, 200, 100, 0, 1000)
	s.post = resolve(s.pending, some, posting)
	s.post.Timestamp = s.create("post a part", []tb.Transfer{s.post}, created)[0].Timestamp
	s.balances("the rest is released", s.alice, 0, 250, 0, 1000)
	s.create("post again", []tb.Transfer{resolve(s.pending, some, posting)}, tb.TransferPendingTransferAlreadyPosted)

	second := s.transfer(s.alice, s.bob, 50, reserve)
	void := resolve(second, tb.Uint128{}, voiding)
	s.create("pending and void", []tb.Transfer{second, void}, created, created)
	s.create("void again", []tb.Transfer{resolve(second, tb.Uint128{}, voiding)}, tb.TransferPendingTransferAlreadyVoided)

	third := s.transfer(s.alice, s.bob, 30, reserve)
	all := resolve(third, amountMax, posting)
	s.create("pending and post all", []tb.Transfer{third, all}, created, created)
	s.balances("after posting all", s.alice, 0, 280, 0, 1000)
	s.ofAlice = transferIDs([]tb.Transfer{s.pending, s.post, second, void, third, all})
}

// timeout waits until a reservation is gone.
func (s *scenario) timeout() {
	s.expiring = s.transfer(s.alice, s.bob, 70, tb.TransferFlags{Pending: true})
	s.expiring.Timeout = 1
	s.create("pending with a timeout", []tb.Transfer{s.expiring}, created)
	s.balances("reserved for a second", s.alice, 70, 280, 0, 1000)
	for range 100 {
		found := must(s.client.LookupAccounts([]tb.Uint128{s.alice.ID}))
		if found[0].DebitsPending == (tb.Uint128{}) {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.balances("the reservation has expired", s.alice, 0, 280, 0, 1000)
	s.balances("on the other side too", s.bob, 0, 40, 0, 280)
	late := resolve(s.expiring, tb.ToUint128(70), tb.TransferFlags{PostPendingTransfer: true})
	s.create("post too late", []tb.Transfer{late}, tb.TransferPendingTransferExpired)
	s.ofAlice = append(s.ofAlice, s.expiring.ID)
}

// atOnce has many calls in flight, which the client packs into few requests.
func (s *scenario) atOnce() {
	var calls sync.WaitGroup
	statuses, errs := make([]tb.CreateTransferStatus, 20), make([]error, 20)
	for i := range statuses {
		one := []tb.Transfer{s.transfer(s.bank, s.bob, 1, tb.TransferFlags{})}
		calls.Go(func() {
			results, err := s.client.CreateTransfers(one)
			if err == nil && len(results) == 1 {
				statuses[i] = results[0].Status
			}
			errs[i] = err
		})
	}
	calls.Wait()
	check(s, "errors at once", errors.Join(errs...), nil)
	check(s, "at once", statuses, repeat(created, 20))
	s.balances("bob after that", s.bob, 0, 40, 0, 300)
}

func (s *scenario) fullBatch() {
	batch := make([]tb.Transfer, batchMax)
	for i := range batch {
		batch[i] = s.transfer(s.bank, s.bob, 1, tb.TransferFlags{})
		batch[i].Code = 99
	}
	results := s.create("full batch", batch, repeat(created, batchMax)...)
	for i, r := range results {
		check(s, "consecutive timestamps", r.Timestamp, results[0].Timestamp+uint64(i))
	}
	s.checks -= batchMax - 1 // one check, made often
	s.create("full batch again", batch, repeat(tb.TransferExists, batchMax)...)
	s.balances("bob after the batch", s.bob, 0, 40, 0, 300+batchMax)
	filter := s.query()
	filter.Code = 99
	check(s, "the batch, queried", transferIDs(must(s.client.QueryTransfers(filter))), transferIDs(batch))
	found := must(s.client.LookupTransfers(transferIDs(batch)))
	check(s, "the batch, looked up", transferIDs(found), transferIDs(batch))
	_, err := s.client.CreateTransfers(make([]tb.Transfer, 10_000))
	check(s, "too much data", errors.Is(err, tb.ErrTooMuchData), true)
}
