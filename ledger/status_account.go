package ledger

import "fmt"

// CreateAccountStatus is the outcome of one create_accounts event
// (PROTOCOL.md section 16.1). The numbers say nothing about precedence: that is
// the order of the checks in SEMANTICS.md section 6.
type CreateAccountStatus uint32

// The statuses of create_accounts. Numbers are append-only; 0 is never sent.
const (
	AccountLinkedEventFailed                    CreateAccountStatus = 1
	AccountLinkedEventChainOpen                 CreateAccountStatus = 2
	AccountTimestampMustBeZero                  CreateAccountStatus = 3
	AccountReservedField                        CreateAccountStatus = 4
	AccountReservedFlag                         CreateAccountStatus = 5
	AccountIDMustNotBeZero                      CreateAccountStatus = 6
	AccountIDMustNotBeIntMax                    CreateAccountStatus = 7
	AccountFlagsAreMutuallyExclusive            CreateAccountStatus = 8
	AccountDebitsPendingMustBeZero              CreateAccountStatus = 9
	AccountDebitsPostedMustBeZero               CreateAccountStatus = 10
	AccountCreditsPendingMustBeZero             CreateAccountStatus = 11
	AccountCreditsPostedMustBeZero              CreateAccountStatus = 12
	AccountLedgerMustNotBeZero                  CreateAccountStatus = 13
	AccountCodeMustNotBeZero                    CreateAccountStatus = 14
	AccountExistsWithDifferentFlags             CreateAccountStatus = 15
	AccountExistsWithDifferentUserData128       CreateAccountStatus = 16
	AccountExistsWithDifferentUserData64        CreateAccountStatus = 17
	AccountExistsWithDifferentUserData32        CreateAccountStatus = 18
	AccountExistsWithDifferentLedger            CreateAccountStatus = 19
	AccountExistsWithDifferentCode              CreateAccountStatus = 20
	AccountExists                               CreateAccountStatus = 21
	AccountImportedEventExpected                CreateAccountStatus = 22
	AccountImportedEventNotExpected             CreateAccountStatus = 23
	AccountImportedEventTimestampOutOfRange     CreateAccountStatus = 24
	AccountImportedEventTimestampMustNotAdvance CreateAccountStatus = 25
	AccountImportedEventTimestampMustNotRegress CreateAccountStatus = 26

	// AccountCreated is the only status that changes the ledger.
	AccountCreated CreateAccountStatus = 1<<32 - 1
)

var createAccountStatusNames = [...]string{
	AccountLinkedEventFailed:                    "linked_event_failed",
	AccountLinkedEventChainOpen:                 "linked_event_chain_open",
	AccountTimestampMustBeZero:                  "timestamp_must_be_zero",
	AccountReservedField:                        "reserved_field",
	AccountReservedFlag:                         "reserved_flag",
	AccountIDMustNotBeZero:                      "id_must_not_be_zero",
	AccountIDMustNotBeIntMax:                    "id_must_not_be_int_max",
	AccountFlagsAreMutuallyExclusive:            "flags_are_mutually_exclusive",
	AccountDebitsPendingMustBeZero:              "debits_pending_must_be_zero",
	AccountDebitsPostedMustBeZero:               "debits_posted_must_be_zero",
	AccountCreditsPendingMustBeZero:             "credits_pending_must_be_zero",
	AccountCreditsPostedMustBeZero:              "credits_posted_must_be_zero",
	AccountLedgerMustNotBeZero:                  "ledger_must_not_be_zero",
	AccountCodeMustNotBeZero:                    "code_must_not_be_zero",
	AccountExistsWithDifferentFlags:             "exists_with_different_flags",
	AccountExistsWithDifferentUserData128:       "exists_with_different_user_data_128",
	AccountExistsWithDifferentUserData64:        "exists_with_different_user_data_64",
	AccountExistsWithDifferentUserData32:        "exists_with_different_user_data_32",
	AccountExistsWithDifferentLedger:            "exists_with_different_ledger",
	AccountExistsWithDifferentCode:              "exists_with_different_code",
	AccountExists:                               "exists",
	AccountImportedEventExpected:                "imported_event_expected",
	AccountImportedEventNotExpected:             "imported_event_not_expected",
	AccountImportedEventTimestampOutOfRange:     "imported_event_timestamp_out_of_range",
	AccountImportedEventTimestampMustNotAdvance: "imported_event_timestamp_must_not_advance",
	AccountImportedEventTimestampMustNotRegress: "imported_event_timestamp_must_not_regress",
}

// String returns the name that PROTOCOL.md section 16 gives the status.
func (s CreateAccountStatus) String() string {
	if s == AccountCreated {
		return "created"
	}
	if s < CreateAccountStatus(len(createAccountStatusNames)) && createAccountStatusNames[s] != "" {
		return createAccountStatusNames[s]
	}
	return fmt.Sprintf("status %d", uint32(s))
}
