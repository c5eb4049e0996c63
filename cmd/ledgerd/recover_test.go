package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRecover(t *testing.T) {
	path := filepath.Join(t.TempDir(), "7_2.ledger")
	args := []string{"recover", "--cluster=7", "--addresses=1,1,1", "--replica=2", "--replica-count=3", "--development", path}
	got := ledgerd(t, args...)
	want := "made " + path + `: cluster 7, replica 2 of 3
0 of the other replicas can be reached now; 2 have to answer before this one counts again
`
	if got.code != 0 || got.stdout != want {
		t.Fatalf("%+v, want %q", got, want)
	}
	if again := ledgerd(t, args...); again.code != 1 || !strings.Contains(again.stderr, path) {
		t.Errorf("recovered over a file: %+v", again)
	}
	alone := filepath.Join(t.TempDir(), "0_0.ledger")
	got = ledgerd(t, "recover", "--cluster=0", "--addresses=1", "--replica=0", "--replica-count=1", alone)
	if _, err := os.Stat(alone); got.code != 1 || !strings.Contains(got.stderr, "nobody has a copy") || err == nil {
		t.Errorf("a cluster of one recovers: %+v", got)
	}
}
