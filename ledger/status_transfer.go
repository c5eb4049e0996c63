package ledger

import "fmt"

// CreateTransferStatus is the outcome of one create_transfers event
// (PROTOCOL.md section 16.2). The numbers say nothing about precedence: that is
// the order of the checks in SEMANTICS.md sections 7 and 8.
type CreateTransferStatus uint32

// The statuses of create_transfers. Numbers are append-only; 0 is never sent.
const (
	TransferLinkedEventFailed                               CreateTransferStatus = 1
	TransferLinkedEventChainOpen                            CreateTransferStatus = 2
	TransferTimestampMustBeZero                             CreateTransferStatus = 3
	TransferReservedFlag                                    CreateTransferStatus = 4
	TransferIDMustNotBeZero                                 CreateTransferStatus = 5
	TransferIDMustNotBeIntMax                               CreateTransferStatus = 6
	TransferFlagsAreMutuallyExclusive                       CreateTransferStatus = 7
	TransferDebitAccountIDMustNotBeZero                     CreateTransferStatus = 8
	TransferDebitAccountIDMustNotBeIntMax                   CreateTransferStatus = 9
	TransferCreditAccountIDMustNotBeZero                    CreateTransferStatus = 10
	TransferCreditAccountIDMustNotBeIntMax                  CreateTransferStatus = 11
	TransferAccountsMustBeDifferent                         CreateTransferStatus = 12
	TransferPendingIDMustBeZero                             CreateTransferStatus = 13
	TransferPendingIDMustNotBeZero                          CreateTransferStatus = 14
	TransferPendingIDMustNotBeIntMax                        CreateTransferStatus = 15
	TransferPendingIDMustBeDifferent                        CreateTransferStatus = 16
	TransferTimeoutReservedForPendingTransfer               CreateTransferStatus = 17
	TransferLedgerMustNotBeZero                             CreateTransferStatus = 19
	TransferCodeMustNotBeZero                               CreateTransferStatus = 20
	TransferDebitAccountNotFound                            CreateTransferStatus = 21
	TransferCreditAccountNotFound                           CreateTransferStatus = 22
	TransferAccountsMustHaveTheSameLedger                   CreateTransferStatus = 23
	TransferTransferMustHaveTheSameLedgerAsAccounts         CreateTransferStatus = 24
	TransferPendingTransferNotFound                         CreateTransferStatus = 25
	TransferPendingTransferNotPending                       CreateTransferStatus = 26
	TransferPendingTransferHasDifferentDebitAccountID       CreateTransferStatus = 27
	TransferPendingTransferHasDifferentCreditAccountID      CreateTransferStatus = 28
	TransferPendingTransferHasDifferentLedger               CreateTransferStatus = 29
	TransferPendingTransferHasDifferentCode                 CreateTransferStatus = 30
	TransferExceedsPendingTransferAmount                    CreateTransferStatus = 31
	TransferPendingTransferHasDifferentAmount               CreateTransferStatus = 32
	TransferPendingTransferAlreadyPosted                    CreateTransferStatus = 33
	TransferPendingTransferAlreadyVoided                    CreateTransferStatus = 34
	TransferPendingTransferExpired                          CreateTransferStatus = 35
	TransferExistsWithDifferentFlags                        CreateTransferStatus = 36
	TransferExistsWithDifferentDebitAccountID               CreateTransferStatus = 37
	TransferExistsWithDifferentCreditAccountID              CreateTransferStatus = 38
	TransferExistsWithDifferentAmount                       CreateTransferStatus = 39
	TransferExistsWithDifferentPendingID                    CreateTransferStatus = 40
	TransferExistsWithDifferentUserData128                  CreateTransferStatus = 41
	TransferExistsWithDifferentUserData64                   CreateTransferStatus = 42
	TransferExistsWithDifferentUserData32                   CreateTransferStatus = 43
	TransferExistsWithDifferentTimeout                      CreateTransferStatus = 44
	TransferExistsWithDifferentCode                         CreateTransferStatus = 45
	TransferExists                                          CreateTransferStatus = 46
	TransferOverflowsDebitsPending                          CreateTransferStatus = 47
	TransferOverflowsCreditsPending                         CreateTransferStatus = 48
	TransferOverflowsDebitsPosted                           CreateTransferStatus = 49
	TransferOverflowsCreditsPosted                          CreateTransferStatus = 50
	TransferOverflowsDebits                                 CreateTransferStatus = 51
	TransferOverflowsCredits                                CreateTransferStatus = 52
	TransferOverflowsTimeout                                CreateTransferStatus = 53
	TransferExceedsCredits                                  CreateTransferStatus = 54
	TransferExceedsDebits                                   CreateTransferStatus = 55
	TransferImportedEventExpected                           CreateTransferStatus = 56
	TransferImportedEventNotExpected                        CreateTransferStatus = 57
	TransferImportedEventTimestampOutOfRange                CreateTransferStatus = 58
	TransferImportedEventTimestampMustNotAdvance            CreateTransferStatus = 59
	TransferImportedEventTimestampMustNotRegress            CreateTransferStatus = 60
	TransferImportedEventTimestampMustPostdateDebitAccount  CreateTransferStatus = 61
	TransferImportedEventTimestampMustPostdateCreditAccount CreateTransferStatus = 62
	TransferImportedEventTimeoutMustBeZero                  CreateTransferStatus = 63
	TransferClosingTransferMustBePending                    CreateTransferStatus = 64
	TransferDebitAccountAlreadyClosed                       CreateTransferStatus = 65
	TransferCreditAccountAlreadyClosed                      CreateTransferStatus = 66
	TransferExistsWithDifferentLedger                       CreateTransferStatus = 67
	TransferIDAlreadyFailed                                 CreateTransferStatus = 68

	// TransferCreated is the only status that changes the ledger.
	TransferCreated CreateTransferStatus = 1<<32 - 1
)

