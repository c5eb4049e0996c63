package client_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ledgerd/ledgerd/client"
	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/wire"
)

// patience is far more than any step of a test needs.
const patience = 20 * time.Second

// connected returns a server with accounts 1 and 2, and a client of it.
func connected(t testing.TB) (*fakeServer, *client.Client) {
	t.Helper()
	server := startFake()
	t.Cleanup(server.Close)
	c := connect(t, server.Addr())
	if _, err := c.CreateAccounts(within(t), []ledger.Account{account(1), account(2)}); err != nil {
		t.Fatal(err)
	}
	return server, c
}

func connect(t testing.TB, addresses ...string) *client.Client {
	t.Helper()
	c, err := client.Connect(within(t), client.Config{Addresses: addresses})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func soon(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	time.AfterFunc(patience, cancel)
	return ctx
}

// mustCreate creates one transfer.
func mustCreate(t testing.TB, c *client.Client, n uint64) {
	t.Helper()
	results, err := c.CreateTransfers(within(t), []ledger.Transfer{transfer(n, 1)})
	if err != nil || len(results) != 1 || results[0].Status != ledger.TransferCreated {
		t.Fatalf("CreateTransfers = %v, %v", results, err)
	}
}

// Whatever goes wrong on the way, a call succeeds and is executed once.
func TestFaults(t *testing.T) {
	for _, tt := range []struct {
		name   string
		faults []fault
	}{
		{"healthy", []fault{healthy}},
		{"request lost", []fault{loseRequest}},
		{"reply lost", []fault{loseReply}},
		{"closed before execution", []fault{closeBefore}},
		{"closed after execution", []fault{closeAfter}},
		{"closed again and again", []fault{closeBefore, closeAfter, closeBefore, closeAfter}},
		{"answered twice", []fault{twice}},
		{"broken checksum", []fault{garble}},
		{"half a reply", []fault{halfReply}},
		{"another client's eviction", []fault{misdirected}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server, c := connected(t)
			server.set(func(s *fakeServer) { s.faults, s.requests = tt.faults, 0 })
			mustCreate(t, c, 1)
			mustCreate(t, c, 2)
			server.set(func(s *fakeServer) {
				if s.requests != 2 || len(s.ledger.transfers) != 2 {
					t.Errorf("%d requests were executed and made %d transfers, want 2 of each", s.requests, len(s.ledger.transfers))
				}
			})
		})
	}
}

// A reply that comes after the request was sent again comes twice.
func TestLateReply(t *testing.T) {
	server, c := connected(t)
	server.set(func(s *fakeServer) { s.delay, s.requests, s.received = 700*time.Millisecond, 0, 0 })
	mustCreate(t, c, 1)
	server.set(func(s *fakeServer) { s.delay = 0 })
	mustCreate(t, c, 2)
	server.set(func(s *fakeServer) {
		if s.requests != 2 || s.received < 3 {
			t.Errorf("%d requests of %d received were executed, want 2 of 3 or more", s.requests, s.received)
		}
	})
}

// waitFor returns once the server satisfies a condition.
func waitFor(t *testing.T, server *fakeServer, what string, condition func(s *fakeServer) bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		ok := false
		server.set(func(s *fakeServer) { ok = condition(s) })
		if ok {
			return
		}
	}
	t.Fatalf("timed out waiting for %s", what)
}

func TestDeadlineWhileInFlight(t *testing.T) {
	server, c := connected(t)
	server.block()
	_, err := c.CreateTransfers(soon(200*time.Millisecond), []ledger.Transfer{transfer(1, 1)})
	if !errors.Is(err, client.ErrOutcomeUnknown) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error = %v, want outcome unknown and deadline exceeded", err)
	}

	// The next one waits behind it, so that nothing of it is sent.
	_, err = c.CreateTransfers(soon(200*time.Millisecond), []ledger.Transfer{transfer(2, 1)})
	if errors.Is(err, client.ErrOutcomeUnknown) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error = %v, want deadline exceeded alone", err)
	}

	// The session goes on: the first was carried through, the second not.
	server.release()
	mustCreate(t, c, 3)
	transfers, err := c.LookupTransfers(within(t), []ledger.Uint128{id(1), id(2), id(3)})
	if err != nil || len(transfers) != 2 || transfers[0].ID != id(1) || transfers[1].ID != id(3) {
		t.Errorf("transfers = %v, %v, want 1 and 3", transfers, err)
	}
}

