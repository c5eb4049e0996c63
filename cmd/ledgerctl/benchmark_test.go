package main

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
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
		"--account-distribution=zipfian", "--warm-up=500", "--rate=100000", "--phase=two-phase", "--id-order=random", "--query-count=5", "--seed=9", "--user-data-every=3", "--restart", "--cache-grid=1MiB", "--cache-accounts=2MiB")
	if got.code != 0 {
		t.Fatalf("exit code %d, %s", got.code, got.stderr)
	}
	var r report
	if err := json.Unmarshal([]byte(got.stdout), &r); err != nil {
		t.Fatal(err)
	}
	want := bench.Workload{
		Name: "plain", Accounts: 100, Distribution: bench.DistributionZipfian,
		WarmUp: 500, Transfers: 2000, Batch: 100, Clients: 4, Rate: 100_000,
		IDOrder: bench.IDRandom, Phase: bench.PhaseTwo, Queries: 5, UserData: 3, Seed: 9, Replicas: 1,
	}
	if r.Workload != want || r.CacheGrid != 1<<20 || r.CacheAccounts != 2<<20 || r.Batches.Count != 20 || len(r.Queries) != int(bench.QuestionCount) || r.Queries[0].Latency.Count != 5 {
		t.Errorf("report of another workload: %s", got.stdout)
	}
	if r.TransfersPerSecond <= 0 || r.Batches.P100 < r.Batches.P50 || r.DataFileBytes <= 0 || r.RestartSeconds <= 0 ||
		r.Yardstick.Share <= 0 || r.Yardstick.TransfersPerSecond <= 0 {
		t.Errorf("report makes no sense: %s", got.stdout)
	}
	if want := r.TransfersPerSecond / r.Yardstick.TransfersPerSecond; math.Abs(r.Yardstick.Share/want-1) > 1e-9 {
		t.Errorf("share %v of the yardstick, want %v", r.Yardstick.Share, want)
	}
	if _, err := os.Stat("/proc/self/stat"); err == nil && r.ServerResidentMax == 0 {
		t.Error("the server cost no memory")
	} else if _, err := os.Stat("/proc/self/io"); err == nil && r.ServerWritten < 2000*128 {
		t.Errorf("the server wrote %d bytes of 2000 transfers", r.ServerWritten)
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
	if _, err := startServer(t.TempDir(), "127.0.0.1:0", caches{}, ""); err == nil || !strings.Contains(err.Error(), "the server did not start") {
		t.Errorf("error %v", err)
	}
}

// TestBenchmarkCluster measures three replicas, of which one is down.
func TestBenchmarkCluster(t *testing.T) {
	directory := t.TempDir()
	got := ledgerctl(t, "", "benchmark", "--directory="+directory, "--workload=two-of-three-replicas",
		"--account-count=10", "--transfer-count=1000", "--transfer-batch-size=100", "--query-count=1", "--cache-grid=1MiB", "--cache-accounts=1MiB")
	if got.code != 0 {
		t.Fatalf("exit code %d, %s", got.code, got.stderr)
	}
	var r report
	if err := json.Unmarshal([]byte(got.stdout), &r); err != nil {
		t.Fatal(err)
	}
	if w := r.Workload; w.Replicas != 3 || w.ReplicasDown != 1 || r.TransfersPerSecond <= 0 {
		t.Errorf("report of another workload: %s", got.stdout)
	}
	if left, err := os.ReadDir(directory); err != nil || len(left) != 0 {
		t.Errorf("left %v behind, %v", left, err)
	}
}

// TestBenchmarkRuns keeps the result of three runs, draws it, and compares it
// with itself.
func TestBenchmarkRuns(t *testing.T) {
	output, plot := filepath.Join(t.TempDir(), "new"), filepath.Join(t.TempDir(), "plot.svg")
	got := ledgerctl(t, "", "benchmark", "--table", "--directory="+t.TempDir(), "--runs=3", "--output="+output, "--plot="+plot,
		"--account-count=10", "--transfer-count=300", "--transfer-batch-size=10", "--query-count=1", "--phase=linked")
	for _, want := range []string{"│ measure ", "│ median ", "│ minimum │ maximum │", "│ runs ", "│ 3 ", "│ batch p99.99 ", "│ right "} {
		if got.code != 0 || !strings.Contains(got.stdout, want) {
			t.Fatalf("exit code %d, no %q:\n%s%s", got.code, want, got.stdout, got.stderr)
		}
	}
	files, err := filepath.Glob(filepath.Join(output, "????-??-??-??????-plain-unknown.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("kept %v, %v", files, err)
	}
	kept, err := readReport(files[0])
	if err != nil || len(kept.Spread) == 0 {
		t.Fatalf("%v: %+v", err, kept)
	}
	if speed := kept.Spread[1]; speed.Measure != "transfers a second" || len(speed.Runs) != 3 || speed.Median != kept.TransfersPerSecond ||
		speed.Minimum > speed.Median || speed.Median > speed.Maximum || speed.Runs[0] == speed.Runs[1] {
		t.Errorf("speeds %+v, that of the run %v", speed, kept.TransfersPerSecond)
	}
	if svg, err := os.ReadFile(plot); err != nil || !strings.HasPrefix(string(svg), "<svg ") {
		t.Errorf("%v, drew %s", err, svg)
	}
	got = ledgerctl(t, "", "benchmark", "--compare", files[0], files[0])
	var first comparison
	if err := json.NewDecoder(strings.NewReader(got.stdout)).Decode(&first); err != nil || first.Measure != "elapsed" || *first.Ratio != 1 {
		t.Errorf("%v: %s%s", err, got.stdout, got.stderr)
	}
	got = ledgerctl(t, "", "benchmark", "--list", files[0], files[0])
	lines := strings.Split(strings.TrimSpace(got.stdout), "\n")
	if len(lines) != 4 || lines[2] != lines[3] || !strings.HasPrefix(lines[2], "| plain | 10 | 300 | "+number(kept.TransfersPerSecond, "")+" (") {
		t.Errorf("listed %s%s", got.stdout, got.stderr)
	}
	if err := kept.keep(output); !errors.Is(err, os.ErrExist) {
		t.Errorf("overwrote a result: %v", err)
	}
}

func TestBenchmarkRefusesToLoseItsResult(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none", "plot.svg")
	got := ledgerctl(t, "", "benchmark", "--plot="+none, "--transfer-count=1000000000")
	if got.code != 1 || !strings.Contains(got.stderr, "no such file") {
		t.Errorf("exit code %d, %s", got.code, got.stderr)
	}
}
