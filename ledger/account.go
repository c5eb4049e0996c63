package ledger

import (
	"encoding/binary"

	"github.com/ledgerd/ledgerd/internal/u128"
)

// Uint128 is the type of ids, amounts and balances.
type Uint128 = u128.Uint128

// AmountMax is the largest amount, 2^128-1. As the amount of a post it means
// "all of the pending transfer", with a balancing flag "as much as possible".
var AmountMax = u128.Max

// TimestampMax is the largest valid timestamp: timestamps are nanoseconds
// since the Unix epoch in 1 .. 2^63-1 (SEMANTICS.md section 1).
const TimestampMax = 1<<63 - 1

// AccountFlags are the flags of an account.
type AccountFlags uint16

// The account flags. All are stored as given; the server itself also sets and
// clears AccountClosed.
const (
	AccountLinked                     AccountFlags = 1 << iota // chained to the next event of the batch
	AccountDebitsMustNotExceedCredits                          // refuse debits beyond credits_posted
	AccountCreditsMustNotExceedDebits                          // refuse credits beyond debits_posted
	AccountHistory                                             // get_account_balances works
	AccountImported                                            // the client gives the timestamp
	AccountClosed                                              // takes no more transfers, voids excepted

	accountFlagsKnown = 1<<iota - 1
)

// AccountSize is the encoded size of an Account in bytes.
const AccountSize = 128

// Account is one account as clients write and read it.
//
// To create one, the four balances and Reserved must be zero, and so must
// Timestamp unless the account is imported. The zero UserData means "none".
//
//	offset size field           offset size field
//	     0   16 id                   96    8 user_data_64
//	    16   16 debits_pending      104    4 user_data_32
//	    32   16 debits_posted       108    4 reserved
//	    48   16 credits_pending     112    4 ledger
//	    64   16 credits_posted      116    2 code
//	    80   16 user_data_128       118    2 flags
//	                                120    8 timestamp
//
// PROTOCOL.md section 14.1, SEMANTICS.md section 2.1.
type Account struct {
	ID             Uint128
	DebitsPending  Uint128
	DebitsPosted   Uint128
	CreditsPending Uint128
	CreditsPosted  Uint128
	UserData128    Uint128
	UserData64     uint64
	UserData32     uint32
	Reserved       uint32
	Ledger         uint32
	Code           uint16
	Flags          AccountFlags
	Timestamp      uint64
}

// Decode reads a from the first AccountSize bytes of b. Any bytes decode; it
// panics if b is shorter.
func (a *Account) Decode(b []byte) {
	_ = b[AccountSize-1]
	a.ID = u128.FromBytes(b[0:])
	a.DebitsPending = u128.FromBytes(b[16:])
	a.DebitsPosted = u128.FromBytes(b[32:])
	a.CreditsPending = u128.FromBytes(b[48:])
	a.CreditsPosted = u128.FromBytes(b[64:])
	a.UserData128 = u128.FromBytes(b[80:])
	a.UserData64 = binary.LittleEndian.Uint64(b[96:])
	a.UserData32 = binary.LittleEndian.Uint32(b[104:])
	a.Reserved = binary.LittleEndian.Uint32(b[108:])
	a.Ledger = binary.LittleEndian.Uint32(b[112:])
	a.Code = binary.LittleEndian.Uint16(b[116:])
	a.Flags = AccountFlags(binary.LittleEndian.Uint16(b[118:]))
	a.Timestamp = binary.LittleEndian.Uint64(b[120:])
}

// Encode writes a into the first AccountSize bytes of b.
func (a *Account) Encode(b []byte) {
	_ = b[AccountSize-1]
	a.ID.PutBytes(b[0:])
	a.DebitsPending.PutBytes(b[16:])
	a.DebitsPosted.PutBytes(b[32:])
	a.CreditsPending.PutBytes(b[48:])
	a.CreditsPosted.PutBytes(b[64:])
	a.UserData128.PutBytes(b[80:])
	binary.LittleEndian.PutUint64(b[96:], a.UserData64)
	binary.LittleEndian.PutUint32(b[104:], a.UserData32)
	binary.LittleEndian.PutUint32(b[108:], a.Reserved)
	binary.LittleEndian.PutUint32(b[112:], a.Ledger)
	binary.LittleEndian.PutUint16(b[116:], a.Code)
	binary.LittleEndian.PutUint16(b[118:], uint16(a.Flags))
	binary.LittleEndian.PutUint64(b[120:], a.Timestamp)
}

// Append appends the encoded a to dst.
func (a *Account) Append(dst []byte) []byte {
	n := len(dst)
	dst = append(dst, make([]byte, AccountSize)...)
	a.Encode(dst[n:])
	return dst
}

// AccountBalanceSize is the encoded size of an AccountBalance in bytes.
const AccountBalanceSize = 128

// AccountBalance is what an account held right after the transfer that bears
// the same timestamp.
//
//	offset size field
//	     0   16 debits_pending
//	    16   16 debits_posted
//	    32   16 credits_pending
//	    48   16 credits_posted
//	    64    8 timestamp
//	    72   56 reserved, zero
//
// PROTOCOL.md section 14.5.
type AccountBalance struct {
	DebitsPending  Uint128
	DebitsPosted   Uint128
	CreditsPending Uint128
	CreditsPosted  Uint128
	Timestamp      uint64
	Reserved       [56]byte
}

// Decode reads r from the first AccountBalanceSize bytes of b.
func (r *AccountBalance) Decode(b []byte) {
	_ = b[AccountBalanceSize-1]
	r.DebitsPending = u128.FromBytes(b[0:])
	r.DebitsPosted = u128.FromBytes(b[16:])
	r.CreditsPending = u128.FromBytes(b[32:])
	r.CreditsPosted = u128.FromBytes(b[48:])
	r.Timestamp = binary.LittleEndian.Uint64(b[64:])
	copy(r.Reserved[:], b[72:])
}

// Encode writes r into the first AccountBalanceSize bytes of b.
func (r *AccountBalance) Encode(b []byte) {
	_ = b[AccountBalanceSize-1]
	r.DebitsPending.PutBytes(b[0:])
	r.DebitsPosted.PutBytes(b[16:])
	r.CreditsPending.PutBytes(b[32:])
	r.CreditsPosted.PutBytes(b[48:])
	binary.LittleEndian.PutUint64(b[64:], r.Timestamp)
	copy(b[72:AccountBalanceSize], r.Reserved[:])
}

// Append appends the encoded r to dst.
func (r *AccountBalance) Append(dst []byte) []byte {
	n := len(dst)
	dst = append(dst, make([]byte, AccountBalanceSize)...)
	r.Encode(dst[n:])
	return dst
}
