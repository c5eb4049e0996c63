package main

import (
	"encoding/json"
	"errors"
	"iter"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/ledgerd/ledgerd/client"
	"github.com/ledgerd/ledgerd/ledger"
)

// count yields 0 .. n-1.
func count(n int) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i := range n {
			if !yield(i, nil) {
				return
			}
		}
	}
}

func TestInBatches(t *testing.T) {
	for name, test := range map[string]struct {
		events int
		linked func(*int) bool
		taken  int // by the server, in one batch
		want   []int
		fails  string
	}{
		"none":               {0, never, 8189, nil, ""},
		"one":                {1, never, 8189, []int{1}, ""},
		"exact":              {8189, never, 8189, []int{8189}, ""},
		"more":               {20000, never, 8189, []int{8189, 8189, 3622}, ""},
		"chain at the cut":   {8300, func(i *int) bool { return *i >= 8000 && *i < 8250 }, 8189, []int{8000, 300}, ""},
		"open at the end":    {10, func(*int) bool { return true }, 8189, []int{10}, ""},
		"too long a chain":   {9000, func(*int) bool { return true }, 8189, nil, "a chain of more than 8189 linked events"},
		"small server":       {600, never, 254, []int{150, 150, 150, 150}, ""},
		"chain, small":       {300, func(i *int) bool { return *i%100 != 99 }, 254, []int{100, 100, 100}, ""},
		"chain over a small": {400, func(i *int) bool { return *i < 399 }, 254, nil, "too much data"},
		"tiny server":        {5, never, 1, []int{1, 1, 1, 1, 1}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var sizes []int
			next := 0
			err := inBatches(count(test.events), test.linked, func(batch []int) error {
				if len(batch) > test.taken {
					return client.ErrTooMuchData
				}
				for _, event := range batch {
					if event != next {
						t.Fatalf("event %d follows %d", event, next-1)
					}
					next++
				}
				sizes = append(sizes, len(batch))
				return nil
			})
			if test.fails != "" {
				if err == nil {
					t.Fatalf("sent %v; want an error", sizes)
				}
				return
			}
			if err != nil || !slices.Equal(sizes, test.want) || next != test.events {
				t.Errorf("sent %v, %v; want %v", sizes, err, test.want)
			}
		})
	}
}

func never(*int) bool { return false }

func TestInBatchesPassesErrorsOn(t *testing.T) {
	gone := errors.New("gone")
	err := inBatches(count(3), never, func([]int) error { return gone })
	if !errors.Is(err, gone) {
		t.Errorf("error %v, want %v", err, gone)
	}
	err = inBatches(func(yield func(int, error) bool) { yield(0, gone) }, never, func([]int) error { return nil })
	if !errors.Is(err, gone) {
		t.Errorf("error %v, want %v", err, gone)
	}
}

func TestMoment(t *testing.T) {
	var m moment
	for text, want := range map[string]moment{
		"7": 7, "1700000000000000001": 1700000000000000001, "2023-11-14T22:13:20.000000001Z": 1700000000000000001,
		"2023-11-14T23:13:20+01:00": 1700000000000000000,
	} {
		if err := m.Set(text); err != nil || m != want {
			t.Errorf("Set(%q) = %d, %v; want %d", text, m, err, want)
		}
		var again moment
		if err := again.Set(m.String()); err != nil || again != m {
			t.Errorf("%d does not survive String: %q", m, m.String())
		}
	}
	for _, text := range []string{"", "-1", "9223372036854775808", "2023-11-14", "1960-01-01T00:00:00Z"} {
		if err := m.Set(text); err == nil {
			t.Errorf("Set(%q) = %d; want an error", text, m)
		}
	}
}

func TestFlagNames(t *testing.T) {
	for bits := range uint16(1 << 9) {
		if got, err := transferFlagNames.parse(transferFlagNames.format(bits)); err != nil || got != bits {
			t.Fatalf("flags %b come back as %b, %v", bits, got, err)
		}
	}
	if text := strings.Join(accountFlagNames.format(1<<5|1<<3), " "); text != "history closed" {
		t.Errorf("flags are %q", text)
	}
}

