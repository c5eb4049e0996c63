package vsr

import (
	"bytes"
	"testing"

	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/wire"
)

// addSession registers a client and stores a reply with the given ordinal.
func addSession(s *sessions, pool *buffer.Pool, client, ordinal uint64) {
	body := bytes.Repeat([]byte{byte(client)}, wire.RegisterReplySize)
	reply := wire.Reply{
		Client: u128.From64(client), Op: ordinal, Commit: ordinal, Timestamp: ordinal,
		Operation: wire.OperationRegister,
	}
	reply.Size, reply.Release = uint32(wire.HeaderSize+len(body)), wire.Release0_17_9
	message := pool.Acquire(int(reply.Size))
	copy(message.Bytes[wire.HeaderSize:], body)
	reply.Encode(message.Bytes)
	wire.SealReply(message.Bytes)
	if err := reply.Decode(message.Bytes); err != nil {
		panic(err)
	}
	s.register(reply.Client, Ordinal(ordinal)).store(reply, message)
	message.Release()
}

// A table is restored slot for slot, also after evictions have left clients
// out of order.
func TestSessionsRoundTrip(t *testing.T) {
	var pool buffer.Pool
	table := newSessions(4)
	for i := range uint64(7) {
		addSession(table, &pool, 100+i, 1+i)
	}
	encoded := table.encode(nil)
	if len(encoded) != table.encodedSize() {
		t.Errorf("encoded to %d bytes, %d announced", len(encoded), table.encodedSize())
	}
	again := newSessions(4)
	if err := again.decode(encoded, &pool); err != nil {
		t.Fatal(err)
	}
	for slot := range table.bySlot {
		want, got := &table.bySlot[slot], &again.bySlot[slot]
		if got.number != want.number || got.reply != want.reply || !bytes.Equal(got.message.Bytes, want.message.Bytes) {
			t.Errorf("slot %d: got %+v, want %+v", slot, got.reply, want.reply)
		}
		if again.find(want.reply.Client) != got {
			t.Errorf("client %v is not found in slot %d", want.reply.Client, slot)
		}
	}
	if again.find(u128.From64(100)) != nil {
		t.Error("an evicted client was restored")
	}
}

func TestSessionsDecodeRefuses(t *testing.T) {
	var pool buffer.Pool
	table := newSessions(2)
	addSession(table, &pool, 1, 1)
	one := table.encode(nil)
	for name, damaged := range map[string][]byte{
		"cut in the head":  one[:8],
		"cut in the reply": one[:len(one)-1],
		"twice in a slot":  append(bytes.Clone(one), one...),
		"twice a client":   append(bytes.Clone(one), append([]byte{1}, one[1:]...)...),
		"slot too high":    append([]byte{2}, one[1:]...),
		"rotten":           append(bytes.Clone(one[:len(one)-1]), one[len(one)-1]^1),
	} {
		if err := newSessions(2).decode(damaged, &pool); err == nil {
			t.Errorf("%s: decoded", name)
		}
	}
}

// FuzzSessions decodes what is not a table, or almost one: whatever is taken
// is encoded to the same bytes again, unless its slots were not in order.
func FuzzSessions(f *testing.F) {
	var pool buffer.Pool
	table := newSessions(4)
	f.Add([]byte{})
	for i := range uint64(3) {
		addSession(table, &pool, 1+i, 1+i)
		f.Add(table.encode(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		table := newSessions(4)
		if table.decode(b, &pool) == nil && len(table.encode(nil)) != len(b) {
			t.Errorf("%d bytes decoded are %d when encoded", len(b), table.encodedSize())
		}
	})
}
