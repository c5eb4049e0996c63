package gen

import "github.com/ledgerd/ledgerd/ledger"

// accountEvents makes a batch of accounts to create.
func (g *Generator) accountEvents(now uint64) []byte {
	count, imported, base := g.batchShape(now)
	batch := make([]byte, count*ledger.AccountSize)
	for i := range count {
		a, promising := g.accountEvent()
		if imported != g.chance(1) {
			a.Flags |= ledger.AccountImported
			a.Timestamp = g.importTimestamp(i, base, now)
		}
		if g.chance(1) {
			a.Timestamp = now
		}
		a.Encode(batch[i*ledger.AccountSize:])
		if promising {
			g.accounts = remember(g.accounts, a, accountWindow)
		}
	}
	return batch
}

// accountEvent repeats an account, with a change or without, or makes a new
// one. It is promising if it is new and has no fault.
func (g *Generator) accountEvent() (a ledger.Account, promising bool) {
	if len(g.accounts) > 0 && g.chance(25) {
		a = pick(g, g.accounts...)
		if g.chance(70) {
			g.changeAccount(&a)
		}
		return a, false
	}
	a, promising = g.newAccount(), true
	for g.chance(12) {
		g.spoilAccount(&a)
		promising = false
	}
	return a, promising
}

// newAccount makes an account with a fresh id.
func (g *Generator) newAccount() ledger.Account {
	g.accountIDs++
	a := ledger.Account{
		ID:          number(g.accountIDs),
		UserData128: number(g.userData()),
		UserData64:  g.userData(),
		UserData32:  uint32(g.userData()),
		Ledger:      1,
		Code:        1 + uint16(g.random.IntN(2)),
	}
	if g.chance(4) {
		a.Ledger = 2
	}
	for _, flag := range []struct {
		flag    ledger.AccountFlags
		percent int
	}{
		{ledger.AccountLinked, 6},
		{ledger.AccountDebitsMustNotExceedCredits, 8},
		{ledger.AccountCreditsMustNotExceedDebits, 8},
		{ledger.AccountHistory, 50},
		{ledger.AccountClosed, 3},
	} {
		if g.chance(flag.percent) {
			a.Flags |= flag.flag
		}
	}
	return a
}

// spoilAccount makes one of the faults that creation must notice.
func (g *Generator) spoilAccount(a *ledger.Account) {
	switch g.random.IntN(10) {
	case 0:
		a.ID = number(0)
	case 1:
		a.ID = maxID
	case 2:
		a.DebitsPending = number(1)
	case 3:
		a.DebitsPosted = number(1)
	case 4:
		a.CreditsPending = ledger.Uint128{Hi: 1}
	case 5:
		a.CreditsPosted = number(1)
	case 6:
		a.Reserved = 1
	case 7:
		a.Ledger = 0
	case 8:
		a.Code = 0
	case 9:
		a.Flags |= pick(g, 1<<6, 1<<15, ledger.AccountDebitsMustNotExceedCredits|ledger.AccountCreditsMustNotExceedDebits)
	}
}

// changeAccount changes one field that a repeated request is compared by.
func (g *Generator) changeAccount(a *ledger.Account) {
	switch g.random.IntN(7) {
	case 0:
		a.Flags ^= 1 << g.random.IntN(6)
	case 1:
		a.UserData128.Hi ^= 1
	case 2:
		a.UserData64 ^= 1 << 63
	case 3:
		a.UserData32 ^= 1
	case 4:
		a.Ledger ^= 3
	case 5:
		a.Code ^= 3
	case 6:
		g.spoilAccount(a)
	}
}
