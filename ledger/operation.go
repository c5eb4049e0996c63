package ledger

import "fmt"

// Operation is what a request asks of the ledger (PROTOCOL.md section 12.1).
type Operation uint8

// The operations. Those named Unbatched and Sparse are deprecated forms, kept
// for clients older than 0.17.
const (
	// OperationPulse expires pending transfers that are due. It is internal:
	// a client that sends it is refused.
	OperationPulse Operation = 4

	OperationCreateAccountsUnbatched      Operation = 129
	OperationCreateTransfersUnbatched     Operation = 130
	OperationLookupAccountsUnbatched      Operation = 131
	OperationLookupTransfersUnbatched     Operation = 132
	OperationGetAccountTransfersUnbatched Operation = 133
	OperationGetAccountBalancesUnbatched  Operation = 134
	OperationQueryAccountsUnbatched       Operation = 135
	OperationQueryTransfersUnbatched      Operation = 136
	OperationGetChangeEvents              Operation = 137
	OperationCreateAccountsSparse         Operation = 138
	OperationCreateTransfersSparse        Operation = 139
	OperationLookupAccounts               Operation = 140
	OperationLookupTransfers              Operation = 141
	OperationGetAccountTransfers          Operation = 142
	OperationGetAccountBalances           Operation = 143
	OperationQueryAccounts                Operation = 144
	OperationQueryTransfers               Operation = 145
	OperationCreateAccounts               Operation = 146
	OperationCreateTransfers              Operation = 147
)

// String returns the operation's name in PROTOCOL.md section 12.1, with
// "_unbatched" or "_sparse" after those of deprecated forms.
func (o Operation) String() string {
	switch o {
	case OperationPulse:
		return "pulse"
	case OperationCreateAccountsUnbatched:
		return "create_accounts_unbatched"
	case OperationCreateTransfersUnbatched:
		return "create_transfers_unbatched"
	case OperationLookupAccountsUnbatched:
		return "lookup_accounts_unbatched"
	case OperationLookupTransfersUnbatched:
		return "lookup_transfers_unbatched"
	case OperationGetAccountTransfersUnbatched:
		return "get_account_transfers_unbatched"
	case OperationGetAccountBalancesUnbatched:
		return "get_account_balances_unbatched"
	case OperationQueryAccountsUnbatched:
		return "query_accounts_unbatched"
	case OperationQueryTransfersUnbatched:
		return "query_transfers_unbatched"
	case OperationGetChangeEvents:
		return "get_change_events"
	case OperationCreateAccountsSparse:
		return "create_accounts_sparse"
	case OperationCreateTransfersSparse:
		return "create_transfers_sparse"
	case OperationLookupAccounts:
		return "lookup_accounts"
	case OperationLookupTransfers:
		return "lookup_transfers"
	case OperationGetAccountTransfers:
		return "get_account_transfers"
	case OperationGetAccountBalances:
		return "get_account_balances"
	case OperationQueryAccounts:
		return "query_accounts"
	case OperationQueryTransfers:
		return "query_transfers"
	case OperationCreateAccounts:
		return "create_accounts"
	case OperationCreateTransfers:
		return "create_transfers"
	}
	return fmt.Sprintf("operation %d", uint8(o))
}
