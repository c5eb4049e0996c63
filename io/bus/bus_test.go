package bus

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/wire"
)

// deadline is how long a test waits for what must happen.
const deadline = 10 * time.Second

// A testBus is a bus whose messages a test takes from a channel.
type testBus struct {
	*Bus
	t         testing.TB
	pool      *buffer.Pool
	delivered chan *buffer.Buffer
}

// startBus starts a bus on loopback. change may be nil.
func startBus(t testing.TB, p patience, change func(*Config)) *testBus {
	t.Helper()
	b := &testBus{t: t, pool: new(buffer.Pool), delivered: make(chan *buffer.Buffer, 4096)}
	config := Config{Cluster: testCluster, Address: "127.0.0.1:0", Pool: b.pool,
		Deliver: func(msg *buffer.Buffer) { b.delivered <- msg },
		Logger:  slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&config)
	}
	var err error
	if b.Bus, err = listen(config, p); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		if free := b.budget.free; free != b.config.ReceiveBytesMax {
			t.Errorf("%d bytes of the budget are lost", b.config.ReceiveBytesMax-free)
		}
		if len(b.connections) != 0 || len(b.clients) != 0 {
			t.Errorf("%d connections and %d clients are left over", len(b.connections), len(b.clients))
		}
	})
	return b
}

// expect waits for the delivery of msg.
func (b *testBus) expect(msg []byte) {
	b.t.Helper()
	select {
	case got := <-b.delivered:
		if !bytes.Equal(got.Bytes, msg) {
			b.t.Errorf("delivered %d bytes, number %d; want %d bytes, number %d",
				len(got.Bytes), numberOf(got.Bytes), len(msg), numberOf(msg))
		}
		got.Release()
	case <-time.After(deadline):
		b.t.Fatal("not delivered")
	}
}

// expectNothing is for after something else was delivered: it does not wait.
func (b *testBus) expectNothing() {
	b.t.Helper()
	if len(b.delivered) > 0 {
		b.t.Error("delivered what should have been dropped")
	}
}

func (b *testBus) sendTo(client u128.Uint128, msg []byte) {
	buf := b.pool.Acquire(len(msg))
	copy(buf.Bytes, msg)
	b.SendToClient(client, buf)
	buf.Release()
}

// A testPeer is the other end of a connection.
type testPeer struct {
	net.Conn
	t testing.TB
}

func (b *testBus) dial() *testPeer {
	b.t.Helper()
	socket, err := net.Dial("tcp", b.Addr().String())
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { socket.Close() })
	return &testPeer{socket, b.t}
}

func (p *testPeer) send(messages ...[]byte) {
	p.t.Helper()
	if _, err := p.Write(slices.Concat(messages...)); err != nil {
		p.t.Fatal(err)
	}
}

func (p *testPeer) expect(msg []byte) {
	p.t.Helper()
	p.SetReadDeadline(time.Now().Add(deadline))
	got := make([]byte, len(msg))
	if _, err := io.ReadFull(p, got); err != nil {
		p.t.Fatalf("nothing received: %v", err)
	}
	if !bytes.Equal(got, msg) {
		p.t.Error("received something else")
	}
}

// expectClosed waits until the bus has closed the connection, without having
// sent anything.
func (p *testPeer) expectClosed() {
	p.t.Helper()
	p.SetReadDeadline(time.Now().Add(deadline))
	n, err := p.Read(make([]byte, 1))
	if n != 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		p.t.Errorf("not closed: %d bytes, %v", n, err)
	}
}

// expectOpen demands that the bus still takes a ping of client from it.
func (p *testPeer) expectOpen(b *testBus, client u128.Uint128) {
	p.t.Helper()
	p.send(ping(client))
	b.expect(ping(client))
}

// await waits until condition holds under the bus's lock.
func (b *testBus) await(what string, condition func() bool) {
	b.t.Helper()
	for end := time.Now().Add(deadline); ; time.Sleep(time.Millisecond) {
		b.mu.Lock()
		holds := condition()
		b.mu.Unlock()
		if holds {
			return
		}
		if time.Now().After(end) {
			b.t.Fatalf("not reached: %s", what)
		}
	}
}

