package forest

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/ledger"
)

// randomWide returns a number of 0 to n bytes.
func randomWide(r *rand.Rand, n int) ledger.Uint128 {
	v := ledger.Uint128{Lo: r.Uint64(), Hi: r.Uint64()}
	for bytes := 16 - r.IntN(n+1); bytes > 0; bytes-- {
		v.Lo = v.Lo>>8 | v.Hi<<56
		v.Hi >>= 8
	}
	return v
}

func randomRow(r *rand.Rand) newRow {
	var row newRow
	row.code, row.flags, row.timestamp = uint16(r.Uint32()), ledger.TransferFlags(r.Uint32()), r.Uint64()
	row.debit, row.credit = ledger.AccountRef(r.Uint32()), ledger.AccountRef(r.Uint32())
	row.debitFlags = ledger.AccountFlags(r.IntN(64))
	row.creditFlags = ledger.AccountFlags(r.IntN(64))
	for i := range row.fields {
		row.fields[i] = randomWide(r, 16)
	}
	for _, i := range []int{fieldUserData64, fieldUserData32, fieldDebitLink, fieldCreditLink} {
		row.fields[i] = randomWide(r, 8)
	}
	row.debitLinks.previous = position(row.fields[fieldDebitLink].Lo)
	row.creditLinks.previous = position(row.fields[fieldCreditLink].Lo)
	for _, p := range []*position{&row.debitLinks.near, &row.debitLinks.far, &row.creditLinks.near, &row.creditLinks.far} {
		if r.IntN(2) == 0 {
			*p = position(r.Uint64())
		}
	}
	return row
}

func TestRowRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	for range 20_000 {
		want := randomRow(r)
		b := make([]byte, rowSlack)
		n := encodeRow(b, &want)
		b = b[:n:n] // what lies behind must not be needed
		if n > rowSizeMax || !rowValid(b) || rowLength(b) != n {
			t.Fatalf("%d bytes, length %d", n, rowLength(b))
		}
		got := newRow{
			code: rowCode(b), flags: rowFlags(b), timestamp: rowTimestamp(b),
			debit: rowAccount(b, debitSide), credit: rowAccount(b, creditSide),
			debitFlags: readBalances(b, debitSide).flags, creditFlags: readBalances(b, creditSide).flags,
			debitLinks: readLinks(b, debitSide), creditLinks: readLinks(b, creditSide),
		}
		fields := readRow(b, 0)
		for i := range got.fields {
			got.fields[i] = fields.next()
		}
		if got != want {
			t.Fatalf("got %+v\nwant %+v", got, want)
		}
		if rowID(b) != want.fields[fieldID] || readBalances(b, creditSide).creditsPosted != want.fields[13] {
			t.Fatal("fields read alone differ")
		}
	}
}

// FuzzRow demands that a row that is found valid can be read.
func FuzzRow(f *testing.F) {
	r := rand.New(rand.NewPCG(6, 6))
	for range 10 {
		row := randomRow(r)
		b := make([]byte, rowSlack)
		f.Add(b[:encodeRow(b, &row)])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if !rowValid(b) {
			return
		}
		b = b[:rowLength(b)]
		readBalances(b, debitSide)
		readBalances(b, creditSide)
		readLinks(b, debitSide)
		rowTimeout(b)
		r := readRow(b, 0)
		for range 16 {
			r.next()
		}
	})
}

// FuzzOpenPage demands that any page is refused or opened.
func FuzzOpenPage(f *testing.F) {
	r := rand.New(rand.NewPCG(8, 8))
	row := randomRow(r)
	b := make([]byte, pageHeaderSize+rowSlack)
	n := pageHeaderSize + encodeRow(b[pageHeaderSize:], &row)
	binary.LittleEndian.PutUint16(b, pageVersion)
	binary.LittleEndian.PutUint32(b[4:], 1)
	binary.LittleEndian.PutUint32(b[8:], uint32(n))
	f.Add(b[:n], uint8(1))
	f.Fuzz(func(t *testing.T, payload []byte, which uint8) {
		forest := New(newMemoryGrid(smallPage), nil, Options{})
		for id := range uint64(3) {
			a := ledger.Account{ID: u128.From64(id + 1), Ledger: 1, Code: 1, Timestamp: id + 1}
			accounts := &forest.tables.accounts.log
			putAccountRow(accounts.tail(), &a)
			accounts.push(accountRowSize)
		}
		l := forest.logs()[which%4]
		l.pages = append(l.pages, page{})
		if l.load(len(l.pages)-1, payload) != nil {
			return
		}
		_ = forest.tables.rebuild()
	})
}
