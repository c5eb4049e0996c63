package bench

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ledgerd/ledgerd/ledger"
)

// small returns the named workload, cut down to what a test can bear.
func small(t testing.TB, name string) Workload {
	w, err := FindWorkload(name)
	if err != nil {
		t.Fatal(err)
	}
	w.Accounts = min(w.Accounts, 9000) // more than one message of them
	w.Transfers = min(w.Transfers, w.Batch*w.Clients*3+w.Batch/2+1)
	w.Queries, w.Expiring = 3, 0
	return w
}

func TestRunEveryWorkload(t *testing.T) {
	for _, named := range Workloads() {
		t.Run(named.Name, func(t *testing.T) {
			if err := named.Validate(); err != nil {
				t.Fatal(err)
			}
			w, server, told := small(t, named.Name), newFakeServer(), 0
			result, err := Run(t.Context(), Config{Workload: w, Connect: server.connect, Progress: func(n int) { told += n }})
			if err != nil {
				t.Fatal(err)
			}
			if len(server.transfers) != w.Transfers || told != w.Transfers {
				t.Errorf("%d transfers there, %d told of, want %d", len(server.transfers), told, w.Transfers)
			}
			if server.largest != w.Batch || result.Batches.Count != int64(server.batches) || server.open != 0 {
				t.Errorf("largest batch %d, want %d; %d batches timed, %d sent; %d clients open",
					server.largest, w.Batch, result.Batches.Count, server.batches, server.open)
			}
			if l := result.Batches; l.P50 > l.P90 || l.P90 > l.P99 || l.P99 > l.P999 || l.P999 > l.P9999 || l.P9999 > l.P100 || l.P100 == 0 || result.Elapsed < l.P50 {
				t.Errorf("latencies %+v in %v make no sense", l, result.Elapsed)
			}
			for question, latencies := range result.Queries {
				want := int64(3)
				if Question(question) == AskUserData && w.UserData == 0 {
					want = 0
				}
				if latencies.Count != want {
					t.Errorf("%v asked %d times, want %d", Question(question), latencies.Count, want)
				}
			}
		})
	}
}

// TestRunRefusesWrongServers is why Run may be believed: each fault that a
// server could hide behind a good reply is found.
func TestRunRefusesWrongServers(t *testing.T) {
	type results = []ledger.CreateTransferResult
	fault := errors.New("gone")
	for name, test := range map[string]struct {
		spoil func(*fakeServer, results) (results, error)
		want  string
	}{
		"a lost transfer": {func(s *fakeServer, r results) (results, error) {
			for _, transfer := range s.transfers {
				s.accounts[transfer.DebitAccountID].DebitsPosted.Lo -= transfer.Amount.Lo
				s.accounts[transfer.CreditAccountID].CreditsPosted.Lo -= transfer.Amount.Lo
				break
			}
			return r, nil
		}, ErrWrongBalances.Error()},
		"a debit alone": {func(s *fakeServer, r results) (results, error) {
			for _, account := range s.accounts {
				account.DebitsPosted.Lo++
				break
			}
			return r, nil
		}, ErrWrongBalances.Error()},
		"a credit alone": {func(s *fakeServer, r results) (results, error) {
			for _, account := range s.accounts {
				account.CreditsPosted.Lo++
				break
			}
			return r, nil
		}, ErrWrongBalances.Error()},
		"a huge balance": {func(s *fakeServer, r results) (results, error) {
			for _, account := range s.accounts {
				account.CreditsPending.Hi = 1
			}
			return r, nil
		}, ErrWrongBalances.Error()},
		"a lost account": {func(s *fakeServer, r results) (results, error) {
			for id := range s.accounts {
				delete(s.accounts, id)
				break
			}
			return r, nil
		}, ErrWrongBalances.Error() + ": 1 of 2 accounts are there"},
		"a failed event": {func(_ *fakeServer, r results) (results, error) {
			r[len(r)-1].Status = ledger.TransferExists
			return r, nil
		}, "was not created: exists"},
		"a missing result": {func(_ *fakeServer, r results) (results, error) {
			return r[1:], nil
		}, "9 results for 10 transfers"},
		"an error": {func(*fakeServer, results) (results, error) { return nil, fault }, "gone"},
	} {
		t.Run(name, func(t *testing.T) {
			w := small(t, "plain")
			w.Accounts, w.Transfers, w.Batch = 2, 10, 10
			server := newFakeServer()
			server.spoil = test.spoil
			_, err := Run(t.Context(), Config{Workload: w, Connect: server.connect})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if server.open != 0 {
				t.Errorf("%d clients left open", server.open)
			}
		})
	}
}

