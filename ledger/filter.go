package ledger

import (
	"encoding/binary"

	"github.com/ledgerd/ledgerd/internal/u128"
)

// AccountFilterFlags are the flags of an AccountFilter.
type AccountFilterFlags uint32

// The account filter flags. At least one of the first two must be set.
const (
	AccountFilterDebits   AccountFilterFlags = 1 << iota // transfers that debit the account
	AccountFilterCredits                                 // transfers that credit the account
	AccountFilterReversed                                // newest first

	accountFilterFlagsKnown = 1<<iota - 1
)

// AccountFilterSize is the encoded size of an AccountFilter in bytes.
const AccountFilterSize = 128

// AccountFilter selects transfers of one account. A zero field is no
// condition; both timestamp bounds are inclusive.
//
//	offset size field              offset size field
//	     0   16 account_id             104    8 timestamp_min
//	    16   16 user_data_128          112    8 timestamp_max
//	    32    8 user_data_64           120    4 limit
//	    40    4 user_data_32           124    4 flags
//	    44    2 code
//	    46   58 reserved, zero
//
// PROTOCOL.md section 14.6.
type AccountFilter struct {
	AccountID    Uint128
	UserData128  Uint128
	UserData64   uint64
	UserData32   uint32
	Code         uint16
	Reserved     [58]byte
	TimestampMin uint64
	TimestampMax uint64
	Limit        uint32
	Flags        AccountFilterFlags
}

// Decode reads f from the first AccountFilterSize bytes of b.
func (f *AccountFilter) Decode(b []byte) {
	_ = b[AccountFilterSize-1]
	f.AccountID = u128.FromBytes(b[0:])
	f.UserData128 = u128.FromBytes(b[16:])
	f.UserData64 = binary.LittleEndian.Uint64(b[32:])
	f.UserData32 = binary.LittleEndian.Uint32(b[40:])
	f.Code = binary.LittleEndian.Uint16(b[44:])
	copy(f.Reserved[:], b[46:])
	f.TimestampMin = binary.LittleEndian.Uint64(b[104:])
	f.TimestampMax = binary.LittleEndian.Uint64(b[112:])
	f.Limit = binary.LittleEndian.Uint32(b[120:])
	f.Flags = AccountFilterFlags(binary.LittleEndian.Uint32(b[124:]))
}

// Encode writes f into the first AccountFilterSize bytes of b.
func (f *AccountFilter) Encode(b []byte) {
	_ = b[AccountFilterSize-1]
	f.AccountID.PutBytes(b[0:])
	f.UserData128.PutBytes(b[16:])
	binary.LittleEndian.PutUint64(b[32:], f.UserData64)
	binary.LittleEndian.PutUint32(b[40:], f.UserData32)
	binary.LittleEndian.PutUint16(b[44:], f.Code)
	copy(b[46:104], f.Reserved[:])
	binary.LittleEndian.PutUint64(b[104:], f.TimestampMin)
	binary.LittleEndian.PutUint64(b[112:], f.TimestampMax)
	binary.LittleEndian.PutUint32(b[120:], f.Limit)
	binary.LittleEndian.PutUint32(b[124:], uint32(f.Flags))
}

// Valid reports whether f selects anything at all; an invalid filter gives an
// empty result (SEMANTICS.md section 12.1).
func (f *AccountFilter) Valid() bool {
	return !f.AccountID.IsZero() && !f.AccountID.IsMax() &&
		rangeValid(f.TimestampMin, f.TimestampMax) &&
		f.Limit != 0 &&
		f.Flags&(AccountFilterDebits|AccountFilterCredits) != 0 &&
		f.Flags&^accountFilterFlagsKnown == 0 &&
		f.Reserved == [58]byte{}
}

// QueryFilterFlags are the flags of a QueryFilter.
type QueryFilterFlags uint32

// The query filter flags.
const (
	QueryFilterReversed QueryFilterFlags = 1 << iota // newest first

	queryFilterFlagsKnown = 1<<iota - 1
)

// QueryFilterSize is the encoded size of a QueryFilter in bytes.
const QueryFilterSize = 64

// QueryFilter selects accounts or transfers. A zero field is no condition;
// both timestamp bounds are inclusive.
//
//	offset size field              offset size field
//	     0   16 user_data_128           40    8 timestamp_min
//	    16    8 user_data_64            48    8 timestamp_max
//	    24    4 user_data_32            56    4 limit
//	    28    4 ledger                  60    4 flags
//	    32    2 code
//	    34    6 reserved, zero
//
// PROTOCOL.md section 14.7.
type QueryFilter struct {
	UserData128  Uint128
	UserData64   uint64
	UserData32   uint32
	Ledger       uint32
	Code         uint16
	Reserved     [6]byte
	TimestampMin uint64
	TimestampMax uint64
	Limit        uint32
	Flags        QueryFilterFlags
}

