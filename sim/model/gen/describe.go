package gen

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/ledgerd/ledgerd/ledger"
)

// family is the number of an operation without regard to its form: 146 for
// every way to create accounts.
func family(operation ledger.Operation) ledger.Operation {
	switch operation {
	case ledger.OperationCreateAccountsUnbatched, ledger.OperationCreateAccountsSparse:
		return ledger.OperationCreateAccounts
	case ledger.OperationCreateTransfersUnbatched, ledger.OperationCreateTransfersSparse:
		return ledger.OperationCreateTransfers
	}
	if operation >= ledger.OperationLookupAccountsUnbatched && operation <= ledger.OperationQueryTransfersUnbatched {
		return operation + (ledger.OperationLookupAccounts - ledger.OperationLookupAccountsUnbatched)
	}
	return operation
}

// multiBatch reports whether bodies end with a multi-batch trailer.
func multiBatch(operation ledger.Operation) bool {
	return operation >= ledger.OperationCreateAccountsSparse && operation <= ledger.OperationCreateTransfers
}

func eventSize(operation ledger.Operation) int {
	switch family(operation) {
	case ledger.OperationCreateAccounts:
		return ledger.AccountSize
	case ledger.OperationCreateTransfers:
		return ledger.TransferSize
	case ledger.OperationLookupAccounts, ledger.OperationLookupTransfers:
		return idSize
	case ledger.OperationGetAccountTransfers, ledger.OperationGetAccountBalances:
		return ledger.AccountFilterSize
	case ledger.OperationQueryAccounts, ledger.OperationQueryTransfers:
		return ledger.QueryFilterSize
	case ledger.OperationGetChangeEvents:
		return ledger.ChangeEventsFilterSize
	}
	return 0
}

func resultSize(operation ledger.Operation) int {
	switch operation {
	case ledger.OperationCreateAccounts, ledger.OperationCreateTransfers:
		return ledger.CreateResultSize
	case ledger.OperationCreateAccountsSparse, ledger.OperationCreateAccountsUnbatched,
		ledger.OperationCreateTransfersSparse, ledger.OperationCreateTransfersUnbatched:
		return ledger.CreateErrorResultSize
	case ledger.OperationGetChangeEvents:
		return ledger.ChangeEventSize
	}
	return ledger.TransferSize // and accounts and balances
}

// record is any of package ledger's.
type record interface{ Decode(b []byte) }

// describeEvent shows the first event of b.
func describeEvent(operation ledger.Operation, b []byte) string {
	switch family(operation) {
	case ledger.OperationCreateAccounts:
		return show(&ledger.Account{}, b)
	case ledger.OperationCreateTransfers:
		return show(&ledger.Transfer{}, b)
	case ledger.OperationGetAccountTransfers, ledger.OperationGetAccountBalances:
		return show(&ledger.AccountFilter{}, b)
	case ledger.OperationQueryAccounts, ledger.OperationQueryTransfers:
		return show(&ledger.QueryFilter{}, b)
	case ledger.OperationGetChangeEvents:
		return show(&ledger.ChangeEventsFilter{}, b)
	}
	return fmt.Sprintf("%x", b[:idSize]) // of a lookup
}

// describeResult shows one result of a reply; past the last result there is
// the trailer, or nothing.
func describeResult(operation ledger.Operation, reply []byte, index int) string {
	size := resultSize(operation)
	if len(reply) < (index+1)*size {
		return fmt.Sprintf("%x (no whole result)", reply[min(len(reply), index*size):])
	}
	b := reply[index*size:]
	if size == ledger.CreateErrorResultSize {
		return show(&ledger.CreateErrorResult{}, b)
	}
	switch family(operation) {
	case ledger.OperationCreateAccounts:
		return show(&ledger.CreateAccountResult{}, b)
	case ledger.OperationCreateTransfers:
		return show(&ledger.CreateTransferResult{}, b)
	case ledger.OperationLookupAccounts, ledger.OperationQueryAccounts:
		return show(&ledger.Account{}, b)
	case ledger.OperationGetAccountBalances:
		return show(&ledger.AccountBalance{}, b)
	case ledger.OperationGetChangeEvents:
		return show(&ledger.ChangeEvent{}, b)
	}
	return show(&ledger.Transfer{}, b)
}

// show decodes b into r and lists the fields that are not zero.
func show(r record, b []byte) string {
	r.Decode(b)
	v := reflect.ValueOf(r).Elem()
	var fields []string
	for i := range v.NumField() {
		if !v.Field(i).IsZero() {
			fields = append(fields, fmt.Sprintf("%s:%v", v.Type().Field(i).Name, v.Field(i).Interface()))
		}
	}
	return "{" + strings.Join(fields, " ") + "}"
}
