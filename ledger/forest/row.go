package forest

import (
	"encoding/binary"
	"math/bits"

	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/ledger"
)

// A row of the events log says what happened to two accounts, and what they are
// after it; or that a transfer id is burnt. It is all that is needed to read a
// transfer, and to bring trees and accounts up to date.
//
//	offset size field
//	     0    2 length of the row
//	     2    2 code
//	     4    2 flags of the transfer
//	     6    1 debit account: flags after (bits 0-5); kind of the row (bits 6-7)
//	     7    1 credit account: flags after (bits 0-5); zero (bits 6-7)
//	     8    8 stamp, see stamp.go: the timestamp of a transfer
//	    16    8 widths: 16 of 4 bits, the lowest is that of field 0
//	    24    4 slot of the debit account
//	    28    4 slot of the credit account
//	    32      fields 0 .. 15, back to back, each without its high zero bytes
//	       8    post or void: number of the pending transfer
//	       8    post or void: when that would have expired, 0 if never
//
// A width is the number of bytes of the field, except that 15 stands for 16: a
// field of 15 bytes is stored as 16. The fields:
//
//	field               transfer                        expiry
//	    0 id            id                              0
//	    1 amount        amount                          timestamp of the expiry
//	    2 pending       pending_id; if the transfer is  number of the pending
//	                    pending: its number             transfer
//	    3 user data 128 user_data_128                   when that was to expire
//	    4 user data 64  user_data_64                    position of its row
//	    5 ledger        ledger + user_data_32*2^32 +    0
//	                    timeout*2^64
//	 6..9 debit         debits_pending, debits_posted, credits_pending and
//	                    credits_posted of the debit account, after it
//	10.13 credit        the same of the credit account
//	   14 debit id      id of the debit account         0
//	   15 credit id     id of the credit account        0
//
// A burnt row has the stamp and the id, and nothing else.
const (
	rowHeaderSize = 32
	// rowSizeMax: 14 fields of 16 bytes, user data 64, the ledger and what is
	// with it, and what a post or void adds. What encodes the fields writes 16
	// bytes at a time, so as many again are needed behind.
	rowSizeMax = rowHeaderSize + 14*16 + 8 + 12 + resolutionSize
	rowSlack   = rowSizeMax + 16

	resolutionSize = 16

	fieldID          = 0
	fieldAmount      = 1
	fieldPending     = 2
	fieldUserData128 = 3
	fieldUserData64  = 4
	fieldLedger      = 5 // with user data 32 and the timeout
	fieldDebit       = 6
	fieldCredit      = 10
	fieldDebitID     = 14
	fieldCreditID    = 15

	rowAccountFlags = 1<<6 - 1
	rowKindShift    = 6
)

// rowKind tells what a row is. Kinds are stored: append only.
type rowKind uint8

const (
	rowTransfer rowKind = 0
	rowExpiry   rowKind = 1
	rowBurnt    rowKind = 2
)

// side tells the two accounts of a row apart.
type side int

const (
	debitSide  side = 0
	creditSide side = 1
)

func rowLength(b []byte) int     { return int(binary.LittleEndian.Uint16(b)) }
func rowKindOf(b []byte) rowKind { return rowKind(b[6] >> rowKindShift) }
func rowCode(b []byte) uint16    { return binary.LittleEndian.Uint16(b[2:]) }

// rowStamp returns what the log ascends by: the timestamp of a transfer; of any
// other row that of the transfer before it. See stamp.go.
func rowStamp(b []byte) uint64 { return binary.LittleEndian.Uint64(b[8:]) }

func rowFlags(b []byte) ledger.TransferFlags {
	return ledger.TransferFlags(binary.LittleEndian.Uint16(b[4:]))
}

// rowSlot returns the slot of an account of a row that is not burnt.
func rowSlot(b []byte, s side) slot {
	return slot(binary.LittleEndian.Uint32(b[24+4*s:]))
}

// rowID reads the id alone: it is the first field.
func rowID(b []byte) ledger.Uint128 {
	return load(b[rowHeaderSize:], int(b[16]&15))
}

