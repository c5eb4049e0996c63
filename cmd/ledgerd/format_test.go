package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFormat(t *testing.T) {
	path := filepath.Join(t.TempDir(), "0_0.ledger")
	args := []string{"format", "--cluster=340282366920938463463374607431768211455", "--replica=0", "--replica-count=1", "--development", path}
	got := ledgerd(t, args...)
	want := "formatted " + path + ": cluster 340282366920938463463374607431768211455, replica 0 of 1\n"
	if got.code != 0 || got.stdout != want {
		t.Fatalf("%+v, want %q", got, want)
	}
	before, err := os.ReadFile(path)
	if err != nil || len(before) > 16<<20 {
		t.Fatalf("%d bytes, %v; want 16 MiB at most", len(before), err)
	}

	again := ledgerd(t, args...)
	after, err := os.ReadFile(path)
	if again.code != 1 || !strings.Contains(again.stderr, path) || err != nil || !bytes.Equal(before, after) {
		t.Errorf("formatted twice: %+v, %v", again, err)
	}
}