// Decode reads f from the first QueryFilterSize bytes of b.
func (f *QueryFilter) Decode(b []byte) {
	_ = b[QueryFilterSize-1]
	f.UserData128 = u128.FromBytes(b[0:])
	f.UserData64 = binary.LittleEndian.Uint64(b[16:])
	f.UserData32 = binary.LittleEndian.Uint32(b[24:])
	f.Ledger = binary.LittleEndian.Uint32(b[28:])
	f.Code = binary.LittleEndian.Uint16(b[32:])
	copy(f.Reserved[:], b[34:])
	f.TimestampMin = binary.LittleEndian.Uint64(b[40:])
	f.TimestampMax = binary.LittleEndian.Uint64(b[48:])
	f.Limit = binary.LittleEndian.Uint32(b[56:])
	f.Flags = QueryFilterFlags(binary.LittleEndian.Uint32(b[60:]))
}

// Encode writes f into the first QueryFilterSize bytes of b.
func (f *QueryFilter) Encode(b []byte) {
	_ = b[QueryFilterSize-1]
	f.UserData128.PutBytes(b[0:])
	binary.LittleEndian.PutUint64(b[16:], f.UserData64)
	binary.LittleEndian.PutUint32(b[24:], f.UserData32)
	binary.LittleEndian.PutUint32(b[28:], f.Ledger)
	binary.LittleEndian.PutUint16(b[32:], f.Code)
	copy(b[34:40], f.Reserved[:])
	binary.LittleEndian.PutUint64(b[40:], f.TimestampMin)
	binary.LittleEndian.PutUint64(b[48:], f.TimestampMax)
	binary.LittleEndian.PutUint32(b[56:], f.Limit)
	binary.LittleEndian.PutUint32(b[60:], uint32(f.Flags))
}

// Valid reports whether f selects anything at all; an invalid filter gives an
// empty result (SEMANTICS.md section 13).
func (f *QueryFilter) Valid() bool {
	return rangeValid(f.TimestampMin, f.TimestampMax) &&
		f.Limit != 0 &&
		f.Flags&^queryFilterFlagsKnown == 0 &&
		f.Reserved == [6]byte{}
}

// ChangeEventsFilterSize is the encoded size of a ChangeEventsFilter in bytes.
const ChangeEventsFilterSize = 64

// ChangeEventsFilter selects change events by time; both bounds are inclusive
// and 0 is no bound.
//
//	offset size field
//	     0    8 timestamp_min
//	     8    8 timestamp_max
//	    16    4 limit
//	    20   44 reserved, zero
//
// PROTOCOL.md section 14.8.
type ChangeEventsFilter struct {
	TimestampMin uint64
	TimestampMax uint64
	Limit        uint32
	Reserved     [44]byte
}

// Decode reads f from the first ChangeEventsFilterSize bytes of b.
func (f *ChangeEventsFilter) Decode(b []byte) {
	_ = b[ChangeEventsFilterSize-1]
	f.TimestampMin = binary.LittleEndian.Uint64(b[0:])
	f.TimestampMax = binary.LittleEndian.Uint64(b[8:])
	f.Limit = binary.LittleEndian.Uint32(b[16:])
	copy(f.Reserved[:], b[20:])
}

// Encode writes f into the first ChangeEventsFilterSize bytes of b.
func (f *ChangeEventsFilter) Encode(b []byte) {
	_ = b[ChangeEventsFilterSize-1]
	binary.LittleEndian.PutUint64(b[0:], f.TimestampMin)
	binary.LittleEndian.PutUint64(b[8:], f.TimestampMax)
	binary.LittleEndian.PutUint32(b[16:], f.Limit)
	copy(b[20:ChangeEventsFilterSize], f.Reserved[:])
}

// Valid reports whether f selects anything at all; an invalid filter gives an
// empty result (SEMANTICS.md section 14).
func (f *ChangeEventsFilter) Valid() bool {
	return rangeValid(f.TimestampMin, f.TimestampMax) &&
		f.Limit != 0 &&
		f.Reserved == [44]byte{}
}

// rangeValid judges the timestamp bounds of a filter, where 0 means "none".
func rangeValid(low, high uint64) bool {
	return low <= TimestampMax && high <= TimestampMax && (high == 0 || low <= high)
}