// width returns how many bytes a width of 4 bits stands for.
func width(code int) int { return code + (code+1)>>4 }

// load reads a field. There may be fewer than 16 bytes behind it.
func load(b []byte, code int) ledger.Uint128 {
	if code > 8 {
		n := width(code) - 8
		return ledger.Uint128{Lo: binary.LittleEndian.Uint64(b), Hi: load64(b[8:], n)}
	}
	return ledger.Uint128{Lo: load64(b, code)}
}

// load64 reads n bytes, at most 8.
func load64(b []byte, n int) uint64 {
	if len(b) >= 8 {
		return binary.LittleEndian.Uint64(b) & (1<<(8*n) - 1)
	}
	var v uint64
	for i := range n {
		v |= uint64(b[i]) << (8 * i)
	}
	return v
}

// newRow is what encodeRow encodes.
type newRow struct {
	kind                    rowKind
	code                    uint16
	flags                   ledger.TransferFlags
	stamp                   uint64
	debit, credit           slot
	debitFlags, creditFlags ledger.AccountFlags
	fields                  [16]ledger.Uint128
	resolved                openPending // of a post or void
}

// openPending is what is stored of a pending transfer where it is resolved.
type openPending struct {
	number    uint64 // pending transfers are counted in the order of creation
	expiresAt uint64 // in nanoseconds since the epoch, 0 is never
}

func (r *newRow) setAccounts(debit, credit *account) {
	r.debit, r.credit = debit.slot, credit.slot
	r.debitFlags, r.creditFlags = debit.Flags, credit.Flags
	r.setBalances(fieldDebit, debit)
	r.setBalances(fieldCredit, credit)
}

func (r *newRow) setBalances(field int, a *account) {
	r.fields[field] = a.DebitsPending
	r.fields[field+1] = a.DebitsPosted
	r.fields[field+2] = a.CreditsPending
	r.fields[field+3] = a.CreditsPosted
}

// isResolution reports whether flags are those of a post or void.
func isResolution(flags ledger.TransferFlags) bool {
	return flags&(ledger.TransferPostPendingTransfer|ledger.TransferVoidPendingTransfer) != 0
}

// encodeRow writes a row into b, which has at least rowSlack bytes, and
// returns its length.
func encodeRow(b []byte, r *newRow) int {
	b = b[:rowSlack]
	at, widths := rowHeaderSize, uint64(0)
	for i := range r.fields {
		lo, hi := r.fields[i].Lo, r.fields[i].Hi
		if lo|hi == 0 { // as most are
			continue
		}
		binary.LittleEndian.PutUint64(b[at:], lo)
		n := (bits.Len64(lo) + 7) >> 3
		code := n
		if hi != 0 {
			binary.LittleEndian.PutUint64(b[at+8:], hi)
			code = min(8+(bits.Len64(hi)+7)>>3, 15)
			n = width(code)
		}
		at += n
		widths |= uint64(code) << (4 * i)
	}
	binary.LittleEndian.PutUint16(b[2:], r.code)
	binary.LittleEndian.PutUint16(b[4:], uint16(r.flags))
	b[6], b[7] = byte(r.debitFlags)|byte(r.kind<<rowKindShift), byte(r.creditFlags)
	binary.LittleEndian.PutUint64(b[8:], r.stamp)
	binary.LittleEndian.PutUint64(b[16:], widths)
	binary.LittleEndian.PutUint32(b[24:], uint32(r.debit))
	binary.LittleEndian.PutUint32(b[28:], uint32(r.credit))
	if isResolution(r.flags) {
		binary.LittleEndian.PutUint64(b[at:], r.resolved.number)
		binary.LittleEndian.PutUint64(b[at+8:], r.resolved.expiresAt)
		at += resolutionSize
	}
	binary.LittleEndian.PutUint16(b, uint16(at))
	return at
}

// rowReader decodes the fields of a row in order, from any field on.
type rowReader struct {
	b      []byte
	at     int
	widths uint64
}

