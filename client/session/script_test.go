package session

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/checksum"
	"github.com/ledgerd/ledgerd/internal/multibatch"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/wire"
)

// The kinds of call in tests.
var (
	kindTransfers = Kind{Operation: 147, EventSize: 128, ResultSize: 16, MultiBatch: true}
	kindLookups   = Kind{Operation: 141, EventSize: 16, ResultSize: 128, MultiBatch: true}
	kindEvents    = Kind{Operation: 137, EventSize: 64, ResultSize: 384}
)

var (
	testCluster = u128.From64(7)
	testClient  = u128.From64(99)
)

// TestScripts plays testdata/*.txt: each command tells the session one thing
// and shows what it does about it. `go test -rewrite` writes the output anew.
//
//	new replicas=N
//	connect | disconnect | pong   replica=N [view=V] [rtt=D]
//	submit NAME kind=transfers|lookups|events n=N [results=N]
//	withdraw NAME
//	reply [request=N] [view=V] [results=(N,...)] [spoil=WHAT] [limit=N]
//	evict reason=N [view=V] [client=N]
//	deadline | tick | close | status
//
// Any command takes after=DURATION: time passes first.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var s *script
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "new" {
				replicas := 1
				d.MaybeScanArgs(t, "replicas", &replicas)
				s = newScript(replicas)
			}
			return s.run(t, d)
		})
	})
}

// script is a session under test and its Host.
type script struct {
	session  *Session
	buffers  buffer.Pool
	now      time.Duration
	calls    map[string]*namedCall
	requests map[uint32]*buffer.Buffer // every request that was sent
	pings    map[int]uint64            // timestamp of the last ping to each replica
	out      strings.Builder
}

func newScript(replicas int) *script {
	s := &script{
		calls:    make(map[string]*namedCall),
		requests: make(map[uint32]*buffer.Buffer),
		pings:    make(map[int]uint64),
	}
	s.session = New(Config{
		Cluster:  testCluster,
		Client:   testClient,
		Release:  wire.Release0_17_9,
		Replicas: replicas,
		Random:   rand.New(rand.NewPCG(1, 2)),
		Buffers:  &s.buffers,
		Host:     s,
	})
	return s
}

func (s *script) printf(format string, args ...any) { fmt.Fprintf(&s.out, format+"\n", args...) }

// Send implements Host.
func (s *script) Send(replica int, message *buffer.Buffer) {
	frame, err := wire.VerifyHeader(message.Bytes)
	if err == nil {
		err = wire.VerifyBody(message.Bytes)
	}
	if err != nil {
		s.printf("send %d: BROKEN: %v", replica, err)
		return
	}
	if frame.Command == wire.CommandPingClient {
		var ping wire.PingClient
		if err := ping.Decode(message.Bytes); err != nil {
			s.printf("send %d: BROKEN: %v", replica, err)
		}
		s.pings[replica] = ping.PingTimestampMonotonic
		s.printf("send %d: ping session=%d", replica, ping.Session)
		return
	}
	var request wire.Request
	if err := request.Decode(message.Bytes); err != nil {
		s.printf("send %d: BROKEN: %v", replica, err)
		return
	}
	again := ""
	if before := s.requests[request.Request]; before != nil {
		again = " again"
		if before != message {
			again = " CHANGED"
		}
	} else {
		s.requests[request.Request] = message.Retain()
	}
	s.printf("send %d: request %d%s %s view=%d session=%d parent=%s latency=%d", replica, request.Request, again,
		describeBody(&request, message.Bytes[wire.HeaderSize:]), request.View, request.Session,
		parentName(request.Parent), request.PreviousRequestLatency)
}

func describeBody(request *wire.Request, body []byte) string {
	for _, kind := range []Kind{kindTransfers, kindLookups} {
		if kind.Operation == request.Operation {
			counts, _, err := multibatch.Decode(body, kind.EventSize, nil)
			return fmt.Sprintf("op=%d batches=%v err=%v", request.Operation, counts, err)
		}
	}
	return fmt.Sprintf("op=%d bytes=%d", request.Operation, len(body))
}

