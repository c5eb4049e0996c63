package forest

import (
	"fmt"

	"github.com/ledgerd/ledgerd/ledger"
)

// Verify looks at the whole ledger and calls done with what is wrong with it,
// nil if nothing: the invariants of SEMANTICS.md section 19, and those of the
// tables. It takes about a microsecond for each transfer. No Prefetch may begin
// until then.
func (f *Forest) Verify(done func(error)) { done(f.verify()) }

func (f *Forest) verify() error {
	v := verifier{
		tables:  f.tables,
		pending: make([]pendingSums, f.tables.accounts.count),
		last:    make([]position, f.tables.accounts.count),
	}
	for _, check := range []func() error{v.transfers, v.expiries, v.pendings, v.accounts, v.timestamps} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

type verifier struct {
	tables  *tables
	pending []pendingSums // by account
	last    []position    // of its newest row, by account
}

// pendingSums is what the open pending transfers of an account come to.
type pendingSums struct {
	debits, credits ledger.Uint128
	closing         int // how many of them closed it
}

// transfers checks that the log is sound and the index finds each of its rows.
func (v *verifier) transfers() error {
	t := v.tables
	if err := t.transfers.checkRows(t.accounts.count); err != nil {
		return err
	}
	for at := position(pageHeaderSize); at != t.transfers.end(); {
		row := t.transfers.at(at)
		var x ledger.Transfer
		t.readTransfer(row, &x)
		if ref := t.FindTransfer(x.ID, &x); ref != ledger.TransferRef(at) {
			return fmt.Errorf("transfer %v at %#x is found at %#x", x.ID, uint64(at), uint64(ref))
		}
		for _, s := range [...]side{debitSide, creditSide} {
			account := rowAccount(row, s)
			if previous := readLinks(row, s).previous; previous != v.last[account] {
				return fmt.Errorf("transfer %v links to %#x, not to %#x", x.ID, uint64(previous), uint64(v.last[account]))
			}
			v.last[account] = at
		}
		at = t.transfers.normal(at + position(rowLength(row)))
	}
	return nil
}

// expiries checks that the log is sound and its transfers are expired.
func (v *verifier) expiries() error {
	t := v.tables
	if err := t.expiries.checkRows(t.accounts.count); err != nil {
		return err
	}
	for at := position(pageHeaderSize); at != t.expiries.end(); {
		row := t.expiries.at(at)
		r := readRow(row, fieldPending)
		number := r.next64()
		if number >= t.pendings.count || t.pendings.at(number).status() != ledger.PendingExpired {
			return fmt.Errorf("pending transfer number %d is not expired", number)
		}
		at = t.expiries.normal(at + position(rowLength(row)))
	}
	return nil
}

// pendings adds up the open pending transfers.
func (v *verifier) pendings() error {
	t := v.tables
	for number := range t.pendings.count {
		p := *t.pendings.at(number)
		row := t.transfers.at(p.position())
		var x ledger.Transfer
		t.readTransfer(row, &x)
		if x.Flags&ledger.TransferPending == 0 || t.pendingNumber(ledger.TransferRef(p.position())) != number {
			return fmt.Errorf("transfer %v is not pending transfer number %d", x.ID, number)
		}
		if p.status() != ledger.PendingOpen {
			continue
		}
		debit, credit := &v.pending[rowAccount(row, debitSide)], &v.pending[rowAccount(row, creditSide)]
		debit.debits, _ = debit.debits.Add(x.Amount)
		credit.credits, _ = credit.credits.Add(x.Amount)
		if x.Flags&ledger.TransferClosingDebit != 0 {
			debit.closing++
		}
		if x.Flags&ledger.TransferClosingCredit != 0 {
			credit.closing++
		}
	}
	return nil
}

// accounts checks each account, and that debits equal credits over all.
func (v *verifier) accounts() error {
	t := v.tables
	// Sums are modulo 2^128: what is equal stays equal.
	var debitsPending, debitsPosted, creditsPending, creditsPosted ledger.Uint128
	for i := range t.accounts.count {
		a := t.accounts.at(ledger.AccountRef(i))
		if err := v.account(ledger.AccountRef(i), a); err != nil {
			return fmt.Errorf("account %v: %w", a.ID, err)
		}
		debitsPending, _ = debitsPending.Add(a.DebitsPending)
		debitsPosted, _ = debitsPosted.Add(a.DebitsPosted)
		creditsPending, _ = creditsPending.Add(a.CreditsPending)
		creditsPosted, _ = creditsPosted.Add(a.CreditsPosted)
	}
	if debitsPending != creditsPending || debitsPosted != creditsPosted {
		return fmt.Errorf("all debits are %v pending and %v posted, all credits %v and %v",
			debitsPending, debitsPosted, creditsPending, creditsPosted)
	}
	return nil
}

func (v *verifier) account(ref ledger.AccountRef, a *account) error {
	debits, debitsOverflow := a.DebitsPending.Add(a.DebitsPosted)
	credits, creditsOverflow := a.CreditsPending.Add(a.CreditsPosted)
	sums := v.pending[ref]
	found, _ := v.tables.accounts.find(a.ID)
	switch {
	case found != ref:
		return fmt.Errorf("number %d is found as %d", ref, found)
	case a.last != v.last[ref]:
		return fmt.Errorf("newest row is %#x, not %#x", uint64(v.last[ref]), uint64(a.last))
	case debitsOverflow || creditsOverflow:
		return fmt.Errorf("the sum of two balances overflows")
	case a.DebitsPending != sums.debits || a.CreditsPending != sums.credits:
		return fmt.Errorf("%v and %v are pending, but open transfers come to %v and %v",
			a.DebitsPending, a.CreditsPending, sums.debits, sums.credits)
	case a.Flags&ledger.AccountDebitsMustNotExceedCredits != 0 && a.CreditsPosted.Less(debits):
		return fmt.Errorf("debits %v exceed credits %v", debits, a.CreditsPosted)
	case a.Flags&ledger.AccountCreditsMustNotExceedDebits != 0 && a.DebitsPosted.Less(credits):
		return fmt.Errorf("credits %v exceed debits %v", credits, a.DebitsPosted)
	case sums.closing > 1 || sums.closing == 1 && a.Flags&ledger.AccountClosed == 0:
		return fmt.Errorf("%d open transfers closed it, its flags are %#x", sums.closing, a.Flags)
	}
	return nil
}

// timestamps checks that no account or expiry shares its timestamp with
// anything else; that logs ascend was seen before.
func (v *verifier) timestamps() error {
	t := v.tables
	last := uint64(0)
	for i := range t.accounts.count {
		a := t.accounts.at(ledger.AccountRef(i))
		if a.Timestamp <= last || t.transfers.hasAt(a.Timestamp) || t.expiries.hasAt(a.Timestamp) {
			return fmt.Errorf("timestamp %d of account %v is out of order or not its own", a.Timestamp, a.ID)
		}
		last = a.Timestamp
	}
	for at := position(pageHeaderSize); at != t.expiries.end(); {
		row := t.expiries.at(at)
		if t.transfers.hasAt(rowTimestamp(row)) {
			return fmt.Errorf("an expiry and a transfer have the timestamp %d", rowTimestamp(row))
		}
		at = t.expiries.normal(at + position(rowLength(row)))
	}
	return nil
}
