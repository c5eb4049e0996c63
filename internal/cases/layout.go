package cases

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// field is a little-endian unsigned integer of a record; reserved bytes count
// as one, however many there are.
type field struct {
	name         string
	offset, size int
}

// isTimestamp reports whether the value is written as a label in the cases.
func (f field) isTimestamp() bool {
	return f.name == "timestamp" || strings.HasSuffix(f.name, "_timestamp") || strings.HasPrefix(f.name, "timestamp_")
}

// put encodes value, which must fit.
func (f field) put(record []byte, value *big.Int) error {
	if value.Sign() < 0 || value.BitLen() > 8*f.size {
		return fmt.Errorf("%s does not fit %d bytes: %v", f.name, f.size, value)
	}
	bytes := value.FillBytes(make([]byte, f.size))
	slices.Reverse(bytes)
	copy(record[f.offset:], bytes)
	return nil
}

func (f field) value(record []byte) *big.Int {
	bytes := slices.Clone(record[f.offset : f.offset+f.size])
	slices.Reverse(bytes)
	return new(big.Int).SetBytes(bytes)
}

// layout describes a record whose fields follow each other without gaps.
type layout struct {
	size   int
	fields []field
}

// newLayout reads a list of name:size pairs.
func newLayout(description string) layout {
	var l layout
	for _, word := range strings.Fields(description) {
		name, sizeText, _ := strings.Cut(word, ":")
		var size int
		if _, err := fmt.Sscan(sizeText, &size); err != nil {
			panic("cases: layout " + word)
		}
		l.fields = append(l.fields, field{name, l.size, size})
		l.size += size
	}
	return l
}

// The records of PROTOCOL.md section 14, first field first.
var (
	layoutID      = newLayout("id:16")
	layoutAccount = newLayout(`id:16 debits_pending:16 debits_posted:16 credits_pending:16 credits_posted:16
		user_data_128:16 user_data_64:8 user_data_32:4 reserved:4 ledger:4 code:2 flags:2 timestamp:8`)
	layoutTransfer = newLayout(`id:16 debit_account_id:16 credit_account_id:16 amount:16 pending_id:16
		user_data_128:16 user_data_64:8 user_data_32:4 timeout:4 ledger:4 code:2 flags:2 timestamp:8`)
	layoutCreateResult   = newLayout("timestamp:8 status:4 reserved:4")
	layoutAccountBalance = newLayout(`debits_pending:16 debits_posted:16 credits_pending:16 credits_posted:16
		timestamp:8 reserved:56`)
	layoutAccountFilter = newLayout(`account_id:16 user_data_128:16 user_data_64:8 user_data_32:4 code:2 reserved:58
		timestamp_min:8 timestamp_max:8 limit:4 flags:4`)
	layoutQueryFilter = newLayout(`user_data_128:16 user_data_64:8 user_data_32:4 ledger:4 code:2 reserved:6
		timestamp_min:8 timestamp_max:8 limit:4 flags:4`)
	layoutChangeEventsFilter = newLayout("timestamp_min:8 timestamp_max:8 limit:4 reserved:44")
	layoutChangeEvent        = newLayout(`transfer_id:16 transfer_amount:16 transfer_pending_id:16
		transfer_user_data_128:16 transfer_user_data_64:8 transfer_user_data_32:4 transfer_timeout:4
		transfer_code:2 transfer_flags:2 ledger:4 type:1 reserved:39
		debit_account_id:16 debit_account_debits_pending:16 debit_account_debits_posted:16
		debit_account_credits_pending:16 debit_account_credits_posted:16 debit_account_user_data_128:16
		debit_account_user_data_64:8 debit_account_user_data_32:4 debit_account_code:2 debit_account_flags:2
		credit_account_id:16 credit_account_debits_pending:16 credit_account_debits_posted:16
		credit_account_credits_pending:16 credit_account_credits_posted:16 credit_account_user_data_128:16
		credit_account_user_data_64:8 credit_account_user_data_32:4 credit_account_code:2 credit_account_flags:2
		timestamp:8 transfer_timestamp:8 debit_account_timestamp:8 credit_account_timestamp:8`)
)
