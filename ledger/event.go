package ledger

import (
	"encoding/binary"

	"github.com/ledgerd/ledgerd/internal/u128"
)

// ChangeEventType says what kind of change a ChangeEvent is.
type ChangeEventType uint8

// The types of change event (PROTOCOL.md section 14.9).
const (
	ChangeEventSinglePhase ChangeEventType = iota
	ChangeEventTwoPhasePending
	ChangeEventTwoPhasePosted
	ChangeEventTwoPhaseVoided
	ChangeEventTwoPhaseExpired
)

// String returns the type's name in PROTOCOL.md section 14.9.
func (t ChangeEventType) String() string {
	switch t {
	case ChangeEventSinglePhase:
		return "single_phase"
	case ChangeEventTwoPhasePending:
		return "two_phase_pending"
	case ChangeEventTwoPhasePosted:
		return "two_phase_posted"
	case ChangeEventTwoPhaseVoided:
		return "two_phase_voided"
	case ChangeEventTwoPhaseExpired:
		return "two_phase_expired"
	}
	return "invalid"
}

// ChangeEventSize is the encoded size of a ChangeEvent in bytes.
const ChangeEventSize = 384

// ChangeEvent tells of one transfer that was created, or of one pending
// transfer that expired, with both accounts as they were right after it.
//
//	offset size field                        offset size field
//	     0   16 transfer_id                     224    8 debit_account_user_data_64
//	    16   16 transfer_amount                 232    4 debit_account_user_data_32
//	    32   16 transfer_pending_id             236    2 debit_account_code
//	    48   16 transfer_user_data_128          238    2 debit_account_flags
//	    64    8 transfer_user_data_64           240   16 credit_account_id
//	    72    4 transfer_user_data_32           256   16 credit_account_debits_pending
//	    76    4 transfer_timeout                272   16 credit_account_debits_posted
//	    80    2 transfer_code                   288   16 credit_account_credits_pending
//	    82    2 transfer_flags                  304   16 credit_account_credits_posted
//	    84    4 ledger                          320   16 credit_account_user_data_128
//	    88    1 type                            336    8 credit_account_user_data_64
//	    89   39 reserved, zero                  344    4 credit_account_user_data_32
//	   128   16 debit_account_id                348    2 credit_account_code
//	   144   16 debit_account_debits_pending    350    2 credit_account_flags
//	   160   16 debit_account_debits_posted     352    8 timestamp
//	   176   16 debit_account_credits_pending   360    8 transfer_timestamp
//	   192   16 debit_account_credits_posted    368    8 debit_account_timestamp
//	   208   16 debit_account_user_data_128     376    8 credit_account_timestamp
//
// PROTOCOL.md section 14.9, SEMANTICS.md section 14.
type ChangeEvent struct {
	TransferID          Uint128
	TransferAmount      Uint128
	TransferPendingID   Uint128
	TransferUserData128 Uint128
	TransferUserData64  uint64
	TransferUserData32  uint32
	TransferTimeout     uint32
	TransferCode        uint16
	TransferFlags       TransferFlags
	Ledger              uint32
	Type                ChangeEventType
	Reserved            [39]byte

	DebitAccountID             Uint128
	DebitAccountDebitsPending  Uint128
	DebitAccountDebitsPosted   Uint128
	DebitAccountCreditsPending Uint128
	DebitAccountCreditsPosted  Uint128
	DebitAccountUserData128    Uint128
	DebitAccountUserData64     uint64
	DebitAccountUserData32     uint32
	DebitAccountCode           uint16
	DebitAccountFlags          AccountFlags

	CreditAccountID             Uint128
	CreditAccountDebitsPending  Uint128
	CreditAccountDebitsPosted   Uint128
	CreditAccountCreditsPending Uint128
	CreditAccountCreditsPosted  Uint128
	CreditAccountUserData128    Uint128
	CreditAccountUserData64     uint64
	CreditAccountUserData32     uint32
	CreditAccountCode           uint16
	CreditAccountFlags          AccountFlags

	Timestamp              uint64
	TransferTimestamp      uint64
	DebitAccountTimestamp  uint64
	CreditAccountTimestamp uint64
}

