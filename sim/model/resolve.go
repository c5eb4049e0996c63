package model

import (
	"cmp"
	"slices"

	"github.com/ledgerd/ledgerd/ledger"
)

// pulseMax is how many transfers one pulse expires, and how many timestamps
// it takes whether it uses them or not.
const pulseMax = 8190

// resolve follows SEMANTICS.md sections 8.1, 8.2 and 8.4: t posts or voids
// the pending transfer p. slot is the event's own timestamp, which differs
// from that of t if t is imported.
func (m *Model) resolve(t ledger.Transfer, slot uint64) ledger.CreateTransferStatus {
	post, void := has(t, ledger.TransferPostPendingTransfer), has(t, ledger.TransferVoidPendingTransfer)
	const otherKinds = ledger.TransferPending | ledger.TransferBalancingDebit | ledger.TransferBalancingCredit |
		ledger.TransferClosingDebit | ledger.TransferClosingCredit
	switch {
	case post && void, has(t, otherKinds):
		return ledger.TransferFlagsAreMutuallyExclusive
	case t.PendingID.IsZero():
		return ledger.TransferPendingIDMustNotBeZero
	case t.PendingID.IsMax():
		return ledger.TransferPendingIDMustNotBeIntMax
	case t.PendingID == t.ID:
		return ledger.TransferPendingIDMustBeDifferent
	case t.Timeout != 0:
		return ledger.TransferTimeoutReservedForPendingTransfer
	}
	p := m.transfer(t.PendingID)
	switch {
	case p == nil:
		return ledger.TransferPendingTransferNotFound
	case !has(p.Transfer, ledger.TransferPending):
		return ledger.TransferPendingTransferNotPending
	case !t.DebitAccountID.IsZero() && t.DebitAccountID != p.DebitAccountID:
		return ledger.TransferPendingTransferHasDifferentDebitAccountID
	case !t.CreditAccountID.IsZero() && t.CreditAccountID != p.CreditAccountID:
		return ledger.TransferPendingTransferHasDifferentCreditAccountID
	case t.Ledger != 0 && t.Ledger != p.Ledger:
		return ledger.TransferPendingTransferHasDifferentLedger
	case t.Code != 0 && t.Code != p.Code:
		return ledger.TransferPendingTransferHasDifferentCode
	}
	amount := t.Amount
	if void && amount.IsZero() || post && amount == ledger.AmountMax {
		amount = p.Amount
	}
	debit, credit := m.account(p.DebitAccountID), m.account(p.CreditAccountID)
	switch {
	case p.Amount.Less(amount):
		return ledger.TransferExceedsPendingTransferAmount
	case void && amount.Less(p.Amount):
		return ledger.TransferPendingTransferHasDifferentAmount
	case p.resolution == posted:
		return ledger.TransferPendingTransferAlreadyPosted
	case p.resolution == voided:
		return ledger.TransferPendingTransferAlreadyVoided
	case p.resolution == expired, p.Timeout != 0 && expiresAt(p.Transfer) <= slot:
		return ledger.TransferPendingTransferExpired
	case has(t, ledger.TransferImported) && !m.transferImportable(t.Timestamp):
		return ledger.TransferImportedEventTimestampMustNotRegress
	case post && debit.Flags&ledger.AccountClosed != 0:
		return ledger.TransferDebitAccountAlreadyClosed
	case post && credit.Flags&ledger.AccountClosed != 0:
		return ledger.TransferCreditAccountAlreadyClosed
	}
	m.release(p.Transfer, void)
	kind := ledger.ChangeEventTwoPhaseVoided
	p.resolution = voided
	if post {
		kind = ledger.ChangeEventTwoPhasePosted
		p.resolution = posted
		debit.DebitsPosted = add(debit.DebitsPosted, amount)
		credit.CreditsPosted = add(credit.CreditsPosted, amount)
	}
	m.addTransfer(inherit(t, p.Transfer, amount), kind)
	return ledger.TransferCreated
}

