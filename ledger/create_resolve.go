package ledger

// postOrVoid creates a post or void: SEMANTICS.md section 8.
func (m *Machine) postOrVoid(t *Transfer, slot uint64) CreateTransferStatus {
	if status := resolutionFieldsStatus(t); status != TransferCreated {
		return status
	}
	p := &m.pending
	ref := m.tables.FindTransfer(t.PendingID, p)
	if ref == TransferAbsent || ref == TransferBurnt {
		return TransferPendingTransferNotFound
	}
	if status := resolutionMatchStatus(t, p); status != TransferCreated {
		return status
	}
	amount := resolvedAmount(t, p)
	post := t.Flags&TransferPostPendingTransfer != 0
	switch {
	case p.Amount.Less(amount):
		return TransferExceedsPendingTransferAmount
	case !post && amount.Less(p.Amount):
		return TransferPendingTransferHasDifferentAmount
	}
	switch m.tables.PendingStatus(ref) {
	case PendingPosted:
		return TransferPendingTransferAlreadyPosted
	case PendingVoided:
		return TransferPendingTransferAlreadyVoided
	case PendingExpired:
		return TransferPendingTransferExpired
	}
	// The slot decides, also for an import (SEMANTICS.md section 16.1).
	if p.Timeout != 0 && p.expiresAt() <= slot {
		return TransferPendingTransferExpired
	}
	timestamp := slot
	if t.Flags&TransferImported != 0 {
		timestamp = t.Timestamp
		if m.transferRegresses(timestamp) {
			return TransferImportedEventTimestampMustNotRegress
		}
	}
	debitRef, debit := m.tables.FindAccount(p.DebitAccountID)
	creditRef, credit := m.tables.FindAccount(p.CreditAccountID)
	if post {
		if status := closedStatus(debit, credit); status != TransferCreated {
			return status
		}
	}

	inherit(t, p)
	t.Amount, t.Timestamp = amount, timestamp
	m.release(p, debitRef, debit, creditRef, credit)
	if post {
		debit.DebitsPosted, _ = debit.DebitsPosted.Add(amount)
		credit.CreditsPosted, _ = credit.CreditsPosted.Add(amount)
		m.tables.ResolvePending(ref, PendingPosted)
	} else {
		m.reopen(p, debit, credit)
		m.tables.ResolvePending(ref, PendingVoided)
	}
	m.tables.InsertTransfer(t, debitRef, creditRef)
	return TransferCreated
}

// expiresAt returns when a pending transfer with a timeout expires.
func (t *Transfer) expiresAt() uint64 {
	return t.Timestamp + uint64(t.Timeout)*nanosecondsPerSecond
}

// resolutionFieldsStatus judges the fields of a post or void on their own:
// rows 7 to 11 of SEMANTICS.md section 8.1.
func resolutionFieldsStatus(t *Transfer) CreateTransferStatus {
	const excluded = TransferPending | transferBalancing | transferClosing
	switch {
	case t.Flags&transferTwoPhase == transferTwoPhase, t.Flags&excluded != 0:
		return TransferFlagsAreMutuallyExclusive
	case t.PendingID.IsZero():
		return TransferPendingIDMustNotBeZero
	case t.PendingID.IsMax():
		return TransferPendingIDMustNotBeIntMax
	case t.PendingID == t.ID:
		return TransferPendingIDMustBeDifferent
	case t.Timeout != 0:
		return TransferTimeoutReservedForPendingTransfer
	}
	return TransferCreated
}

// resolutionMatchStatus judges whether t may resolve p, by their fields: rows
// 13 to 17 of SEMANTICS.md section 8.1. Zero in t means "as in p".
func resolutionMatchStatus(t, p *Transfer) CreateTransferStatus {
	switch {
	case p.Flags&TransferPending == 0:
		return TransferPendingTransferNotPending
	case !t.DebitAccountID.IsZero() && t.DebitAccountID != p.DebitAccountID:
		return TransferPendingTransferHasDifferentDebitAccountID
	case !t.CreditAccountID.IsZero() && t.CreditAccountID != p.CreditAccountID:
		return TransferPendingTransferHasDifferentCreditAccountID
	case t.Ledger != 0 && t.Ledger != p.Ledger:
		return TransferPendingTransferHasDifferentLedger
	case t.Code != 0 && t.Code != p.Code:
		return TransferPendingTransferHasDifferentCode
	}
	return TransferCreated
}

// resolvedAmount returns the amount that t means: SEMANTICS.md section 8.2.
func resolvedAmount(t, p *Transfer) Uint128 {
	if t.Flags&TransferPostPendingTransfer != 0 {
		if t.Amount.IsMax() {
			return p.Amount
		}
	} else if t.Amount.IsZero() {
		return p.Amount
	}
	return t.Amount
}

// inherit completes a post or void with the fields it takes from p.
func inherit(t, p *Transfer) {
	t.DebitAccountID, t.CreditAccountID = p.DebitAccountID, p.CreditAccountID
	t.Ledger, t.Code = p.Ledger, p.Code
	t.UserData128 = orInherited(t.UserData128, p.UserData128)
	t.UserData64 = orInherited(t.UserData64, p.UserData64)
	t.UserData32 = orInherited(t.UserData32, p.UserData32)
}

// release takes what p reserved from both accounts.
func (m *Machine) release(p *Transfer, debitRef AccountRef, debit *Account, creditRef AccountRef, credit *Account) {
	m.touch(debitRef)
	m.touch(creditRef)
	var debitUnderflow, creditUnderflow bool
	debit.DebitsPending, debitUnderflow = debit.DebitsPending.Sub(p.Amount)
	credit.CreditsPending, creditUnderflow = credit.CreditsPending.Sub(p.Amount)
	if debitUnderflow || creditUnderflow {
		panic("ledger: a pending balance is less than what is pending")
	}
}

// reopen opens the accounts that p closed.
func (m *Machine) reopen(p *Transfer, debit, credit *Account) {
	if p.Flags&TransferClosingDebit != 0 {
		debit.Flags &^= AccountClosed
	}
	if p.Flags&TransferClosingCredit != 0 {
		credit.Flags &^= AccountClosed
	}
}

// expire carries out a pulse: SEMANTICS.md section 10. The k transfers that
// expire take the last k of the pulse's slots. All of them were due before the
// first of its slots, so that no expiry is dated before it is due.
func (m *Machine) expire(timestamp uint64) {
	m.expired = m.tables.TakeExpired(timestamp-PulseSlots, PulseSlots, m.expired[:0])
	slot := timestamp - uint64(len(m.expired))
	for i := range m.expired {
		slot++
		ref, p := m.expired[i].Ref, &m.expired[i].Transfer
		debitRef, debit := m.tables.FindAccount(p.DebitAccountID)
		creditRef, credit := m.tables.FindAccount(p.CreditAccountID)
		m.release(p, debitRef, debit, creditRef, credit)
		m.reopen(p, debit, credit)
		m.tables.ResolvePending(ref, PendingExpired)
		m.tables.InsertExpiry(slot, ref, debitRef, creditRef)
	}
}
