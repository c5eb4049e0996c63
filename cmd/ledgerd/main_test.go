package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/ledgerd/ledgerd/internal/command"
)

// outcome is what a run of the program left behind.
type outcome struct {
	code           int
	stdout, stderr string
}

// ledgerd runs the program until it ends.
func ledgerd(t *testing.T, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := command.Execute(t.Context(), newRoot(), environmentPrefix, args,
		command.Streams{Out: &stdout, Err: &stderr}, noEnvironment)
	return outcome{code, stdout.String(), stderr.String()}
}

func noEnvironment(string) (string, bool) { return "", false }

// running is a run of the program that goes on.
type running struct {
	lines chan string // of standard output
	ended chan outcome
	stop  context.CancelFunc // what a signal does
}

// startLedgerd runs the program in the background.
func startLedgerd(t *testing.T, args ...string) *running {
	ctx, stop := context.WithCancel(t.Context())
	r := &running{lines: make(chan string, 100), ended: make(chan outcome, 1), stop: stop}
	t.Cleanup(stop)
	go func() {
		var stderr bytes.Buffer
		code := command.Execute(ctx, newRoot(), environmentPrefix, args,
			command.Streams{Out: lineWriter(r.lines), Err: &stderr}, noEnvironment)
		r.ended <- outcome{code: code, stderr: stderr.String()}
		close(r.lines)
	}()
	return r
}

// lineWriter sends on what is printed, line by line.
type lineWriter chan string

func (w lineWriter) Write(text []byte) (int, error) {
	for line := range strings.Lines(string(text)) {
		w <- line
	}
	return len(text), nil
}

// expect reads lines until one contains text, and returns it.
func (r *running) expect(t *testing.T, text string) string {
	t.Helper()
	for line := range r.lines {
		if strings.Contains(line, text) {
			return line
		}
	}
	t.Fatalf("ended without printing %q: %+v", text, <-r.ended)
	return ""
}

func TestHelpHasExamples(t *testing.T) {
	commands := append(newRoot().Commands(), &cobra.Command{Use: "--help"})
	for _, cmd := range commands {
		help := ledgerd(t, cmd.Name(), "--help")
		if help.code != 0 || !strings.Contains(help.stdout, "Examples:\n  ledgerd ") {
			t.Errorf("%s: exit code %d, no example in the help:\n%s", cmd.Name(), help.code, help.stdout)
		}
	}
}

func TestMistakesOfUsage(t *testing.T) {
	for _, test := range []struct{ args, complaint string }{
		{"nonsense", `unknown command "nonsense" for "ledgerd"`},
		{"format x", `required flag(s) "cluster", "replica", "replica-count" not set`},
		{"format --cluster=0 --replica=0 --replica-count=1", "accepts 1 arg(s), received 0"},
		{"format --cluster=x --replica=0 --replica-count=1 x", `"x" is not a number`},
		{"format --cluster=0 --replica=0 --replica-count=256 x", `parsing "256": value out of range`},
		{"recover x", `required flag(s) "addresses", "cluster", "replica", "replica-count" not set`},
		{"recover --cluster=0 --addresses=1,2 --replica=0 --replica-count=3 x", "--addresses: 2 given for 3 replicas"},
		{"start x", `required flag(s) "addresses" not set`},
		{"start --addresses=3000", "accepts 1 arg(s), received 0"},
		{"start --addresses=1.2.3:3000 x", `--addresses: address "1.2.3:3000": "1.2.3" is neither an IP address nor a name`},
		{"start --addresses=3000,0,3002 x", "port 0 is for a cluster of one"},
		{"start --addresses=3000 --limit-request=1GB x", `"1GB" is not a size such as 64MiB`},
		{"start --addresses=3000 --cache-grid=1MB x", `"1MB" is not a size such as 64MiB`},
		{"start --addresses=3000 --cache-grid=64KiB x", `--cache-grid: 64KiB is too small: give at least 1MiB`},
		{"start --addresses=3000 --cache-accounts=1 x", `--cache-accounts: 1 is too small: give at least 1MiB`},
		{"start --addresses=3000 --log-level=loud x", "unknown name"},
		{"start --addresses=3000 --log-format=xml x", `--log-format: "xml" is neither text nor json`},
		{"demo a b", "accepts at most 1 arg(s), received 2"},
		{"demo --addresses=x:y:z", `--addresses: address "x:y:z": is none of PORT, HOST and HOST:PORT`},
		{"version x", `unknown command "x" for "ledgerd version"`},
	} {
		got := ledgerd(t, strings.Fields(test.args)...)
		if got.code != command.ExitUsage || !strings.Contains(got.stderr, test.complaint) || got.stdout != "" {
			t.Errorf("%s: exit code %d, %q; want %d, %q", test.args, got.code, got.stderr, command.ExitUsage, test.complaint)
		}
	}
}
