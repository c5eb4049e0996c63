package main

import (
	tb "github.com/tigerbeetle/tigerbeetle-go"
)

// query asks for everything of the run's ledger.
func (s *scenario) query() tb.QueryFilter {
	return tb.QueryFilter{Ledger: s.ledger, Limit: batchMax}
}

// byAccount asks for everything of one account.
func byAccount(a tb.Account) tb.AccountFilter {
	return tb.AccountFilter{AccountID: a.ID, Limit: batchMax,
		Flags: tb.AccountFilterFlags{Debits: true, Credits: true}.ToUint32()}
}

func (s *scenario) lookups() {
	all := s.ofAlice[5]
	found := must(s.client.LookupTransfers([]tb.Uint128{s.pending.ID, tb.ID(), s.post.ID, all}))
	check(s, "lookup transfers", transferIDs(found), []tb.Uint128{s.pending.ID, s.post.ID, all})
	check(s, "pending as created", found[0], s.pending)
	amounts := []tb.Uint128{found[0].Amount, found[1].Amount, found[2].Amount}
	check(s, "amounts", amounts, []tb.Uint128{tb.ToUint128(200), tb.ToUint128(150), tb.ToUint128(30)})
	check(s, "a post inherits accounts", found[1].DebitAccountID, s.alice.ID)
	check(s, "a post inherits the ledger", found[1].Ledger, s.ledger)
	check(s, "a post inherits user data", found[1].UserData128, s.run)
}

func (s *scenario) accountQueries() {
	of := func(change func(*tb.AccountFilter)) []tb.Uint128 {
		filter := byAccount(s.alice)
		change(&filter)
		return transferIDs(must(s.client.GetAccountTransfers(filter)))
	}
	found := of(func(*tb.AccountFilter) {})
	check(s, "alice's transfers", len(found), 9)
	check(s, "alice's first transfer", found[0], s.funding.ID)
	check(s, "alice's other transfers", found[2:], s.ofAlice)
	check(s, "alice's credits", of(func(f *tb.AccountFilter) {
		f.Flags = tb.AccountFilterFlags{Credits: true}.ToUint32()
	}), []tb.Uint128{s.funding.ID})
	check(s, "newest first", of(func(f *tb.AccountFilter) {
		f.Flags, f.Limit = tb.AccountFilterFlags{Debits: true, Reversed: true}.ToUint32(), 2
	}), []tb.Uint128{s.ofAlice[6], s.ofAlice[5]})
	check(s, "by time", of(func(f *tb.AccountFilter) {
		f.TimestampMin, f.TimestampMax = s.pending.Timestamp, s.post.Timestamp
	}), []tb.Uint128{s.pending.ID, s.post.ID})
	check(s, "by code", len(of(func(f *tb.AccountFilter) { f.Code = 2 })), 0)
	check(s, "an invalid filter", len(of(func(f *tb.AccountFilter) { f.Limit = 0 })), 0)

	rows := must(s.client.GetAccountBalances(byAccount(s.alice)))
	check(s, "alice's history", len(rows), 9)
	check(s, "first balance's time", rows[0].Timestamp, s.funding.Timestamp)
	check(s, "first balance", rows[0].CreditsPosted, tb.ToUint128(1000))
	check(s, "last balance", []tb.Uint128{rows[8].DebitsPending, rows[8].DebitsPosted},
		[]tb.Uint128{tb.ToUint128(70), tb.ToUint128(280)})
	check(s, "no history", len(must(s.client.GetAccountBalances(byAccount(s.bob)))), 0)
}

func (s *scenario) queries() {
	newest := s.query()
	newest.Flags, newest.Limit = tb.QueryFilterFlags{Reversed: true}.ToUint32(), 1

	everyone := accountIDs([]tb.Account{s.alice, s.bob, s.carol, s.bank})
	filter := s.query()
	filter.UserData128 = s.run
	check(s, "accounts by user data", accountIDs(must(s.client.QueryAccounts(filter))), everyone)
	filter = s.query()
	filter.Code, filter.UserData64 = 10, 10
	check(s, "accounts by code", accountIDs(must(s.client.QueryAccounts(filter))), everyone[:2])
	check(s, "newest account", accountIDs(must(s.client.QueryAccounts(newest))), everyone[3:])

	found := transferIDs(must(s.client.QueryTransfers(s.query())))
	check(s, "transfers by ledger", len(found), 10)
	check(s, "first transfer", found[0], s.funding.ID)
	check(s, "last transfers", found[3:], s.ofAlice)
	filter = s.query()
	filter.UserData64 = 42
	check(s, "transfers by user data", transferIDs(must(s.client.QueryTransfers(filter))), []tb.Uint128{s.funding.ID})
	check(s, "newest transfer", transferIDs(must(s.client.QueryTransfers(newest))), []tb.Uint128{s.expiring.ID})
}

// changeEvents reads this run's events back. Other runs may share the server,
// so it starts at the funding and passes over other ledgers' events.
func (s *scenario) changeEvents() {
	var types []tb.ChangeEventType
	filter := tb.ChangeEventsFilter{TimestampMin: s.funding.Timestamp, Limit: 2730}
	for _, event := range must(s.client.GetChangeEvents(filter)) {
		if event.Ledger != s.ledger {
			continue
		}
		types = append(types, event.Type)
		if event.Type == tb.ChangeEventTwoPhaseExpired {
			check(s, "the expired transfer", event.TransferID, s.expiring.ID)
			check(s, "balance after expiry", event.DebitAccountDebitsPending, tb.Uint128{})
		}
	}
	check(s, "change events", types, []tb.ChangeEventType{
		tb.ChangeEventSinglePhase, tb.ChangeEventSinglePhase, tb.ChangeEventSinglePhase,
		tb.ChangeEventTwoPhasePending, tb.ChangeEventTwoPhasePosted,
		tb.ChangeEventTwoPhasePending, tb.ChangeEventTwoPhaseVoided,
		tb.ChangeEventTwoPhasePending, tb.ChangeEventTwoPhasePosted,
		tb.ChangeEventTwoPhasePending, tb.ChangeEventTwoPhaseExpired,
	})
}
