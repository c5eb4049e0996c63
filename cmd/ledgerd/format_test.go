package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFormatStandby(t *testing.T) {
	for _, test := range []struct {
		flags, complaint string
	}{
		{"--standby --replica=3 --replica-count=3", ""},
		{"--replica=3 --replica-count=3", "replica 3 of 3"},
		{"--standby --replica=2 --replica-count=3", "indexes of standbys are from 3 to 8"},
		{"--standby --replica=9 --replica-count=3", "indexes of standbys are from 3 to 8"},
		{"--standby --replica=1 --replica-count=1", "a cluster of one has no standbys"},
	} {
		path := filepath.Join(t.TempDir(), "standby.ledger")
		args := append([]string{"format", "--cluster=0", "--development", path}, strings.Fields(test.flags)...)
		if got := ledgerd(t, args...); (got.code == 0) != (test.complaint == "") || !strings.Contains(got.stderr, test.complaint) {
			t.Errorf("%s: %+v", test.flags, got)
		}
	}
}

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

	other := filepath.Join(filepath.Dir(path), "0_5.ledger")
	got = ledgerd(t, "format", "--cluster=0", "--replica=5", "--replica-count=6", "--development", other)
	if got.code != 0 || got.stdout != "formatted "+other+": cluster 0, replica 5 of 6\n" {
		t.Errorf("%+v", got)
	}

	again := ledgerd(t, args...)
	after, err := os.ReadFile(path)
	if again.code != 1 || !strings.Contains(again.stderr, path) || err != nil || !bytes.Equal(before, after) {
		t.Errorf("formatted twice: %+v, %v", again, err)
	}
}

// TestFormatRefusesReplicas refuses what no cluster has, and makes no file.
func TestFormatRefusesReplicas(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	for flags, complaint := range map[string]string{
		"--replica=0 --replica-count=0": "a cluster has 1 to 6",
		"--replica=0 --replica-count=7": "a cluster has 1 to 6",
		"--replica=3 --replica-count=3": "indexes are from 0 to 2",
	} {
		args := append([]string{"format", "--cluster=0", path}, strings.Fields(flags)...)
		if got := ledgerd(t, args...); got.code != 1 || !strings.Contains(got.stderr, complaint) {
			t.Errorf("%s: %+v, want %q", flags, got, complaint)
		}
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("left a file behind: %v", err)
	}
}
