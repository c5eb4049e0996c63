package ledger

// nanosecondsPerSecond turns a timeout into time.
const nanosecondsPerSecond = 1_000_000_000

const (
	transferTwoPhase  = TransferPostPendingTransfer | TransferVoidPendingTransfer
	transferBalancing = TransferBalancingDebit | TransferBalancingCredit
	transferClosing   = TransferClosingDebit | TransferClosingCredit
)

// transferCreation returns what createBatch needs to create transfers.
func (m *Machine) transferCreation() creation {
	return creation{
		imported:            uint16(TransferImported),
		importedExpected:    uint32(TransferImportedEventExpected),
		importedNotExpected: uint32(TransferImportedEventNotExpected),
		outOfRange:          uint32(TransferImportedEventTimestampOutOfRange),
		mustNotAdvance:      uint32(TransferImportedEventTimestampMustNotAdvance),
		create: func(event []byte, slot uint64) (uint32, uint64) {
			m.request.Decode(event)
			status, timestamp := m.createTransfer(&m.request, slot)
			return uint32(status), timestamp
		},
		failed: func(event []byte, status uint32) {
			if CreateTransferStatus(status).transient() {
				m.tables.BurnTransfer(idOf(event))
			}
		},
		expect: m.tables.ExpectTransfers,
	}
}

// transient reports whether the failure uses up the id, because the same
// request might succeed later and must not (SEMANTICS.md section 9).
func (s CreateTransferStatus) transient() bool {
	switch s {
	case TransferDebitAccountNotFound, TransferCreditAccountNotFound, TransferPendingTransferNotFound,
		TransferExceedsCredits, TransferExceedsDebits,
		TransferDebitAccountAlreadyClosed, TransferCreditAccountAlreadyClosed:
		return true
	}
	return false
}

// createTransfer creates the transfer t, and completes it with what is stored
// instead of what was asked for: SEMANTICS.md section 7.
func (m *Machine) createTransfer(t *Transfer, slot uint64) (CreateTransferStatus, uint64) {
	switch {
	case t.Flags&^transferFlagsKnown != 0:
		return TransferReservedFlag, slot
	case t.ID.IsZero():
		return TransferIDMustNotBeZero, slot
	case t.ID.IsMax():
		return TransferIDMustNotBeIntMax, slot
	}
	switch m.tables.FindTransfer(t.ID, &m.existing) {
	case TransferAbsent:
	case TransferBurnt:
		return TransferIDAlreadyFailed, slot
	default:
		status := m.compareTransfer(t, &m.existing)
		if status == TransferExists {
			return status, m.existing.Timestamp
		}
		return status, slot
	}
	var status CreateTransferStatus
	if t.Flags&transferTwoPhase != 0 {
		status = m.postOrVoid(t, slot)
	} else {
		status = m.move(t, slot)
	}
	if status != TransferCreated {
		return status, slot
	}
	return status, t.Timestamp
}

// move creates a regular or pending transfer: SEMANTICS.md sections 7.3 to 7.6.
func (m *Machine) move(t *Transfer, slot uint64) CreateTransferStatus {
	if status := transferFieldsStatus(t); status != TransferCreated {
		return status
	}
	debitRef, debit := m.tables.FindAccount(t.DebitAccountID)
	if debit == nil {
		return TransferDebitAccountNotFound
	}
	creditRef, credit := m.tables.FindAccount(t.CreditAccountID)
	if credit == nil {
		return TransferCreditAccountNotFound
	}
	if status := m.transferAccountsStatus(t, debit, credit); status != TransferCreated {
		return status
	}
	if t.Flags&transferBalancing != 0 {
		t.Amount = balancedAmount(t, debit, credit)
	}
	timestamp := slot
	if t.Flags&TransferImported != 0 {
		timestamp = t.Timestamp
	}
	if status := transferAmountStatus(t, timestamp, debit, credit); status != TransferCreated {
		return status
	}

	t.Timestamp = timestamp
	m.touch(debitRef)
	m.touch(creditRef)
	if t.Flags&TransferPending != 0 {
		debit.DebitsPending, _ = debit.DebitsPending.Add(t.Amount)
		credit.CreditsPending, _ = credit.CreditsPending.Add(t.Amount)
	} else {
		debit.DebitsPosted, _ = debit.DebitsPosted.Add(t.Amount)
		credit.CreditsPosted, _ = credit.CreditsPosted.Add(t.Amount)
	}
	if t.Flags&TransferClosingDebit != 0 {
		debit.Flags |= AccountClosed
	}
	if t.Flags&TransferClosingCredit != 0 {
		credit.Flags |= AccountClosed
	}
	m.tables.InsertTransfer(t, debitRef, creditRef)
	return TransferCreated
}

