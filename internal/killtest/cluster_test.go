package killtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ledgerd/ledgerd/client"
)

// A cluster is replicas on this machine, and standbys after them. Each reaches each
// other one, and clients reach each of the replicas, by roads of their own.
type cluster struct {
	*testing.T
	random   *rand.Rand
	replicas int
	members  []*member
	roads    [][]*road // from a member to another one; nil to itself
	doors    []*road   // from clients to a replica
}

// A member is one replica of a cluster, or a standby.
type member struct {
	index     int
	path      string
	arguments []string // of start
	server    *process // nil while it is down
}

// large is a cluster of files as in production, with small caches.
func large(replicas int) clusterConfig {
	return clusterConfig{replicas: replicas, startFlags: []string{"--cache-grid=16MiB", "--cache-accounts=16MiB"}}
}

// A clusterConfig is how the data files of a cluster are made and served.
type clusterConfig struct {
	replicas, standbys int
	// formatFlags and startFlags are given to every replica.
	formatFlags, startFlags []string
}

// small is a cluster of small files.
func small(replicas int) clusterConfig {
	development := []string{"--development"}
	return clusterConfig{replicas: replicas, formatFlags: development, startFlags: development}
}

// newCluster starts a cluster, and returns when it has a primary.
func newCluster(t *testing.T, config clusterConfig) *cluster {
	t.Helper()
	drawSeed()
	c := &cluster{T: t, random: rand.New(rand.NewPCG(*seed, 1)), replicas: config.replicas}
	home, ports := t.TempDir(), make([]string, config.replicas+config.standbys)
	for i := range ports {
		ports[i] = freePort(t)
		if i < config.replicas {
			c.doors = append(c.doors, openRoad(t, ports[i]))
		}
	}
	for i := range ports {
		roads, addresses := make([]*road, len(ports)), slices.Clone(ports)
		for j, port := range ports {
			if i != j {
				roads[j] = openRoad(t, port)
				addresses[j] = roads[j].port()
			}
		}
		c.roads = append(c.roads, roads)
		m := &member{index: i, path: filepath.Join(home, fmt.Sprintf("0_%d.ledger", i))}
		m.arguments = append(slices.Clone(config.startFlags), "--addresses="+strings.Join(addresses, ","), m.path)
		c.members = append(c.members, m)
		arguments := append([]string{"format", "--cluster=0", fmt.Sprintf("--replica=%d", i),
			fmt.Sprintf("--replica-count=%d", config.replicas), fmt.Sprintf("--standby=%t", i >= config.replicas), m.path},
			config.formatFlags...)
		if code, stderr := run(t, arguments...); code != 0 {
			t.Fatalf("format: exit code %d: %s", code, stderr)
		}
	}
	for _, m := range c.members {
		c.start(m)
	}
	c.awaitAll()
	return c
}

// addresses are those at which clients reach the replicas.
func (c *cluster) addresses() string {
	var ports []string
	for _, door := range c.doors {
		ports = append(ports, door.port())
	}
	return strings.Join(ports, ",")
}

// start starts a replica that is down.
func (c *cluster) start(m *member) { m.server = launchWith(c.T, m.arguments...) }

// kill ends a replica with SIGKILL.
func (c *cluster) kill(m *member) {
	m.server.kill()
	m.server = nil
}

// terminate stops a replica in good order.
func (c *cluster) terminate(m *member) {
	c.Helper()
	if code := m.server.signal(c.T, syscall.SIGTERM); code != 0 {
		c.Errorf("replica %d: exit code %d\n%s", m.index, code, m.server.output())
	}
	m.server = nil
}

// leader returns the primary of the newest view that a replica tells of, or nil
// if that one does not say that it is.
func (c *cluster) leader() *member {
	var newest standing
	for _, m := range c.members {
		if m.server != nil {
			if s := m.server.stands(); s.View >= newest.View {
				newest = s
			}
		}
	}
	m := c.members[int(newest.View)%c.replicas]
	if m.server == nil || m.server.stands() != (standing{"normal", newest.View, m.index}) {
		return nil
	}
	return m
}