var createTransferStatusNames = [...]string{
	TransferLinkedEventFailed:                               "linked_event_failed",
	TransferLinkedEventChainOpen:                            "linked_event_chain_open",
	TransferTimestampMustBeZero:                             "timestamp_must_be_zero",
	TransferReservedFlag:                                    "reserved_flag",
	TransferIDMustNotBeZero:                                 "id_must_not_be_zero",
	TransferIDMustNotBeIntMax:                               "id_must_not_be_int_max",
	TransferFlagsAreMutuallyExclusive:                       "flags_are_mutually_exclusive",
	TransferDebitAccountIDMustNotBeZero:                     "debit_account_id_must_not_be_zero",
	TransferDebitAccountIDMustNotBeIntMax:                   "debit_account_id_must_not_be_int_max",
	TransferCreditAccountIDMustNotBeZero:                    "credit_account_id_must_not_be_zero",
	TransferCreditAccountIDMustNotBeIntMax:                  "credit_account_id_must_not_be_int_max",
	TransferAccountsMustBeDifferent:                         "accounts_must_be_different",
	TransferPendingIDMustBeZero:                             "pending_id_must_be_zero",
	TransferPendingIDMustNotBeZero:                          "pending_id_must_not_be_zero",
	TransferPendingIDMustNotBeIntMax:                        "pending_id_must_not_be_int_max",
	TransferPendingIDMustBeDifferent:                        "pending_id_must_be_different",
	TransferTimeoutReservedForPendingTransfer:               "timeout_reserved_for_pending_transfer",
	TransferLedgerMustNotBeZero:                             "ledger_must_not_be_zero",
	TransferCodeMustNotBeZero:                               "code_must_not_be_zero",
	TransferDebitAccountNotFound:                            "debit_account_not_found",
	TransferCreditAccountNotFound:                           "credit_account_not_found",
	TransferAccountsMustHaveTheSameLedger:                   "accounts_must_have_the_same_ledger",
	TransferTransferMustHaveTheSameLedgerAsAccounts:         "transfer_must_have_the_same_ledger_as_accounts",
	TransferPendingTransferNotFound:                         "pending_transfer_not_found",
	TransferPendingTransferNotPending:                       "pending_transfer_not_pending",
	TransferPendingTransferHasDifferentDebitAccountID:       "pending_transfer_has_different_debit_account_id",
	TransferPendingTransferHasDifferentCreditAccountID:      "pending_transfer_has_different_credit_account_id",
	TransferPendingTransferHasDifferentLedger:               "pending_transfer_has_different_ledger",
	TransferPendingTransferHasDifferentCode:                 "pending_transfer_has_different_code",
	TransferExceedsPendingTransferAmount:                    "exceeds_pending_transfer_amount",
	TransferPendingTransferHasDifferentAmount:               "pending_transfer_has_different_amount",
	TransferPendingTransferAlreadyPosted:                    "pending_transfer_already_posted",
	TransferPendingTransferAlreadyVoided:                    "pending_transfer_already_voided",
	TransferPendingTransferExpired:                          "pending_transfer_expired",
	TransferExistsWithDifferentFlags:                        "exists_with_different_flags",
	TransferExistsWithDifferentDebitAccountID:               "exists_with_different_debit_account_id",
	TransferExistsWithDifferentCreditAccountID:              "exists_with_different_credit_account_id",
	TransferExistsWithDifferentAmount:                       "exists_with_different_amount",
	TransferExistsWithDifferentPendingID:                    "exists_with_different_pending_id",
	TransferExistsWithDifferentUserData128:                  "exists_with_different_user_data_128",
	TransferExistsWithDifferentUserData64:                   "exists_with_different_user_data_64",
	TransferExistsWithDifferentUserData32:                   "exists_with_different_user_data_32",
	TransferExistsWithDifferentTimeout:                      "exists_with_different_timeout",
	TransferExistsWithDifferentCode:                         "exists_with_different_code",
	TransferExists:                                          "exists",
	TransferOverflowsDebitsPending:                          "overflows_debits_pending",
	TransferOverflowsCreditsPending:                         "overflows_credits_pending",
	TransferOverflowsDebitsPosted:                           "overflows_debits_posted",
	TransferOverflowsCreditsPosted:                          "overflows_credits_posted",
	TransferOverflowsDebits:                                 "overflows_debits",
	TransferOverflowsCredits:                                "overflows_credits",
	TransferOverflowsTimeout:                                "overflows_timeout",
	TransferExceedsCredits:                                  "exceeds_credits",
	TransferExceedsDebits:                                   "exceeds_debits",
	TransferImportedEventExpected:                           "imported_event_expected",
	TransferImportedEventNotExpected:                        "imported_event_not_expected",
	TransferImportedEventTimestampOutOfRange:                "imported_event_timestamp_out_of_range",
	TransferImportedEventTimestampMustNotAdvance:            "imported_event_timestamp_must_not_advance",
	TransferImportedEventTimestampMustNotRegress:            "imported_event_timestamp_must_not_regress",
	TransferImportedEventTimestampMustPostdateDebitAccount:  "imported_event_timestamp_must_postdate_debit_account",
	TransferImportedEventTimestampMustPostdateCreditAccount: "imported_event_timestamp_must_postdate_credit_account",
	TransferImportedEventTimeoutMustBeZero:                  "imported_event_timeout_must_be_zero",
	TransferClosingTransferMustBePending:                    "closing_transfer_must_be_pending",
	TransferDebitAccountAlreadyClosed:                       "debit_account_already_closed",
	TransferCreditAccountAlreadyClosed:                      "credit_account_already_closed",
	TransferExistsWithDifferentLedger:                       "exists_with_different_ledger",
	TransferIDAlreadyFailed:                                 "id_already_failed",
}

// String returns the name that PROTOCOL.md section 16 gives the status.
func (s CreateTransferStatus) String() string {
	if s == TransferCreated {
		return "created"
	}
	if s < CreateTransferStatus(len(createTransferStatusNames)) && createTransferStatusNames[s] != "" {
		return createTransferStatusNames[s]
	}
	return fmt.Sprintf("status %d", uint32(s))
}