func TestRunObeysContext(t *testing.T) {
	w, server := small(t, "single-8"), newFakeServer()
	w.Transfers = 1 << 30
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Run(ctx, Config{Workload: w, Connect: server.connect, Progress: func(int) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}

func TestWorkloadValidate(t *testing.T) {
	for name, change := range map[string]func(*Workload){
		"account count 1 ":             func(w *Workload) { w.Accounts = 1 },
		"transfer count -1 ":           func(w *Workload) { w.Transfers = -1 },
		"transfer batch size 0 ":       func(w *Workload) { w.Batch = 0 },
		"transfer batch size 8190 ":    func(w *Workload) { w.Batch = TransferBatchMax + 1 },
		"client count 0 ":              func(w *Workload) { w.Clients = 0 },
		"client count 1025 ":           func(w *Workload) { w.Clients = ClientsMax + 1 },
		"warm-up count -1 ":            func(w *Workload) { w.WarmUp = -1 },
		"rate -1 ":                     func(w *Workload) { w.Rate = -1 },
		"rate 1000000001 ":             func(w *Workload) { w.Rate = RateMax + 1 },
		"distribution \"round\"":       func(w *Workload) { w.Distribution = "round" },
		"no room for a chain of 4":     func(w *Workload) { w.Phase, w.Batch = PhaseLinked, 3 },
		"query count -1 ":              func(w *Workload) { w.Queries = -1 },
		"unknown id order \"upwards\"": func(w *Workload) { w.IDOrder = "upwards" },
		"unknown phase \"third\"":      func(w *Workload) { w.Phase = "third" },
	} {
		w := plain
		change(&w)
		if err := w.Validate(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want %q", err, name)
		}
	}
	if _, err := FindWorkload("nope"); err == nil || !strings.Contains(err.Error(), "plain, random-ids") {
		t.Errorf("error %v does not list the workloads", err)
	}
}

// TestIDOrders draws the ids of three clients in turn, as they reach a server.
func TestIDOrders(t *testing.T) {
	for order, sorted := range map[IDOrder]func(a, b ledger.Uint128) bool{
		IDSequential: func(a, b ledger.Uint128) bool { return a.Less(b) },
		IDReversed:   func(a, b ledger.Uint128) bool { return b.Less(a) },
	} {
		w := small(t, "plain")
		w.IDOrder, w.Clients, w.Batch, w.Transfers = order, 3, 10, 60
		var drawn [3][]ledger.Uint128
		for client := range drawn {
			g := newGenerator(w, 7, client)
			for batch := g.next(); batch != nil; batch = g.next() {
				for _, transfer := range batch {
					drawn[client] = append(drawn[client], transfer.ID)
				}
			}
		}
		last := drawn[0][0]
		for i := 1; i < 60; i++ {
			id := drawn[i%3][i/3]
			if !sorted(last, id) {
				t.Fatalf("%s: %v follows %v", order, id, last)
			}
			last = id
		}
	}
}

func TestTimeOrderedIDsRiseWithTheirMilliseconds(t *testing.T) {
	g := newGenerator(plain, 1_700_000_000_000, 0)
	var last ledger.Uint128
	for batch := range uint64(3) {
		for _, transfer := range g.next() {
			if !last.Less(transfer.ID) || transfer.ID.Hi>>16 != 1_700_000_000_000+batch {
				t.Fatalf("batch %d: %v follows %v", batch, transfer.ID, last)
			}
			last = transfer.ID
		}
	}
}

func TestGeneratorIsUniformAndSeeded(t *testing.T) {
	w := plain
	w.Accounts, w.Transfers = 7, 70_000
	var debits, credits [8]int
	g, twin := newGenerator(w, 1, 0), newGenerator(w, 1, 0)
	for batch := g.next(); batch != nil; batch = g.next() {
		if !slices.Equal(batch, twin.next()) {
			t.Fatal("equal seeds, different batches")
		}
		for _, transfer := range batch {
			if transfer.DebitAccountID == transfer.CreditAccountID || transfer.Amount.IsZero() {
				t.Fatalf("%+v is not a valid transfer", transfer)
			}
			debits[transfer.DebitAccountID.Lo]++
			credits[transfer.CreditAccountID.Lo]++
		}
	}
	for id := 1; id <= 7; id++ {
		if debits[id] < 9500 || debits[id] > 10500 || credits[id] < 9500 || credits[id] > 10500 {
			t.Errorf("account %d is debited %d and credited %d times, want about 10000", id, debits[id], credits[id])
		}
	}
}

func TestGeneratorAllocatesNothing(t *testing.T) {
	for _, name := range []string{"plain", "two-phase", "random-ids", "linked", "zipfian", "hot-account"} {
		w, _ := FindWorkload(name)
		g := newGenerator(w, 1, 0)
		if n := testing.AllocsPerRun(10, func() { g.next(); g.acknowledge() }); n != 0 {
			t.Errorf("%s: %v allocations a batch", name, n)
		}
	}
}

func TestYardstick(t *testing.T) {
	for _, name := range []string{"plain", "two-phase", "single-8"} {
		w, directory := small(t, name), t.TempDir()
		told := 0
		y, err := MeasureYardstick(t.Context(), w, directory, func(n int) { told += n })
		if err != nil || y.Transfers != w.Transfers || told != w.Transfers || y.Table <= 0 || y.Disk <= 0 || y.TransfersPerSecond() <= 0 {
			t.Errorf("%s: %+v, %v; told of %d transfers, want %d", name, y, err, told, w.Transfers)
		}
		if left, err := os.ReadDir(directory); err != nil || len(left) != 0 {
			t.Errorf("%s: left %v behind, %v", name, left, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := MeasureYardstick(ctx, small(t, "plain"), t.TempDir(), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
	if _, err := MeasureYardstick(t.Context(), small(t, "plain"), t.TempDir()+"/none", nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, want %v", err, os.ErrNotExist)
	}
}

func TestYardstickFileIsWrittenRoundAndRound(t *testing.T) {
	file, err := openYardstickFile(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer file.close()
	var spent time.Duration
	if err := file.append(make([]ledger.Transfer, 1), &spent); err != nil || spent != 0 {
		t.Fatalf("wrote too early: %v, %v", spent, err)
	}
	if err := file.flush(&spent); err != nil || spent == 0 {
		t.Fatalf("did not write: %v, %v", spent, err)
	}
	if info, err := file.Stat(); err != nil || info.Size() != yardstickFileBytes || file.offset != sectorBytes {
		t.Errorf("file of %d bytes, %v, next write at %d", info.Size(), err, file.offset)
	}
}

func TestTablesKeepBalances(t *testing.T) {
	w := small(t, "two-phase")
	w.Transfers = 2 * w.Batch // all reservations are posted
	g, tables := newGenerator(w, 1, 0), newTables(w, 1)
	for batch := g.next(); batch != nil; batch = g.next() {
		tables.apply(batch)
		g.acknowledge()
	}
	var debits, credits totals
	for _, account := range tables.accounts {
		debits.pending += account.debits.pending
		debits.posted += account.debits.posted
		credits.pending += account.credits.pending
		credits.posted += account.credits.posted
	}
	if debits != g.totals || credits != g.totals || debits.pending != 0 || debits.posted == 0 {
		t.Errorf("debits %+v, credits %+v, generated %+v", debits, credits, g.totals)
	}
}

func TestProcessSince(t *testing.T) {
	got := Process{ResidentMax: 9, CPU: 8, Written: 7}.Since(Process{ResidentMax: 1, CPU: 2, Written: 3})
	if want := (Process{ResidentMax: 9, CPU: 6, Written: 4}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestReadProcess(t *testing.T) {
	process, err := ReadProcess(os.Getpid())
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("no /proc here")
	}
	if err != nil || process.ResidentMax < 1<<20 || process.CPU < 0 {
		t.Errorf("%+v, %v", process, err)
	}
	if now, err := os.ReadFile("/proc/self/io"); err == nil {
		if most, err := parseNumber(now, "write_bytes:", ""); err != nil || process.Written > most || process.Written < most/2 {
			t.Errorf("%d bytes written, now %d, %v", process.Written, most, err)
		}
	}
	if _, err := ReadProcess(-1); err == nil {
		t.Error("no error for a process that cannot be")
	}
	if ticks, err := parseStat([]byte("7 (a) b) R 1 2 3 4 5 6 7 8 9 10 30 12 13")); err != nil || ticks != 42 {
		t.Errorf("%d ticks, %v; want 42", ticks, err)
	}
	if n, err := parseNumber([]byte("Name:\tx\nVmHWM:\t    1234 kB\nVmRSS:\t 1 kB\n"), "VmHWM:", "kB"); err != nil || n != 1234 {
		t.Errorf("%d, %v; want 1234", n, err)
	}
	if _, err := parseNumber(nil, "VmHWM:", "kB"); err == nil || err.Error() != "no VmHWM:" {
		t.Errorf("error %v without the line", err)
	}
	if _, err := parseStat([]byte("7 (a) R")); err == nil {
		t.Error("no error for a short stat")
	}
}

// BenchmarkGenerate is the driver's own cost of one transfer, before the
// client's. Budget: 30 ns, and 100 ns for zipfian accounts: a tenth of what a
// server may spend at a million transfers a second.
func BenchmarkGenerate(b *testing.B) {
	for _, name := range []string{"plain", "random-ids", "two-phase", "linked", "zipfian", "hot-account"} {
		b.Run(name, func(b *testing.B) {
			w, _ := FindWorkload(name)
			w.Transfers = 1 << 40
			g := newGenerator(w, 1, 0)
			for made := 0; made < b.N; {
				made += len(g.next())
				g.acknowledge()
			}
		})
	}
}

func TestTimeline(t *testing.T) {
	var a, b, all Timeline
	a.add(50*time.Millisecond, 100, 7*time.Millisecond)
	a.add(250*time.Millisecond, 300, 3*time.Millisecond)
	b.add(260*time.Millisecond, 100, 9*time.Millisecond)
	b.add(399*time.Millisecond, 500, 2*time.Millisecond)
	all.merge(a)
	all.merge(b)
	want := Timeline{{100, 7 * time.Millisecond}, {}, {400, 9 * time.Millisecond}, {500, 2 * time.Millisecond}}
	if !slices.Equal(all, want) {
		t.Errorf("merged to %v", all)
	}
	for _, test := range []struct{ from, to, want float64 }{{0, 0.1, 1000}, {0.5, 1, 5000}, {0, 1, 2500}} {
		if got := all.Rate(test.from, test.to); got < test.want*0.999 || got > test.want*1.001 {
			t.Errorf("rate from %v to %v is %v, want %v", test.from, test.to, got, test.want)
		}
	}
	if all.Lowest() != 0 || (Timeline{}).Rate(0, 1) != 0 {
		t.Error("the worst slice is not the empty one, or nothing has a rate")
	}
}

// TestMarks is what the questions rely on: ten transfers of each value, and ids
// of transfers that were made.
func TestMarks(t *testing.T) {
	w := Workload{UserData: 3, Queries: 1, Clients: 2}
	m, values, made := newMarks(w, 1, 3000), make(map[uint64]int), 0
	for n := 1; made < 3000; n++ {
		batch := make([]ledger.Transfer, min(n, 3000-made))
		for i := range batch {
			batch[i].ID.Lo = uint64(made + i)
		}
		m.mark(batch)
		made += len(batch)
		for i := range batch {
			if (batch[i].UserData64 != 0) != (batch[i].ID.Lo%3 == 0) {
				t.Fatalf("transfer %v has user data %d", batch[i].ID, batch[i].UserData64)
			}
			values[batch[i].UserData64]++
		}
	}
	delete(values, 0)
	for value, count := range values {
		if count != markMatches || value>>40 != 1 {
			t.Errorf("value %#x is that of %d transfers", value, count)
		}
	}
	if len(values) != 100 || len(m.kept) != 3000 || m.kept[7].Lo != 7 {
		t.Errorf("%d values, %d ids kept", len(values), len(m.kept))
	}
}

// TestBetween has the server restart between transfers and queries.
func TestBetween(t *testing.T) {
	server, restarts := newFakeServer(), 0
	_, err := Run(t.Context(), Config{Workload: small(t, "batch-100"), Connect: server.connect, Between: func(context.Context) error {
		restarts++
		if server.open != 0 {
			t.Errorf("%d clients open", server.open)
		}
		return nil
	}})
	if err != nil || restarts != 1 || server.open != 0 {
		t.Errorf("%v, %d restarts, %d clients open", err, restarts, server.open)
	}
}