// contextOf is the context that the script's server gives to a request's reply.
func contextOf(request uint32) (sum checksum.Sum) {
	binary.LittleEndian.PutUint32(sum[:], request+1)
	return sum
}

func parentName(parent checksum.Sum) string {
	if parent == (checksum.Sum{}) {
		return "none"
	}
	return fmt.Sprintf("reply-%d", binary.LittleEndian.Uint32(parent[:])-1)
}

// namedCall is a call of a script.
type namedCall struct {
	Call
	script *script
	name   string
}

func (c *namedCall) Encode(dst []byte) {
	for i := range dst {
		dst[i] = c.name[0]
	}
}

func (c *namedCall) Complete(call *Call) {
	if call != &c.Call {
		panic("another call")
	}
	if call.Err != nil {
		c.script.printf("call %s: error: %v", c.name, call.Err)
		return
	}
	// The script's server fills the results of batch i with i.
	batch := "-"
	if len(call.Body) > 0 {
		batch = fmt.Sprint(call.Body[0])
	}
	c.script.printf("call %s: %d results of batch %s", c.name, len(call.Body)/call.Kind.ResultSize, batch)
	call.Reply.Release()
}

func (s *script) run(t *testing.T, d *datadriven.TestData) string {
	s.out.Reset()
	var after string
	if d.MaybeScanArgs(t, "after", &after); after != "" {
		delay, err := time.ParseDuration(after)
		if err != nil {
			d.Fatalf(t, "%v", err)
		}
		s.now += delay
	}
	replica := 0
	d.MaybeScanArgs(t, "replica", &replica)
	switch d.Cmd {
	case "new":
	case "connect":
		s.session.Connected(s.now, replica)
	case "disconnect":
		s.session.Disconnected(s.now, replica)
	case "tick":
		s.session.Tick(s.now)
	case "submit":
		s.submit(t, d)
	case "withdraw":
		s.session.Withdraw(&s.calls[d.CmdArgs[0].Key].Call, fmt.Errorf("gave up"))
	case "reply":
		s.receive(replica, s.reply(t, d))
	case "pong":
		s.receive(replica, s.pong(t, d, replica))
	case "evict":
		s.receive(replica, s.eviction(t, d))
	case "close":
		s.session.Close(fmt.Errorf("closed"))
	case "deadline":
		if at, ok := s.session.Deadline(); ok {
			s.printf("in %v", at-s.now)
		} else {
			s.printf("never")
		}
	case "status":
		s.printf("registered=%v view=%d err=%v waiting=%d", s.session.Registered(), s.session.view, s.session.Err(), len(s.session.queue))
	default:
		d.Fatalf(t, "unknown command")
	}
	if s.out.Len() == 0 {
		return "nothing\n"
	}
	return s.out.String()
}

func (s *script) submit(t *testing.T, d *datadriven.TestData) {
	call := &namedCall{script: s, name: d.CmdArgs[0].Key}
	var kind string
	d.ScanArgs(t, "kind", &kind)
	d.ScanArgs(t, "n", &call.Events)
	switch kind {
	case "transfers":
		call.Kind = kindTransfers
	case "lookups":
		call.Kind = kindLookups
	case "events":
		call.Kind = kindEvents
	default:
		d.Fatalf(t, "kind %q", kind)
	}
	call.Results = call.Events
	d.MaybeScanArgs(t, "results", &call.Results)
	call.Submitter = call
	s.calls[call.name] = call
	s.session.Submit(s.now, &call.Call)
}

// receive gives the session a message that has passed the stream layer.
func (s *script) receive(replica int, message []byte) {
	frame, err := wire.VerifyHeader(message)
	if err != nil {
		s.printf("SCRIPT IS WRONG: %v", err)
		return
	}
	b := s.buffers.Acquire(len(message))
	copy(b.Bytes, message)
	if err := s.session.Receive(s.now, replica, frame, b); err != nil {
		s.printf("%v", err)
	}
	b.Release()
}

func testFrame(size int, view uint32) wire.Frame {
	return wire.Frame{Cluster: testCluster, Size: uint32(size), View: view, Release: wire.Release0_17_9}
}

