package bus

import (
	"net"
	"testing"
	"time"

	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/wire"
)

// peerMessage returns a message of a replica without a body, which names its
// author and number.
func peerMessage(command wire.Command, replica uint8, number uint64) []byte {
	return sealed(wire.HeaderSize, func(frame wire.Frame, b []byte) {
		frame.Command, frame.Replica = command, replica
		h := wire.Peer{Frame: frame, Op: number}
		h.Encode(b)
	})
}

// preparedBy returns a prepare of size bytes without requests: more than a bus
// looks at.
func preparedBy(replica uint8, size int) []byte {
	msg := forged(peerMessage(wire.CommandCommit, replica, 1), offsetCommand, byte(wire.CommandPrepare))
	msg = sized(append(msg, make([]byte, size-len(msg))...), uint32(size))
	wire.Seal(msg)
	return msg
}

// startReplica starts the bus of replica 1 of 3. The addresses of the others are
// given; nobody listens at those that are empty.
func startReplica(t *testing.T, others ...string) *testBus {
	t.Helper()
	addresses := []string{"127.0.0.1:1", "", "127.0.0.1:1"}
	for i, address := range others {
		addresses[2*i] = address
	}
	return startBus(t, defaultPatience, func(c *Config) { c.Replicas, c.Replica = addresses, 1 })
}

// listenAs is where a bus under test connects to.
func listenAs(t *testing.T, address string) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener
}

// acceptPeer waits for a connection of a bus.
func acceptPeer(t *testing.T, listener net.Listener) *testPeer {
	t.Helper()
	listener.(*net.TCPListener).SetDeadline(time.Now().Add(deadline))
	socket, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	return &testPeer{socket, t}
}

func (b *testBus) sendToReplica(replica uint8, msg []byte) {
	buf := b.pool.Acquire(len(msg))
	copy(buf.Bytes, msg)
	b.SendToReplica(replica, buf)
	buf.Release()
}

func (b *testBus) awaitLink(replica uint8, connected bool) {
	b.t.Helper()
	b.await("link", func() bool { return b.links[replica].connected.Load() == connected })
}

// TestReplicaIsHeard lets replica 2 say all that replicas say.
func TestReplicaIsHeard(t *testing.T) {
	b := startReplica(t)
	p := b.dial()
	for _, msg := range [][]byte{
		peerMessage(wire.CommandPing, 2, 1),
		peerMessage(wire.CommandPrepareOK, 2, 2),
		request(clientC, 1, 512), // forwarded
		request(clientD, 1, 40_000),
		preparedBy(0, 1<<20), // sent on
	} {
		p.send(msg)
		b.expect(msg)
	}
	if len(b.clients) != 0 {
		t.Error("answers for a client go to a replica that has forwarded a request")
	}
	again := b.dial()
	again.send(peerMessage(wire.CommandCommit, 2, 3))
	b.expect(peerMessage(wire.CommandCommit, 2, 3))
	p.expectClosed() // for the newer one
}

// TestReplicaViolations closes connections on which replicas speak as clients do,
// or clients as replicas.
func TestReplicaViolations(t *testing.T) {
	b := startReplica(t)
	ofReplica, ofClient := peerMessage(wire.CommandPing, 2, 1), ping(clientC)
	for name, test := range map[string]struct{ first, second []byte }{
		"replica, then client":          {ofReplica, ofClient},
		"client, then replica":          {ofClient, ofReplica},
		"client, then prepare":          {ofClient, preparedBy(2, 256)},
		"replica, then another one":     {ofReplica, peerMessage(wire.CommandPing, 0, 1)},
		"replica, then garbage":         {ofReplica, violations["text instead of a frame"]},
		"replica, then a rotten body":   {ofReplica, damaged(preparedBy(2, 4096), 300)},
		"replica, then another cluster": {ofReplica, forged(ofReplica, offsetCluster, 43)},
		"replica, then reply":           {ofReplica, reply(clientC, 1, 512)},
		"prepare first":                 {nil, preparedBy(2, 256)},
		"itself":                        {nil, peerMessage(wire.CommandPing, 1, 1)},
		"too high an index":             {nil, peerMessage(wire.CommandPing, 3, 1)},
		"vast index":                    {nil, forged(ofReplica, offsetReplica, 255)},
	} {
		t.Run(name, func(t *testing.T) {
			p := b.dial()
			p.t = t
			if test.first != nil {
				p.send(test.first)
				b.expect(test.first)
			}
			p.send(test.second)
			p.expectClosed()
			b.expectNothing()
		})
	}
}

