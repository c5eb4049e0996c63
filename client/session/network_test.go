package session

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/multibatch"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/wire"
)

// TestBadNetwork lets sessions talk to a cluster over connections that break,
// lose, delay and repeat messages, while views change, callers give up and time
// passes. It checks what callers rely on: a call that succeeds was executed
// exactly once and gets its own results, one withdrawn in time never, and any
// other at most once; and all of them end.
func TestBadNetwork(t *testing.T) {
	for seed := range uint64(400) {
		n := newNetwork(t, seed)
		for range 600 {
			n.step()
		}
		n.heal()
		n.check()
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

var errGaveUp = errors.New("gave up")

// network is a session, its connections, and a cluster behind them.
type network struct {
	t       *testing.T
	random  *rand.Rand
	now     time.Duration
	session *Session
	buffers buffer.Pool
	links   []testLink
	cluster shadowCluster
	calls   []*networkCall
	peace   bool // nothing is lost any more
}

type testLink struct {
	up       bool
	toServer []*buffer.Buffer
	toClient [][]byte
}

// shadowCluster answers requests as PROTOCOL.md section 8 says, by the plainest
// means: one table for all replicas, whatever the view.
type shadowCluster struct {
	view     uint32
	op       uint64
	session  uint64
	latest   wire.Reply
	reply    []byte // to the latest request
	executed map[uint64]int
}

type networkCall struct {
	Call
	network   *network
	id        uint64
	completed int
}

func newNetwork(t *testing.T, seed uint64) *network {
	n := &network{
		t:       t,
		random:  rand.New(rand.NewPCG(seed, 1)),
		cluster: shadowCluster{view: uint32(seed % 5), op: 5, executed: make(map[uint64]int)},
	}
	n.links = make([]testLink, 1+seed%3)
	n.session = New(Config{
		Cluster:  testCluster,
		Client:   testClient,
		Release:  wire.Release0_17_9,
		Replicas: len(n.links),
		Random:   rand.New(rand.NewPCG(seed, 2)),
		Buffers:  &n.buffers,
		Host:     n,
	})
	return n
}

// Send implements Host.
func (n *network) Send(replica int, message *buffer.Buffer) {
	l := &n.links[replica]
	if !l.up {
		n.t.Errorf("message for replica %d, which is not connected", replica)
	}
	if n.peace || n.random.IntN(10) > 0 {
		l.toServer = append(l.toServer, message.Retain())
	}
}

func (c *networkCall) Encode(dst []byte) {
	if c.completed != 0 {
		c.network.t.Errorf("call %d encoded after it was complete", c.id)
	}
	for i := range c.Events {
		clear(dst[i*c.Kind.EventSize : (i+1)*c.Kind.EventSize])
		binary.LittleEndian.PutUint64(dst[i*c.Kind.EventSize:], c.id)
	}
}

func (c *networkCall) Complete(*Call) { c.completed++ }

// step lets one thing happen.
func (n *network) step() {
	replica := n.random.IntN(len(n.links))
	l := &n.links[replica]
	switch n.random.IntN(12) {
	case 0:
		n.now += time.Duration(n.random.IntN(400)) * time.Millisecond
		n.session.Tick(n.now)
	case 1:
		if l.up && n.random.IntN(4) == 0 {
			n.disconnect(replica)
		} else if !l.up {
			l.up = true
			n.session.Connected(n.now, replica)
		}
	case 2:
		if n.random.IntN(10) == 0 {
			n.cluster.view++
		}
	case 3, 4:
		c := &networkCall{network: n, id: uint64(len(n.calls))}
		kind := []Kind{kindTransfers, kindLookups, kindEvents}[n.random.IntN(3)]
		events := 1
		if kind.MultiBatch {
			events = n.random.IntN(4)
		}
		c.Call = Call{Kind: kind, Events: events, Results: events, Submitter: c}
		n.calls = append(n.calls, c)
		n.session.Submit(n.now, &c.Call)
	case 5:
		if len(n.calls) > 0 && n.random.IntN(3) == 0 {
			n.session.Withdraw(&n.calls[len(n.calls)-1-n.random.IntN(min(5, len(n.calls)))].Call, errGaveUp)
		}
	case 6, 7, 8:
		n.serve(l)
	default:
		n.deliver(replica)
	}
}

func (n *network) disconnect(replica int) {
	l := &n.links[replica]
	for _, message := range l.toServer {
		message.Release()
	}
	*l = testLink{}
	n.session.Disconnected(n.now, replica)
}

// serve lets the server have the oldest message of a connection.
func (n *network) serve(l *testLink) {
	if len(l.toServer) == 0 {
		return
	}
	message := l.toServer[0]
	l.toServer = l.toServer[1:]
	answer := n.cluster.answer(n.t, message.Bytes)
	message.Release()
	if answer == nil {
		return
	}
	l.toClient = append(l.toClient, answer)
	if n.random.IntN(5) == 0 {
		// A backup answers too, or the same answer comes twice.
		if other := &n.links[n.random.IntN(len(n.links))]; other.up {
			other.toClient = append(other.toClient, answer)
		}
	}
}

// deliver lets the session have the oldest message of a connection.
func (n *network) deliver(replica int) {
	l := &n.links[replica]
	if len(l.toClient) == 0 {
		return
	}
	message := l.toClient[0]
	l.toClient = l.toClient[1:]
	frame, err := wire.VerifyHeader(message)
	if err != nil {
		n.t.Fatal(err)
	}
	b := n.buffers.Acquire(len(message))
	copy(b.Bytes, message)
	if err := n.session.Receive(n.now, replica, frame, b); err != nil {
		n.t.Error(err)
	}
	b.Release()
}

// heal connects everything and lets time pass until all calls have ended.
func (n *network) heal() {
	n.peace = true
	for i := range n.links {
		if !n.links[i].up {
			n.links[i].up = true
			n.session.Connected(n.now, i)
		}
	}
	for range 2000 {
		for i := range n.links {
			n.serve(&n.links[i])
			n.deliver(i)
		}
		if at, ok := n.session.Deadline(); ok && n.random.IntN(4) == 0 {
			n.now = max(n.now, at)
			n.session.Tick(n.now)
		}
	}
}

// check compares what callers were told with what was executed.
func (n *network) check() {
	for _, c := range n.calls {
		times := n.cluster.executed[c.id]
		switch {
		case c.completed != 1:
			n.t.Errorf("call %d completed %d times", c.id, c.completed)
		case c.Events == 0:
		case c.Err == nil && times != c.Events:
			n.t.Errorf("call %d of %d events succeeded: %d were executed", c.id, c.Events, times)
		case c.Err == errGaveUp && times != 0:
			n.t.Errorf("call %d was withdrawn in time: %d events were executed", c.id, times)
		case times != 0 && times != c.Events:
			n.t.Errorf("call %d of %d events: %d were executed", c.id, c.Events, times)
		}
		if c.completed == 1 && c.Err == nil {
			for i := range c.Events {
				if id := binary.LittleEndian.Uint64(c.Body[i*c.Kind.ResultSize:]); id != c.id {
					n.t.Errorf("call %d got a result of call %d", c.id, id)
				}
			}
			c.Reply.Release()
		}
	}
}

// answer returns what the cluster sends back, nil for nothing.
func (c *shadowCluster) answer(t *testing.T, message []byte) []byte {
	var request wire.Request
	if request.Decode(message) != nil {
		var ping wire.PingClient
		if err := ping.Decode(message); err != nil {
			t.Fatal(err)
		}
		pong := wire.PongClient{
			Frame:                  testFrame(wire.HeaderSize, c.view),
			PingTimestampMonotonic: ping.PingTimestampMonotonic,
		}
		b := make([]byte, wire.HeaderSize)
		pong.Encode(b)
		wire.Seal(b)
		return b
	}
	switch {
	case request.View > c.view, request.Session != c.session && request.Request > 0:
		t.Errorf("request of view %d session %d, want view %d session %d", request.View, request.Session, c.view, c.session)
		return nil
	case c.reply != nil && request.Request == c.latest.Request:
		if request.Checksum != c.latest.RequestChecksum {
			t.Errorf("request %d has changed", request.Request)
		}
		return c.reply
	case c.reply != nil && request.Request < c.latest.Request:
		return nil
	case request.Parent != c.latest.Context || c.reply != nil && request.Request != c.latest.Request+1:
		t.Errorf("request %d is not chained to request %d", request.Request, c.latest.Request)
		return nil
	}
	c.execute(t, &request, message[wire.HeaderSize:])
	return c.reply
}

// execute makes request the latest of its session. Each event has one result,
// which starts with the event's first bytes.
func (c *shadowCluster) execute(t *testing.T, request *wire.Request, body []byte) {
	c.op++
	var results []byte
	if request.Operation == wire.OperationRegister {
		c.session = c.op
		results = make([]byte, wire.RegisterReplySize)
		binary.LittleEndian.PutUint32(results, 32512)
	} else {
		kind := kinds[request.Operation]
		events, counts := body, []uint16{1}
		if kind.MultiBatch {
			var err error
			if counts, events, err = multibatch.Decode(body, kind.EventSize, nil); err != nil {
				t.Fatal(err)
			}
		}
		for ; len(events) > 0; events = events[kind.EventSize:] {
			c.executed[binary.LittleEndian.Uint64(events)]++
			result := make([]byte, kind.ResultSize)
			copy(result, events[:8])
			results = append(results, result...)
		}
		if kind.MultiBatch {
			results = multibatch.AppendTrailer(results, kind.ResultSize, counts)
		}
	}
	c.latest = wire.Reply{
		Frame:           testFrame(wire.HeaderSize+len(results), c.view),
		RequestChecksum: request.Checksum,
		Client:          request.Client,
		Op:              c.op,
		Commit:          c.op,
		Timestamp:       1,
		Request:         request.Request,
		Operation:       request.Operation,
	}
	c.reply = make([]byte, wire.HeaderSize+len(results))
	c.latest.Encode(c.reply)
	copy(c.reply[wire.HeaderSize:], results)
	c.latest.Context, _ = wire.SealReply(c.reply)
}

func TestNewRefuses(t *testing.T) {
	for _, cfg := range []Config{
		{Client: testClient, Replicas: 0},
		{Client: testClient, Replicas: wire.ReplicasMax + 1},
		{Client: u128.Uint128{}, Replicas: 1},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("New(%+v) did not panic", cfg)
				}
			}()
			New(cfg)
		}()
	}
}
