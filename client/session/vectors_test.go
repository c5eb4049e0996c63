package session

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/multibatch"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/internal/vectors"
	"github.com/ledgerd/ledgerd/wire"
)

// kinds are the operations an official client sends (PROTOCOL.md section
// 12.1).
var kinds = map[wire.Operation]Kind{
	137: kindEvents,
	140: {Operation: 140, EventSize: 16, ResultSize: 128, MultiBatch: true},
	141: kindLookups,
	142: {Operation: 142, EventSize: 128, ResultSize: 128, MultiBatch: true},
	143: {Operation: 143, EventSize: 128, ResultSize: 128, MultiBatch: true},
	144: {Operation: 144, EventSize: 64, ResultSize: 128, MultiBatch: true},
	145: {Operation: 145, EventSize: 64, ResultSize: 128, MultiBatch: true},
	146: {Operation: 146, EventSize: 128, ResultSize: 16, MultiBatch: true},
	147: kindTransfers,
}

// TestVectors plays the recorded servers against a session that is given the
// recorded client's calls, id and clock: it must accept what they said, and
// say what that client said, byte for byte.
func TestVectors(t *testing.T) {
	scenarios, err := vectors.Load()
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, scenario := range scenarios {
		if scenario.Client == "official" {
			t.Run(scenario.Name, func(t *testing.T) { compared += playScenario(t, &scenario) })
		}
	}
	if compared != 122 {
		t.Errorf("compared %d messages, want all 122", compared)
	}
}

// player is a session under test and its Host.
type player struct {
	t        *testing.T
	session  *Session
	buffers  buffer.Pool
	now      time.Duration
	recorded map[uint32]*wire.Request // distinct requests by number
	bodies   map[uint32][]byte
	sent     map[uint32][]byte
	ping     []byte // the last one sent
	awaited  int    // calls not complete yet
}

func playScenario(t *testing.T, scenario *vectors.Scenario) (compared int) {
	p := newPlayer(t, scenario)
	for i := range scenario.Messages {
		m := &scenario.Messages[i]
		switch {
		case m.Direction == vectors.ServerToClient:
			p.receive(m.Bytes)
		case m.Command == "ping_client":
			p.now = time.Duration(m.Header.Number("ping_timestamp_monotonic").Lo)
			p.session.Tick(p.now)
			compare(t, m, p.ping)
			compared++
		default:
			compare(t, m, p.sent[uint32(m.Header.Number("request").Lo)])
			compared++
		}
	}
	if p.session.Err() == nil && p.session.Registered() && p.awaited != 0 {
		t.Errorf("%d calls are not complete", p.awaited)
	}
	return compared
}

func compare(t *testing.T, m *vectors.Message, got []byte) {
	if !bytes.Equal(got, m.Bytes) {
		t.Errorf("message %d: sent\n%x, want\n%x", m.Seq, got[:min(len(got), wire.HeaderSize)], m.Bytes[:wire.HeaderSize])
	}
}

func newPlayer(t *testing.T, scenario *vectors.Scenario) *player {
	p := &player{
		t:        t,
		recorded: make(map[uint32]*wire.Request),
		bodies:   make(map[uint32][]byte),
		sent:     make(map[uint32][]byte),
	}
	var cluster, client u128.Uint128
	replicas := 1
	for _, m := range scenario.Messages {
		if m.Command == "ping_client" {
			// The connection's first ping, which was not recorded, is 40 s older.
			p.now = time.Duration(m.Header.Number("ping_timestamp_monotonic").Lo) - 40*time.Second
		}
		if m.Command == "request" {
			request := new(wire.Request)
			if err := request.Decode(m.Bytes); err != nil {
				t.Fatal(err)
			}
			cluster, client = request.Cluster, request.Client
			p.recorded[request.Request] = request
			p.bodies[request.Request] = m.Bytes[wire.HeaderSize:]
		}
	}
	for _, c := range scenario.Connections {
		replicas = max(replicas, int(c.Replica)+1)
	}
	p.session = New(Config{
		Cluster:  cluster,
		Client:   client,
		Release:  wire.Release0_17_9,
		Replicas: replicas,
		Random:   rand.New(rand.NewPCG(1, 2)),
		Buffers:  &p.buffers,
		Host:     p,
	})
	p.session.Connected(p.now, 0)
	return p
}

// Send implements Host.
func (p *player) Send(_ int, message *buffer.Buffer) {
	var request wire.Request
	if request.Decode(message.Bytes) != nil {
		p.ping = bytes.Clone(message.Bytes)
		return
	}
	p.sent[request.Request] = bytes.Clone(message.Bytes)
}

// receive plays a message of the server. Before the reply to the request in
// flight come the calls of the next request, so that they leave together and
// at once, and the clock is set to the latency that it reports.
func (p *player) receive(message []byte) {
	frame, err := wire.VerifyHeader(message)
	if err != nil {
		p.t.Fatal(err)
	}
	var reply wire.Reply
	if reply.Decode(message) == nil && p.session.request.message != nil && reply.Request == p.session.request.number {
		if next := p.recorded[reply.Request+1]; next != nil {
			p.submit(next)
			p.now = p.session.request.started + time.Duration(next.PreviousRequestLatency)*time.Microsecond
		}
	}
	b := p.buffers.Acquire(len(message))
	copy(b.Bytes, message)
	if err := p.session.Receive(p.now, 0, frame, b); err != nil {
		p.t.Error(err)
	}
	b.Release()
}

// submit makes a call of each batch of a recorded request.
func (p *player) submit(request *wire.Request) {
	kind, ok := kinds[request.Operation]
	if !ok {
		p.t.Fatalf("%v", request.Operation)
	}
	payload := p.bodies[request.Request]
	counts := []uint16{1}
	if kind.MultiBatch {
		var err error
		if counts, payload, err = multibatch.Decode(payload, kind.EventSize, nil); err != nil {
			p.t.Fatal(err)
		}
	}
	for _, n := range counts {
		size := int(n) * kind.EventSize
		c := &playedCall{player: p, events: payload[:size]}
		c.Call = Call{Kind: kind, Events: int(n), Results: int(n), Submitter: c}
		if kind.Operation >= 142 && kind.Operation <= 145 || !kind.MultiBatch {
			c.Results = kind.ResultsMax() / len(counts)
		}
		payload = payload[size:]
		p.awaited++
		p.session.Submit(p.now, &c.Call)
	}
}

// playedCall is one batch of a recorded request.
type playedCall struct {
	Call
	player *player
	events []byte
}

func (c *playedCall) Encode(dst []byte) { copy(dst, c.events) }

func (c *playedCall) Complete(call *Call) {
	c.player.awaited--
	if call.Err == nil {
		call.Reply.Release()
	}
}
