package forest

import (
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
	row.kind = rowKind(r.IntN(int(rowBurnt) + 1))
	row.code, row.flags, row.stamp = uint16(r.Uint32()), ledger.TransferFlags(r.Uint32()), r.Uint64()
	row.debit, row.credit = slot(r.Uint32()), slot(r.Uint32())
	row.debitFlags = ledger.AccountFlags(r.IntN(64))
	row.creditFlags = ledger.AccountFlags(r.IntN(64))
	for i := range row.fields {
		row.fields[i] = randomWide(r, 16)
	}
	row.fields[fieldUserData64] = randomWide(r, 8)
	row.fields[fieldLedger] = randomWide(r, 12)
	if isResolution(row.flags) {
		row.resolved = openPending{r.Uint64(), r.Uint64()}
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
			kind: rowKindOf(b), code: rowCode(b), flags: rowFlags(b), stamp: rowStamp(b),
			debit: rowSlot(b, debitSide), credit: rowSlot(b, creditSide),
			debitFlags: readBalances(b, debitSide).flags, creditFlags: readBalances(b, creditSide).flags,
		}
		if isResolution(got.flags) {
			got.resolved = rowResolved(b)
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

// TestTransferRoundTrip demands that a transfer is read as it was inserted.
func TestTransferRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	f := newTestForest(newMemoryGrid(smallPage))
	tables := f.tables
	for id := range uint64(2) {
		tables.InsertAccount(&ledger.Account{ID: ledger.Uint128{Lo: id + 1, Hi: r.Uint64()}, Ledger: 1, Code: 1, Timestamp: id + 1})
	}
	debit, credit := tables.cache.ofSlot(0), tables.cache.ofSlot(1)
	for range 1000 {
		want := ledger.Transfer{
			ID: randomWide(r, 15), DebitAccountID: debit.ID, CreditAccountID: credit.ID,
			Amount: randomWide(r, 16), UserData128: randomWide(r, 16), UserData64: randomWide(r, 8).Lo,
			UserData32: r.Uint32(), Ledger: r.Uint32(), Code: uint16(r.Uint32()), Timestamp: tables.lastTransfer + 1,
		}
		want.ID.Hi |= 1 << 63
		switch r.IntN(3) {
		case 0:
			want.Flags, want.Timeout = ledger.TransferPending, r.Uint32N(3)
		case 1:
			want.Flags, want.PendingID = ledger.TransferVoidPendingTransfer, randomWide(r, 16)
			tables.resolved = openPending{r.Uint64(), r.Uint64()}
		}
		number := tables.pendings
		tables.InsertTransfer(&want, 0, 1)
		var got ledger.Transfer
		ref := tables.FindTransfer(want.ID, &got)
		if got != want {
			t.Fatalf("got %+v\nwant %+v", got, want)
		}
		if want.Flags&ledger.TransferPending == 0 {
			if ref != foundOther {
				t.Fatalf("ref %d", ref)
			}
			continue
		}
		p := openPending{number: number}
		if want.Timeout != 0 {
			p.expiresAt = want.Timestamp + uint64(want.Timeout)*1_000_000_000
		}
		if got := tables.pending(ref).openPending; got != p || tables.PendingStatus(ref) != ledger.PendingOpen {
			t.Fatalf("pending %+v, want %+v", got, p)
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
		var x ledger.Transfer
		readTransfer(b, &x)
		readBalances(b, debitSide)
		readBalances(b, creditSide)
		rowPending(b)
		readExpiry(b)
		if isResolution(rowFlags(b)) {
			rowResolved(b)
		}
	})
}

// BenchmarkEncodeRow measures a plain transfer: 40 ns.
func BenchmarkEncodeRow(b *testing.B) {
	row := newRow{stamp: 1_700_000_000_000_000_000, code: 1, debit: 1000, credit: 2000}
	row.fields[fieldID], row.fields[fieldAmount] = u128.From64(1_000_000), u128.From64(500)
	row.fields[fieldLedger] = u128.From64(1)
	row.fields[fieldDebit+1], row.fields[fieldCredit+3] = u128.From64(123456), u128.From64(654321)
	row.fields[fieldDebitID], row.fields[fieldCreditID] = u128.From64(1001), u128.From64(2001)
	buffer := make([]byte, rowSlack)
	for b.Loop() {
		encodeRow(buffer, &row)
	}
}
