package ledger

// accountCreation returns what createBatch needs to create accounts.
func (m *Machine) accountCreation() creation {
	return creation{
		imported:            uint16(AccountImported),
		importedExpected:    uint32(AccountImportedEventExpected),
		importedNotExpected: uint32(AccountImportedEventNotExpected),
		outOfRange:          uint32(AccountImportedEventTimestampOutOfRange),
		mustNotAdvance:      uint32(AccountImportedEventTimestampMustNotAdvance),
		create: func(event []byte, slot uint64) (uint32, uint64) {
			m.account.Decode(event)
			status, timestamp := m.createAccount(&m.account, slot)
			return uint32(status), timestamp
		},
	}
}

// createAccount creates the account a, and completes it with its timestamp:
// SEMANTICS.md section 6.
func (m *Machine) createAccount(a *Account, slot uint64) (CreateAccountStatus, uint64) {
	switch {
	case a.Reserved != 0:
		return AccountReservedField, slot
	case a.Flags&^accountFlagsKnown != 0:
		return AccountReservedFlag, slot
	case a.ID.IsZero():
		return AccountIDMustNotBeZero, slot
	case a.ID.IsMax():
		return AccountIDMustNotBeIntMax, slot
	}
	if _, existing := m.tables.FindAccount(a.ID); existing != nil {
		return compareAccount(a, existing, slot)
	}
	if status := accountFieldsStatus(a); status != AccountCreated {
		return status, slot
	}
	imported := a.Flags&AccountImported != 0
	if imported && (a.Timestamp <= m.tables.LastAccountTimestamp() || m.tables.HasTransferAt(a.Timestamp)) {
		return AccountImportedEventTimestampMustNotRegress, slot
	}
	if !imported {
		a.Timestamp = slot
	}
	m.tables.InsertAccount(a)
	return AccountCreated, a.Timestamp
}

// accountFieldsStatus judges the fields of a new account on their own.
func accountFieldsStatus(a *Account) CreateAccountStatus {
	const limits = AccountDebitsMustNotExceedCredits | AccountCreditsMustNotExceedDebits
	switch {
	case a.Flags&limits == limits:
		return AccountFlagsAreMutuallyExclusive
	case !a.DebitsPending.IsZero():
		return AccountDebitsPendingMustBeZero
	case !a.DebitsPosted.IsZero():
		return AccountDebitsPostedMustBeZero
	case !a.CreditsPending.IsZero():
		return AccountCreditsPendingMustBeZero
	case !a.CreditsPosted.IsZero():
		return AccountCreditsPostedMustBeZero
	case a.Ledger == 0:
		return AccountLedgerMustNotBeZero
	case a.Code == 0:
		return AccountCodeMustNotBeZero
	}
	return AccountCreated
}

// compareAccount tells how a differs from the account that has its id. The
// flags compared are the current ones, AccountClosed included.
func compareAccount(a, existing *Account, slot uint64) (CreateAccountStatus, uint64) {
	switch {
	case a.Flags != existing.Flags:
		return AccountExistsWithDifferentFlags, slot
	case a.UserData128 != existing.UserData128:
		return AccountExistsWithDifferentUserData128, slot
	case a.UserData64 != existing.UserData64:
		return AccountExistsWithDifferentUserData64, slot
	case a.UserData32 != existing.UserData32:
		return AccountExistsWithDifferentUserData32, slot
	case a.Ledger != existing.Ledger:
		return AccountExistsWithDifferentLedger, slot
	case a.Code != existing.Code:
		return AccountExistsWithDifferentCode, slot
	}
	return AccountExists, existing.Timestamp
}