// transferFieldsStatus judges the fields of a regular or pending transfer on
// their own: rows 7 to 16 of SEMANTICS.md section 7.3.
func transferFieldsStatus(t *Transfer) CreateTransferStatus {
	pending := t.Flags&TransferPending != 0
	switch {
	case t.DebitAccountID.IsZero():
		return TransferDebitAccountIDMustNotBeZero
	case t.DebitAccountID.IsMax():
		return TransferDebitAccountIDMustNotBeIntMax
	case t.CreditAccountID.IsZero():
		return TransferCreditAccountIDMustNotBeZero
	case t.CreditAccountID.IsMax():
		return TransferCreditAccountIDMustNotBeIntMax
	case t.DebitAccountID == t.CreditAccountID:
		return TransferAccountsMustBeDifferent
	case !t.PendingID.IsZero():
		return TransferPendingIDMustBeZero
	case !pending && t.Timeout != 0:
		return TransferTimeoutReservedForPendingTransfer
	case !pending && t.Flags&transferClosing != 0:
		return TransferClosingTransferMustBePending
	case t.Ledger == 0:
		return TransferLedgerMustNotBeZero
	case t.Code == 0:
		return TransferCodeMustNotBeZero
	}
	return TransferCreated
}

// transferAccountsStatus judges whether the two accounts take the transfer,
// its amount aside: rows 19 to 26 of SEMANTICS.md section 7.3.
func (m *Machine) transferAccountsStatus(t *Transfer, debit, credit *Account) CreateTransferStatus {
	switch {
	case debit.Ledger != credit.Ledger:
		return TransferAccountsMustHaveTheSameLedger
	case t.Ledger != debit.Ledger:
		return TransferTransferMustHaveTheSameLedgerAsAccounts
	}
	if t.Flags&TransferImported != 0 {
		switch {
		case m.transferRegresses(t.Timestamp):
			return TransferImportedEventTimestampMustNotRegress
		case t.Timestamp <= debit.Timestamp:
			return TransferImportedEventTimestampMustPostdateDebitAccount
		case t.Timestamp <= credit.Timestamp:
			return TransferImportedEventTimestampMustPostdateCreditAccount
		case t.Timeout != 0:
			return TransferImportedEventTimeoutMustBeZero
		}
	}
	return closedStatus(debit, credit)
}

func closedStatus(debit, credit *Account) CreateTransferStatus {
	switch {
	case debit.Flags&AccountClosed != 0:
		return TransferDebitAccountAlreadyClosed
	case credit.Flags&AccountClosed != 0:
		return TransferCreditAccountAlreadyClosed
	}
	return TransferCreated
}

// transferRegresses reports whether an imported transfer may not have this
// timestamp, because a later transfer exists or because an account or an
// expiry bears it. The last condition is ours: the reference would lose the
// expiry's change event (SEMANTICS.md sections 5.3 and 16.4).
func (m *Machine) transferRegresses(timestamp uint64) bool {
	return timestamp <= m.tables.LastTransferTimestamp() ||
		m.tables.HasAccountAt(timestamp) ||
		m.tables.HasExpiryAt(timestamp)
}

// balancedAmount lowers the amount to what the balancing flags leave:
// SEMANTICS.md section 7.4.
func balancedAmount(t *Transfer, debit, credit *Account) Uint128 {
	amount := t.Amount
	if t.Flags&TransferBalancingDebit != 0 {
		spent, _ := debit.DebitsPosted.Add(debit.DebitsPending)
		amount = least(amount, excess(debit.CreditsPosted, spent))
	}
	if t.Flags&TransferBalancingCredit != 0 {
		received, _ := credit.CreditsPosted.Add(credit.CreditsPending)
		amount = least(amount, excess(credit.DebitsPosted, received))
	}
	return amount
}

func least(a, b Uint128) Uint128 {
	if b.Less(a) {
		return b
	}
	return a
}

// excess returns a-b, or 0 if b is greater.
func excess(a, b Uint128) Uint128 {
	difference, underflow := a.Sub(b)
	if underflow {
		return Uint128{}
	}
	return difference
}

// transferAmountStatus judges what the amount does to the two accounts, and
// the time of expiry: rows 27 to 35 of SEMANTICS.md section 7.3. The sums of
// both pairs of balances never overflow, because these checks passed before.
func transferAmountStatus(t *Transfer, timestamp uint64, debit, credit *Account) CreateTransferStatus {
	if t.Flags&TransferPending != 0 {
		if _, overflow := t.Amount.Add(debit.DebitsPending); overflow {
			return TransferOverflowsDebitsPending
		}
		if _, overflow := t.Amount.Add(credit.CreditsPending); overflow {
			return TransferOverflowsCreditsPending
		}
	}
	if _, overflow := t.Amount.Add(debit.DebitsPosted); overflow {
		return TransferOverflowsDebitsPosted
	}
	if _, overflow := t.Amount.Add(credit.CreditsPosted); overflow {
		return TransferOverflowsCreditsPosted
	}
	debits, _ := debit.DebitsPending.Add(debit.DebitsPosted)
	debits, overflow := debits.Add(t.Amount)
	if overflow {
		return TransferOverflowsDebits
	}
	credits, _ := credit.CreditsPending.Add(credit.CreditsPosted)
	credits, overflow = credits.Add(t.Amount)
	if overflow {
		return TransferOverflowsCredits
	}
	if timestamp+uint64(t.Timeout)*nanosecondsPerSecond > TimestampMax {
		return TransferOverflowsTimeout
	}
	if debit.Flags&AccountDebitsMustNotExceedCredits != 0 && debit.CreditsPosted.Less(debits) {
		return TransferExceedsCredits
	}
	if credit.Flags&AccountCreditsMustNotExceedDebits != 0 && credit.DebitsPosted.Less(credits) {
		return TransferExceedsDebits
	}
	return TransferCreated
}
