package wire

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/ledgerd/ledgerd/internal/checksum"
	"github.com/ledgerd/ledgerd/internal/u128"
)

// frameExample has a different value in every byte that may have one.
var frameExample = Frame{
	Checksum:     checksum.Sum{0: 1, 15: 16},
	ChecksumBody: checksum.Sum{0: 33, 15: 48},
	Cluster:      u128.Uint128{Lo: 81, Hi: 96},
	Size:         HeaderSize,
	Release:      Release0_17_9,
}

func clientExample() u128.Uint128 { return u128.Uint128{Lo: 7, Hi: 8} }

func pingClientExample() *PingClient {
	return &PingClient{Frame: frameExample, Client: clientExample(), PingTimestampMonotonic: 144, Session: 152}
}

func pongClientExample() *PongClient {
	h := &PongClient{Frame: frameExample, PingTimestampMonotonic: 128}
	h.View, h.Replica = 104, 2
	return h
}

func requestExample() *Request {
	h := &Request{Frame: frameExample, Parent: checksum.Sum{1, 2, 3}, Client: clientExample(), Session: 176,
		Request: 192, Operation: 146, PreviousRequestLatency: 200}
	h.View, h.Size = 104, HeaderSize+128
	return h
}

func registerExample() *Request {
	h := &Request{Frame: frameExample, Client: clientExample(), Operation: OperationRegister}
	h.Size = HeaderSize + RegisterSize
	return h
}

func replyExample() *Reply {
	h := &Reply{Frame: frameExample, RequestChecksum: checksum.Sum{1, 2, 3}, Context: checksum.Sum{4, 5, 6},
		Client: clientExample(), Op: 208, Commit: 208, Timestamp: 224, Request: 232, Operation: 146}
	h.View, h.Replica, h.Size = 104, 2, HeaderSize+32
	return h
}

func registerReplyExample() *Reply {
	h := replyExample()
	h.Operation, h.Request, h.Size = OperationRegister, 0, HeaderSize+RegisterReplySize
	return h
}

func evictionExample() *Eviction {
	h := &Eviction{Frame: frameExample, Client: clientExample(), Reason: EvictionSessionTooLow}
	h.View, h.Replica = 104, 2
	return h
}

func prepareExample() *Prepare {
	h := &Prepare{Frame: frameExample, Parent: checksum.Sum{1, 2, 3}, Checkpoint: checksum.Sum{4, 5, 6}, Op: 160,
		Commit: 159, Offset: 3 * 4096, Timestamp: 184, Ordinal: 192, RequestCount: 2}
	h.View, h.Replica, h.Size = 104, 2, HeaderSize+48+2*EntrySize
	return h
}

func examples() map[Command][]header {
	return map[Command][]header{
		CommandPingClient: {pingClientExample()},
		CommandPongClient: {pongClientExample()},
		CommandRequest:    {requestExample(), registerExample()},
		CommandReply:      {replyExample(), registerReplyExample()},
		CommandEviction:   {evictionExample()},
		CommandPrepare:    {prepareExample()},
	}
}

// TestEveryByteIsAccountedFor changes each byte of each kind of header in
// turn. Decode either refuses the result or keeps the change: no byte is lost,
// no reserved byte is let through.
func TestEveryByteIsAccountedFor(t *testing.T) {
	for command, list := range examples() {
		for _, example := range list {
			original := make([]byte, HeaderSize)
			example.Encode(original)
			refused := 0
			for offset := range original {
				changed := bytes.Clone(original)
				changed[offset] ^= 0x81
				h := newHeader(t, command)
				if err := h.Decode(changed); err != nil {
					refused++
					continue
				}
				rebuilt := make([]byte, HeaderSize)
				h.Encode(rebuilt)
				if !bytes.Equal(rebuilt, changed) {
					t.Errorf("%v: change of byte %d is accepted and lost", command, offset)
				}
			}
			if refused < 60 {
				t.Errorf("%v: changes of only %d bytes are refused", command, refused)
			}
		}
	}
}