func TestCancelledBeforeCall(t *testing.T) {
	server, c := connected(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := c.CreateTransfers(ctx, []ledger.Transfer{transfer(1, 1)})
	if !errors.Is(err, context.Canceled) || errors.Is(err, client.ErrOutcomeUnknown) {
		t.Errorf("error = %v, want canceled alone", err)
	}
	server.set(func(s *fakeServer) {
		if len(s.ledger.transfers) != 0 {
			t.Error("the transfer was made")
		}
	})
}

// A call made while there is no connection was not sent, so that nothing is
// unknown about it.
func TestDeadlineWithoutConnection(t *testing.T) {
	server, c := connected(t)
	server.Close()
	time.Sleep(100 * time.Millisecond) // until the client has noticed
	for range 2 {
		_, err := c.LookupAccounts(soon(100*time.Millisecond), []ledger.Uint128{id(1)})
		if errors.Is(err, client.ErrOutcomeUnknown) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error = %v, want deadline exceeded alone", err)
		}
	}
}

func TestPacking(t *testing.T) {
	const calls = 100
	server, c := connected(t)
	server.block()
	server.set(func(s *fakeServer) { s.requests, s.batches = 0, 0 })
	var wg sync.WaitGroup
	for i := range uint64(calls) {
		wg.Go(func() { mustCreate(t, c, i+1) })
	}
	time.Sleep(200 * time.Millisecond) // for most of them to queue
	server.release()
	wg.Wait()
	server.set(func(s *fakeServer) {
		if s.requests > 5 || s.batches != calls {
			t.Errorf("%d calls went in %d requests of %d batches, want about 2 requests", calls, s.requests, s.batches)
		}
	})
}

// Many goroutines share a client over a connection that keeps breaking. Each
// gets its own results.
func TestConcurrentCalls(t *testing.T) {
	server, c := connected(t)
	stop := make(chan struct{})
	var breaker sync.WaitGroup
	breaker.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
				server.disconnect()
			}
		}
	})
	const goroutines, rounds = 16, 20
	var wg sync.WaitGroup
	for g := range uint64(goroutines) {
		wg.Go(func() {
			for i := range uint64(rounds) {
				n := 1000*(g+1) + i
				mustCreate(t, c, n)
				found, err := c.LookupTransfers(within(t), []ledger.Uint128{id(n), id(1 << 40), id(n)})
				if err != nil || len(found) != 2 || found[0].ID != id(n) || found[1].ID != id(n) {
					t.Errorf("LookupTransfers(%d) = %v, %v", n, found, err)
				}
			}
		})
	}
	wg.Wait()
	close(stop)
	breaker.Wait()
	accounts, err := c.LookupAccounts(within(t), []ledger.Uint128{id(1)})
	if err != nil || len(accounts) != 1 || accounts[0].DebitsPosted != id(goroutines*rounds) {
		t.Errorf("accounts = %v, %v, want debits of %d", accounts, err, goroutines*rounds)
	}
}

