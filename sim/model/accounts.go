package model

import "github.com/ledgerd/ledgerd/ledger"

// accountFlagsKnown is the set of all account flags.
const accountFlagsKnown = ledger.AccountLinked | ledger.AccountDebitsMustNotExceedCredits |
	ledger.AccountCreditsMustNotExceedDebits | ledger.AccountHistory | ledger.AccountImported | ledger.AccountClosed

func (m *Model) createAccounts(batch []byte, slot uint64) []result {
	accounts := make([]ledger.Account, len(batch)/ledger.AccountSize)
	inputs := make([]input, len(accounts))
	for i := range accounts {
		a := &accounts[i]
		a.Decode(batch[i*ledger.AccountSize:])
		inputs[i] = input{a.Flags&ledger.AccountLinked != 0, a.Flags&ledger.AccountImported != 0, a.Timestamp}
	}
	return m.run(creation{
		inputs: inputs,
		slot:   slot,
		statuses: importStatuses{
			expected:       uint32(ledger.AccountImportedEventExpected),
			notExpected:    uint32(ledger.AccountImportedEventNotExpected),
			outOfRange:     uint32(ledger.AccountImportedEventTimestampOutOfRange),
			mustNotAdvance: uint32(ledger.AccountImportedEventTimestampMustNotAdvance),
		},
		create: func(i int, slot, timestamp uint64) result {
			a := accounts[i]
			a.Timestamp = timestamp
			status := m.createAccount(a)
			switch status {
			case ledger.AccountCreated:
				return result{uint32(status), timestamp}
			case ledger.AccountExists:
				return result{uint32(status), m.account(a.ID).Timestamp}
			}
			return result{uint32(status), slot}
		},
		finish: func(int, uint32) {}, // accounts burn no ids
	})
}

// createAccount follows the table of SEMANTICS.md section 6, row by row.
func (m *Model) createAccount(a ledger.Account) ledger.CreateAccountStatus {
	const bothLimits = ledger.AccountDebitsMustNotExceedCredits | ledger.AccountCreditsMustNotExceedDebits
	switch {
	case a.Reserved != 0:
		return ledger.AccountReservedField
	case a.Flags&^accountFlagsKnown != 0:
		return ledger.AccountReservedFlag
	case a.ID.IsZero():
		return ledger.AccountIDMustNotBeZero
	case a.ID.IsMax():
		return ledger.AccountIDMustNotBeIntMax
	case m.account(a.ID) != nil:
		return compareAccounts(a, *m.account(a.ID))
	case a.Flags&bothLimits == bothLimits:
		return ledger.AccountFlagsAreMutuallyExclusive
	case !a.DebitsPending.IsZero():
		return ledger.AccountDebitsPendingMustBeZero
	case !a.DebitsPosted.IsZero():
		return ledger.AccountDebitsPostedMustBeZero
	case !a.CreditsPending.IsZero():
		return ledger.AccountCreditsPendingMustBeZero
	case !a.CreditsPosted.IsZero():
		return ledger.AccountCreditsPostedMustBeZero
	case a.Ledger == 0:
		return ledger.AccountLedgerMustNotBeZero
	case a.Code == 0:
		return ledger.AccountCodeMustNotBeZero
	case a.Flags&ledger.AccountImported != 0 && !m.accountImportable(a.Timestamp):
		return ledger.AccountImportedEventTimestampMustNotRegress
	}
	m.addAccount(a)
	return ledger.AccountCreated
}

// compareAccounts says how a differs from the account e that has its id.
func compareAccounts(a, e ledger.Account) ledger.CreateAccountStatus {
	switch {
	case a.Flags != e.Flags:
		return ledger.AccountExistsWithDifferentFlags
	case a.UserData128 != e.UserData128:
		return ledger.AccountExistsWithDifferentUserData128
	case a.UserData64 != e.UserData64:
		return ledger.AccountExistsWithDifferentUserData64
	case a.UserData32 != e.UserData32:
		return ledger.AccountExistsWithDifferentUserData32
	case a.Ledger != e.Ledger:
		return ledger.AccountExistsWithDifferentLedger
	case a.Code != e.Code:
		return ledger.AccountExistsWithDifferentCode
	}
	return ledger.AccountExists
}

// accountImportable reports whether an imported account may have this
// timestamp (SEMANTICS.md section 5.3).
func (m *Model) accountImportable(timestamp uint64) bool {
	for _, a := range m.accounts {
		if a.Timestamp >= timestamp {
			return false
		}
	}
	for _, t := range m.transfers {
		if t.Timestamp == timestamp {
			return false
		}
	}
	return true
}

// transferImportable is the same for transfers. That an expiry may not be at
// this timestamp is section 16.4: each change event has one of its own.
func (m *Model) transferImportable(timestamp uint64) bool {
	for _, t := range m.transfers {
		if t.Timestamp >= timestamp {
			return false
		}
	}
	for _, a := range m.accounts {
		if a.Timestamp == timestamp {
			return false
		}
	}
	for _, e := range m.events {
		if e.timestamp == timestamp {
			return false
		}
	}
	return true
}
