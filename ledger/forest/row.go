package forest

import (
	"encoding/binary"
	"math/bits"

	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/ledger"
)

// A row of the transfer log is a transfer with both accounts after it; a row
// of the expiry log is what an expiry did to them.
//
//	offset size field
//	     0    2 length of the row
//	     2    2 code
//	     4    2 flags of the transfer
//	     6    1 debit account: flags after (bits 0-5), near link (6), far link (7)
//	     7    1 credit account: the same
//	     8    8 timestamp
//	    16    8 widths: 16 of 4 bits, the lowest is that of field 0
//	    24    4 debit account, its number in the order of creation
//	    28    4 credit account
//	    32      fields 0 .. 15, back to back, each without its high zero bytes
//	       8    near link of the debit account, if it has one
//	       8    far link of the debit account, if it has one
//	       8    near link of the credit account, if it has one
//	       8    far link of the credit account, if it has one
//
// A width is the number of bytes of the field, except that 15 stands for 16: a
// field of 15 bytes is stored as 16. The fields:
//
//	field               transfer                      expiry
//	    0 id            id of the transfer            0
//	    1 amount        amount                        0
//	    2 pending       pending_id; if the transfer   number of the pending
//	                    is pending: its number        transfer that expired
//	    3 user data 128 user_data_128                 0
//	    4 user data 64  user_data_64                  0
//	    5 user data 32  user_data_32 + timeout*2^32   0
//	 6..9 debit         debits_pending, debits_posted, credits_pending and
//	                    credits_posted of the debit account, after it
//	10.13 credit        the same of the credit account
//	   14 debit link    position of the row before    end of the transfer
//	                    this one that concerns the    log when it happened
//	                    debit account, 0 if none
//	   15 credit link   the same, credit account      0
//
// Links chain the rows of an account, newest first. Counting its rows from 0,
// every 64th has a near link as well, to the row 64 before it, and every
// 4096th a far link, to the row 4096 before it (none if there is no such row).
const (
	rowHeaderSize = 32
	// rowSizeMax: 11 fields of 16 bytes, 5 of 8, 4 links. What encodes the
	// fields writes 16 bytes at a time, so as many again are needed behind.
	rowSizeMax = rowHeaderSize + 11*16 + 5*8 + 4*8
	rowSlack   = rowSizeMax + 16

	fieldID          = 0
	fieldAmount      = 1
	fieldPending     = 2
	fieldUserData128 = 3
	fieldUserData64  = 4
	fieldUserData32  = 5 // with the timeout
	fieldDebit       = 6
	fieldCredit      = 10
	fieldDebitLink   = 14
	fieldCreditLink  = 15

	rowAccountFlags = 1<<6 - 1
	rowNearLink     = 1 << 6
	rowFarLink      = 1 << 7
)

// side tells the two accounts of a row apart.
type side int

const (
	debitSide  side = 0
	creditSide side = 1
)

func rowLength(b []byte) int       { return int(binary.LittleEndian.Uint16(b)) }
func rowCode(b []byte) uint16      { return binary.LittleEndian.Uint16(b[2:]) }
func rowTimestamp(b []byte) uint64 { return binary.LittleEndian.Uint64(b[8:]) }

func rowFlags(b []byte) ledger.TransferFlags {
	return ledger.TransferFlags(binary.LittleEndian.Uint16(b[4:]))
}

func rowAccount(b []byte, s side) ledger.AccountRef {
	return ledger.AccountRef(binary.LittleEndian.Uint32(b[24+4*s:]))
}

// rowID reads the id alone: it is the first field.
func rowID(b []byte) ledger.Uint128 {
	return load(b[rowHeaderSize:], int(b[16]&15))
}

// rowTimeout reads the timeout alone, in seconds.
func rowTimeout(b []byte) uint32 {
	r := readRow(b, fieldUserData32)
	return uint32(r.next64() >> 32)
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
	code                    uint16
	flags                   ledger.TransferFlags
	timestamp               uint64
	debit, credit           ledger.AccountRef
	debitFlags, creditFlags ledger.AccountFlags
	fields                  [16]ledger.Uint128
	debitLinks, creditLinks links // near and far; the previous ones are in fields
}

// links are positions of earlier rows of an account; 0 is none.
type links struct{ previous, near, far position }

func (r *newRow) setBalances(field int, a *account) {
	r.fields[field] = a.DebitsPending
	r.fields[field+1] = a.DebitsPosted
	r.fields[field+2] = a.CreditsPending
	r.fields[field+3] = a.CreditsPosted
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
	b[6], b[7] = byte(r.debitFlags), byte(r.creditFlags)
	binary.LittleEndian.PutUint64(b[8:], r.timestamp)
	binary.LittleEndian.PutUint64(b[16:], widths)
	binary.LittleEndian.PutUint32(b[24:], uint32(r.debit))
	binary.LittleEndian.PutUint32(b[28:], uint32(r.credit))
	at += putLinks(b[at:], &b[6], r.debitLinks)
	at += putLinks(b[at:], &b[7], r.creditLinks)
	binary.LittleEndian.PutUint16(b, uint16(at))
	return at
}

// putLinks writes the links that few rows have, marks them in flags, and
// returns their size.
func putLinks(b []byte, flags *byte, l links) (size int) {
	if l.near != 0 {
		binary.LittleEndian.PutUint64(b, uint64(l.near))
		size += 8
		*flags |= rowNearLink
	}
	if l.far != 0 {
		binary.LittleEndian.PutUint64(b[size:], uint64(l.far))
		size += 8
		*flags |= rowFarLink
	}
	return size
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

// readLinks returns the links of a row for one of its accounts. Those fields
// are the last, so they are found from the end.
func readLinks(b []byte, s side) links {
	at := rowLength(b)
	var l [2]links
	for s := creditSide; s >= debitSide; s-- {
		flags := b[6+s]
		if flags&rowFarLink != 0 {
			at -= 8
			l[s].far = position(binary.LittleEndian.Uint64(b[at:]))
		}
		if flags&rowNearLink != 0 {
			at -= 8
			l[s].near = position(binary.LittleEndian.Uint64(b[at:]))
		}
	}
	for s := creditSide; s >= debitSide; s-- {
		n := int(b[23] >> (4 * s) & 15)
		at -= n
		l[s].previous = position(load64(b[at:], n))
	}
	return l[s]
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