// TestLink sends to a replica that comes, goes and comes again.
func TestLink(t *testing.T) {
	listener := listenAs(t, "127.0.0.1:0")
	address := listener.Addr().String()
	b := startReplica(t, address)
	ok, prepare := peerMessage(wire.CommandPrepareOK, 1, 1), preparedBy(1, 1<<20)

	p := acceptPeer(t, listener)
	b.awaitLink(0, true)
	b.sendToReplica(0, request(clientC, 1, 512)) // does not tell who sends it
	b.sendToReplica(0, prepare)
	b.sendToReplica(0, ok)
	p.expect(ok)
	b.sendToReplica(0, prepare)
	b.sendToReplica(0, request(clientC, 1, 512))
	p.expect(prepare)
	p.expect(request(clientC, 1, 512))

	listener.Close()
	p.Close()
	b.awaitLink(0, false)
	b.sendToReplica(0, ok) // dropped, not kept
	b.sendToReplica(2, ok) // never there
	p = acceptPeer(t, listenAs(t, address))
	b.awaitLink(0, true)
	later := peerMessage(wire.CommandPrepareOK, 1, 2)
	b.sendToReplica(0, later)
	p.expect(later)
}

// TestLinkHurries connects at once to a replica that has just said something, and
// does not wait out the pause after many attempts in vain.
func TestLinkHurries(t *testing.T) {
	listener := listenAs(t, "127.0.0.1:0")
	address := listener.Addr().String()
	listener.Close()
	b := startReplica(t, address)
	time.Sleep(dialPauseMax) // for the pause to grow
	listener = listenAs(t, address)
	b.dial().send(peerMessage(wire.CommandPing, 0, 1))
	heard := time.Now()
	acceptPeer(t, listener)
	if waited := time.Since(heard); waited > dialPauseMax/4 {
		t.Errorf("connected only after %v", waited)
	}
}

// TestLinkDrops sends more than fits to a replica that does not read: neither the
// sender waits, nor is more kept than may be.
func TestLinkDrops(t *testing.T) {
	listener := listenAs(t, "127.0.0.1:0")
	b := startReplica(t, listener.Addr().String())
	acceptPeer(t, listener)
	b.awaitLink(0, true)
	l, prepare := b.links[0], preparedBy(1, 1<<20)
	b.sendToReplica(0, peerMessage(wire.CommandPrepareOK, 1, 1))
	for range 4 * linkBytesMax >> 20 {
		b.sendToReplica(0, prepare)
	}
	if queued := l.queued.Load(); queued > linkBytesMax || queued < linkBytesMax/2 {
		t.Errorf("%d bytes wait, may be %d", queued, linkBytesMax)
	}
	for range 2 * linkMessagesMax {
		b.sendToReplica(0, peerMessage(wire.CommandPrepareOK, 1, 1))
	}
}

// TestClientsLeaveRoomForReplicas lets a replica connect when there are as many
// clients as may be, and no further client.
func TestClientsLeaveRoomForReplicas(t *testing.T) {
	b := startBus(t, defaultPatience, func(c *Config) {
		c.Replicas, c.Replica, c.ConnectionsMax = []string{"127.0.0.1:1", "", "127.0.0.1:1"}, 1, 2
	})
	first, second := b.dial(), b.dial()
	first.expectOpen(b, clientC)
	second.expectOpen(b, clientD)
	third := b.dial()
	third.send(ping(u128.From64(7)))
	third.expectClosed()
	b.await("the client is gone", func() bool { return len(b.connections) == 2 })
	replica := b.dial()
	replica.send(peerMessage(wire.CommandPing, 2, 1))
	b.expect(peerMessage(wire.CommandPing, 2, 1))
	b.expectNothing()
	first.Close()
	b.await("there is room", func() bool { return len(b.connections) == 2 })
	b.dial().expectOpen(b, clientC)
}
