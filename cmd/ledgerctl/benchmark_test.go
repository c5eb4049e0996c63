package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/ledgerd/ledgerd/bench"
)

// TestBenchmark runs a small workload against a server of its own, as a user
// would.
func TestBenchmark(t *testing.T) {
	directory := t.TempDir()
	got := ledgerctl(t, "", "benchmark", "--directory="+directory, "--yardstick",
		"--account-count=100", "--transfer-count=2000", "--transfer-batch-size=100", "--clients=4",
		"--phase=two-phase", "--id-order=random", "--query-count=5", "--seed=9", "--user-data-every=3", "--restart", "--cache-grid=1MiB", "--cache-accounts=2MiB")
	if got.code != 0 {
		t.Fatalf("exit code %d, %s", got.code, got.stderr)
	}
	var r report
	if err := json.Unmarshal([]byte(got.stdout), &r); err != nil {
		t.Fatal(err)
	}
	want := bench.Workload{
		Name: "plain", Accounts: 100, Transfers: 2000, Batch: 100, Clients: 4,
		IDOrder: bench.IDRandom, Phase: bench.PhaseTwo, Queries: 5, UserData: 3, Seed: 9,
	}
	if r.Workload != want || r.Batches.Count != 20 || len(r.Queries) != int(bench.QuestionCount) || r.Queries[0].Latency.Count != 5 {
		t.Errorf("report of another workload: %s", got.stdout)
	}
	if r.TransfersPerSecond <= 0 || r.Batches.P100 < r.Batches.P50 || r.DataFileBytes <= 0 || r.RestartSeconds <= 0 ||
		r.Yardstick.Share <= 0 || r.Yardstick.TransfersPerSecond <= 0 {
		t.Errorf("report makes no sense: %s", got.stdout)
	}
	if _, err := os.Stat("/proc/self/stat"); err == nil && r.ServerResidentMax == 0 {
		t.Error("the server cost no memory")
	}
	if left, err := os.ReadDir(directory); err != nil || len(left) != 0 {
		t.Errorf("left %v behind, %v", left, err)
	}
}

func TestBenchmarkGivenServer(t *testing.T) {
	address := serve(t)
	got := ledgerctl(t, "", "benchmark", address, "--table", "--workload=single-8", "--account-count=10", "--transfer-count=80")
	for _, want := range []string{"│ workload ", "│ single-8 ", "│ 8 × 1 ", "│ transfers a second ", "│ balances ", "│ right "} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("no %q in the report:\n%s", want, got.stdout)
		}
	}
	if got.code != 0 || strings.Contains(got.stdout, "data file") {
		t.Errorf("exit code %d, %s%s", got.code, got.stdout, got.stderr)
	}
	got = ledgerctl(t, "", "benchmark", address, "--account-count=10", "--transfer-count=9000")
	if got.code != 1 || !strings.Contains(got.stderr, "try a smaller --transfer-batch-size") {
		t.Errorf("exit code %d, %s", got.code, got.stderr)
	}
}

func TestBenchmarkServerThatDoesNotStart(t *testing.T) {
	if got := ledgerctl(t, "", "benchmark", "--cache-grid=1"); got.code != 1 || !strings.Contains(got.stderr, "the server did not start") {
		t.Errorf("%+v", got)
	}
	if _, err := startServer(t.TempDir(), caches{}); err == nil || !strings.Contains(err.Error(), "the server did not start") {
		t.Errorf("error %v", err)
	}
}