// TestValidateRefuses breaks one rule of PROTOCOL.md section 5 a row.
func TestValidateRefuses(t *testing.T) {
	ping := func(change func(*PingClient)) header { h := pingClientExample(); change(h); return h }
	pong := func(change func(*PongClient)) header { h := pongClientExample(); change(h); return h }
	request := func(change func(*Request)) header { h := requestExample(); change(h); return h }
	register := func(change func(*Request)) header { h := registerExample(); change(h); return h }
	reply := func(change func(*Reply)) header { h := replyExample(); change(h); return h }
	registered := func(change func(*Reply)) header { h := registerReplyExample(); change(h); return h }
	eviction := func(change func(*Eviction)) header { h := evictionExample(); change(h); return h }
	prepare := func(change func(*Prepare)) header { h := prepareExample(); change(h); return h }
	root := func(change func(*Prepare)) header { h := rootExample(); change(h); return h }

	for _, c := range []struct {
		field string
		h     header
	}{
		{"size", ping(func(h *PingClient) { h.Size++ })},
		{"size", ping(func(h *PingClient) { h.Size-- })},
		{"release", ping(func(h *PingClient) { h.Release = 0 })},
		{"view", ping(func(h *PingClient) { h.View = 1 })},
		{"replica", ping(func(h *PingClient) { h.Replica = 1 })},
		{"client", ping(func(h *PingClient) { h.Client = u128.Uint128{} })},

		{"size", pong(func(h *PongClient) { h.Size++ })},
		{"release", pong(func(h *PongClient) { h.Release = 0 })},
		{"replica", pong(func(h *PongClient) { h.Replica = ReplicasMax })},

		{"size", request(func(h *Request) { h.Size = HeaderSize - 1 })},
		{"size", request(func(h *Request) { h.Size = MessageSizeMax + 1 })},
		{"release", request(func(h *Request) { h.Release = 0 })},
		{"replica", request(func(h *Request) { h.Replica = 1 })},
		{"client", request(func(h *Request) { h.Client = u128.Uint128{} })},
		{"session", request(func(h *Request) { h.Session = 0 })},
		{"request", request(func(h *Request) { h.Request = 0 })},
		{"operation", request(func(h *Request) { h.Operation = OperationReserved })},
		{"operation", request(func(h *Request) { h.Operation = OperationRoot })},
		{"operation", request(func(h *Request) { h.Operation = OperationPulse })},
		{"operation", request(func(h *Request) { h.Operation = OperationUpgrade })},
		{"operation", request(func(h *Request) { h.Operation = 7 })},
		{"operation", request(func(h *Request) { h.Operation = 127 })},
		{"size", request(func(h *Request) { h.Operation = OperationNoop })},
		{"size", request(func(h *Request) { h.Operation = OperationReconfigure })},
		{"parent", register(func(h *Request) { h.Parent[3] = 1 })},
		{"session", register(func(h *Request) { h.Session = 1 })},
		{"request", register(func(h *Request) { h.Request = 1 })},
		{"client", register(func(h *Request) { h.Client = u128.Uint128{} })},
		{"size", register(func(h *Request) { h.Size -= 16 })},

		{"release", reply(func(h *Reply) { h.Release = 0 })},
		{"client", reply(func(h *Reply) { h.Client = u128.Uint128{} })},
		{"op", reply(func(h *Reply) { h.Op, h.Commit = 0, 0 })},
		{"commit", reply(func(h *Reply) { h.Commit++ })},
		{"timestamp", reply(func(h *Reply) { h.Timestamp = 0 })},
		{"request", reply(func(h *Reply) { h.Request = 0 })},
		{"request", registered(func(h *Reply) { h.Request = 1 })},
		{"size", registered(func(h *Reply) { h.Size = HeaderSize })},

		{"size", eviction(func(h *Eviction) { h.Size++ })},
		{"release", eviction(func(h *Eviction) { h.Release = 0 })},
		{"client", eviction(func(h *Eviction) { h.Client = u128.Uint128{} })},
		{"reason", eviction(func(h *Eviction) { h.Reason = 0 })},
		{"reason", eviction(func(h *Eviction) { h.Reason = 9 })},

		{"size", prepare(func(h *Prepare) { h.Size = PrepareSizeMax + 1 })},
		{"size", prepare(func(h *Prepare) { h.Size = 0 })},
		{"replica", prepare(func(h *Prepare) { h.Replica = ReplicasMax })},
		{"commit", prepare(func(h *Prepare) { h.Commit = h.Op + 1 })},
		{"offset", prepare(func(h *Prepare) { h.Offset++ })},
		{"timestamp", prepare(func(h *Prepare) { h.Timestamp = 0 })},
		{"ordinal", prepare(func(h *Prepare) { h.Ordinal = 0 })},
		{"request_count", prepare(func(h *Prepare) { h.RequestCount = 0 })},
		{"request_count", prepare(func(h *Prepare) { h.RequestCount = 3 })},
		{"request_count", prepare(func(h *Prepare) { h.RequestCount = 1 << 31 })},
		{"request_count", root(func(h *Prepare) { h.RequestCount = 1 })},
		{"size", root(func(h *Prepare) { h.Size += 16 })},
	} {
		// Encode sets the command, Validate takes it as it is.
		err := c.h.Validate()
		var headerError *HeaderError
		if !errors.As(err, &headerError) || headerError.Field != c.field {
			t.Errorf("%T: %v, want a complaint about %s", c.h, err, c.field)
		}
		if !panics(func() { c.h.Encode(make([]byte, HeaderSize)) }) {
			t.Errorf("%T: Encode wrote a wrong %s", c.h, c.field)
		}
	}
}