func TestViolationsClose(t *testing.T) {
	b := startBus(t, defaultPatience, nil)
	for name, bad := range violations {
		t.Run(name, func(t *testing.T) {
			p := b.dial()
			p.t = t
			p.expectOpen(b, clientC)
			p.Write(slices.Concat(bad, ping(clientC))) // may fail: half of it is refused
			p.expectClosed()
			b.expectNothing()
		})
	}
}

func TestIgnoredIsDropped(t *testing.T) {
	b := startBus(t, defaultPatience, nil)
	for name, bad := range ignored {
		t.Run(name, func(t *testing.T) {
			p := b.dial()
			p.t = t
			p.send(bad, ping(clientC), bad, request(clientC, 1, 512))
			b.expect(ping(clientC))
			b.expect(request(clientC, 1, 512))
			b.expectNothing()
		})
	}
}

func TestManyMessagesInOnePacket(t *testing.T) {
	b := startBus(t, defaultPatience, nil)
	var sent [][]byte
	for i := range 300 {
		sent = append(sent, request(clientC, uint32(i+1), 256+16*(i%40)))
	}
	b.dial().send(sent...)
	for _, msg := range sent {
		b.expect(msg)
	}
}

func TestByteByByte(t *testing.T) {
	b := startBus(t, defaultPatience, nil)
	p := b.dial()
	msg := request(clientC, 1, 640)
	for i := range msg {
		p.send(msg[i : i+1])
	}
	b.expect(msg)
}

func TestLargestMessage(t *testing.T) {
	b := startBus(t, defaultPatience, nil)
	p := b.dial()
	for number := range uint32(10) {
		msg := request(clientC, number+1, wire.MessageSizeMax)
		p.send(msg)
		b.expect(msg)
		p2 := reply(clientC, number+1, wire.MessageSizeMax)
		b.sendTo(clientC, p2)
		p.expect(p2)
	}
}

func TestReplyGoesToRequester(t *testing.T) {
	b := startBus(t, defaultPatience, nil)
	c, d := b.dial(), b.dial()
	c.send(request(clientC, 1, 512))
	b.expect(request(clientC, 1, 512))
	d.send(request(clientD, 1, 512))
	b.expect(request(clientD, 1, 512))
	b.sendTo(u128.From64(99), reply(clientC, 1, 512)) // unknown: dropped
	b.sendTo(clientC, reply(clientC, 1, 512))
	b.sendTo(clientD, reply(clientD, 1, 512))
	c.expect(reply(clientC, 1, 512))
	d.expect(reply(clientD, 1, 512))
}

// TestReconnect follows the last paragraphs of PROTOCOL.md section 4.2.
func TestReconnect(t *testing.T) {
	b := startBus(t, defaultPatience, nil)
	old, fresh := b.dial(), b.dial()
	old.send(request(clientC, 1, 512))
	b.expect(request(clientC, 1, 512))

	// A bare request does not take replies away from the older connection.
	fresh.send(request(clientC, 2, 512))
	b.expect(request(clientC, 2, 512))
	b.sendTo(clientC, reply(clientC, 2, 512))
	old.expect(reply(clientC, 2, 512))

	// A ping does, and closes it.
	fresh.expectOpen(b, clientC)
	old.expectClosed()
	b.sendTo(clientC, reply(clientC, 3, 512))
	fresh.expect(reply(clientC, 3, 512))

	// That the older one ended must not take the client from the map.
	b.await("the older connection is forgotten", func() bool { return len(b.connections) == 1 })
	b.sendTo(clientC, reply(clientC, 4, 512))
	fresh.expect(reply(clientC, 4, 512))

	fresh.Close()
	b.await("the client is forgotten", func() bool { return len(b.clients) == 0 })
}

func TestPeerSwapCloses(t *testing.T) {
	b := startBus(t, defaultPatience, nil)
	for name, messages := range map[string][2][]byte{
		"ping, ping":    {ping(clientC), ping(clientD)},
		"ping, request": {ping(clientC), request(clientD, 1, 512)},
		"request, ping": {request(clientC, 1, 512), ping(clientD)},
		"large":         {ping(clientC), request(clientD, 1, 100_000)},
	} {
		t.Run(name, func(t *testing.T) {
			p := b.dial()
			p.t = t
			p.send(messages[0])
			b.expect(messages[0])
			p.send(messages[1], ping(clientC))
			p.expectClosed()
			b.expectNothing()
		})
	}
	p := b.dial()
	p.send(request(clientC, 1, 512), request(clientD, 2, 512))
	b.expect(request(clientC, 1, 512))
	b.expect(request(clientD, 2, 512))
	p.expectOpen(b, clientC)
}