// reply builds what a server answers to a request that was sent.
func (s *script) reply(t *testing.T, d *datadriven.TestData) []byte {
	var number uint32
	var view uint32
	var spoil string
	limit := uint32(wire.BodySizeMax)
	for n := range s.requests {
		number = max(number, n)
	}
	d.MaybeScanArgs(t, "request", &number)
	d.MaybeScanArgs(t, "view", &view)
	d.MaybeScanArgs(t, "limit", &limit)
	d.MaybeScanArgs(t, "spoil", &spoil)
	var request wire.Request
	if err := request.Decode(s.requests[number].Bytes); err != nil {
		d.Fatalf(t, "%v", err)
	}
	body := s.replyBody(t, d, &request, limit)
	if spoil == "length" {
		body = body[:len(body)-1]
	}
	reply := wire.Reply{
		Frame:           testFrame(wire.HeaderSize+len(body), view),
		RequestChecksum: request.Checksum,
		Client:          request.Client,
		Op:              uint64(number) + 10,
		Commit:          uint64(number) + 10,
		Timestamp:       1,
		Request:         number,
		Operation:       request.Operation,
		Context:         contextOf(number),
	}
	switch spoil {
	case "checksum":
		reply.RequestChecksum[3] ^= 1
	case "operation":
		reply.Operation++
	case "release":
		reply.Release--
	case "request":
		reply.Request++
	case "client":
		reply.Client = u128.From64(1)
	case "body":
		clear(body)
	case "", "header", "length":
	default:
		d.Fatalf(t, "spoil %q", spoil)
	}
	message := make([]byte, wire.HeaderSize+len(body))
	reply.Encode(message)
	copy(message[wire.HeaderSize:], body)
	if spoil == "header" {
		message[255] = 1
	}
	wire.Seal(message)
	return message
}

// replyBody has as many results as the request has events, unless told
// otherwise by results=(N,...).
func (s *script) replyBody(t *testing.T, d *datadriven.TestData, request *wire.Request, limit uint32) []byte {
	if request.Operation == wire.OperationRegister {
		body := make([]byte, wire.RegisterReplySize)
		binary.LittleEndian.PutUint32(body, limit)
		return body
	}
	kind := map[wire.Operation]Kind{137: kindEvents, 141: kindLookups, 147: kindTransfers}[request.Operation]
	counts := []uint16{0}
	if kind.MultiBatch {
		var err error
		if counts, _, err = multibatch.Decode(s.requests[request.Request].Bytes[wire.HeaderSize:], kind.EventSize, nil); err != nil {
			d.Fatalf(t, "%v", err)
		}
	}
	if arg, ok := d.Arg("results"); ok {
		counts = counts[:0]
		for _, v := range arg.Vals {
			var n uint16
			fmt.Sscan(v, &n)
			counts = append(counts, n)
		}
	}
	var body []byte
	for i, n := range counts {
		for range int(n) * kind.ResultSize {
			body = append(body, byte(i))
		}
	}
	if kind.MultiBatch {
		body = multibatch.AppendTrailer(body, kind.ResultSize, counts)
	}
	return body
}

func (s *script) pong(t *testing.T, d *datadriven.TestData, replica int) []byte {
	var view uint32
	d.MaybeScanArgs(t, "view", &view)
	pong := wire.PongClient{Frame: testFrame(wire.HeaderSize, view), PingTimestampMonotonic: s.pings[replica]}
	pong.Replica = uint8(replica)
	message := make([]byte, wire.HeaderSize)
	pong.Encode(message)
	wire.Seal(message)
	return message
}

func (s *script) eviction(t *testing.T, d *datadriven.TestData) []byte {
	var view, reason uint32
	client := testClient.Lo
	d.MaybeScanArgs(t, "view", &view)
	d.MaybeScanArgs(t, "client", &client)
	d.ScanArgs(t, "reason", &reason)
	eviction := wire.Eviction{
		Frame:  testFrame(wire.HeaderSize, view),
		Client: u128.From64(client),
		Reason: wire.EvictionReason(reason),
	}
	message := make([]byte, wire.HeaderSize)
	eviction.Encode(message)
	wire.Seal(message)
	return message
}