func panics(f func()) (panicked bool) {
	defer func() { panicked = recover() != nil }()
	f()
	return false
}

// TestValidAtTheBounds accepts what lies just within the rules.
func TestValidAtTheBounds(t *testing.T) {
	bareRegister := registerExample()
	bareRegister.Size = HeaderSize
	largest := requestExample()
	largest.Size = MessageSizeMax
	empty := requestExample()
	empty.Size, empty.Operation = HeaderSize, OperationStateMachineMin
	noop := requestExample()
	noop.Size, noop.Operation = HeaderSize, OperationNoop
	reconfigure := requestExample()
	reconfigure.Size, reconfigure.Operation = HeaderSize+256, OperationReconfigure
	largestPrepare := prepareExample()
	largestPrepare.Size = PrepareSizeMax
	for _, h := range []header{bareRegister, largest, empty, noop, reconfigure, largestPrepare, rootExample()} {
		b := make([]byte, HeaderSize)
		h.Encode(b)
		if err := h.Decode(b); err != nil {
			t.Errorf("%v", err)
		}
	}
}

func TestDecodeRefusesOtherCommands(t *testing.T) {
	for command, list := range examples() {
		b := make([]byte, HeaderSize)
		list[0].Encode(b)
		for other := range examples() {
			if err := newHeader(t, other).Decode(b); (err == nil) != (other == command) {
				t.Errorf("%v read as %v: %v", command, other, err)
			}
		}
	}
}

func TestHeaderError(t *testing.T) {
	h := pingClientExample()
	h.Command, h.View = CommandPingClient, 5
	const want = "wire: ping_client: view is not zero"
	if got := fmt.Sprint(h.Validate()); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestNames(t *testing.T) {
	for _, c := range []struct {
		value fmt.Stringer
		want  string
	}{
		{CommandPingClient, "ping_client"}, {CommandView, "view"}, {Command(12), "command 12"}, {Command(200), "command 200"},
		{OperationRegister, "register"}, {Operation(146), "operation 146"},
		{ReleaseMin, "0.16.4"}, {Release0_17_9, "0.17.9"}, {Release(0xFFFF0000), "65535.0.0"},
		{EvictionSessionReleaseMismatch, "session_release_mismatch"}, {EvictionReason(0), "reason 0"}, {EvictionReason(9), "reason 9"},
	} {
		if got := c.value.String(); got != c.want {
			t.Errorf("%T: %q, want %q", c.value, got, c.want)
		}
	}
	for _, unknown := range []Command{0, 12, 22, 23, 25, 255} {
		if unknown.Known() {
			t.Errorf("command %d is known", unknown)
		}
	}
	if ReleaseMin != 4100 || Release0_17_0 != 4352 || Release0_17_9 != 4361 {
		t.Error("a release has another number than in PROTOCOL.md section 6")
	}
}

func TestCodecAllocatesNothing(t *testing.T) {
	b := make([]byte, HeaderSize)
	for command, list := range examples() {
		h := newHeader(t, command)
		if n := testing.AllocsPerRun(100, func() {
			list[0].Encode(b)
			if err := h.Decode(b); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%v: %v allocations", command, n)
		}
	}
}
