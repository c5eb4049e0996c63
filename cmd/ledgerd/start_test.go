package main

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ledgerd/ledgerd/client"
	"github.com/ledgerd/ledgerd/ledger"
)

// TestStart formats a file, starts it on a port of the system's choice, writes
// to it, stops it as a signal would, and finds the account after a restart.
func TestStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "0_0.ledger")
	if got := ledgerd(t, "format", "--cluster=7", "--replica=0", "--replica-count=1", "--development", path); got.code != 0 {
		t.Fatal(got)
	}
	for round, want := range []ledger.CreateAccountStatus{ledger.AccountCreated, ledger.AccountExists} {
		r := startLedgerd(t, "start", "--addresses=0", "--development", "--log-format=json", "--log-level=debug", path)
		port := strings.TrimSpace(<-r.lines)
		results, err := createAccounts(t.Context(), "127.0.0.1:"+port, 1)
		if err != nil || results[0].Status != want {
			t.Errorf("round %d: %v, %v; want %v", round, results, err, want)
		}
		r.stop()
		end := <-r.ended
		if end.code != 0 || !strings.HasPrefix(end.stderr, `{"time":`) {
			t.Errorf("round %d: ended with exit code %d, logs:\n%s", round, end.code, end.stderr)
		}
		if line, more := <-r.lines; more {
			t.Errorf("round %d: printed more than the port: %q", round, line)
		}
	}
}

// createAccounts creates accounts 1 .. count in one request to cluster 7.
func createAccounts(ctx context.Context, address string, count int) ([]ledger.CreateAccountResult, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	c, err := client.Connect(ctx, client.Config{Cluster: ledger.Uint128{Lo: 7}, Addresses: []string{address}})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	accounts := make([]ledger.Account, count)
	for i := range accounts {
		accounts[i] = ledger.Account{ID: ledger.Uint128{Lo: uint64(i) + 1}, Ledger: 1, Code: 1}
	}
	return c.CreateAccounts(ctx, accounts)
}

// TestStartLimitsRequests sends 40 and 300 accounts to servers that take
// requests of different sizes.
func TestStartLimitsRequests(t *testing.T) {
	path := filepath.Join(t.TempDir(), "0_0.ledger")
	if got := ledgerd(t, "format", "--cluster=7", "--replica=0", "--replica-count=1", path); got.code != 0 {
		t.Fatal(got)
	}
	for _, test := range []struct {
		flag          string
		small, larger error
	}{
		{"--limit-request=4KiB", client.ErrTooMuchData, client.ErrTooMuchData},
		{"--limit-request=8KiB", nil, client.ErrTooMuchData},
		{"--development", nil, client.ErrTooMuchData},
		{"--log-level=info", nil, nil},
	} {
		r := startLedgerd(t, "start", "--addresses=0", test.flag, path)
		address := "127.0.0.1:" + strings.TrimSpace(<-r.lines)
		if _, err := createAccounts(t.Context(), address, 40); !errors.Is(err, test.small) {
			t.Errorf("%s: 40 accounts: %v, want %v", test.flag, err, test.small)
		}
		if _, err := createAccounts(t.Context(), address, 300); !errors.Is(err, test.larger) {
			t.Errorf("%s: 300 accounts: %v, want %v", test.flag, err, test.larger)
		}
		r.stop()
		if end := <-r.ended; end.code != 0 {
			t.Errorf("%s: %+v", test.flag, end)
		}
	}
}

// TestStartAddresses gives too few addresses to a replica of a cluster.
func TestStartAddresses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "0_1.ledger")
	ledgerd(t, "format", "--cluster=0", "--replica=1", "--replica-count=3", "--development", path)
	got := ledgerd(t, "start", "--addresses=3000,3001", "--development", path)
	if got.code != 1 || !strings.Contains(got.stderr, "2 given, the cluster has 3 replicas") {
		t.Errorf("%+v", got)
	}
}

func TestStartFailures(t *testing.T) {
	path := filepath.Join(t.TempDir(), "0_0.ledger")
	if got := ledgerd(t, "start", "--addresses=0", path); got.code != 1 || !strings.Contains(got.stderr, path) {
		t.Errorf("no file: %+v", got)
	}
	ledgerd(t, "format", "--cluster=0", "--replica=0", "--replica-count=1", "--development", path)
	r := startLedgerd(t, "start", "--addresses=0", "--development", path)
	port := strings.TrimSpace(<-r.lines)
	if got := ledgerd(t, "start", "--addresses=0", "--development", path); got.code != 1 || !strings.Contains(got.stderr, path) {
		t.Errorf("file in use: %+v", got)
	}
	other := filepath.Join(t.TempDir(), "0_0.ledger")
	ledgerd(t, "format", "--cluster=0", "--replica=0", "--replica-count=1", "--development", other)
	if got := ledgerd(t, "start", "--addresses="+port, "--development", other); got.code != 1 || !strings.Contains(got.stderr, port) {
		t.Errorf("port in use: %+v", got)
	}
}

// TestStartChecksIdentity starts a file with the right and with wrong ideas of
// whose it is.
func TestStartChecksIdentity(t *testing.T) {
	path := filepath.Join(t.TempDir(), "7_0.ledger")
	if got := ledgerd(t, "format", "--cluster=7", "--replica=0", "--replica-count=1", "--development", path); got.code != 0 {
		t.Fatal(got)
	}
	for _, test := range []struct {
		flags []string
		code  int
		want  string // in what is said on standard error
	}{
		{[]string{"--cluster=8", "--replica=0"}, 1, "it is of cluster 7, not 8"},
		{[]string{"--cluster=7", "--replica=1"}, 1, "it is of replica 0, not 1"},
		{[]string{"--cluster=7"}, 2, "replica"},
	} {
		args := append([]string{"start", "--addresses=0", "--development"}, test.flags...)
		if got := ledgerd(t, append(args, path)...); got.code != test.code || !strings.Contains(got.stderr, test.want) {
			t.Errorf("%v: exit code %d, want %d; said %q, want %q", test.flags, got.code, test.code, got.stderr, test.want)
		}
	}
	r := startLedgerd(t, "start", "--addresses=0", "--development", "--cluster=7", "--replica=0", path)
	<-r.lines
	r.stop()
	if end := <-r.ended; end.code != 0 {
		t.Errorf("with the right identity: %+v", end)
	}
}
