package ledger

import (
	"encoding/binary"

	"github.com/ledgerd/ledgerd/internal/u128"
)

// TransferFlags are the flags of a transfer.
type TransferFlags uint16

// The transfer flags; SEMANTICS.md section 2.2 has the legal combinations.
const (
	TransferLinked              TransferFlags = 1 << iota // chained to the next event of the batch
	TransferPending                                       // first phase: reserves the amount
	TransferPostPendingTransfer                           // second phase: moves what was reserved, or part of it
	TransferVoidPendingTransfer                           // second phase: releases what was reserved
	TransferBalancingDebit                                // clamp the amount to what the debit account has left
	TransferBalancingCredit                               // clamp the amount to what the credit account has left
	TransferClosingDebit                                  // also close the debit account; needs TransferPending
	TransferClosingCredit                                 // also close the credit account; needs TransferPending
	TransferImported                                      // the client gives the timestamp

	transferFlagsKnown = 1<<iota - 1
)

// TransferSize is the encoded size of a Transfer in bytes.
const TransferSize = 128

// Transfer is one transfer as clients write and read it. Timeout is in
// seconds; the zero UserData means "none", or "inherit" in a post or void.
//
//	offset size field              offset size field
//	     0   16 id                      96    8 user_data_64
//	    16   16 debit_account_id       104    4 user_data_32
//	    32   16 credit_account_id      108    4 timeout
//	    48   16 amount                 112    4 ledger
//	    64   16 pending_id             116    2 code
//	    80   16 user_data_128          118    2 flags
//	                                   120    8 timestamp
//
// PROTOCOL.md section 14.2, SEMANTICS.md section 2.2.
type Transfer struct {
	ID              Uint128
	DebitAccountID  Uint128
	CreditAccountID Uint128
	Amount          Uint128
	PendingID       Uint128
	UserData128     Uint128
	UserData64      uint64
	UserData32      uint32
	Timeout         uint32
	Ledger          uint32
	Code            uint16
	Flags           TransferFlags
	Timestamp       uint64
}

// Decode reads t from the first TransferSize bytes of b. Any bytes decode; it
// panics if b is shorter.
func (t *Transfer) Decode(b []byte) {
	_ = b[TransferSize-1]
	t.ID = u128.FromBytes(b[0:])
	t.DebitAccountID = u128.FromBytes(b[16:])
	t.CreditAccountID = u128.FromBytes(b[32:])
	t.Amount = u128.FromBytes(b[48:])
	t.PendingID = u128.FromBytes(b[64:])
	t.UserData128 = u128.FromBytes(b[80:])
	t.UserData64 = binary.LittleEndian.Uint64(b[96:])
	t.UserData32 = binary.LittleEndian.Uint32(b[104:])
	t.Timeout = binary.LittleEndian.Uint32(b[108:])
	t.Ledger = binary.LittleEndian.Uint32(b[112:])
	t.Code = binary.LittleEndian.Uint16(b[116:])
	t.Flags = TransferFlags(binary.LittleEndian.Uint16(b[118:]))
	t.Timestamp = binary.LittleEndian.Uint64(b[120:])
}

// Encode writes t into the first TransferSize bytes of b.
func (t *Transfer) Encode(b []byte) {
	_ = b[TransferSize-1]
	t.ID.PutBytes(b[0:])
	t.DebitAccountID.PutBytes(b[16:])
	t.CreditAccountID.PutBytes(b[32:])
	t.Amount.PutBytes(b[48:])
	t.PendingID.PutBytes(b[64:])
	t.UserData128.PutBytes(b[80:])
	binary.LittleEndian.PutUint64(b[96:], t.UserData64)
	binary.LittleEndian.PutUint32(b[104:], t.UserData32)
	binary.LittleEndian.PutUint32(b[108:], t.Timeout)
	binary.LittleEndian.PutUint32(b[112:], t.Ledger)
	binary.LittleEndian.PutUint16(b[116:], t.Code)
	binary.LittleEndian.PutUint16(b[118:], uint16(t.Flags))
	binary.LittleEndian.PutUint64(b[120:], t.Timestamp)
}

// Append appends the encoded t to dst.
func (t *Transfer) Append(dst []byte) []byte {
	n := len(dst)
	dst = append(dst, make([]byte, TransferSize)...)
	t.Encode(dst[n:])
	return dst
}
