package wire

import (
	"bytes"
	"errors"
	"testing"

	"github.com/ledgerd/ledgerd/internal/checksum"
)

func rootExample() *Prepare {
	return &Prepare{Frame: Frame{Size: HeaderSize}}
}

// entryExamples are three requests with bodies of 32, 0 and 16 bytes.
func entryExamples() []Entry {
	return []Entry{
		{Client: clientExample(), RequestChecksum: checksum.Sum{1}, Session: 2, Timestamp: 100, Request: 3,
			Release: Release0_17_9, BodySize: 32, Operation: 146},
		{Timestamp: 101, Operation: OperationPulse},
		{Client: clientExample(), RequestChecksum: checksum.Sum{2}, Session: 2, Timestamp: 110, Request: 4,
			Release: ReleaseMin, BodySize: 16, Operation: 140},
	}
}

// prepareOf forms a prepare's header and body of entries; the bytes of request
// i's body are all i+1.
func prepareOf(entries []Entry) (Prepare, []byte) {
	var body, table []byte
	for i, e := range entries {
		body = append(body, bytes.Repeat([]byte{byte(i + 1)}, int(e.BodySize))...)
		table = append(table, make([]byte, EntrySize)...)
		e.Encode(table[i*EntrySize:])
	}
	body = append(body, table...)
	h := *prepareExample()
	h.RequestCount = uint32(len(entries))
	h.Timestamp = entries[len(entries)-1].Timestamp
	h.Size = uint32(HeaderSize + len(body))
	return h, body
}

func TestPrepareYieldsItsRequests(t *testing.T) {
	want := entryExamples()
	h, body := prepareOf(want)
	if err := h.ValidateBody(body); err != nil {
		t.Fatal(err)
	}
	i := 0
	for e, requestBody := range h.Requests(body) {
		if e != want[i] {
			t.Errorf("request %d: %+v, want %+v", i, e, want[i])
		}
		if !bytes.Equal(requestBody, bytes.Repeat([]byte{byte(i + 1)}, int(want[i].BodySize))) {
			t.Errorf("request %d: body % x", i, requestBody)
		}
		i++
	}
	if i != len(want) {
		t.Errorf("%d requests, want %d", i, len(want))
	}
	for range h.Requests(body) {
		break // must not go on
	}
}

func TestRootHasNoRequests(t *testing.T) {
	h := rootExample()
	if err := h.ValidateBody(nil); err != nil {
		t.Fatal(err)
	}
	for e := range h.Requests(nil) {
		t.Errorf("the root yields %+v", e)
	}
}

func TestPrepareFromLoneRequest(t *testing.T) {
	request := registerExample()
	msg := make([]byte, request.Size, PrepareSizeMax)
	request.Encode(msg)
	sum := Seal(msg)

	e := Entry{Client: request.Client, RequestChecksum: sum, Timestamp: 184, Release: request.Release,
		BodySize: request.Size - HeaderSize, Operation: request.Operation}
	msg = msg[:len(msg)+EntrySize]
	e.Encode(msg[request.Size:])
	h := *prepareExample()
	h.RequestCount, h.Size = 1, uint32(len(msg))
	h.Encode(msg)
	Seal(msg)

	if _, err := VerifyHeader(msg); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(VerifyBody(msg), h.Decode(msg), h.ValidateBody(msg[HeaderSize:])); err != nil {
		t.Fatal(err)
	}
}

func TestValidateBodyRefuses(t *testing.T) {
	for _, c := range []struct {
		name, field string
		change      func(h *Prepare, entries []Entry)
	}{
		{"timestamps fall", "entry.timestamp", func(_ *Prepare, entries []Entry) { entries[1].Timestamp = 99 }},
		{"timestamps repeat", "entry.timestamp", func(_ *Prepare, entries []Entry) { entries[1].Timestamp = 100 }},
		{"last timestamp differs", "timestamp", func(h *Prepare, _ []Entry) { h.Timestamp++ }},
		{"bodies too long", "entry.body_size", func(_ *Prepare, entries []Entry) { entries[1].BodySize = 16 }},
		{"bodies far too long", "entry.body_size", func(_ *Prepare, entries []Entry) { entries[1].BodySize = BodySizeMax }},
		{"bodies too short", "entry.body_size", func(_ *Prepare, entries []Entry) { entries[0].BodySize = 16 }},
	} {
		h, body := prepareOf(entryExamples())
		entries := entryExamples()
		c.change(&h, entries)
		for i := range entries {
			entries[i].Encode(body[48+i*EntrySize:])
		}
		var headerError *HeaderError
		if err := h.ValidateBody(body); !errors.As(err, &headerError) || headerError.Field != c.field {
			t.Errorf("%s: %v, want a complaint about %s", c.name, err, c.field)
		}
	}

	h, body := prepareOf(entryExamples())
	body[len(body)-1] = 1
	var headerError *HeaderError
	if err := h.ValidateBody(body); !errors.As(err, &headerError) || headerError.Field != "entry.reserved" {
		t.Errorf("reserved byte of the last entry: %v", err)
	}
	if !panics(func() { _ = h.ValidateBody(body[16:]) }) {
		t.Error("ValidateBody accepts a body of another size")
	}
}

func TestEntry(t *testing.T) {
	for _, c := range []struct {
		field  string
		change func(*Entry)
	}{
		{"entry.timestamp", func(e *Entry) { e.Timestamp = 0 }},
		{"entry.body_size", func(e *Entry) { e.BodySize = 8 }},
		{"entry.body_size", func(e *Entry) { e.BodySize = BodySizeMax + 16 }},
		{"entry.operation", func(e *Entry) { e.Operation = 0 }},
	} {
		e := entryExamples()[0]
		c.change(&e)
		var headerError *HeaderError
		if err := e.Validate(); !errors.As(err, &headerError) || headerError.Field != c.field {
			t.Errorf("%v, want a complaint about %s", err, c.field)
		}
		if !panics(func() { e.Encode(make([]byte, EntrySize)) }) {
			t.Errorf("Encode wrote a wrong %s", c.field)
		}
	}

	original := bytes.Repeat([]byte{0xa5}, EntrySize)
	e := entryExamples()[0]
	e.Encode(original)
	for offset := range original {
		changed := bytes.Clone(original)
		changed[offset] ^= 0x81
		var decoded Entry
		if decoded.Decode(changed) != nil {
			continue
		}
		rebuilt := make([]byte, EntrySize)
		decoded.Encode(rebuilt)
		if !bytes.Equal(rebuilt, changed) {
			t.Errorf("change of byte %d is accepted and lost", offset)
		}
	}
}

func TestPrepareBodyAllocatesNothing(t *testing.T) {
	h, body := prepareOf(entryExamples())
	var size, count int
	if n := testing.AllocsPerRun(100, func() {
		if err := h.ValidateBody(body); err != nil {
			t.Fatal(err)
		}
		for e, requestBody := range h.Requests(body) {
			size += int(e.BodySize) - len(requestBody)
			count++
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if size != 0 || count == 0 {
		t.Errorf("%d requests, sizes off by %d", count, size)
	}
}