// inherit returns what is stored for t, which resolves p (SEMANTICS.md
// section 8.4).
func inherit(t, p ledger.Transfer, amount ledger.Uint128) ledger.Transfer {
	stored := p
	stored.ID, stored.PendingID, stored.Flags, stored.Timestamp = t.ID, t.PendingID, t.Flags, t.Timestamp
	stored.Amount, stored.Timeout = amount, 0
	if !t.UserData128.IsZero() {
		stored.UserData128 = t.UserData128
	}
	if t.UserData64 != 0 {
		stored.UserData64 = t.UserData64
	}
	if t.UserData32 != 0 {
		stored.UserData32 = t.UserData32
	}
	return stored
}

// release takes back what p reserved, and with reopen also the closing of
// accounts that was p's.
func (m *Model) release(p ledger.Transfer, reopen bool) {
	debit, credit := m.account(p.DebitAccountID), m.account(p.CreditAccountID)
	debit.DebitsPending = sub(debit.DebitsPending, p.Amount)
	credit.CreditsPending = sub(credit.CreditsPending, p.Amount)
	if reopen && has(p, ledger.TransferClosingDebit) {
		debit.Flags &^= ledger.AccountClosed
	}
	if reopen && has(p, ledger.TransferClosingCredit) {
		credit.Flags &^= ledger.AccountClosed
	}
}

// compareResolutions says how t differs from e, which has its id and resolved
// p (SEMANTICS.md section 8.3).
func compareResolutions(t, e, p ledger.Transfer) ledger.CreateTransferStatus {
	amount := t.Amount
	if has(t, ledger.TransferVoidPendingTransfer) && amount.IsZero() ||
		has(t, ledger.TransferPostPendingTransfer) && amount == ledger.AmountMax {
		amount = p.Amount
	}
	wanted := inherit(t, p, amount)
	switch {
	case !t.DebitAccountID.IsZero() && t.DebitAccountID != e.DebitAccountID:
		return ledger.TransferExistsWithDifferentDebitAccountID
	case !t.CreditAccountID.IsZero() && t.CreditAccountID != e.CreditAccountID:
		return ledger.TransferExistsWithDifferentCreditAccountID
	case wanted.Amount != e.Amount:
		return ledger.TransferExistsWithDifferentAmount
	case wanted.UserData128 != e.UserData128:
		return ledger.TransferExistsWithDifferentUserData128
	case wanted.UserData64 != e.UserData64:
		return ledger.TransferExistsWithDifferentUserData64
	case wanted.UserData32 != e.UserData32:
		return ledger.TransferExistsWithDifferentUserData32
	case t.Ledger != 0 && t.Ledger != e.Ledger:
		return ledger.TransferExistsWithDifferentLedger
	case t.Code != 0 && t.Code != e.Code:
		return ledger.TransferExistsWithDifferentCode
	}
	return ledger.TransferExists
}

// Pulse reports whether a pending transfer has expired by now, and how many
// timestamps the pulse takes that removes it.
func (m *Model) Pulse(now uint64) (slots int, due bool) {
	for _, t := range m.transfers {
		if t.expiring() && expiresAt(t.Transfer) <= now {
			return pulseMax, true
		}
	}
	return 0, false
}

// expire is a pulse at timestamp (SEMANTICS.md section 10). A pulse takes
// pulseMax timestamps from the moment that it was found due; what expired by
// that moment goes now, the rest with a later pulse. So no expiry is dated
// before it is due.
func (m *Model) expire(timestamp uint64) {
	var due []ledger.Transfer
	for _, t := range m.transfers {
		if t.expiring() && expiresAt(t.Transfer) <= timestamp-pulseMax {
			due = append(due, t.Transfer)
		}
	}
	slices.SortFunc(due, func(a, b ledger.Transfer) int {
		return cmp.Or(cmp.Compare(expiresAt(a), expiresAt(b)), cmp.Compare(a.Timestamp, b.Timestamp))
	})
	due = due[:min(len(due), pulseMax)]
	for i, p := range due {
		m.transfer(p.ID).resolution = expired
		m.release(p, true)
		m.addEvent(p, ledger.ChangeEventTwoPhaseExpired, timestamp-uint64(len(due))+uint64(i)+1)
	}
}

// expiring reports whether t waits for its timeout.
func (t *transfer) expiring() bool {
	return has(t.Transfer, ledger.TransferPending) && t.resolution == unresolved && t.Timeout != 0
}
