package main

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/pprof/profile"
)

// TestBenchmarkProfile divides the processor time of a short run: most of it is the
// ledger's.
func TestBenchmarkProfile(t *testing.T) {
	got := ledgerctl(t, "", "benchmark", "--directory="+t.TempDir(), "--profile="+filepath.Join(t.TempDir(), "server.pprof"),
		"--account-count=100", "--transfer-count=200000", "--query-count=0")
	var r report
	if err := json.Unmarshal([]byte(got.stdout), &r); err != nil {
		t.Fatalf("%v: %s%s", err, got.stdout, got.stderr)
	}
	total, ledger := 0.0, 0.0
	for _, stage := range r.Stages {
		total += stage.Nanoseconds
		if slices.Contains([]string{"index", "prefetch", "decode", "execute", "encode", "merge"}, stage.Stage) {
			ledger += stage.Nanoseconds
		}
	}
	if total == 0 || ledger < total/2 {
		t.Errorf("%v of %v ns a transfer for the ledger: %v", ledger, total, r.Stages)
	}
	if got := ledgerctl(t, "", "benchmark", "--profile=x", "--runs=2"); got.code != 2 {
		t.Errorf("%+v", got)
	}
}

func TestStageOf(t *testing.T) {
	const module = "github.com/ledgerd/ledgerd/"
	for want, stack := range map[string][]string{ // the innermost function first
		"checksum":           {module + "internal/checksum.sum", module + "wire.VerifyBody", module + "io/bus.(*receiver).next"},
		"receive":            {"syscall.Syscall", "net.(*conn).Read", module + "io/bus.(*receiver).message"},
		"reply":              {"net.(*conn).Write", module + "io/bus.(*connection).send", module + "io/bus.(*connection).write"},
		"prefetch":           {module + "lsm.(*memtable).find", module + "lsm.(*Tree).Lookup", module + "ledger/forest.(*resolver).createTransfers"},
		"index":              {module + "lsm.(*memtable).add", module + "ledger/forest.(*indexer).indexEvent", module + "ledger/forest.(*Forest).Prefetch"},
		"encode":             {module + "ledger/forest.encodeRow", module + "ledger/forest.(*tables).InsertTransfer", module + "ledger.(*Machine).createTransfer"},
		"merge":              {module + "lsm/table.(*Builder).Add", module + "lsm.(*work).merge"},
		"blocks":             {"runtime.memmove", module + "lsm.(*Tree).put.func1", module + "vsr/grid.(*writeSlot).start"},
		"order":              {"runtime.chanrecv", module + "internal/server.(*loop).run"},
		"garbage collection": {"runtime.scanobject", "runtime.gcDrain", "runtime.gcBgMarkWorker"},
		"the runtime":        {"runtime.futex", "runtime.findRunnable", "runtime.schedule"},
	} {
		sample := new(profile.Sample)
		for _, name := range stack {
			sample.Location = append(sample.Location, &profile.Location{Line: []profile.Line{{Function: &profile.Function{Name: name}}}})
		}
		if got := stageOf(sample); got != want {
			t.Errorf("%v is %q, want %q", stack, got, want)
		}
	}
}
