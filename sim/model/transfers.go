package model

import "github.com/ledgerd/ledgerd/ledger"

// transferFlagsKnown is the set of all transfer flags.
const transferFlagsKnown = ledger.TransferLinked | ledger.TransferPending |
	ledger.TransferPostPendingTransfer | ledger.TransferVoidPendingTransfer |
	ledger.TransferBalancingDebit | ledger.TransferBalancingCredit |
	ledger.TransferClosingDebit | ledger.TransferClosingCredit | ledger.TransferImported

// second is one second of timeout in nanoseconds.
const second = 1_000_000_000

// has reports whether t has any of these flags.
func has(t ledger.Transfer, flags ledger.TransferFlags) bool { return t.Flags&flags != 0 }

func (m *Model) createTransfers(batch []byte, slot uint64) []result {
	transfers := make([]ledger.Transfer, len(batch)/ledger.TransferSize)
	inputs := make([]input, len(transfers))
	for i := range transfers {
		t := &transfers[i]
		t.Decode(batch[i*ledger.TransferSize:])
		inputs[i] = input{has(*t, ledger.TransferLinked), has(*t, ledger.TransferImported), t.Timestamp}
	}
	return m.run(creation{
		inputs: inputs,
		slot:   slot,
		statuses: importStatuses{
			expected:       uint32(ledger.TransferImportedEventExpected),
			notExpected:    uint32(ledger.TransferImportedEventNotExpected),
			outOfRange:     uint32(ledger.TransferImportedEventTimestampOutOfRange),
			mustNotAdvance: uint32(ledger.TransferImportedEventTimestampMustNotAdvance),
		},
		create: func(i int, slot, timestamp uint64) result {
			t := transfers[i]
			t.Timestamp = timestamp
			status := m.createTransfer(t, slot)
			switch status {
			case ledger.TransferCreated:
				return result{uint32(status), timestamp}
			case ledger.TransferExists:
				return result{uint32(status), m.transfer(t.ID).Timestamp}
			}
			return result{uint32(status), slot}
		},
		finish: func(i int, status uint32) {
			if burns(ledger.CreateTransferStatus(status)) {
				m.burnt[transfers[i].ID] = true
			}
		},
	})
}

// burns reports whether a transfer that ends so uses up its id (SEMANTICS.md
// section 9).
func burns(status ledger.CreateTransferStatus) bool {
	switch status {
	case ledger.TransferDebitAccountNotFound, ledger.TransferCreditAccountNotFound,
		ledger.TransferPendingTransferNotFound,
		ledger.TransferExceedsCredits, ledger.TransferExceedsDebits,
		ledger.TransferDebitAccountAlreadyClosed, ledger.TransferCreditAccountAlreadyClosed:
		return true
	}
	return false
}

// createTransfer follows SEMANTICS.md section 7.1.
func (m *Model) createTransfer(t ledger.Transfer, slot uint64) ledger.CreateTransferStatus {
	switch {
	case t.Flags&^transferFlagsKnown != 0:
		return ledger.TransferReservedFlag
	case t.ID.IsZero():
		return ledger.TransferIDMustNotBeZero
	case t.ID.IsMax():
		return ledger.TransferIDMustNotBeIntMax
	case m.transfer(t.ID) != nil:
		return m.compareTransfers(t, m.transfer(t.ID).Transfer)
	case m.burnt[t.ID]:
		return ledger.TransferIDAlreadyFailed
	case has(t, ledger.TransferPostPendingTransfer|ledger.TransferVoidPendingTransfer):
		return m.resolve(t, slot)
	}
	return m.createRegular(t)
}

// createRegular follows SEMANTICS.md sections 7.3 to 7.6: transfers that are
// neither post nor void.
func (m *Model) createRegular(t ledger.Transfer) ledger.CreateTransferStatus {
	if status := checkFields(t); status != ledger.TransferCreated {
		return status
	}
	debit, credit := m.account(t.DebitAccountID), m.account(t.CreditAccountID)
	if status := m.checkAccounts(t, debit, credit); status != ledger.TransferCreated {
		return status
	}
	t.Amount = balance(t, *debit, *credit)
	if status := checkAmount(t, *debit, *credit); status != ledger.TransferCreated {
		return status
	}
	kind := ledger.ChangeEventSinglePhase
	if has(t, ledger.TransferPending) {
		kind = ledger.ChangeEventTwoPhasePending
		debit.DebitsPending = add(debit.DebitsPending, t.Amount)
		credit.CreditsPending = add(credit.CreditsPending, t.Amount)
	} else {
		debit.DebitsPosted = add(debit.DebitsPosted, t.Amount)
		credit.CreditsPosted = add(credit.CreditsPosted, t.Amount)
	}
	if has(t, ledger.TransferClosingDebit) {
		debit.Flags |= ledger.AccountClosed
	}
	if has(t, ledger.TransferClosingCredit) {
		credit.Flags |= ledger.AccountClosed
	}
	m.addTransfer(t, kind)
	return ledger.TransferCreated
}