// TestSendQueueDrops: a peer that does not read loses messages, and nobody
// waits for it.
func TestSendQueueDrops(t *testing.T) {
	b := startBus(t, patience{round: time.Hour}, nil)
	slow, other := b.dial(), b.dial()
	slow.expectOpen(b, clientC)
	other.expectOpen(b, clientD)
	const count = 100
	for i := range uint32(count) {
		b.sendTo(clientC, reply(clientC, i+1, 1<<20))
		b.sendTo(clientD, reply(clientD, i+1, 512))
		other.expect(reply(clientD, i+1, 512))
	}
	// What arrives at the slow one is a subsequence, whole messages in order. It
	// ends with a last one, sent after each that has arrived: some of these are
	// dropped too, but not that after which the queue is empty.
	var numbers []uint32
	msg := make([]byte, 1<<20)
	for {
		slow.SetReadDeadline(time.Now().Add(deadline))
		if _, err := io.ReadFull(slow, msg[:wire.HeaderSize]); err != nil {
			t.Fatal(err)
		}
		var h wire.Reply
		if err := h.Decode(msg); err != nil {
			t.Fatal(err)
		}
		if h.Request == count+1 {
			break
		}
		if _, err := io.ReadFull(slow, msg[wire.HeaderSize:h.Size]); err != nil || wire.VerifyBody(msg) != nil {
			t.Fatal("received a torn message", err)
		}
		numbers = append(numbers, h.Request)
		b.sendTo(clientC, reply(clientC, count+1, wire.HeaderSize))
	}
	if !slices.IsSorted(numbers) || len(numbers) < sendQueueMax || len(numbers) == count {
		t.Errorf("received %v", numbers)
	}
}

var impatient = patience{round: 5 * time.Millisecond, receiveRounds: 40, contendedRounds: 20, sendRounds: 40}

func TestPeerThatDoesNotReadIsClosed(t *testing.T) {
	b := startBus(t, impatient, nil)
	p := b.dial()
	p.expectOpen(b, clientC)
	for range 40 {
		b.sendTo(clientC, reply(clientC, 1, 1<<20))
		time.Sleep(time.Millisecond)
	}
	b.await("closed", func() bool { return len(b.connections) == 0 })
}

func TestHalfSentIsClosed(t *testing.T) {
	b := startBus(t, impatient, nil)
	idle := b.dial()
	idle.expectOpen(b, clientD)
	large := request(clientC, 1, 1<<20)
	for _, length := range []int{1, 255, 256, 400, 50_000, 1<<20 - 1} {
		p := b.dial()
		p.send(large[:length])
		p.expectClosed()
	}
	idle.expectOpen(b, clientD) // idle is not late
}

