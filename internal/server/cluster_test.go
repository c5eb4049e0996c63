package server

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
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
	servers   []*Server      // nil: down
	logs      []bytes.Buffer // to be read while the server is down
}

// startCluster formats and starts replicas with data files of the given layout.
func startCluster(t *testing.T, replicas int, layout vsr.Layout) *testCluster {
	t.Helper()
	c := &testCluster{t: t, addresses: freeAddresses(t, replicas), servers: make([]*Server, replicas), logs: make([]bytes.Buffer, replicas)}
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
		Path: c.paths[i], Addresses: c.addresses, Development: true, Logger: slog.New(slog.NewTextHandler(&c.logs[i], nil)),
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

// createAccounts creates accounts with the given ids, and fails the test unless
// all of them are new.
func createAccounts(t *testing.T, c *client.Client, first, count int) {
	t.Helper()
	accounts := make([]ledger.Account, count)
	for i := range accounts {
		accounts[i] = ledger.Account{ID: u128.From64(uint64(first + i)), Ledger: 1, Code: 1}
	}
	ctx, cancel := context.WithTimeout(t.Context(), callTimeout)
	defer cancel()
	results, err := c.CreateAccounts(ctx, accounts)
	if err != nil {
		t.Fatal(err)
	}
	for i, result := range results {
		if result.Status != ledger.AccountCreated {
			t.Fatalf("account %d: %v", first+i, result.Status)
		}
	}
}

// await waits until condition holds of the replica of a server, in its loop.
func (c *testCluster) await(s *Server, what string, condition func(*vsr.Replica) bool) {
	c.t.Helper()
	for end := time.Now().Add(callTimeout); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		life, holds := s.life.Load(), make(chan bool, 1)
		life.loop.worked(func() { holds <- condition(life.replica) })
		select {
		case ok := <-holds:
			if ok {
				return
			}
		case <-life.loop.stop: // another life follows
		case <-s.stopped:
			c.t.Fatalf("the server has stopped: %v", s.Wait())
		}
	}
	c.t.Fatalf("not reached: %s", what)
}

// primary returns the index of the replica that leads, once that is agreed upon.
func (c *testCluster) primary() (index int) {
	c.t.Helper()
	for _, s := range c.servers {
		if s != nil {
			c.await(s, "normal operation", func(r *vsr.Replica) bool {
				index = int(r.Primary())
				return r.Status() == "normal" && c.servers[index] != nil
			})
		}
	}
	return index
}

// TestCluster closes the primary: the others go on, and so does the client. What
// it has missed it learns when it is back.
func TestCluster(t *testing.T) {
	c := startCluster(t, 3, layoutForTests())
	client := c.connect()
	createAccounts(t, client, 1, 10)
	first := c.primary()
	c.stop(first)
	createAccounts(t, client, 11, 10)
	second := c.primary()
	if second == first {
		t.Errorf("replica %d leads, which is down", first)
	}
	c.start(first)
	createAccounts(t, client, 21, 10)
	c.awaitCaughtUp(first, second)
}

// TestLostDataFile removes the data file of the primary, and lets it recover
// with a new one. Then it has to do another one's part.
func TestLostDataFile(t *testing.T) {
	c := startCluster(t, 3, vsr.LayoutDefault(true))
	client := c.connect()
	createAccounts(t, client, 1, 10)
	lost := c.primary()
	c.stop(lost)
	if err := os.Remove(c.paths[lost]); err != nil {
		t.Fatal(err)
	}
	if err := Recover(c.paths[lost], FormatConfig{Replica: uint8(lost), ReplicaCount: 3, Development: true}); err != nil {
		t.Fatal(err)
	}
	createAccounts(t, client, 11, 10)
	c.start(lost)
	other := (lost + 1) % 3
	c.awaitCaughtUp(lost, other)
	c.stop(other)
	createAccounts(t, client, 21, 10)
	c.start(other)
	c.awaitCaughtUp(other, lost)
}

// awaitCaughtUp waits until a replica has executed what another has.
func (c *testCluster) awaitCaughtUp(replica, other int) {
	c.t.Helper()
	var op vsr.Op
	c.await(c.servers[other], "any state", func(r *vsr.Replica) bool {
		op = r.CommitMin()
		return true
	})
	c.await(c.servers[replica], "the state of another one", func(r *vsr.Replica) bool {
		return r.Status() == "normal" && r.CommitMin() >= op
	})
}

// smallJournal is a layout with which checkpoints come after a few requests.
func smallJournal() vsr.Layout {
	layout := vsr.LayoutDefault(true)
	layout.JournalSlots, layout.JournalSpares, layout.JournalRingSize = 64, 16, 512<<10
	return layout
}

// What fill creates.
const (
	fillFirst   = 100
	fillBatches = 60
	fillBatch   = 200
)

// fill creates so many accounts that the journal has been filled several times.
func fill(t *testing.T, client *client.Client) {
	t.Helper()
	for i := range fillBatches {
		createAccounts(t, client, fillFirst+i*fillBatch, fillBatch)
	}
}

// demand lets a replica do the other backup's part, and looks for what fill has
// created. It stops both in the end.
func (c *testCluster) demand(replica, other int, client *client.Client) {
	c.t.Helper()
	c.stop(other)
	createAccounts(c.t, client, 11, 10) // takes a quorum
	ctx, cancel := context.WithTimeout(c.t.Context(), callTimeout)
	defer cancel()
	found, err := client.LookupAccounts(ctx, []ledger.Uint128{
		u128.From64(1), u128.From64(fillFirst), u128.From64(fillFirst + fillBatches*fillBatch - 1),
	})
	if err != nil || len(found) != 3 {
		c.t.Errorf("found %d accounts of 3, %v", len(found), err)
	}
	c.stop(replica)
	if !strings.Contains(c.logs[replica].String(), "status=syncing") {
		c.t.Errorf("replica %d has not taken over a checkpoint: the test proves nothing", replica)
	}
}

// TestClusterStateSync lets a replica be down until the others have forgotten
// what it lacks: it takes over a checkpoint, for which it is opened again within
// its server.
func TestClusterStateSync(t *testing.T) {
	c := startCluster(t, 3, smallJournal())
	client := c.connect()
	createAccounts(t, client, 1, 10)
	primary := c.primary()
	behind, other := (primary+1)%3, (primary+2)%3
	c.stop(behind)
	fill(t, client)
	c.start(behind)
	c.awaitCaughtUp(behind, primary)
	c.demand(behind, other, client)
}

// TestClusterRestoresGrid starts a replica whose grid has been overwritten: it
// cannot even be opened before it has fetched every block of it.
func TestClusterRestoresGrid(t *testing.T) {
	layout := smallJournal()
	c := startCluster(t, 3, layout)
	client := c.connect()
	createAccounts(t, client, 1, 10)
	fill(t, client)
	primary := c.primary()
	damaged, other := (primary+1)%3, (primary+2)%3
	c.awaitCaughtUp(damaged, primary)
	c.stop(damaged)
	overwrite(t, c.paths[damaged], layout.GridOffset())
	c.start(damaged)
	c.awaitCaughtUp(damaged, primary)
	c.demand(damaged, other, client)
}

// overwrite puts garbage into a file, from an offset to the end.
func overwrite(t *testing.T, path string, offset int64) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteAt(bytes.Repeat([]byte{0xA5}, int(info.Size()-offset)), offset); err != nil {
		t.Fatal(err)
	}
}