func TestTooMuchData(t *testing.T) {
	server, c := connected(t)
	if _, err := c.CreateTransfers(within(t), make([]ledger.Transfer, 8190)); !errors.Is(err, client.ErrTooMuchData) {
		t.Errorf("8,190 transfers: %v", err)
	}
	if _, err := c.LookupAccounts(within(t), make([]ledger.Uint128, 8190)); !errors.Is(err, client.ErrTooMuchData) {
		t.Errorf("8,190 lookups: %v", err)
	}
	transfers := make([]ledger.Transfer, 8189)
	for i := range transfers {
		transfers[i] = transfer(uint64(i+1), 1)
	}
	results, err := c.CreateTransfers(within(t), transfers)
	if err != nil || len(results) != 8189 {
		t.Fatalf("8,189 transfers: %d results, %v", len(results), err)
	}
	found, err := c.QueryTransfers(within(t), ledger.QueryFilter{Limit: 8189})
	if err != nil || len(found) != 8189 || found[8188].ID != id(8189) {
		t.Errorf("query of 8,189 transfers: %d, %v", len(found), err)
	}

	server.set(func(s *fakeServer) { s.limit = 32512 })
	small := connect(t, server.Addr())
	if _, err := small.CreateTransfers(within(t), transfers[:254]); !errors.Is(err, client.ErrTooMuchData) {
		t.Errorf("254 transfers to a small server: %v", err)
	}
	if results, err := small.CreateTransfers(within(t), transfers[:253]); err != nil || len(results) != 253 {
		t.Errorf("253 transfers to a small server: %v", err)
	}
	if _, err := small.LookupTransfers(within(t), make([]ledger.Uint128, 2032)); !errors.Is(err, client.ErrTooMuchData) {
		t.Errorf("2,032 lookups of a small server: %v", err)
	}
}

func TestEmptyBatch(t *testing.T) {
	_, c := connected(t)
	if results, err := c.CreateTransfers(within(t), nil); err != nil || len(results) != 0 {
		t.Errorf("CreateTransfers(nil) = %v, %v", results, err)
	}
}

func TestEviction(t *testing.T) {
	for _, tt := range []struct {
		fault   fault
		reason  wire.EvictionReason
		unknown bool
	}{
		{evictBody, wire.EvictionInvalidRequestBody, false},
		{evictNone, wire.EvictionNoSession, true},
	} {
		server, c := connected(t)
		server.set(func(s *fakeServer) { s.faults = []fault{tt.fault} })
		_, err := c.CreateTransfers(within(t), []ledger.Transfer{transfer(1, 1)})
		var evicted *client.EvictedError
		if !errors.Is(err, client.ErrEvicted) || !errors.As(err, &evicted) || evicted.Reason != tt.reason {
			t.Errorf("%v: error = %v", tt.reason, err)
		}
		if errors.Is(err, client.ErrOutcomeUnknown) != tt.unknown {
			t.Errorf("%v: error = %v, outcome unknown should be %v", tt.reason, err, tt.unknown)
		}
		_, err = c.CreateTransfers(within(t), []ledger.Transfer{transfer(1, 1)})
		if !errors.Is(err, client.ErrEvicted) || errors.Is(err, client.ErrOutcomeUnknown) {
			t.Errorf("%v: later error = %v", tt.reason, err)
		}
		// An evicted client says nothing any more.
		waitFor(t, server, "the connections to be closed", func(s *fakeServer) bool { return len(s.conns) == 0 })
	}
}

