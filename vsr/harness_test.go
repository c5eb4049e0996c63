package vsr_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/vsr"
	"github.com/ledgerd/ledgerd/vsr/faultdisk"
	"github.com/ledgerd/ledgerd/vsr/grid"
	"github.com/ledgerd/ledgerd/wire"
)

// harness is a replica of the example's store on a simulated disk, with what
// it sent to whom.
type harness struct {
	t       *testing.T
	layout  vsr.Layout
	disk    *faultdisk.Disk
	replica *vsr.Replica
	pool    buffer.Pool
	now     uint64
	sent    map[u128.Uint128][][]byte

	newMachine func(*grid.Grid, func(error)) vsr.StateMachine
	fileSize   int64
}

func (h *harness) Realtime() uint64 { return h.now }

func (h *harness) SendToClient(client u128.Uint128, message *buffer.Buffer) {
	h.sent[client] = append(h.sent[client], bytes.Clone(message.Bytes))
}

// newHarness formats a disk and opens a replica on it.
func newHarness(t *testing.T, layout vsr.Layout) *harness {
	h := &harness{
		t: t, layout: layout, now: 1_000_000, newMachine: newStore, fileSize: 1 << 40,
		disk: faultdisk.New(rand.New(rand.NewPCG(1, 2))),
	}
	h.disk.Poke(0, vsr.Format(vsr.FormatConfig{ReplicaCount: 1, Layout: layout}))
	if err := h.open(); err != nil {
		t.Fatal(err)
	}
	return h
}

// prepareReplica makes a replica for the disk as it is.
func (h *harness) prepareReplica() {
	h.sent = map[u128.Uint128][][]byte{}
	h.replica = vsr.New(vsr.Options{
		Storage: h.disk, Bus: h, Clock: h, Pool: &h.pool,
		NewStateMachine:  h.newMachine,
		Release:          wire.Release0_17_9,
		ReleaseClientMin: wire.ReleaseMin,
		FileSize:         h.fileSize,
	})
}

// open starts a replica on the disk as it is.
func (h *harness) open() error {
	h.prepareReplica()
	opened, result := false, error(nil)
	h.replica.Open(func(err error) { opened, result = true, err })
	h.run()
	if !opened {
		h.t.Fatal("the replica neither opened nor failed")
	}
	return result
}

// run lets replica and disk work until both are idle.
func (h *harness) run() {
	for h.replica.Step() || h.disk.Step() {
	}
}

// powerCut starts again with what is durable.
func (h *harness) powerCut() {
	h.t.Helper()
	h.disk = h.disk.PowerCut()
	if err := h.open(); err != nil {
		h.t.Fatal(err)
	}
}

// user is a client as it should be: one request at a time.
type user struct {
	h       *harness
	id      u128.Uint128
	session uint64
	latest  wire.Reply
	request wire.Request // the last one sent
	body    []byte
}

// newUser registers a client.
func (h *harness) newUser(id uint64) *user {
	u := &user{h: h, id: u128.From64(id)}
	u.send(wire.OperationRegister, make([]byte, wire.RegisterSize))
	h.run()
	u.take()
	u.session = u.latest.Commit
	return u
}

// frame returns a sealed request.
func (u *user) frame(header wire.Request, body []byte) []byte {
	header.Size = uint32(wire.HeaderSize + len(body))
	frame := make([]byte, header.Size)
	copy(frame[wire.HeaderSize:], body)
	header.Encode(frame)
	wire.Seal(frame)
	return frame
}

// send sends the next request, without waiting for anything.
func (u *user) send(operation wire.Operation, body []byte) {
	u.request = wire.Request{Client: u.id, Session: u.session, Parent: u.latest.Context, Operation: operation}
	u.request.Release = wire.Release0_17_9
	if operation != wire.OperationRegister {
		u.request.Request = u.latest.Request + 1
	}
	u.body = body
	u.resend()
}

// resend sends the last request once more.
func (u *user) resend() { u.h.deliver(u.frame(u.request, u.body)) }

// deliver gives the replica a frame.
func (h *harness) deliver(frame []byte) {
	message := h.pool.Acquire(len(frame))
	copy(message.Bytes, frame)
	h.replica.OnMessage(message)
	message.Release()
}

// take returns the one reply that has come since, and its body.
func (u *user) take() string {
	u.h.t.Helper()
	frames := u.h.sent[u.id]
	if len(frames) != 1 {
		u.h.t.Fatalf("client %v got %d messages, want one", u.id, len(frames))
	}
	u.h.sent[u.id] = nil
	if err := u.latest.Decode(frames[0]); err != nil {
		u.h.t.Fatalf("client %v: %v", u.id, err)
	}
	return string(frames[0][wire.HeaderSize:])
}

// text pads a text to what a body must be.
func text(s string) []byte {
	return append([]byte(s), bytes.Repeat([]byte(" "), -len(s)&(wire.BodyUnit-1))...)
}

// call makes one request and returns its reply's body.
func (u *user) call(operation byte, s string) string {
	u.h.t.Helper()
	u.send(wire.Operation(operation), text(s))
	u.h.run()
	return u.take()
}
