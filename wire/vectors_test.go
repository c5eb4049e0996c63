package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/ledgerd/ledgerd/internal/checksum"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/internal/vectors"
)

// header is what all commands' structs have in common.
type header interface {
	Decode(b []byte) error
	Encode(b []byte)
	Validate() error
}

func newHeader(t testing.TB, c Command) header {
	t.Helper()
	switch c {
	case CommandPingClient:
		return new(PingClient)
	case CommandPongClient:
		return new(PongClient)
	case CommandRequest:
		return new(Request)
	case CommandReply:
		return new(Reply)
	case CommandEviction:
		return new(Eviction)
	case CommandPrepare:
		return new(Prepare)
	}
	t.Fatalf("no struct for %v", c)
	return nil
}

func recordings(t testing.TB) []vectors.Scenario {
	t.Helper()
	scenarios, err := vectors.Load()
	if err != nil {
		t.Fatal(err)
	}
	return scenarios
}

// TestRecordedMessages verifies, decodes and encodes every message.
func TestRecordedMessages(t *testing.T) {
	for _, scenario := range recordings(t) {
		for _, message := range scenario.Messages {
			if !message.Valid {
				if _, err := VerifyHeader(message.Bytes); !errors.Is(err, ErrChecksum) {
					t.Errorf("%s (%s): VerifyHeader: %v", message.File, message.Error, err)
				}
				continue
			}
			frame, err := VerifyHeader(message.Bytes)
			if err == nil {
				err = VerifyBody(message.Bytes)
			}
			if err != nil {
				t.Errorf("%s: %v", message.File, err)
				continue
			}
			if frame.Command.String() != message.Command {
				t.Errorf("%s: command %v, want %s", message.File, frame.Command, message.Command)
			}
			testRecordedHeader(t, frame.Command, message)
		}
	}
}

// ignoredRecordings are the messages with the right checksums that the real
// server ignored for the sake of their header alone, and the field at fault.
var ignoredRecordings = map[string]string{
	"retries/0019_c2s_request_lookup_accounts.bin": "reserved",
	"retries/0020_c2s_request_operation50.bin":     "operation",
}

func testRecordedHeader(t *testing.T, command Command, message vectors.Message) {
	h := newHeader(t, command)
	err := h.Decode(message.Bytes)
	if field, ok := ignoredRecordings[message.File]; ok {
		var headerError *HeaderError
		if !errors.As(err, &headerError) || headerError.Field != field {
			t.Errorf("%s (%s): %v, want a complaint about %s", message.File, message.Note, err, field)
		}
		return
	}
	if err != nil {
		t.Errorf("%s: %v", message.File, err)
		return
	}
	compareFields(t, message, reflect.ValueOf(h).Elem())
	rebuilt := slices.Clone(message.Bytes)
	for i := range HeaderSize {
		rebuilt[i] = 0xa5
	}
	h.Encode(rebuilt)
	if !bytes.Equal(rebuilt, message.Bytes) {
		t.Errorf("%s: encoded header differs from the recorded one", message.File)
	}
}

// fieldNames maps the fields of this package to those of PROTOCOL.md.
var fieldNames = map[string]string{
	"Checksum": "checksum", "ChecksumBody": "checksum_body", "Cluster": "cluster", "Size": "size",
	"View": "view", "Release": "release", "Command": "command", "Replica": "replica",
	"Parent": "parent", "Client": "client", "Session": "session", "Timestamp": "timestamp",
	"Request": "request", "Operation": "operation", "PreviousRequestLatency": "previous_request_latency",
	"RequestChecksum": "request_checksum", "Context": "context", "Op": "op", "Commit": "commit",
	"PingTimestampMonotonic": "ping_timestamp_monotonic", "Reason": "reason",
}

// compareFields demands that each recorded field has the recorded value. Fields
// that no struct has (epoch, protocol) are zero, or Decode would have failed.
func compareFields(t *testing.T, message vectors.Message, h reflect.Value) {
	compared := 0
	for _, field := range reflect.VisibleFields(h.Type()) {
		if field.Anonymous {
			continue
		}
		name := fieldNames[field.Name]
		switch value := h.FieldByIndex(field.Index); value.Interface().(type) {
		case checksum.Sum:
			if want := message.Header.Sum(name); value.Interface() != want {
				t.Errorf("%s: %s = %v, want %v", message.File, name, value, want)
			}
		case u128.Uint128:
			if want := message.Header.Number(name); value.Interface() != want {
				t.Errorf("%s: %s = %v, want %v", message.File, name, value, want)
			}
		default:
			if want := message.Header.Number(name); u128.From64(value.Uint()) != want {
				t.Errorf("%s: %s = %v, want %v", message.File, name, value, want)
			}
		}
		compared++
	}
	if want := len(message.Header) - len([]string{"epoch", "protocol"}); compared != want {
		t.Errorf("%s: %d fields, recorded %d", message.File, compared, want)
	}
}

