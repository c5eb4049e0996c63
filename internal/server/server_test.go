package server

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/io/disk"
	"github.com/ledgerd/ledgerd/vsr"
	"github.com/ledgerd/ledgerd/vsr/superblock"
)

// layoutForTests takes the largest requests, and has a journal so small that
// checkpoints are frequent.
func layoutForTests() vsr.Layout {
	layout := vsr.LayoutDefault(true)
	layout.RequestSizeMax, layout.JournalRingSize = vsr.LayoutDefault(false).RequestSizeMax, 10<<20
	return layout
}

// formatFile makes the data file of a lone replica of cluster 0.
func formatFile(t *testing.T, layout vsr.Layout) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "0_0.ledger")
	if err := disk.Create(path, layout.GridOffset()); err != nil {
		t.Fatal(err)
	}
	if err := writeStart(path, vsr.Format(vsr.FormatConfig{ReplicaCount: 1, Layout: layout})); err != nil {
		t.Fatal(err)
	}
	return path
}

// startServer starts a server on a new data file. The test fails if the server
// does.
func startServer(t *testing.T, layout vsr.Layout) *Server {
	t.Helper()
	return startServerWithClock(t, layout, nil)
}

func startServerWithClock(t *testing.T, layout vsr.Layout, clock vsr.Clock) *Server {
	t.Helper()
	s, err := Start(Config{
		clock:          clock,
		Path:           formatFile(t, layout),
		Addresses:      []string{"127.0.0.1:0"},
		Development:    true,
		RequestSizeMax: int(layout.RequestSizeMax),
		Logger:         slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := s.Wait(); err != nil {
			t.Errorf("the server has failed: %v", err)
		}
	})
	return s
}

// TestIdentity refuses the data file of another cluster or replica, says whose
// it is, and leaves it as it was.
func TestIdentity(t *testing.T) {
	path := formatFile(t, layoutForTests())
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		identity vsr.Identity
		want     error
		message  string
	}{
		{vsr.Identity{Cluster: u128.From64(7)}, superblock.ErrCluster, "of cluster 0, not 7"},
		{vsr.Identity{Replica: 2}, superblock.ErrReplica, "of replica 0, not 2"},
		{vsr.Identity{}, nil, ""},
	} {
		s, err := Start(Config{
			Path: path, Addresses: []string{"127.0.0.1:0"}, Identity: &test.identity, Development: true,
			Logger: slog.New(slog.DiscardHandler),
		})
		if !errors.Is(err, test.want) || err != nil && !strings.Contains(err.Error(), test.message) {
			t.Errorf("%+v: %v; want %v, %q", test.identity, err, test.want, test.message)
		}
		if err == nil {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			continue
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
			t.Errorf("%+v: the file has changed: %v", test.identity, err)
		}
	}
}

// TestCaches gives defaults by mode, and refuses what is too small.
func TestCaches(t *testing.T) {
	for _, test := range []struct {
		config         Config
		grid, accounts int64
		refused        bool
	}{
		{Config{}, 128 << 20, 256 << 20, false},
		{Config{Development: true}, 16 << 20, 16 << 20, false},
		{Config{Development: true, CacheGrid: 1 << 30}, 1 << 30, 16 << 20, false},
		{Config{CacheGrid: 1 << 20, CacheAccounts: 1 << 20}, 1 << 20, 1 << 20, false},
		{Config{CacheGrid: 1<<20 - 1}, 0, 0, true},
		{Config{CacheAccounts: -1}, 0, 0, true},
	} {
		c := test.config
		err := c.setCaches()
		if errors.Is(err, ErrCacheSize) != test.refused || err == nil && (c.CacheGrid != test.grid || c.CacheAccounts != test.accounts) {
			t.Errorf("%+v: %d and %d, %v", test.config, c.CacheGrid, c.CacheAccounts, err)
		}
	}
}