// TestRecordsSurviveJSON gives every field a value of its own.
func TestRecordsSurviveJSON(t *testing.T) {
	account := ledger.Account{
		ID: ledger.AmountMax, DebitsPending: ledger.Uint128{Lo: 2}, DebitsPosted: ledger.Uint128{Lo: 3},
		CreditsPending: ledger.Uint128{Lo: 4}, CreditsPosted: ledger.Uint128{Lo: 5}, UserData128: ledger.Uint128{Hi: 6},
		UserData64: math.MaxUint64, UserData32: 7, Ledger: 8, Code: 9, Flags: 0b101010, Timestamp: 10,
	}
	if got, err := throughJSON(newAccountRecord(&account), accountRecord.account); err != nil || got != account {
		t.Errorf("%+v became %+v, %v", account, got, err)
	}
	transfer := ledger.Transfer{
		ID: ledger.AmountMax, DebitAccountID: ledger.Uint128{Lo: 2}, CreditAccountID: ledger.Uint128{Lo: 3},
		Amount: ledger.Uint128{Lo: 4}, PendingID: ledger.Uint128{Lo: 5}, UserData128: ledger.Uint128{Hi: 6},
		UserData64: math.MaxUint64, UserData32: 7, Timeout: 11, Ledger: 8, Code: 9, Flags: 0b101010101, Timestamp: 10,
	}
	if got, err := throughJSON(newTransferRecord(&transfer), transferRecord.transfer); err != nil || got != transfer {
		t.Errorf("%+v became %+v, %v", transfer, got, err)
	}
}

func throughJSON[T, R any](record any, convert func(R) (T, error)) (event T, err error) {
	line, err := json.Marshal(record)
	if err != nil {
		return event, err
	}
	return readLine(line, convert)
}

func TestPages(t *testing.T) {
	const last = pageMax*2 + 10 // timestamps are 1 .. last
	for name, test := range map[string]struct {
		filter      filter
		first, want int
		asked       int
	}{
		"all":           {filter{limit: 1 << 30}, 1, last, 4},
		"limit":         {filter{limit: pageMax + 1}, 1, pageMax + 1, 2},
		"a full page":   {filter{limit: pageMax}, 1, pageMax, 1},
		"from":          {filter{limit: 20, QueryFilter: ledger.QueryFilter{TimestampMin: last - 4}}, last - 4, 5, 2},
		"until":         {filter{limit: 20, QueryFilter: ledger.QueryFilter{TimestampMax: 5}}, 1, 5, 2},
		"all, reversed": {filter{limit: 1 << 30, reversed: true}, last, last, 3},
		"from, reversed": {filter{limit: 20, reversed: true, QueryFilter: ledger.QueryFilter{TimestampMin: last - 4}},
			last, 5, 2},
	} {
		asked, next, got := 0, uint64(test.first), 0
		ask := func(low, high uint64, limit uint32) (page []uint64, err error) {
			asked++
			low, high = max(low, 1), min(high-1, last-1)+1 // 0 is no bound
			for low <= high && len(page) < int(limit) {
				if test.filter.reversed {
					page = append(page, high)
					high--
				} else {
					page = append(page, low)
					low++
				}
			}
			return page, nil
		}
		for page, err := range pages(&test.filter, func(timestamp *uint64) uint64 { return *timestamp }, ask) {
			if err != nil {
				t.Fatal(err)
			}
			for _, timestamp := range page {
				if timestamp != next {
					t.Fatalf("%s: record %d is %d, want %d", name, got, timestamp, next)
				}
				got++
				if next++; test.filter.reversed {
					next -= 2
				}
			}
		}
		if got != test.want || asked != test.asked {
			t.Errorf("%s: %d records on %d pages, want %d on %d", name, got, asked, test.want, test.asked)
		}
	}
}
