package wire

import (
	"bytes"
	"testing"
)

// fuzzHeader demands of a decoder: no panic, and what it accepts is what
// encoding it again gives.
func fuzzHeader(f *testing.F, command Command) {
	for _, example := range examples()[command] {
		b := make([]byte, HeaderSize)
		example.Encode(b)
		f.Add(b)
	}
	for _, scenario := range recordings(f) {
		for _, message := range scenario.Messages {
			if message.Command == command.String() {
				f.Add(message.Bytes[:HeaderSize])
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < HeaderSize {
			return
		}
		h := newHeader(t, command)
		if h.Decode(b) != nil {
			return
		}
		rebuilt := bytes.Repeat([]byte{0xa5}, HeaderSize)
		h.Encode(rebuilt)
		if !bytes.Equal(rebuilt, b[:HeaderSize]) {
			t.Fatalf("accepted\n% x, encoded\n% x", b[:HeaderSize], rebuilt)
		}
	})
}

func FuzzPingClient(f *testing.F) { fuzzHeader(f, CommandPingClient) }
func FuzzPongClient(f *testing.F) { fuzzHeader(f, CommandPongClient) }
func FuzzRequest(f *testing.F)    { fuzzHeader(f, CommandRequest) }
func FuzzReply(f *testing.F)      { fuzzHeader(f, CommandReply) }
func FuzzEviction(f *testing.F)   { fuzzHeader(f, CommandEviction) }
func FuzzPrepare(f *testing.F)    { fuzzHeader(f, CommandPrepare) }

// FuzzPrepareBody takes the header's part from the arguments, so that the body
// is reached.
func FuzzPrepareBody(f *testing.F) {
	h, body := prepareOf(entryExamples())
	f.Add(body, h.RequestCount, h.Timestamp)
	f.Fuzz(func(t *testing.T, body []byte, requestCount uint32, timestamp uint64) {
		h := *prepareExample()
		h.Size = uint32(HeaderSize + len(body))
		h.RequestCount, h.Timestamp = requestCount, timestamp
		if h.Validate() != nil || h.ValidateBody(body) != nil {
			return
		}
		var bodies, table []byte
		for e, requestBody := range h.Requests(body) {
			bodies = append(bodies, requestBody...)
			table = append(table, make([]byte, EntrySize)...)
			e.Encode(table[len(table)-EntrySize:])
		}
		if !bytes.Equal(append(bodies, table...), body) {
			t.Fatal("an accepted body is not the sum of its requests")
		}
	})
}

// FuzzVerify runs the stream layer over arbitrary bytes.
func FuzzVerify(f *testing.F) {
	f.Add(sealedExample())
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < HeaderSize {
			return
		}
		for _, sealed := range []bool{false, true} {
			if sealed {
				SealHeader(b)
			}
			frame, err := VerifyHeader(b)
			if err == nil && VerifyBody(b) == nil && int(frame.Size) != len(b) {
				t.Fatalf("%d bytes verified as a message of %d", len(b), frame.Size)
			}
		}
	})
}
