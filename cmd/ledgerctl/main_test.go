package main

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/ledgerd/ledgerd/internal/command"
	"github.com/ledgerd/ledgerd/internal/server"
)

// TestMain lets the test program be the server that a benchmark starts.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == benchmarkServer {
		os.Exit(command.Main(newRoot(), environmentPrefix))
	}
	os.Exit(m.Run())
}

// outcomeOf is what a run of the program left behind.
type outcomeOf struct {
	code           int
	stdout, stderr string
}

// ledgerctl runs the program.
func ledgerctl(t *testing.T, input string, args ...string) outcomeOf {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := command.Execute(t.Context(), newRoot(), environmentPrefix, args,
		command.Streams{In: strings.NewReader(input), Out: &stdout, Err: &stderr},
		func(string) (string, bool) { return "", false })
	return outcomeOf{code, stdout.String(), stderr.String()}
}

// times are timestamps in both forms of output.
var times = regexp.MustCompile(`\b\d{19}\b|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z`)

// check compares an outcome with what is wanted, where timestamps are TIME.
func (o outcomeOf) check(t *testing.T, code int, stdout, stderr string) {
	t.Helper()
	if got := times.ReplaceAllString(o.stdout, "TIME"); got != strings.TrimPrefix(stdout, "\n") {
		t.Errorf("printed:\n%swant:%s", got, stdout)
	}
	if o.stderr != stderr {
		t.Errorf("complained:\n%s\nwant:\n%s", o.stderr, stderr)
	}
	if o.code != code {
		t.Errorf("exit code %d, want %d", o.code, code)
	}
}

// serve starts a fresh ledger, and returns the flag that leads to it.
func serve(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test.ledger")
	if err := server.Format(path, server.FormatConfig{ReplicaCount: 1, Development: true}); err != nil {
		t.Fatal(err)
	}
	replica, err := server.Start(server.Config{
		Path: path, Addresses: []string{"127.0.0.1:0"}, Development: true, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := replica.Close(); err != nil {
			t.Error(err)
		}
	})
	return "--addresses=" + replica.Addr().String()
}

// seeded starts a ledger with accounts 1, 2 and 3 and transfers 11, 12 and 13.
func seeded(t *testing.T) string {
	t.Helper()
	address := serve(t)
	ledgerctl(t, `
		{"id": 1, "ledger": 1, "code": 10}
		{"id": "2", "ledger": 1, "code": 10, "flags": ["history"], "user_data_64": "18446744073709551615"}
		{"id": 3, "ledger": 1, "code": 20}`, "accounts", "create", address).check(t, 0, `
{"id":"1","status":"created","timestamp":"TIME"}
{"id":"2","status":"created","timestamp":"TIME"}
{"id":"3","status":"created","timestamp":"TIME"}
`, "")
	ledgerctl(t, `
		{"id": 11, "debit_account_id": 1, "credit_account_id": 2, "amount": 100, "ledger": 1, "code": 1}
		{"id": 12, "debit_account_id": 2, "credit_account_id": 3, "amount": 30, "ledger": 1, "code": 2, "flags": ["pending"], "timeout": 3600}
		{"id": 13, "debit_account_id": 1, "credit_account_id": 3, "amount": "7", "ledger": 1, "code": 1}
		`, "transfers", "create", address).check(t, 0, `
{"id":"11","status":"created","timestamp":"TIME"}
{"id":"12","status":"created","timestamp":"TIME"}
{"id":"13","status":"created","timestamp":"TIME"}
`, "")
	return address
}

func TestHelpHasExamples(t *testing.T) {
	var walk func(cmd *cobra.Command, path []string)
	walk = func(cmd *cobra.Command, path []string) {
		help := ledgerctl(t, "", append(path, "--help")...)
		if help.code != 0 || !strings.Contains(help.stdout, "Examples:\n  ") || !strings.Contains(help.stdout, cmd.CommandPath()) {
			t.Errorf("%q: exit code %d, no example in the help:\n%s", cmd.CommandPath(), help.code, help.stdout)
		}
		for _, child := range cmd.Commands() {
			if !child.Hidden {
				walk(child, append(path[:len(path):len(path)], child.Name()))
			}
		}
	}
	walk(newRoot(), nil)
}

func TestMistakesOfUsage(t *testing.T) {
	for _, test := range []struct{ args, complaint string }{
		{"nonsense", `unknown command "nonsense" for "ledgerctl"`},
		{"accounts get", "requires at least 1 arg(s), only received 0"},
		{"accounts get x", `id "x" is not a number in 0 .. 2^128-1`},
		{"accounts list --json --table", "if any flags in the group [json table] are set none of the others can be"},
		{"accounts create --flags=fast", `no flag "fast"; there are linked, debits_must_not_exceed_credits`},
		{"accounts list --limit=0", "--limit: 0 is less than 1"},
		{"accounts list --timestamp-min=yesterday", `"yesterday" is neither nanoseconds since 1970 nor a time`},
		{"transfers list --account=1 --ledger=1", "--ledger is of no use with --account"},
		{"transfers list --debits", "--debits and --credits need --account"},
		{"transfers create --amount=-1", `"-1" is not a number`},
		{"benchmark --workload=x", `no workload "x"; there are plain`},
		{"benchmark --clients=0", "client count 0 is not in"},
		{"benchmark --account-distribution=x", `unknown account distribution "x"`},
		{"benchmark --runs=0", "--runs: 0 is less than 1"},
		{"benchmark --runs=2 --addresses=1", "--runs is for servers of the benchmark's own"},
		{"benchmark --restart --addresses=1", "--restart is for a server of the benchmark's own"},
		{"benchmark --yardstick --transfer-count=0", "--yardstick needs transfers"},
		{"benchmark a.json", `"a.json" is of no use without --compare`},
		{"benchmark --compare a.json", "--compare needs two files, not 1"},
	} {
		got := ledgerctl(t, "", strings.Fields(test.args)...)
		if got.code != command.ExitUsage || !strings.Contains(got.stderr, test.complaint) || got.stdout != "" {
			t.Errorf("%s: exit code %d, %q; want %d, %q", test.args, got.code, got.stderr, command.ExitUsage, test.complaint)
		}
	}
}

func TestNoServer(t *testing.T) {
	got := ledgerctl(t, "", "accounts", "get", "1", "--addresses=1", "--connect-timeout=100ms")
	if got.code != command.ExitFailure || !strings.Contains(got.stderr, "connect to 127.0.0.1:1") {
		t.Errorf("exit code %d, %q", got.code, got.stderr)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (&common{addresses: "1", connectTimeout: 1 << 40}).connect(ctx); err == nil {
		t.Error("connected to nothing")
	}
}
