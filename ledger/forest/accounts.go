package forest

import (
	"encoding/binary"
	"sort"

	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/ledger"
)

// accountRowSize is the size of a row of the account log: an account as it
// was created. What became of it is in the rows of its transfers.
//
//	offset size field
//	     0   16 id
//	    16   16 user_data_128
//	    32    8 user_data_64
//	    40    8 timestamp
//	    48    4 user_data_32
//	    52    4 ledger
//	    56    2 code
//	    58    2 flags
//	    60    4 reserved, zero
const accountRowSize = 64

func putAccountRow(b []byte, a *ledger.Account) {
	a.ID.PutBytes(b)
	a.UserData128.PutBytes(b[16:])
	binary.LittleEndian.PutUint64(b[32:], a.UserData64)
	binary.LittleEndian.PutUint64(b[40:], a.Timestamp)
	binary.LittleEndian.PutUint32(b[48:], a.UserData32)
	binary.LittleEndian.PutUint32(b[52:], a.Ledger)
	binary.LittleEndian.PutUint16(b[56:], a.Code)
	binary.LittleEndian.PutUint16(b[58:], uint16(a.Flags))
	binary.LittleEndian.PutUint32(b[60:], 0)
}

func accountFromRow(b []byte) ledger.Account {
	return ledger.Account{
		ID:          u128.FromBytes(b),
		UserData128: u128.FromBytes(b[16:]),
		UserData64:  binary.LittleEndian.Uint64(b[32:]),
		Timestamp:   binary.LittleEndian.Uint64(b[40:]),
		UserData32:  binary.LittleEndian.Uint32(b[48:]),
		Ledger:      binary.LittleEndian.Uint32(b[52:]),
		Code:        binary.LittleEndian.Uint16(b[56:]),
		Flags:       ledger.AccountFlags(binary.LittleEndian.Uint16(b[58:])),
	}
}

// account is an account as it is now, and the head of the chain of its rows
// in the transfer log.
type account struct {
	ledger.Account
	last position  // of its newest row, 0 if it has none
	near position  // of its newest row whose count is a multiple of 64
	far  position  // of its newest row whose count is a multiple of 4096
	rows uint64    // how many it has
	_    [4]uint64 // fill three cache lines, so that it is never in four
}

const (
	nearDistance = 64
	farDistance  = 4096
)

// next returns the links that the account's next row has.
func (a *account) next() links {
	l := links{previous: a.last}
	if a.rows%nearDistance == 0 {
		l.near = a.near
		if a.rows%farDistance == 0 {
			l.far = a.far
		}
	}
	return l
}

// chain makes the row at a position the account's newest.
func (a *account) chain(at position) {
	a.last = at
	if a.rows%nearDistance == 0 {
		a.near = at
		if a.rows%farDistance == 0 {
			a.far = at
		}
	}
	a.rows++
}

// accountChunk is how many accounts are allocated at a time. Chunks never
// move, so pointers into them stay good.
const accountChunk = 1024

// accountTable holds all accounts in the order of their creation, which is
// that of their timestamps.
type accountTable struct {
	chunks [][]account
	count  int
	byID   index // to ref + 1
	log    log
}

func newAccountTable(pageSize int) accountTable {
	return accountTable{
		byID: newIndex(),
		log:  newLog(log{kind: kindAccounts, pageSize: pageSize, rowMax: accountRowSize}),
	}
}

func (t *accountTable) at(ref ledger.AccountRef) *account {
	return &t.chunks[ref/accountChunk][ref%accountChunk]
}

func (t *accountTable) find(id ledger.Uint128) (ledger.AccountRef, *account) {
	p := t.byID.probe(hashOf(id))
	for v := p.next(); v != 0; v = p.next() {
		if a := t.at(ledger.AccountRef(v - 1)); a.ID == id {
			return ledger.AccountRef(v - 1), a
		}
	}
	return 0, nil
}

// insert adds an account to memory and to the log.
func (t *accountTable) insert(a *ledger.Account) {
	putAccountRow(t.log.tail(), a)
	t.log.push(accountRowSize)
	t.load(a)
}

// load adds an account to memory.
func (t *accountTable) load(a *ledger.Account) {
	if t.count == len(t.chunks)*accountChunk {
		t.chunks = append(t.chunks, make([]account, accountChunk))
	}
	ref := ledger.AccountRef(t.count)
	t.count++
	*t.at(ref) = account{Account: *a}
	t.byID.insert(hashOf(a.ID), uint64(ref)+1)
}

// truncate drops all accounts but the first count; end is where the log ended
// then.
func (t *accountTable) truncate(count int, end position) {
	for t.count > count {
		t.count--
		ref := ledger.AccountRef(t.count)
		t.byID.remove(hashOf(t.at(ref).ID), uint64(ref)+1)
	}
	t.log.truncate(end, uint64(count))
}

func (t *accountTable) lastTimestamp() uint64 {
	if t.count == 0 {
		return 0
	}
	return t.at(ledger.AccountRef(t.count - 1)).Timestamp
}

// lowerBound returns the first account whose timestamp is at least timestamp,
// or count.
func (t *accountTable) lowerBound(timestamp uint64) int {
	return sort.Search(t.count, func(i int) bool {
		return t.at(ledger.AccountRef(i)).Timestamp >= timestamp
	})
}

func (t *accountTable) hasAt(timestamp uint64) bool {
	i := t.lowerBound(timestamp)
	return i < t.count && t.at(ledger.AccountRef(i)).Timestamp == timestamp
}
