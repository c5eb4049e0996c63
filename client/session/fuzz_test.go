package session

import (
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/multibatch"
	"github.com/ledgerd/ledgerd/wire"
)

// FuzzReceive gives a session any message that can pass the stream layer, while
// a request of two batches is in flight: it must not panic, must complete calls
// once, and must still take the right reply afterwards unless it was evicted.
func FuzzReceive(f *testing.F) {
	n := newFuzzed(f)
	f.Add(n.reply(&n.request, []byte("sixteen bytes ok")))
	f.Add(n.reply(&n.request, multibatch.AppendTrailer(make([]byte, 32), 16, []uint16{1, 1})))
	f.Add(n.reply(&n.request, nil))
	for _, header := range []interface{ Encode([]byte) }{
		&wire.PongClient{Frame: testFrame(wire.HeaderSize, 9)},
		&wire.Eviction{Frame: testFrame(wire.HeaderSize, 9), Client: testClient, Reason: wire.EvictionNoSession},
		&wire.PingClient{Frame: testFrame(wire.HeaderSize, 0), Client: testClient},
	} {
		message := make([]byte, wire.HeaderSize)
		header.Encode(message)
		f.Add(message)
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		if len(message) < wire.HeaderSize || len(message) > wire.MessageSizeMax {
			return
		}
		// Make it pass the stream layer, whose business checksums and size are.
		binary.LittleEndian.PutUint32(message[96:], uint32(len(message)))
		wire.Seal(message)
		if _, err := wire.VerifyHeader(message); err != nil {
			return
		}
		n := newFuzzed(t)
		n.receive(message)
		n.receive(message)
		n.receive(n.reply(&n.request, multibatch.AppendTrailer(make([]byte, 32), 16, []uint16{1, 1})))
		for i, c := range n.calls {
			if c.completed != 1 {
				t.Errorf("call %d completed %d times", i, c.completed)
			}
			if c.Err == nil {
				c.Reply.Release()
			}
		}
	})
}

// fuzzed is a registered session with a request in flight.
type fuzzed struct {
	t       testing.TB
	session *Session
	buffers buffer.Pool
	request wire.Request // the last one sent
	calls   []*networkCall
}

func newFuzzed(t testing.TB) *fuzzed {
	n := &fuzzed{t: t}
	n.session = New(Config{
		Cluster:  testCluster,
		Client:   testClient,
		Release:  wire.Release0_17_9,
		Replicas: 2,
		Random:   rand.New(rand.NewPCG(1, 2)),
		Buffers:  &n.buffers,
		Host:     n,
	})
	for range 2 {
		c := new(networkCall)
		c.Call = Call{Kind: kindTransfers, Events: 1, Results: 1, Submitter: c}
		n.calls = append(n.calls, c)
		n.session.Submit(0, &c.Call)
	}
	n.session.Connected(0, 0)
	granted := make([]byte, wire.RegisterReplySize)
	binary.LittleEndian.PutUint32(granted, wire.BodySizeMax)
	n.receive(n.reply(&n.request, granted))
	return n
}

// Send implements Host.
func (n *fuzzed) Send(_ int, message *buffer.Buffer) {
	var request wire.Request
	if request.Decode(message.Bytes) == nil {
		n.request = request
	}
}

func (n *fuzzed) reply(request *wire.Request, body []byte) []byte {
	reply := wire.Reply{
		Frame:           testFrame(wire.HeaderSize+len(body), 0),
		RequestChecksum: request.Checksum,
		Client:          testClient,
		Op:              3,
		Commit:          3,
		Timestamp:       1,
		Request:         request.Request,
		Operation:       request.Operation,
	}
	message := make([]byte, wire.HeaderSize+len(body))
	reply.Encode(message)
	copy(message[wire.HeaderSize:], body)
	wire.Seal(message)
	return message
}

func (n *fuzzed) receive(message []byte) {
	frame, err := wire.VerifyHeader(message)
	if err != nil {
		n.t.Fatal(err)
	}
	b := n.buffers.Acquire(len(message))
	copy(b.Bytes, message)
	var violation *ViolationError
	if err := n.session.Receive(0, 0, frame, b); err != nil && !errors.As(err, &violation) {
		n.t.Errorf("error = %v, want a violation", err)
	}
	b.Release()
}

// TestExhausted lets a session use its last request number.
func TestExhausted(t *testing.T) {
	n := newFuzzed(t)
	n.receive(n.reply(&n.request, multibatch.AppendTrailer(make([]byte, 32), 16, []uint16{1, 1})))
	n.session.requestNext = math.MaxUint32
	last, late := new(networkCall), new(networkCall)
	for _, c := range []*networkCall{last, late} {
		c.Call = Call{Kind: kindTransfers, Submitter: c}
		n.session.Submit(0, &c.Call)
	}
	n.receive(n.reply(&n.request, multibatch.AppendTrailer(nil, 16, []uint16{0})))
	if n.request.Request != math.MaxUint32 || last.completed != 1 || last.Err != nil {
		t.Errorf("the last request, %d: completed %d times, %v", n.request.Request, last.completed, last.Err)
	}
	if late.completed != 1 || !errors.Is(late.Err, ErrExhausted) || errors.Is(late.Err, ErrOutcomeUnknown) {
		t.Errorf("the one after it: completed %d times, %v", late.completed, late.Err)
	}
}
