package forest

import (
	"encoding/binary"

	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/ledger"
)

// slot is the number of an account: they are counted from 0 in the order of
// creation, and so of timestamp. It is the number of its row in the accounts log.
type slot uint32

// accountRowSize is the size of a row of the accounts log: an account as it
// was created. What became of it is in the newest row of the events log that
// concerns it: see heads.
//
//	offset size field
//	     0    2 length of the row: 64
//	     2    2 code
//	     4    2 flags
//	     6    2 reserved, zero
//	     8    8 timestamp
//	    16   16 id
//	    32   16 user_data_128
//	    48    8 user_data_64
//	    56    4 user_data_32
//	    60    4 ledger
const accountRowSize = 64

func putAccountRow(b []byte, a *ledger.Account) {
	binary.LittleEndian.PutUint16(b, accountRowSize)
	binary.LittleEndian.PutUint16(b[2:], a.Code)
	binary.LittleEndian.PutUint16(b[4:], uint16(a.Flags))
	binary.LittleEndian.PutUint16(b[6:], 0)
	binary.LittleEndian.PutUint64(b[8:], a.Timestamp)
	a.ID.PutBytes(b[16:])
	a.UserData128.PutBytes(b[32:])
	binary.LittleEndian.PutUint64(b[48:], a.UserData64)
	binary.LittleEndian.PutUint32(b[56:], a.UserData32)
	binary.LittleEndian.PutUint32(b[60:], a.Ledger)
}

func accountRowTimestamp(b []byte) uint64 { return binary.LittleEndian.Uint64(b[8:]) }

// accountFromRow returns an account as it was created: with balances of zero.
func accountFromRow(b []byte) ledger.Account {
	return ledger.Account{
		ID:          u128.FromBytes(b[16:]),
		UserData128: u128.FromBytes(b[32:]),
		UserData64:  binary.LittleEndian.Uint64(b[48:]),
		Timestamp:   binary.LittleEndian.Uint64(b[8:]),
		UserData32:  binary.LittleEndian.Uint32(b[56:]),
		Ledger:      binary.LittleEndian.Uint32(b[60:]),
		Code:        binary.LittleEndian.Uint16(b[2:]),
		Flags:       ledger.AccountFlags(binary.LittleEndian.Uint16(b[4:])),
	}
}

// setFromRow makes an account what it is after a row of the events log.
func setFromRow(a *ledger.Account, row []byte, s side) {
	b := readBalances(row, s)
	a.DebitsPending, a.DebitsPosted = b.debitsPending, b.debitsPosted
	a.CreditsPending, a.CreditsPosted = b.creditsPending, b.creditsPosted
	a.Flags = b.flags
}