// Decode reads e from the first ChangeEventSize bytes of b.
func (e *ChangeEvent) Decode(b []byte) {
	_ = b[ChangeEventSize-1]
	e.TransferID = u128.FromBytes(b[0:])
	e.TransferAmount = u128.FromBytes(b[16:])
	e.TransferPendingID = u128.FromBytes(b[32:])
	e.TransferUserData128 = u128.FromBytes(b[48:])
	e.TransferUserData64 = binary.LittleEndian.Uint64(b[64:])
	e.TransferUserData32 = binary.LittleEndian.Uint32(b[72:])
	e.TransferTimeout = binary.LittleEndian.Uint32(b[76:])
	e.TransferCode = binary.LittleEndian.Uint16(b[80:])
	e.TransferFlags = TransferFlags(binary.LittleEndian.Uint16(b[82:]))
	e.Ledger = binary.LittleEndian.Uint32(b[84:])
	e.Type = ChangeEventType(b[88])
	copy(e.Reserved[:], b[89:])

	e.DebitAccountID = u128.FromBytes(b[128:])
	e.DebitAccountDebitsPending = u128.FromBytes(b[144:])
	e.DebitAccountDebitsPosted = u128.FromBytes(b[160:])
	e.DebitAccountCreditsPending = u128.FromBytes(b[176:])
	e.DebitAccountCreditsPosted = u128.FromBytes(b[192:])
	e.DebitAccountUserData128 = u128.FromBytes(b[208:])
	e.DebitAccountUserData64 = binary.LittleEndian.Uint64(b[224:])
	e.DebitAccountUserData32 = binary.LittleEndian.Uint32(b[232:])
	e.DebitAccountCode = binary.LittleEndian.Uint16(b[236:])
	e.DebitAccountFlags = AccountFlags(binary.LittleEndian.Uint16(b[238:]))

	e.CreditAccountID = u128.FromBytes(b[240:])
	e.CreditAccountDebitsPending = u128.FromBytes(b[256:])
	e.CreditAccountDebitsPosted = u128.FromBytes(b[272:])
	e.CreditAccountCreditsPending = u128.FromBytes(b[288:])
	e.CreditAccountCreditsPosted = u128.FromBytes(b[304:])
	e.CreditAccountUserData128 = u128.FromBytes(b[320:])
	e.CreditAccountUserData64 = binary.LittleEndian.Uint64(b[336:])
	e.CreditAccountUserData32 = binary.LittleEndian.Uint32(b[344:])
	e.CreditAccountCode = binary.LittleEndian.Uint16(b[348:])
	e.CreditAccountFlags = AccountFlags(binary.LittleEndian.Uint16(b[350:]))

	e.Timestamp = binary.LittleEndian.Uint64(b[352:])
	e.TransferTimestamp = binary.LittleEndian.Uint64(b[360:])
	e.DebitAccountTimestamp = binary.LittleEndian.Uint64(b[368:])
	e.CreditAccountTimestamp = binary.LittleEndian.Uint64(b[376:])
}

// Encode writes e into the first ChangeEventSize bytes of b.
func (e *ChangeEvent) Encode(b []byte) {
	_ = b[ChangeEventSize-1]
	e.TransferID.PutBytes(b[0:])
	e.TransferAmount.PutBytes(b[16:])
	e.TransferPendingID.PutBytes(b[32:])
	e.TransferUserData128.PutBytes(b[48:])
	binary.LittleEndian.PutUint64(b[64:], e.TransferUserData64)
	binary.LittleEndian.PutUint32(b[72:], e.TransferUserData32)
	binary.LittleEndian.PutUint32(b[76:], e.TransferTimeout)
	binary.LittleEndian.PutUint16(b[80:], e.TransferCode)
	binary.LittleEndian.PutUint16(b[82:], uint16(e.TransferFlags))
	binary.LittleEndian.PutUint32(b[84:], e.Ledger)
	b[88] = uint8(e.Type)
	copy(b[89:128], e.Reserved[:])

	e.DebitAccountID.PutBytes(b[128:])
	e.DebitAccountDebitsPending.PutBytes(b[144:])
	e.DebitAccountDebitsPosted.PutBytes(b[160:])
	e.DebitAccountCreditsPending.PutBytes(b[176:])
	e.DebitAccountCreditsPosted.PutBytes(b[192:])
	e.DebitAccountUserData128.PutBytes(b[208:])
	binary.LittleEndian.PutUint64(b[224:], e.DebitAccountUserData64)
	binary.LittleEndian.PutUint32(b[232:], e.DebitAccountUserData32)
	binary.LittleEndian.PutUint16(b[236:], e.DebitAccountCode)
	binary.LittleEndian.PutUint16(b[238:], uint16(e.DebitAccountFlags))

	e.CreditAccountID.PutBytes(b[240:])
	e.CreditAccountDebitsPending.PutBytes(b[256:])
	e.CreditAccountDebitsPosted.PutBytes(b[272:])
	e.CreditAccountCreditsPending.PutBytes(b[288:])
	e.CreditAccountCreditsPosted.PutBytes(b[304:])
	e.CreditAccountUserData128.PutBytes(b[320:])
	binary.LittleEndian.PutUint64(b[336:], e.CreditAccountUserData64)
	binary.LittleEndian.PutUint32(b[344:], e.CreditAccountUserData32)
	binary.LittleEndian.PutUint16(b[348:], e.CreditAccountCode)
	binary.LittleEndian.PutUint16(b[350:], uint16(e.CreditAccountFlags))

	binary.LittleEndian.PutUint64(b[352:], e.Timestamp)
	binary.LittleEndian.PutUint64(b[360:], e.TransferTimestamp)
	binary.LittleEndian.PutUint64(b[368:], e.DebitAccountTimestamp)
	binary.LittleEndian.PutUint64(b[376:], e.CreditAccountTimestamp)
}

// Append appends the encoded e to dst.
func (e *ChangeEvent) Append(dst []byte) []byte {
	n := len(dst)
	dst = append(dst, make([]byte, ChangeEventSize)...)
	e.Encode(dst[n:])
	return dst
}