func TestClose(t *testing.T) {
	server := startFake()
	before := runtime.NumGoroutine()
	c := connect(t, server.Addr())
	server.block()
	errs := make([]error, 3)
	var wg sync.WaitGroup
	wg.Go(func() { _, errs[0] = c.LookupAccounts(within(t), []ledger.Uint128{id(1)}) })
	waitFor(t, server, "the request", func(s *fakeServer) bool { return s.received > 0 })
	wg.Go(func() { _, errs[1] = c.LookupAccounts(within(t), []ledger.Uint128{id(1)}) })
	time.Sleep(100 * time.Millisecond)
	c.Close()
	_, errs[2] = c.LookupAccounts(within(t), []ledger.Uint128{id(1)})
	wg.Wait()
	c.Close()
	for i, unknown := range []bool{true, false, false} {
		if !errors.Is(errs[i], client.ErrClosed) || errors.Is(errs[i], client.ErrOutcomeUnknown) != unknown {
			t.Errorf("error %d = %v, outcome unknown should be %v", i, errs[i], unknown)
		}
	}
	server.release()
	waitFor(t, server, "the connections to be closed", func(s *fakeServer) bool { return len(s.conns) == 0 })
	for range 100 {
		if runtime.NumGoroutine() <= before {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines, %d before", n, before)
	}
	server.Close()
}

// A call that is under way when the server goes down is answered by the one
// that comes up, which has executed it before or does so now.
func TestServerRestart(t *testing.T) {
	for _, f := range []fault{loseRequest, loseReply} {
		server, c := connected(t)
		server.set(func(s *fakeServer) { s.faults, s.received = []fault{f}, 0 })
		done := make(chan struct{})
		go func() {
			defer close(done)
			mustCreate(t, c, 1)
		}()
		waitFor(t, server, "the request", func(s *fakeServer) bool { return s.received > 0 })
		server.Close()
		time.Sleep(100 * time.Millisecond)
		server = server.restart()
		<-done
		mustCreate(t, c, 2)
		if n := len(server.ledger.transfers); n != 2 {
			t.Errorf("%d transfers, want 2", n)
		}
		c.Close()
		server.Close()
	}
}

// One of three replicas is enough to be served, whichever it is.
func TestDeadReplicas(t *testing.T) {
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := nobody.Addr().String()
	nobody.Close()
	for live := range 3 {
		server := startFake()
		t.Cleanup(server.Close)
		addresses := []string{dead, dead, dead}
		addresses[live] = server.Addr()
		c := connect(t, strings.Join(addresses, ","))
		if _, err := c.CreateAccounts(within(t), []ledger.Account{account(1), account(2)}); err != nil {
			t.Error(err)
		}
		mustCreate(t, c, 1)
	}
}

func TestConnectFails(t *testing.T) {
	server := startFake()
	defer server.Close()
	nobody := startFake()
	nobody.Close()
	impostor := startFake()
	defer impostor.Close()
	impostor.answerCluster = id(9)
	for _, tt := range []struct {
		name  string
		cfg   client.Config
		want  string
		tries bool
	}{
		{"no address", client.Config{}, "0 addresses", false},
		{"bad address", client.Config{Addresses: []string{"localhost:x"}}, `port "x"`, false},
		{"nobody there", client.Config{Addresses: []string{nobody.Addr()}}, "refused", true},
		{"answers of another cluster", client.Config{Addresses: []string{impostor.Addr()}}, "message of cluster 9", true},
		{"wrong cluster", client.Config{Addresses: []string{server.Addr()}, Cluster: id(5)}, "another cluster id", true},
	} {
		// The caller gives up at the first failure that is logged.
		ctx, cancel := context.WithCancel(within(t))
		tt.cfg.Logger = slog.New(slog.NewTextHandler(writerFunc(func(record string) {
			if strings.Contains(record, "connection failed") {
				cancel()
			}
		}), nil))
		c, err := client.Connect(ctx, tt.cfg)
		if err == nil {
			c.Close()
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error = %v, want %q in it", tt.name, err, tt.want)
		}
		if errors.Is(err, context.Canceled) != tt.tries {
			t.Errorf("%s: error = %v, is canceled should be %v", tt.name, err, tt.tries)
		}
		cancel()
	}
}

// writerFunc is a function as an io.Writer.
type writerFunc func(string)

func (f writerFunc) Write(b []byte) (int, error) {
	f(string(b))
	return len(b), nil
}

func TestConnectRefused(t *testing.T) {
	server := startFake()
	defer server.Close()
	server.refuse = true
	c, err := client.Connect(within(t), client.Config{Addresses: []string{server.Addr()}})
	var evicted *client.EvictedError
	if c != nil || !errors.As(err, &evicted) || evicted.Reason != wire.EvictionClientReleaseTooHigh {
		t.Errorf("Connect = %v, %v", c, err)
	}
}
