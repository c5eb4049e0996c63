package killtest

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ledgerd/ledgerd/client"
	"github.com/ledgerd/ledgerd/ledger"
)

// exitFailure is the exit code of what was understood and could not be done.
const exitFailure = 1

// fillFile makes a data file whose grid holds a checkpoint, and returns its
// content.
func fillFile(t *testing.T, path string) []byte {
	t.Helper()
	format(t, path)
	port := freePort(t)
	p := start(t, path, port)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := client.Connect(ctx, client.Config{Addresses: []string{port}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	accounts := make([]ledger.Account, batchMax)
	for file, next := openDataFile(t, path), uint64(1); ; {
		for i := range accounts {
			accounts[i] = ledger.Account{ID: ledger.Uint128{Lo: next}, Ledger: 1, Code: 1}
			next++
		}
		if _, err := c.CreateAccounts(ctx, accounts); err != nil {
			t.Fatal(err)
		}
		if root, _ := file.root(t); checkpoints(root) > 0 {
			break
		}
	}
	if code := p.signal(t, syscall.SIGTERM); code != 0 {
		t.Fatalf("exit code %d\n%s", code, p.output())
	}
	return read(t, path)
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// TestBadFiles starts the server on files that it must refuse: with a message
// that says what is wrong, an exit code, and no byte of them changed.
func TestBadFiles(t *testing.T) {
	home := t.TempDir()
	good := fillFile(t, filepath.Join(home, "good.ledger"))
	layout := good[:sectorSize]
	headers, records := zones(layout)
	grid := int(records) + int(binary.LittleEndian.Uint64(layout[offsetRingSize:]))

	inAllCopies := func(change func(copy []byte)) []byte {
		content := bytes.Clone(good)
		for i := range superblockCopies {
			change(content[i*superblockDistance:][:sectorSize])
		}
		return content
	}
	text := []byte(strings.Repeat("{\"id\": 1, \"ledger\": 1}\n", 1000))
	for _, test := range []struct {
		name      string
		content   []byte
		complaint string
	}{
		{"empty", nil, "not a ledgerd data file"},
		{"text", text, "not a ledgerd data file"},
		{"large, without magic", append(bytes.Repeat(text, 100), good...), "not a ledgerd data file"},
		{"newer format", inAllCopies(func(copy []byte) { copy[offsetVersion]++ }), "newer format"},
		{"older format", inAllCopies(func(copy []byte) { copy[offsetVersion]-- }), "older format"},
		{"all copies damaged", inAllCopies(func(copy []byte) { copy[200] ^= 1 }), "damaged"},
		{"cut in the first copy", good[:1000], "truncated"},
		{"cut in the superblock", good[:superblockSize/4+sectorSize], "truncated"},
		{"cut in the headers", good[:headers+sectorSize], "truncated"},
		{"cut in the records", good[:records+sectorSize], "truncated"},
		{"cut before the grid", good[:grid], "grid: block"},
		{"cut in the grid", good[:grid+sectorSize], "grid: block"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(home, "bad.ledger")
			if err := os.WriteFile(path, test.content, 0o600); err != nil {
				t.Fatal(err)
			}
			code, stderr := run(t, "start", "--development", "--addresses="+freePort(t), path)
			if code != exitFailure || !strings.Contains(stderr, test.complaint) {
				t.Errorf("exit code %d, want %d; want %q in:\n%s", code, exitFailure, test.complaint, stderr)
			}
			if !bytes.Equal(read(t, path), test.content) {
				t.Error("the file has changed")
			}
		})
	}
}

// TestLocked starts a second server on the file of a running one.
func TestLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "0_0.ledger")
	format(t, path)
	p := start(t, path, freePort(t))
	before := read(t, path)
	code, stderr := run(t, "start", "--development", "--addresses="+freePort(t), path)
	if code != exitFailure || !strings.Contains(stderr, "in use") || !strings.Contains(stderr, path) {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	if !bytes.Equal(read(t, path), before) {
		t.Error("the file has changed")
	}
	if code := p.signal(t, syscall.SIGTERM); code != 0 {
		t.Errorf("the first server: exit code %d\n%s", code, p.output())
	}
	again := start(t, path, freePort(t)) // the lock has gone with it
	again.kill()
	start(t, path, freePort(t)) // after a kill as well
}

// TestSignals stops a server under a connected client.
func TestSignals(t *testing.T) {
	path := filepath.Join(t.TempDir(), "0_0.ledger")
	port := freePort(t)
	format(t, path)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p := start(t, path, port)
	c, err := client.Connect(ctx, client.Config{Addresses: []string{port}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for i, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGTERM} {
		results, err := c.CreateAccounts(ctx, []ledger.Account{{ID: accountID(uint8(i)), Ledger: 1, Code: 1}})
		if err != nil || results[0].Status != ledger.AccountCreated {
			t.Fatalf("%v, %v", results, err)
		}
		if code := p.signal(t, signal); code != 0 {
			t.Errorf("%v: exit code %d\n%s", signal, code, p.output())
		}
		p = start(t, path, port)
		found, err := c.LookupAccounts(ctx, []ledger.Uint128{accountID(0), accountID(uint8(i))})
		if err != nil || len(found) == 0 || found[len(found)-1].ID != accountID(uint8(i)) {
			t.Fatalf("after %v: %v, %v", signal, found, err)
		}
	}
}