// readRow begins at field first.
func readRow(b []byte, first int) rowReader {
	r := rowReader{b: b, at: rowHeaderSize, widths: binary.LittleEndian.Uint64(b[16:])}
	for range first {
		r.at += width(int(r.widths & 15))
		r.widths >>= 4
	}
	return r
}

func (r *rowReader) next() ledger.Uint128 {
	code := int(r.widths & 15)
	r.widths >>= 4
	if code == 0 {
		return ledger.Uint128{}
	}
	v := load(r.b[r.at:], code)
	r.at += width(code)
	return v
}

func (r *rowReader) next64() uint64 { return r.next().Lo }

// readTransfer decodes the row of a transfer.
func readTransfer(row []byte, x *ledger.Transfer) {
	r := readRow(row, 0)
	x.Flags = rowFlags(row)
	x.ID = r.next()
	x.Amount = r.next()
	x.PendingID = r.next()
	if x.Flags&ledger.TransferPending != 0 {
		x.PendingID = ledger.Uint128{} // the field holds its number
	}
	x.UserData128 = r.next()
	x.UserData64 = r.next64()
	v := r.next()
	x.Ledger, x.UserData32, x.Timeout = uint32(v.Lo), uint32(v.Lo>>32), uint32(v.Hi)
	for range fieldDebitID - fieldDebit {
		r.next()
	}
	x.DebitAccountID, x.CreditAccountID = r.next(), r.next()
	x.Code = rowCode(row)
	x.Timestamp = rowStamp(row)
}

// rowPending returns what is stored of the pending transfer whose row it is.
func rowPending(row []byte) openPending {
	r := readRow(row, fieldPending)
	p := openPending{number: r.next64()}
	r.next()
	r.next()
	if timeout := uint32(r.next().Hi); timeout != 0 {
		p.expiresAt = expiry(rowStamp(row), timeout)
	}
	return p
}

// rowResolved returns which pending transfer a post or void has resolved.
func rowResolved(row []byte) openPending {
	b := row[rowLength(row)-resolutionSize:]
	return openPending{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])}
}

// expiryRow is what the row of an expiry says, apart from the accounts.
type expiryRow struct {
	timestamp uint64
	openPending
	position position // of the pending transfer's row
}

func readExpiry(row []byte) expiryRow {
	r := readRow(row, fieldAmount)
	return expiryRow{
		timestamp:   r.next64(),
		openPending: openPending{number: r.next64(), expiresAt: r.next64()},
		position:    position(r.next64()),
	}
}

// expiry returns when a transfer with a timeout in seconds expires.
func expiry(timestamp uint64, timeout uint32) uint64 {
	return timestamp + uint64(timeout)*1_000_000_000
}

// balances are what one account of a row has after it.
type balances struct {
	debitsPending, debitsPosted, creditsPending, creditsPosted u128.Uint128
	flags                                                      ledger.AccountFlags
}

func readBalances(b []byte, s side) balances {
	r := readRow(b, fieldDebit+(fieldCredit-fieldDebit)*int(s))
	return balances{
		debitsPending:  r.next(),
		debitsPosted:   r.next(),
		creditsPending: r.next(),
		creditsPosted:  r.next(),
		flags:          ledger.AccountFlags(b[6+s] & rowAccountFlags),
	}
}

// rowValid reports whether the lengths in a row are consistent, and its kind is
// one of ours, so that it can be read. row may go on behind it.
func rowValid(row []byte) bool {
	if len(row) < rowHeaderSize || rowLength(row) > len(row) || rowKindOf(row) > rowBurnt {
		return false
	}
	length := rowHeaderSize
	for field := range 16 {
		code := int(binary.LittleEndian.Uint64(row[16:]) >> (4 * field) & 15)
		if code > 8 && field == fieldUserData64 || code > 12 && field == fieldLedger {
			return false
		}
		length += width(code)
	}
	if isResolution(rowFlags(row)) {
		length += resolutionSize
	}
	return length == rowLength(row)
}