// TestTricklingIsClosed: that bytes come does not excuse a message that does
// not.
func TestTricklingIsClosed(t *testing.T) {
	b := startBus(t, impatient, nil)
	p := b.dial()
	for _, c := range request(clientC, 1, 1<<20) {
		if _, err := p.Write([]byte{c}); err != nil {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
	t.Error("not closed")
}

// TestBudget has more peers with half-sent messages than there is memory for,
// and one that means well.
func TestBudget(t *testing.T) {
	p := impatient
	p.receiveRounds = 1e6 // contention alone has to do it
	const room = 3
	b := startBus(t, p, func(c *Config) { c.ReceiveBytesMax = room * wire.MessageSizeMax })
	msg := request(clientC, 1, 1<<20)
	small, smallMsg := b.dial(), request(clientD, 1, 4096)
	small.send(smallMsg[:1000]) // holds none of the budget
	var hostile []*testPeer
	for range 10 * room {
		hostile = append(hostile, b.dial())
		hostile[len(hostile)-1].send(msg[:1000])
	}
	honest := b.dial()
	honest.send(msg)
	b.expect(msg)
	hostile[0].expectClosed()
	small.send(smallMsg[1000:])
	b.expect(smallMsg)
}

// TestBudgetUncontended: without contention a slow peer has its time.
func TestBudgetUncontended(t *testing.T) {
	p := impatient
	p.receiveRounds = 1e6
	b := startBus(t, p, func(c *Config) { c.ReceiveBytesMax = 2 * wire.MessageSizeMax })
	msg := request(clientC, 1, 1<<20)
	slow, other := b.dial(), b.dial()
	slow.send(msg[:1000])
	for range 3 * p.contendedRounds {
		other.send(request(clientD, 1, 1<<20))
		b.expect(request(clientD, 1, 1<<20))
		time.Sleep(p.round)
	}
	slow.send(msg[1000:])
	b.expect(msg)
}

// TestDeliverHoldsUpOneConnection also has Close wait for a blocked Deliver.
func TestDeliverHoldsUpOneConnection(t *testing.T) {
	release := make(chan struct{})
	deliveredD := make(chan struct{}, 10)
	b := startBus(t, defaultPatience, func(c *Config) {
		c.Deliver = func(msg *buffer.Buffer) {
			defer msg.Release()
			if u128.FromBytes(msg.Bytes[128:]) == clientC {
				<-release
				return
			}
			deliveredD <- struct{}{}
		}
	})
	t.Cleanup(func() { close(release) })
	b.dial().send(ping(clientC), ping(clientC))
	d := b.dial()
	for range 10 {
		d.send(ping(clientD))
		select {
		case <-deliveredD:
		case <-time.After(deadline):
			t.Fatal("another connection is held up")
		}
	}
}

// TestWaitingForBudgetIsNotLate: a peer that we let wait is not blamed for it.
func TestWaitingForBudgetIsNotLate(t *testing.T) {
	p := impatient
	p.contendedRounds = 1e6
	release := make(chan struct{})
	b := startBus(t, p, func(c *Config) {
		c.ReceiveBytesMax = wire.MessageSizeMax
		deliver := c.Deliver
		c.Deliver = func(msg *buffer.Buffer) {
			deliver(msg)
			<-release
		}
	})
	first, second := request(clientC, 1, 1<<20), request(clientD, 1, 1<<20)
	b.dial().send(first)
	b.expect(first) // its Deliver holds the whole budget
	waiting := b.dial()
	waiting.send(second[:100])
	b.await("begun", func() bool { return b.receivesHalf() })
	go waiting.Write(second[100:])
	b.await("waiting", func() bool { return b.budget.waiting.since.Load() != 0 })
	time.Sleep(time.Duration(3*p.receiveRounds) * p.round)
	close(release)
	b.expect(second)
	if b.budget.waiting.since.Load() != 0 {
		t.Error("the budget's stopwatch runs on")
	}
}

// receivesHalf reports whether a connection has a message half received. The
// caller holds b.mu.
func (b *testBus) receivesHalf() bool {
	for c := range b.connections {
		if c.receiving.since.Load() != 0 {
			return true
		}
	}
	return false
}

// TestDroppedIsReleased looks for the buffer of a dropped message in the pool.
func TestDroppedIsReleased(t *testing.T) {
	b := startBus(t, defaultPatience, nil)
	c := connection{bus: b.Bus, peer: peer{kind: peerClient, client: clientC}}
	for name, msg := range map[string][]byte{
		"for clients": reply(clientC, 1, 512), "invalid header": ignored["reserved bytes"], "another client": ping(clientD),
	} {
		buf := b.pool.Acquire(len(msg))
		copy(buf.Bytes, msg)
		c.accept(buf, wire.Command(msg[offsetCommand]))
		if again := b.pool.Acquire(len(msg)); again != buf {
			t.Errorf("%s: leaked", name)
		}
	}
}

func TestConnectionsMax(t *testing.T) {
	b := startBus(t, defaultPatience, func(c *Config) { c.ConnectionsMax = 2 })
	first, second := b.dial(), b.dial()
	first.expectOpen(b, clientC)
	second.expectOpen(b, clientD)
	b.dial().expectClosed()
	second.Close()
	b.await("there is room", func() bool { return len(b.connections) == 1 })
	b.dial().expectOpen(b, clientD)
	first.expectOpen(b, clientC)
}

func TestManyConnections(t *testing.T) {
	count := 3000
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if limit.Cur < 10000 || testing.Short() {
		count = min(count, int(limit.Cur/4), 500)
	}
	b := startBus(t, defaultPatience, func(c *Config) { c.ConnectionsMax = count })
	peers := make([]*testPeer, count)
	var wait sync.WaitGroup
	for part := range 4 {
		wait.Go(func() {
			for i := part; i < count; i += 4 {
				client := u128.From64(uint64(i + 1))
				peers[i] = b.dial()
				peers[i].send(request(client, 1, 512))
			}
		})
	}
	for range count {
		select {
		case msg := <-b.delivered:
			var h wire.Request
			if err := h.Decode(msg.Bytes); err != nil {
				t.Fatal(err)
			}
			b.sendTo(h.Client, reply(h.Client, 1, 512))
			msg.Release()
		case <-time.After(deadline):
			t.Fatal("not delivered")
		}
	}
	wait.Wait()
	for i, p := range peers {
		p.expect(reply(u128.From64(uint64(i+1)), 1, 512))
	}
}

// TestHostileBytes lets many peers send noise, torn and forged messages, while
// one does its work.
func TestHostileBytes(t *testing.T) {
	b := startBus(t, impatient, nil)
	bad := slices.Collect(maps.Values(violations))
	good := request(clientD, 1, 2048)
	var wait sync.WaitGroup
	for seed := range uint64(4) {
		wait.Go(func() {
			random := rand.New(rand.NewPCG(seed, 0))
			for range 50 {
				p := b.dial()
				for range random.IntN(3) {
					p.Write(good[:random.IntN(len(good))])
				}
				p.Write(bad[random.IntN(len(bad))])
				p.Close()
			}
		})
	}
	honest := b.dial()
	for i := range uint32(200) {
		msg := request(clientC, i+1, 4096)
		honest.send(msg)
		b.expect(msg)
	}
	wait.Wait()
}

func TestCloseEndsEverything(t *testing.T) {
	b := startBus(t, defaultPatience, nil)
	p := b.dial()
	p.expectOpen(b, clientC)
	b.dial().send(request(clientD, 1, 1<<20)[:5000])
	if err := b.Bus.Close(); err != nil {
		t.Fatal(err)
	}
	p.expectClosed()
	if _, err := net.Dial("tcp", b.Addr().String()); err == nil {
		t.Error("still listening")
	}
	b.sendTo(clientC, reply(clientC, 1, 512)) // harmless
	again, err := listen(b.config, defaultPatience)
	if err != nil {
		t.Fatal(err)
	}
	b.Bus = again // for the cleanup
}

func TestLogIsCapped(t *testing.T) {
	var log strings.Builder
	l := cappedLog{logger: slog.New(slog.NewTextHandler(&log, nil))}
	for round := range int64(2 * logRounds) {
		for range 100 {
			l.write(round, slog.LevelWarn, "hostile")
		}
	}
	if lines := strings.Count(log.String(), "\n"); lines != 2*logLinesMax {
		t.Errorf("%d lines", lines)
	}
	if want := "lines_omitted=392"; !strings.Contains(log.String(), want) {
		t.Errorf("the log does not say %s", want)
	}
	l.write(0, slog.LevelDebug, "debug")
	if strings.Contains(log.String(), "debug") {
		t.Error("logged below its level")
	}
}

func TestClosingIsLogged(t *testing.T) {
	var mu sync.Mutex
	var log strings.Builder
	b := startBus(t, defaultPatience, func(c *Config) {
		c.Logger = slog.New(slog.NewTextHandler(writerFunc(func(p []byte) (int, error) {
			mu.Lock()
			defer mu.Unlock()
			return log.Write(p)
		}), nil))
	})
	p := b.dial()
	p.send(violations["cluster"])
	p.expectClosed()
	b.await("forgotten", func() bool { return len(b.connections) == 0 })
	b.await("logged", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return strings.Contains(log.String(), errCluster.Error()) && strings.Contains(log.String(), p.LocalAddr().String())
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