// checkFields follows rows 7 to 16 of SEMANTICS.md section 7.3.
func checkFields(t ledger.Transfer) ledger.CreateTransferStatus {
	pending := has(t, ledger.TransferPending)
	switch {
	case t.DebitAccountID.IsZero():
		return ledger.TransferDebitAccountIDMustNotBeZero
	case t.DebitAccountID.IsMax():
		return ledger.TransferDebitAccountIDMustNotBeIntMax
	case t.CreditAccountID.IsZero():
		return ledger.TransferCreditAccountIDMustNotBeZero
	case t.CreditAccountID.IsMax():
		return ledger.TransferCreditAccountIDMustNotBeIntMax
	case t.DebitAccountID == t.CreditAccountID:
		return ledger.TransferAccountsMustBeDifferent
	case !t.PendingID.IsZero():
		return ledger.TransferPendingIDMustBeZero
	case !pending && t.Timeout != 0:
		return ledger.TransferTimeoutReservedForPendingTransfer
	case !pending && has(t, ledger.TransferClosingDebit|ledger.TransferClosingCredit):
		return ledger.TransferClosingTransferMustBePending
	case t.Ledger == 0:
		return ledger.TransferLedgerMustNotBeZero
	case t.Code == 0:
		return ledger.TransferCodeMustNotBeZero
	}
	return ledger.TransferCreated
}

// checkAccounts follows rows 17 to 26 of SEMANTICS.md section 7.3. An account
// that does not exist is nil.
func (m *Model) checkAccounts(t ledger.Transfer, debit, credit *ledger.Account) ledger.CreateTransferStatus {
	imported := has(t, ledger.TransferImported)
	switch {
	case debit == nil:
		return ledger.TransferDebitAccountNotFound
	case credit == nil:
		return ledger.TransferCreditAccountNotFound
	case debit.Ledger != credit.Ledger:
		return ledger.TransferAccountsMustHaveTheSameLedger
	case t.Ledger != debit.Ledger:
		return ledger.TransferTransferMustHaveTheSameLedgerAsAccounts
	case imported && !m.transferImportable(t.Timestamp):
		return ledger.TransferImportedEventTimestampMustNotRegress
	case imported && t.Timestamp <= debit.Timestamp:
		return ledger.TransferImportedEventTimestampMustPostdateDebitAccount
	case imported && t.Timestamp <= credit.Timestamp:
		return ledger.TransferImportedEventTimestampMustPostdateCreditAccount
	case imported && t.Timeout != 0:
		return ledger.TransferImportedEventTimeoutMustBeZero
	case debit.Flags&ledger.AccountClosed != 0:
		return ledger.TransferDebitAccountAlreadyClosed
	case credit.Flags&ledger.AccountClosed != 0:
		return ledger.TransferCreditAccountAlreadyClosed
	}
	return ledger.TransferCreated
}

// balance returns the amount of t, clamped if it is a balancing transfer
// (SEMANTICS.md section 7.4).
func balance(t ledger.Transfer, debit, credit ledger.Account) ledger.Uint128 {
	amount := t.Amount
	if has(t, ledger.TransferBalancingDebit) {
		left := saturatingSub(debit.CreditsPosted, add(debit.DebitsPosted, debit.DebitsPending))
		if left.Less(amount) {
			amount = left
		}
	}
	if has(t, ledger.TransferBalancingCredit) {
		left := saturatingSub(credit.DebitsPosted, add(credit.CreditsPosted, credit.CreditsPending))
		if left.Less(amount) {
			amount = left
		}
	}
	return amount
}

