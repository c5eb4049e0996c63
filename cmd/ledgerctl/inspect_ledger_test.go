package main

import (
	"strings"
	"testing"

	"github.com/ledgerd/ledgerd/client"
	"github.com/ledgerd/ledgerd/ledger"
)

// TestInspectLedger makes as many transfers as a checkpoint needs.
func TestInspectLedger(t *testing.T) {
	path, address, stop := startLedger(t)
	c, err := client.Connect(t.Context(), client.Config{Addresses: []string{address}})
	if err != nil {
		t.Fatal(err)
	}
	transfers := make([]ledger.Transfer, 250)
	for range 100 {
		for i := range transfers {
			transfers[i] = ledger.Transfer{
				ID: client.ID(), DebitAccountID: ledger.Uint128{Lo: 1}, CreditAccountID: ledger.Uint128{Lo: 2},
				Amount: ledger.Uint128{Lo: 1}, Ledger: 1, Code: 1,
			}
		}
		if _, err := c.CreateTransfers(t.Context(), transfers); err != nil {
			t.Fatal(err)
		}
	}
	c.Close()
	stop()

	whole, _ := inspectJSON(t, 0, "integrity", path)
	record, _ := inspectJSON(t, 0, path, "ledger")
	l := record.Ledger
	if l == nil || l.Accounts != 2 || l.Events == 0 || l.Events%250 != 0 || l.Transfers != l.Events || len(l.Structures) != len(whole.Ledger.Structures) {
		t.Fatalf("%+v", l)
	}
	events := l.Structures[1]
	if events.Name != "events" || events.Entries != l.Events || events.Blocks == 0 || events.BytesPerEntry < 40 ||
		events.BytesPerEntry > 120 || l.BytesPerTransfer < events.BytesPerTransfer {
		t.Errorf("%+v, %v bytes a transfer", events, l.BytesPerTransfer)
	}
	if v := whole.Verified; v.Rows != l.Accounts+l.Events || v.BytesRead < events.Payload || v.Seconds <= 0 {
		t.Errorf("%+v", v)
	}
	g, root := whole.Grid, whole.Superblock.Root
	room := whole.FileSize - 256<<10 - int64(root.JournalSlots)*256 - int64(root.JournalSpares)*16<<10 - int64(root.JournalSize)
	if g.BlocksInUse == 0 || g.BlocksInUse+g.BlocksFree != int(room/int64(g.BlockSize)) {
		t.Errorf("%d blocks in use and %d free in %d bytes", g.BlocksInUse, g.BlocksFree, room)
	}
	got := ledgerctl(t, "", "inspect", path, "ledger", "--table")
	for _, text := range []string{"│ accounts               │     2 │", "│ events                       │", "│ tree of transfer ids         │       0 │", "\nno damage found\n"} {
		if got.code != 0 || !strings.Contains(got.stdout, text) {
			t.Errorf("exit code %d, %q is not in\n%s", got.code, text, got.stdout)
		}
	}
}

func TestLedgerTables(t *testing.T) {
	record := &ledgerRecord{BytesPerTransfer: 80.5, Structures: []structureRecord{
		{Name: "events", Entries: 101, Blocks: 1, Payload: 7000, BytesPerEntry: 69.3, BytesPerTransfer: 70},
		{Name: "nothing"},
		{Name: "tree of ids", Entries: 70, Memory: 30, Blocks: 3, Payload: 1050, BytesPerEntry: 15, BytesPerTransfer: 10.5,
			Levels: []levelRecord{{}, {Runs: 1, Tables: 2, Blocks: 3, Entries: 70, Tombstones: 4}}},
	}}
	var text strings.Builder
	if err := record.writeTables(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"│ bytes a transfer       │  80.5 │",
		"│ events      │     101 │         0 │      1 │    7000 │     69.3 │         70 │",
		"│ tree of ids │      70 │        30 │      3 │    1050 │       15 │       10.5 │",
		"│ tree of ids │     1 │    1 │      2 │      3 │      70 │          4 │",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is not in\n%s", want, text.String())
		}
	}
	if strings.Contains(text.String(), "nothing") || strings.Count(text.String(), "tree of ids") != 2 {
		t.Errorf("empty rows in\n%s", text.String())
	}
	verified := verifiedRecord{BytesRead: 30_000_000, Rows: 103, Seconds: 1.5}
	if got, want := verified.String(), "30.0 MB and 103 rows read in 1.50 s: 20 MB/s, 69 rows/s"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