// awaitLeader returns the primary as soon as there is one.
func (c *cluster) awaitLeader() *member {
	c.Helper()
	var leader *member
	c.await("a primary", patience, func() bool {
		leader = c.leader()
		return leader != nil
	})
	return leader
}

// awaitAll returns when all replicas that run are in normal operation and in one
// view.
func (c *cluster) awaitAll() {
	c.Helper()
	c.await("all replicas to agree", patience, func() bool {
		leader := c.leader()
		return leader != nil && !slices.ContainsFunc(c.members, func(m *member) bool {
			return m.server != nil && m.server.stands() != leader.server.stands()
		})
	})
}

// await returns when a condition holds. It fails if that takes too long, or if a
// replica has ended that nobody has ended.
func (c *cluster) await(what string, atMost time.Duration, condition func() bool) {
	c.Helper()
	for end := time.Now().Add(atMost); !condition(); time.Sleep(2 * time.Millisecond) {
		c.check()
		if time.Now().After(end) {
			c.fail("waited %v in vain for %s", atMost, what)
		}
	}
}

// check fails if a replica has ended that nobody has ended.
func (c *cluster) check() {
	c.Helper()
	for _, m := range c.members {
		if m.server != nil && m.server.hasEnded() {
			c.fail("replica %d has ended: %v", m.index, m.server.command.ProcessState)
		}
	}
}

// fail ends the test with the logs of all replicas.
func (c *cluster) fail(format string, args ...any) {
	c.Helper()
	for _, m := range c.members {
		if m.server != nil {
			c.Logf("replica %d, %+v:\n%s", m.index, m.server.stands(), m.server.output())
		}
	}
	c.Fatalf(format, args...)
}

// compareFiles has ledgerctl verify the data files, and fails unless checkpoints
// of the same op are the same.
func (c *cluster) compareFiles() {
	c.Helper()
	ids := make(map[string]string) // of checkpoints, by op
	for _, m := range c.members {
		file, err := inspect(m.path)
		if err != nil {
			c.Fatalf("replica %d: %v", m.index, err)
		}
		checkpoint := file.Superblock.Root.Checkpoint
		if other, ok := ids[checkpoint.Op]; ok && other != checkpoint.ID {
			c.Errorf("replica %d: another has checkpoint %s of op %s, this one %s", m.index, other, checkpoint.Op, checkpoint.ID)
		}
		ids[checkpoint.Op] = checkpoint.ID
	}
	c.Logf("%d replicas, checkpoints by op: %v", len(c.members), ids)
}

// inspected is what is of interest here of the inspection of a file.
type inspected struct {
	Superblock struct {
		Root struct{ Checkpoint struct{ ID, Op string } }
	}
	Damage []struct{ Text string }
}

// inspect has ledgerctl verify a data file. The error is that of a damaged file,
// too.
func inspect(path string) (file inspected, err error) {
	var complaint strings.Builder
	command := exec.Command(tool, "inspect", "integrity", "--json", path)
	command.Stderr = &complaint
	output, err := command.Output()
	if err != nil {
		err = fmt.Errorf("inspect integrity: %w: %s", err, &complaint)
	}
	if len(output) > 0 {
		err = errors.Join(err, json.Unmarshal(output, &file))
	}
	return file, err
}

// connect returns a client of the cluster.
func (c *cluster) connect() *client.Client {
	c.Helper()
	ctx, cancel := context.WithTimeout(c.Context(), patience)
	defer cancel()
	connected, err := client.Connect(ctx, client.Config{Addresses: []string{c.addresses()}})
	if err != nil {
		c.fail("connect: %v", err)
	}
	c.Cleanup(func() { connected.Close() })
	return connected
}