// TestRecordedContexts recomputes the hash-chain value of every reply.
func TestRecordedContexts(t *testing.T) {
	replies := 0
	for _, scenario := range recordings(t) {
		views := map[u128.Uint128]uint32{} // of the first reply of each op
		for _, message := range scenario.Messages {
			var reply Reply
			if message.Command != "reply" || reply.Decode(message.Bytes) != nil {
				continue
			}
			replies++
			if got := ReplyContext(message.Bytes) == reply.Context; got != message.ContextValid {
				t.Errorf("%s: context matches: %v, want %v", message.File, got, message.ContextValid)
			}
			op := u128.From64(reply.Op)
			if _, seen := views[op]; !seen {
				views[op] = reply.View
			}
			reply.View = views[op]
			original := slices.Clone(message.Bytes)
			reply.Encode(original)
			if ReplyContext(original) != reply.Context {
				t.Errorf("%s: context does not match in the view of the first reply", message.File)
			}
			testRecordedSeal(t, message, original)
		}
	}
	if replies != 145 {
		t.Errorf("%d replies, want 145", replies)
	}
}

// testRecordedSeal seals original, which is message in its first view, anew.
func testRecordedSeal(t *testing.T, message vectors.Message, original []byte) {
	context := checksum.Sum(original[offsetContext:])
	copy(original[:], bytes.Repeat([]byte{0xa5}, 16))
	copy(original[offsetChecksumBody:], bytes.Repeat([]byte{0xa5}, 16))
	gotContext, gotSum := SealReply(original)
	if gotContext != context {
		t.Errorf("%s: SealReply: context %v, want %v", message.File, gotContext, context)
	}
	if message.ContextValid && !bytes.Equal(original, message.Bytes) {
		t.Errorf("%s: SealReply gives other bytes", message.File)
	}
	if gotSum != checksum.Sum(original) {
		t.Errorf("%s: SealReply returns %v, wrote %x", message.File, gotSum, original[:16])
	}
	// A reply sent again in a newer view: other view and checksum, same context.
	var reply Reply
	if err := reply.Decode(original); err != nil {
		t.Fatalf("%s: %v", message.File, err)
	}
	reply.View = uint32(message.Header.Number("view").Lo)
	reply.Encode(original)
	SealHeader(original)
	if !bytes.Equal(original, message.Bytes) {
		t.Errorf("%s: sealed again in the recorded view: other bytes", message.File)
	}
}

// TestRecordedChain follows parent and request_checksum from message to message.
func TestRecordedChain(t *testing.T) {
	links := 0
	for _, scenario := range recordings(t) {
		contexts := map[u128.Uint128]checksum.Sum{} // of each client's latest reply
		var previous Reply
		for _, exchange := range scenario.Exchanges {
			var request Request
			var reply Reply
			requestMessage := scenario.Messages[exchange.Request]
			if err := errors.Join(request.Decode(requestMessage.Bytes), reply.Decode(scenario.Messages[exchange.Reply].Bytes)); err != nil {
				t.Fatal(err)
			}
			if request.Parent != contexts[request.Client] {
				t.Errorf("%s: parent %v, want %v", requestMessage.File, request.Parent, contexts[request.Client])
			}
			if reply.RequestChecksum != request.Checksum || reply.Op <= previous.Op || reply.Timestamp <= previous.Timestamp {
				t.Errorf("%s: op %d, timestamp %d, for request %v after op %d, timestamp %d",
					scenario.Name, reply.Op, reply.Timestamp, request.Checksum, previous.Op, previous.Timestamp)
			}
			contexts[request.Client] = reply.Context
			previous = reply
			links++
		}
	}
	if links == 0 {
		t.Error("no exchange recorded")
	}
}

// TestSealReproducesRecordedChecksums seals each recorded message anew.
func TestSealReproducesRecordedChecksums(t *testing.T) {
	for _, scenario := range recordings(t) {
		for _, message := range scenario.Messages {
			if !message.Valid {
				continue
			}
			msg := slices.Clone(message.Bytes)
			clear(msg[:checksum.Size])
			clear(msg[offsetChecksumBody : offsetChecksumBody+checksum.Size])
			sum := Seal(msg)
			if !bytes.Equal(msg, message.Bytes) || sum != message.Header.Sum("checksum") {
				t.Errorf("%s: sealed anew: checksum %s", message.File, hex.EncodeToString(msg[:16]))
			}
		}
	}
}
