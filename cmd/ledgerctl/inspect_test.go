package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ledgerd/ledgerd/internal/command"
	"github.com/ledgerd/ledgerd/internal/node"
	"github.com/ledgerd/ledgerd/internal/server"
)

// startLedger serves a small data file with two accounts until stop is called.
func startLedger(t *testing.T) (path, address string, stop func()) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "test.ledger")
	if err := server.Format(path, server.FormatConfig{ReplicaCount: 1, Development: true}); err != nil {
		t.Fatal(err)
	}
	replica, err := server.Start(server.Config{
		Path: path, Addresses: []string{"127.0.0.1:0"}, Development: true, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	stop = func() {
		if err := replica.Close(); err != nil {
			t.Error(err)
		}
	}
	accounts := "{\"id\":1,\"ledger\":1,\"code\":1}\n{\"id\":2,\"ledger\":1,\"code\":1}"
	if got := ledgerctl(t, accounts, "accounts", "create", "--addresses="+replica.Addr().String()); got.code != 0 {
		t.Fatalf("%+v", got)
	}
	return path, replica.Addr().String(), stop
}

// inspectJSON runs an inspection that is expected to end with code.
func inspectJSON(t *testing.T, code int, args ...string) (record inspectRecord, stderr string) {
	t.Helper()
	got := ledgerctl(t, "", append([]string{"inspect"}, args...)...)
	if got.code != code {
		t.Errorf("exit code %d, want %d: %s", got.code, code, got.stderr)
	}
	if err := json.Unmarshal([]byte(got.stdout), &record); err != nil {
		t.Fatalf("%v in %q", err, got.stdout)
	}
	return record, got.stderr
}

func TestInspect(t *testing.T) {
	path, _, stop := startLedger(t)
	stop()
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	record, stderr := inspectJSON(t, 0, path)
	s, j := record.Superblock, record.Journal
	if stderr != "" || record.FileSize != int64(len(before)) || record.Verified != nil || record.Ledger != nil || len(record.Damage) != 0 {
		t.Errorf("%+v, %q", record, stderr)
	}
	if len(s.Copies) != 4 || s.Copies[3].State != "current" || s.Root.ReplicaCount != 1 || !s.Root.Development || s.Root.View != 1 {
		t.Errorf("superblock %+v", s)
	}
	// The session's registration, then the accounts.
	if j.Head != 2 || j.Prepares != 2 || j.Requests != 2 || j.Size != 8192 || j.Timestamp == 0 || j.DamagedOp != 0 {
		t.Errorf("journal %+v", j)
	}
	if record.Grid == nil || record.Grid.BlocksInUse != 0 {
		t.Errorf("grid %+v", record.Grid)
	}

	for _, part := range inspectParts {
		record, _ := inspectJSON(t, 0, path, part)
		shown := map[string]bool{"superblock": record.Superblock != nil, "journal": record.Journal != nil,
			"grid": record.Grid != nil, "ledger": record.Ledger != nil}
		for name, is := range shown {
			if is != (name == part) {
				t.Errorf("%s: %s is shown: %v", part, name, is)
			}
		}
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Errorf("the file has changed, or %v", err)
	}
}

func TestInspectTables(t *testing.T) {
	path, _, stop := startLedger(t)
	stop()
	got := ledgerctl(t, "", "inspect", path, "--table")
	for _, text := range []string{
		"│ 196608 │ ", " │ current", "│ made by                   │ format --development",
		"│ after the checkpoint       │ 2 prepares with 2 requests", "│ in use │      0 │", "\nno damage found\n",
	} {
		if got.code != 0 || !strings.Contains(got.stdout, text) {
			t.Errorf("exit code %d, %q is not in\n%s", got.code, text, got.stdout)
		}
	}
}

func TestInspectRefuses(t *testing.T) {
	path, _, stop := startLedger(t)
	defer stop()
	folder := t.TempDir()
	zeros := filepath.Join(folder, "zeros")
	if err := os.WriteFile(zeros, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		path, complaint string
	}{
		{path, path + ": data file is in use by process"},
		{filepath.Join(folder, "absent"), "no such file"},
		{zeros, "inspect " + zeros + ": not a ledgerd data file"},
	} {
		for _, args := range [][]string{{"inspect", test.path}, {"inspect", "integrity", test.path}} {
			got := ledgerctl(t, "", args...)
			if got.code != command.ExitFailure || !strings.Contains(got.stderr, test.complaint) || got.stdout != "" {
				t.Errorf("%q: %+v", args, got)
			}
		}
	}
	got := ledgerctl(t, "", "inspect", path, "soul")
	if got.code != command.ExitUsage || !strings.Contains(got.stderr, `no part "soul"; there are superblock, journal, grid, ledger`) {
		t.Errorf("%+v", got)
	}
}

func TestInspectIntegrity(t *testing.T) {
	path, address, stop := startLedger(t)
	var transfers strings.Builder // so many that the record has no spare
	for id := range 200 {
		fmt.Fprintf(&transfers, `{"id":%d,"debit_account_id":1,"credit_account_id":2,"amount":1,"ledger":1,"code":1}`+"\n", id+1)
	}
	if got := ledgerctl(t, transfers.String(), "transfers", "create", "--addresses="+address); got.code != 0 {
		t.Fatalf("%+v", got)
	}
	stop()
	if record, stderr := inspectJSON(t, 0, "integrity", path); record.Verified == nil || stderr != "" || len(record.Damage) != 0 {
		t.Errorf("%+v, %q", record, stderr)
	}
	got := ledgerctl(t, "", "inspect", "integrity", path, "--table")
	if got.code != 0 || !strings.Contains(got.stdout, "every block and record is whole") {
		t.Errorf("%+v", got)
	}

	// In a small file the zone of headers has 256 KiB, that of spares 1 MiB. Ops 1
	// to 3 have a sector each; they have spares, and op 4 has none.
	const recordsOffset = 256<<10 + 1024*256 + 64*16<<10
	corrupt(t, path, recordsOffset+300)
	if record, stderr := inspectJSON(t, 0, "integrity", path); record.Journal.Restored != 1 || stderr != "" || len(record.Damage) != 0 {
		t.Errorf("%+v, %q", record, stderr)
	}
	const damagedOffset = recordsOffset + 3*4096
	corrupt(t, path, damagedOffset+300)
	record, stderr := inspectJSON(t, command.ExitFailure, "integrity", path)
	if len(record.Damage) != 1 || record.Verified != nil || record.Journal.DamagedOp != 4 {
		t.Fatalf("%+v", record)
	}
	d := record.Damage[0]
	if d.Zone != "journal" || d.Address != 0 || d.Offset == nil || *d.Offset != damagedOffset {
		t.Errorf("damage %+v", d)
	}
	want := fmt.Sprintf("ledgerctl: %s is damaged\n  journal: the record of op 4, at offset %d of the data file, is damaged", path, damagedOffset)
	if !strings.HasPrefix(stderr, want) {
		t.Errorf("complained %q, want %q", stderr, want)
	}
	got = ledgerctl(t, "", "inspect", path, "--table")
	if got.code != command.ExitFailure || !strings.Contains(got.stdout, fmt.Sprintf("│ journal │       │ %d │ journal: the record of op 4", damagedOffset)) {
		t.Errorf("%+v", got)
	}

	for n := range int64(3) { // one copy of the superblock is not enough
		corrupt(t, path, n<<16+100)
	}
	record, stderr = inspectJSON(t, command.ExitFailure, path)
	if record.Journal != nil || record.Grid != nil || record.Superblock.Copies[0].Reason != "damaged" ||
		len(record.Damage) != 1 || record.Damage[0].Offset != nil || !strings.Contains(stderr, "beyond repair") {
		t.Errorf("%+v, %q", record, stderr)
	}
}

// corrupt changes one byte of a file.
func corrupt(t *testing.T, path string, offset int64) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var b [1]byte
	if _, err := file.ReadAt(b[:], offset); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1
	if _, err := file.WriteAt(b[:], offset); err != nil {
		t.Fatal(err)
	}
}

func TestDamageErrorIsBounded(t *testing.T) {
	damage := make([]node.Damage, 12)
	for n := range damage {
		damage[n] = node.Damage{Zone: node.ZoneGrid, Err: fmt.Errorf("block %d", n+1)}
	}
	text := damageError("x", damage).Error()
	if !strings.Contains(text, "\n  grid: block 10\n  and in 2 more places") || strings.Contains(text, "block 11") {
		t.Error(text)
	}
}
