package forest

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/ledger"
)

// TestAccountQueriesNaive compares queries of an account with so many rows
// that every kind of link is used with a search through a plain list.
func TestAccountQueriesNaive(t *testing.T) {
	const hot, rows = 1, 3*farDistance + 100
	f := New(newDiscardGrid(), nil, Options{})
	timestamp := uint64(1)
	createAccounts(f, 3, &timestamp)
	var all []ledger.Transfer
	random := rand.New(rand.NewPCG(3, 3))
	for i := range rows {
		timestamp += 1 + random.Uint64N(3)
		x := ledger.Transfer{
			ID: u128.From64(uint64(i + 1)), DebitAccountID: u128.From64(hot), CreditAccountID: u128.From64(2),
			Ledger: 1, Code: uint16(1 + random.Uint64N(3)), UserData32: uint32(random.Uint64N(3)), Timestamp: timestamp,
		}
		switch random.IntN(3) {
		case 0:
			x.DebitAccountID, x.CreditAccountID = x.CreditAccountID, x.DebitAccountID
		case 1:
			x.DebitAccountID = u128.From64(3) // not of the account
		}
		debit, _ := f.tables.FindAccount(x.DebitAccountID)
		credit, _ := f.tables.FindAccount(x.CreditAccountID)
		f.tables.InsertTransfer(&x, debit, credit)
		all = append(all, x)
	}
	first, last := all[0].Timestamp, timestamp
	for range 3000 {
		filter := ledger.AccountFilter{
			AccountID:  u128.From64(1 + random.Uint64N(2)),
			Code:       uint16(random.Uint64N(4)),
			UserData32: uint32(random.Uint64N(3)),
			Limit:      uint32(1 + random.Uint64N(20)),
			Flags:      ledger.AccountFilterFlags(1 + random.Uint64N(7)),
		}
		if random.IntN(3) > 0 {
			filter.TimestampMin = first - 2 + random.Uint64N(last-first+4)
		}
		if random.IntN(3) > 0 {
			filter.TimestampMax = max(1, filter.TimestampMin) + random.Uint64N(last-first)
		}
		if random.IntN(100) == 0 {
			filter.Limit = rows
		}
		if !filter.Valid() {
			continue
		}
		var want []byte
		limit := int(filter.Limit)
		for _, x := range orderBy(all, filter.Flags&ledger.AccountFilterReversed != 0) {
			if limit > 0 && naiveMatch(&x, &filter) {
				want = x.Append(want)
				limit--
			}
		}
		if got := f.tables.AppendAccountTransfers(&filter, int(filter.Limit), nil); !slices.Equal(got, want) {
			t.Fatalf("%+v: %d transfers, want %d", filter, len(got)/ledger.TransferSize, len(want)/ledger.TransferSize)
		}
	}
}

func orderBy(all []ledger.Transfer, reversed bool) []ledger.Transfer {
	if !reversed {
		return all
	}
	all = slices.Clone(all)
	slices.Reverse(all)
	return all
}

func naiveMatch(x *ledger.Transfer, f *ledger.AccountFilter) bool {
	return (f.Flags&ledger.AccountFilterDebits != 0 && x.DebitAccountID == f.AccountID ||
		f.Flags&ledger.AccountFilterCredits != 0 && x.CreditAccountID == f.AccountID) &&
		(f.Code == 0 || f.Code == x.Code) && (f.UserData32 == 0 || f.UserData32 == x.UserData32) &&
		x.Timestamp >= f.TimestampMin && (f.TimestampMax == 0 || x.Timestamp <= f.TimestampMax)
}

// TestCursorSteps demands that the links make long ways short.
func TestCursorSteps(t *testing.T) {
	f := New(newDiscardGrid(), nil, Options{})
	timestamp := uint64(1)
	createAccounts(f, 2, &timestamp)
	const rows = 20 * farDistance
	for i := range rows {
		timestamp++
		x := ledger.Transfer{ID: u128.From64(uint64(i + 1)), Ledger: 1, Code: 1, Timestamp: timestamp}
		f.tables.InsertTransfer(&x, 0, 1)
	}
	for _, target := range []uint64{0, 1, 63, 64, farDistance - 1, farDistance, rows / 2, rows - 2, rows - 1} {
		steps := 0
		c := f.tables.newestRow(0)
		c.back(func(_ position, number uint64) bool { steps++; return number >= target })
		if c.number != target {
			t.Errorf("target %d: reached %d", target, c.number)
		}
		// Each step asks up to three times.
		if steps > 3*(rows/farDistance+2*nearDistance+3) {
			t.Errorf("target %d: %d steps", target, steps)
		}
		row, _ := c.row()
		if rowID(row) != u128.From64(target+1) {
			t.Errorf("target %d: row %v", target, rowID(row))
		}
	}
}

func BenchmarkAccountQuery(b *testing.B) {
	grid := newDiscardGrid()
	f := New(grid, nil, Options{})
	timestamp := uint64(1)
	const accounts, transfers = 10_000, 1_000_000
	createAccounts(f, accounts, &timestamp)
	l := newLoader(accounts)
	reply := make([]byte, 0, ledger.BodySizeMax)
	for done := 0; done < transfers; done += benchBatch {
		timestamp += benchBatch
		reply = f.Commit(byte(ledger.OperationCreateTransfers), timestamp, l.batch(benchBatch), reply[:0])
		grid.run()
	}
	for b.Loop() {
		filter := ledger.AccountFilter{
			AccountID: u128.From64(1 + l.random.Uint64N(accounts)), Limit: 8189,
			Flags: ledger.AccountFilterDebits | ledger.AccountFilterCredits,
		}
		reply = f.tables.AppendAccountTransfers(&filter, 8189, reply[:0])
	}
	b.ReportMetric(float64(len(reply)/ledger.TransferSize), "rows")
}
