package server

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/ledgerd/ledgerd/client"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/io/disk"
	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/vsr"
)

// A testCluster is servers in this process, over loopback.
type testCluster struct {
	t         *testing.T
	paths     []string
	addresses []string
	servers   []*Server // nil: down
}

// startCluster formats and starts replicas with data files of the given layout.
func startCluster(t *testing.T, replicas int, layout vsr.Layout) *testCluster {
	t.Helper()
	c := &testCluster{t: t, addresses: freeAddresses(t, replicas), servers: make([]*Server, replicas)}
	for i := range replicas {
		path := filepath.Join(t.TempDir(), "0.ledger")
		if err := disk.Create(path, layout.GridOffset()); err != nil {
			t.Fatal(err)
		}
		content := vsr.Format(vsr.FormatConfig{Replica: uint8(i), ReplicaCount: uint8(replicas), Layout: layout})
		if err := writeStart(path, content); err != nil {
			t.Fatal(err)
		}
		c.paths = append(c.paths, path)
		c.start(i)
	}
	t.Cleanup(func() {
		for i, s := range c.servers {
			if s != nil {
				c.stop(i)
			}
		}
	})
	return c
}

// freeAddresses returns addresses of loopback at which nobody listens.
func freeAddresses(t *testing.T, count int) (addresses []string) {
	for range count {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		addresses = append(addresses, listener.Addr().String())
	}
	return addresses
}

func (c *testCluster) start(i int) {
	c.t.Helper()
	var err error
	c.servers[i], err = Start(Config{
		Path: c.paths[i], Addresses: c.addresses, Development: true, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *testCluster) stop(i int) {
	c.t.Helper()
	if err := c.servers[i].Close(); err != nil {
		c.t.Error(err)
	}
	if err := c.servers[i].Wait(); err != nil {
		c.t.Errorf("replica %d has failed: %v", i, err)
	}
	c.servers[i] = nil
}

// connect returns a client of the cluster.
func (c *testCluster) connect() *client.Client {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), callTimeout)
	defer cancel()
	connected, err := client.Connect(ctx, client.Config{Addresses: c.addresses})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { connected.Close() })
	return connected
}

// createAccount creates an account, and fails the test unless it is new.
func createAccount(t *testing.T, c *client.Client, id uint64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), callTimeout)
	defer cancel()
	results, err := c.CreateAccounts(ctx, []ledger.Account{{ID: u128.From64(id), Ledger: 1, Code: 1}})
	if err != nil || results[0].Status != ledger.AccountCreated {
		t.Fatalf("account %d: %v, %v", id, results, err)
	}
}

// primary waits until a replica leads, and returns its index.
func (c *testCluster) primary() int {
	c.t.Helper()
	for end := time.Now().Add(callTimeout); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		for i, s := range c.servers {
			if s != nil && c.leads(s) {
				return i
			}
		}
	}
	c.t.Fatal("no replica leads")
	return 0
}

// leads asks the replica, in its loop, whether it is the primary.
func (c *testCluster) leads(s *Server) bool {
	life, answer := s.life.Load(), make(chan bool, 1)
	life.loop.worked(func() {
		answer <- life.replica.Status() == "normal" && life.replica.Primary() == life.replica.Index()
	})
	select {
	case leads := <-answer:
		return leads
	case <-s.stopped:
		return false
	}
}

// TestCluster closes the primary again and again: the others go on, and so does
// the client.
func TestCluster(t *testing.T) {
	c := startCluster(t, 3, layoutForTests())
	client := c.connect()
	id := uint64(1)
	for range 3 {
		createAccount(t, client, id)
		primary := c.primary()
		c.stop(primary)
		createAccount(t, client, id+1)
		c.start(primary)
		id += 2
	}
}