// checkAmount follows rows 27 to 35 of SEMANTICS.md section 7.3.
func checkAmount(t ledger.Transfer, debit, credit ledger.Account) ledger.CreateTransferStatus {
	pending := has(t, ledger.TransferPending)
	switch {
	case pending && overflows(t.Amount, debit.DebitsPending):
		return ledger.TransferOverflowsDebitsPending
	case pending && overflows(t.Amount, credit.CreditsPending):
		return ledger.TransferOverflowsCreditsPending
	case overflows(t.Amount, debit.DebitsPosted):
		return ledger.TransferOverflowsDebitsPosted
	case overflows(t.Amount, credit.CreditsPosted):
		return ledger.TransferOverflowsCreditsPosted
	case overflows(t.Amount, debit.DebitsPending, debit.DebitsPosted):
		return ledger.TransferOverflowsDebits
	case overflows(t.Amount, credit.CreditsPending, credit.CreditsPosted):
		return ledger.TransferOverflowsCredits
	case expiresAt(t) > ledger.TimestampMax:
		return ledger.TransferOverflowsTimeout
	case debit.Flags&ledger.AccountDebitsMustNotExceedCredits != 0 &&
		debit.CreditsPosted.Less(add(debit.DebitsPending, debit.DebitsPosted, t.Amount)):
		return ledger.TransferExceedsCredits
	case credit.Flags&ledger.AccountCreditsMustNotExceedDebits != 0 &&
		credit.DebitsPosted.Less(add(credit.CreditsPending, credit.CreditsPosted, t.Amount)):
		return ledger.TransferExceedsDebits
	}
	return ledger.TransferCreated
}

// expiresAt is when t expires. Without a timeout it never does, and the value
// means nothing. Both terms stay below 2^63, so the sum does not wrap.
func expiresAt(t ledger.Transfer) uint64 { return t.Timestamp + uint64(t.Timeout)*second }

// compareTransfers says how t differs from the transfer e that has its id
// (SEMANTICS.md sections 7.2 and 8.3).
func (m *Model) compareTransfers(t, e ledger.Transfer) ledger.CreateTransferStatus {
	switch {
	case t.Flags != e.Flags:
		return ledger.TransferExistsWithDifferentFlags
	case t.PendingID != e.PendingID:
		return ledger.TransferExistsWithDifferentPendingID
	case t.Timeout != e.Timeout:
		return ledger.TransferExistsWithDifferentTimeout
	case has(t, ledger.TransferPostPendingTransfer|ledger.TransferVoidPendingTransfer):
		return compareResolutions(t, e, m.transfer(e.PendingID).Transfer)
	}
	amountDiffers := t.Amount != e.Amount
	if has(t, ledger.TransferBalancingDebit|ledger.TransferBalancingCredit) {
		amountDiffers = t.Amount.Less(e.Amount)
	}
	switch {
	case t.DebitAccountID != e.DebitAccountID:
		return ledger.TransferExistsWithDifferentDebitAccountID
	case t.CreditAccountID != e.CreditAccountID:
		return ledger.TransferExistsWithDifferentCreditAccountID
	case amountDiffers:
		return ledger.TransferExistsWithDifferentAmount
	case t.UserData128 != e.UserData128:
		return ledger.TransferExistsWithDifferentUserData128
	case t.UserData64 != e.UserData64:
		return ledger.TransferExistsWithDifferentUserData64
	case t.UserData32 != e.UserData32:
		return ledger.TransferExistsWithDifferentUserData32
	case t.Ledger != e.Ledger:
		return ledger.TransferExistsWithDifferentLedger
	case t.Code != e.Code:
		return ledger.TransferExistsWithDifferentCode
	}
	return ledger.TransferExists
}

// add returns the sum of balances, which the rules keep below 2^128.
func add(terms ...ledger.Uint128) ledger.Uint128 {
	if overflows(terms...) {
		panic("model: a balance overflows")
	}
	var sum ledger.Uint128
	for _, term := range terms {
		sum, _ = sum.Add(term)
	}
	return sum
}

// sub returns a-b, where b is part of a.
func sub(a, b ledger.Uint128) ledger.Uint128 {
	difference, underflow := a.Sub(b)
	if underflow {
		panic("model: a balance is below zero")
	}
	return difference
}

// saturatingSub returns a-b, or 0 if b is greater.
func saturatingSub(a, b ledger.Uint128) ledger.Uint128 {
	if a.Less(b) {
		return ledger.Uint128{}
	}
	return sub(a, b)
}

// overflows reports whether the sum does not fit 128 bits.
func overflows(terms ...ledger.Uint128) bool {
	var sum ledger.Uint128
	for _, term := range terms {
		var overflow bool
		if sum, overflow = sum.Add(term); overflow {
			return true
		}
	}
	return false
}
