package sim

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/ledgerd/ledgerd/internal/checksum"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/vsr/superblock"
	"github.com/ledgerd/ledgerd/wire"
)

// checkBus looks at all that replicas send to clients, whether it arrives or
// not, and knows all that clients have sent. It demands that
//
//   - each request is executed once: it has one ordinal, whatever is repeated
//     (only a registration may be executed again, when its session is gone);
//   - a reply answers the request that it names, with what its execution gave;
//   - no reply is sent before the witness of its prepare, or of a later one, is
//     on the disk: a quorum of one;
//   - later ordinals have later timestamps;
//   - a request that was sent when another had been answered comes after it: with
//     one order of all, and replies that are the model's, that makes the history
//     linearizable;
//   - nothing is said in a view that is not the replica's, and views only grow;
//   - a client is evicted for a wrong request, or when so many others were
//     active since its last request that its session had to give way.
type checkBus struct {
	sim *simulation
	// sent are the requests of clients, byRequest the replies to them.
	sent      map[checksum.Sum]sentRequest
	byRequest map[checksum.Sum]*answer
	ordinals  []*answer // in order
	// received is the highest ordinal that a client has an answer of.
	received uint64
}

type sentRequest struct {
	header wire.Request
	body   []byte
	at     time.Duration // for the first time
	after  uint64        // the ordinal that had been answered by then
}

// answer is what the first reply to a request said.
type answer struct {
	header wire.Reply
	body   []byte
}

func newCheckBus(s *simulation) *checkBus {
	return &checkBus{sim: s, sent: make(map[checksum.Sum]sentRequest), byRequest: make(map[checksum.Sum]*answer)}
}

// request is told what a client sends.
func (b *checkBus) request(frame []byte) {
	var header wire.Request
	if err := header.Decode(frame); err != nil {
		b.sim.fail("a client sends an invalid request: %v", err)
		return
	}
	if _, again := b.sent[header.Checksum]; again {
		return
	}
	body := bytes.Clone(frame[wire.HeaderSize:])
	b.sent[header.Checksum] = sentRequest{header, body, b.sim.scheduler.now, b.received}
	if header.Operation != wire.OperationRegister {
		_, _, valid := b.sim.history.model.Check(byte(header.Operation), body, b.sim.bodySizeLimit())
		if c := b.sim.clientByID[header.Client]; !valid {
			c.misbehaved = true
		}
	}
}

// answered is told that a client has received a reply.
func (b *checkBus) answered(reply []byte) {
	var h wire.Reply
	if h.Decode(reply) == nil {
		b.received = max(b.received, h.Op)
	}
}

// check judges what a process sends to a client.
func (b *checkBus) check(p *process, client u128.Uint128, message []byte) error {
	frame, err := verify(message)
	switch {
	case err != nil:
		return err
	case !p.opened:
		return fmt.Errorf("%v before the replica has opened", frame.Command)
	case frame.View > uint32(p.node.View()) || p.replica.alone() && frame.View != uint32(p.node.View()):
		// Replies executed in this view and those sent again alike; in a cluster
		// also those to what a former primary had ordered.
		return fmt.Errorf("%v of view %d in view %d", frame.Command, frame.View, p.node.View())
	case frame.Cluster != b.sim.cluster:
		return fmt.Errorf("%v of cluster %v", frame.Command, frame.Cluster)
	}
	switch frame.Command {
	case wire.CommandReply:
		return b.checkReply(p, client, message)
	case wire.CommandEviction:
		return b.checkEviction(client, message)
	case wire.CommandPongClient:
		return nil
	}
	return fmt.Errorf("%v is nothing for a client", frame.Command)
}

func (b *checkBus) checkReply(p *process, client u128.Uint128, message []byte) error {
	reply := answer{body: bytes.Clone(message[wire.HeaderSize:])}
	h := &reply.header
	if err := h.Decode(message); err != nil {
		return err
	}
	sent, ok := b.sent[h.RequestChecksum]
	switch {
	case !ok:
		return fmt.Errorf("reply to a request that nobody sent: %+v", h)
	case h.Client != client || sent.header.Client != client:
		return fmt.Errorf("reply for client %v to a request of client %v", h.Client, sent.header.Client)
	case h.Request != sent.header.Request || h.Operation != sent.header.Operation || h.Release != sent.header.Release:
		return fmt.Errorf("reply %+v to the request %+v", h, sent.header)
	case h.Op != h.Commit:
		return fmt.Errorf("reply of op %d as of commit %d", h.Op, h.Commit)
	}
	if known := b.byRequest[h.RequestChecksum]; known != nil {
		// A late copy of a registration registers once more, if the session
		// is gone. It is harmless: the client has another number.
		again := h.Operation == wire.OperationRegister && h.Op != known.header.Op && b.gaveWay(b.sim.clientByID[client]) == nil
		if !again {
			return known.sameAs(&reply)
		}
	}
	if h.Op <= sent.after {
		return fmt.Errorf("op %d is a request that was sent when op %d had been answered", h.Op, sent.after)
	}
	if err := b.checkExecution(&reply, sent.body); err != nil {
		return err
	}
	if err := b.checkWitnesses(h.Op); err != nil {
		return err
	}
	c := b.sim.clientByID[client]
	if c.servedAt, c.executedAt = c.executedAt, sent.at; h.Operation == wire.OperationRegister {
		c.servedAt = sent.at
	}
	return b.insert(&reply)
}

// sameAs compares a reply with the first one to the same request. The view and
// with it the checksum may have moved on.
func (a *answer) sameAs(again *answer) error {
	want, got := a.header, again.header
	want.Frame, got.Frame = wire.Frame{}, wire.Frame{}
	if want != got || !bytes.Equal(a.body, again.body) {
		return fmt.Errorf("request executed twice, or answered in two ways: %+v, then %+v", a.header, again.header)
	}
	return nil
}

// checkExecution compares a reply with what the machine did at its timestamp.
func (b *checkBus) checkExecution(reply *answer, requestBody []byte) error {
	h := &reply.header
	if h.Operation == wire.OperationRegister {
		want := make([]byte, wire.RegisterReplySize)
		binary.LittleEndian.PutUint32(want, uint32(b.sim.bodySizeLimit()))
		if !bytes.Equal(reply.body, want) {
			return fmt.Errorf("reply to register: %x", reply.body)
		}
		return nil
	}
	at, ok := b.sim.history.byTimestamp[h.Timestamp]
	if !ok {
		return fmt.Errorf("reply of a request at %d, which was not executed", h.Timestamp)
	}
	done := &b.sim.history.commits[at]
	if done.operation != byte(h.Operation) || !bytes.Equal(done.body, requestBody) {
		return fmt.Errorf("reply to %v of %d bytes at %d, where %v of %d bytes was executed",
			h.Operation, len(requestBody), h.Timestamp, ledger.Operation(done.operation), len(done.body))
	}
	if !bytes.Equal(done.reply, reply.body) {
		return fmt.Errorf("reply at %d is not what was executed:\n%x\n%x", h.Timestamp, reply.body, done.reply)
	}
	return nil
}

// checkWitness looks for what tells, beside the record, that the given ordinal or
// a later one was durable: a witness, or a spare. On a disk that rots or lies
// there need not be any.
func (b *checkBus) checkWitness(r *replica, ordinal uint64) error {
	layout := &b.sim.options.layout
	if fault := b.sim.options.fault; fault != faultNone && fault != faultWrite || b.sim.lie != nil {
		return nil
	}
	ring := r.disk.Peek(layout.JournalHeadersOffset(), int(layout.JournalSlots)*wire.HeaderSize)
	for ; len(ring) > 0; ring = ring[wire.HeaderSize:] {
		var witness wire.Prepare
		if _, err := wire.VerifyHeader(ring[:wire.HeaderSize]); err != nil || witness.Decode(ring[:wire.HeaderSize]) != nil {
			continue
		}
		if witness.Ordinal+uint64(witness.RequestCount) > ordinal {
			return nil
		}
	}
	for slot := range int64(layout.JournalSpares) {
		spare := r.disk.Peek(layout.JournalSparesOffset()+slot*superblock.SpareSize, superblock.SpareSize)
		var header wire.Prepare
		if _, err := wire.VerifyHeader(spare); err != nil || header.Decode(spare) != nil || header.Ordinal+uint64(header.RequestCount) <= ordinal {
			continue
		}
		record := r.disk.Peek(layout.JournalRecordsOffset()+int64(header.Offset%layout.JournalRingSize), int(header.Size))
		if bytes.Equal(record, spare[:header.Size]) {
			return nil
		}
	}
	return fmt.Errorf("op %d is acknowledged, and neither witness nor spare tells that it was durable", ordinal)
}

// insert takes the first reply to a request into the order of ordinals.
func (b *checkBus) insert(reply *answer) error {
	h := &reply.header
	b.byRequest[h.RequestChecksum] = reply
	i, taken := slices.BinarySearchFunc(b.ordinals, h.Op, func(a *answer, op uint64) int {
		return int(int64(a.header.Op - op))
	})
	if taken {
		return b.ordinals[i].sameAs(reply) // a registration, answered late
	}
	if i > 0 && b.ordinals[i-1].header.Timestamp >= h.Timestamp ||
		i < len(b.ordinals) && b.ordinals[i].header.Timestamp <= h.Timestamp {
		return fmt.Errorf("op %d at %d is out of order", h.Op, h.Timestamp)
	}
	b.ordinals = slices.Insert(b.ordinals, i, reply)
	return nil
}

// activeFor is how long after its last message a client may still be served:
// while copies of its messages are on their way, or wait for the disk.
const activeFor = 30 * time.Second

func (b *checkBus) checkEviction(client u128.Uint128, message []byte) error {
	var eviction wire.Eviction
	if err := eviction.Decode(message); err != nil {
		return err
	}
	c := b.sim.clientByID[client]
	if c == nil || eviction.Client != client {
		return fmt.Errorf("eviction of %v, sent to %v", eviction.Client, client)
	}
	switch eviction.Reason {
	case wire.EvictionInvalidRequestOperation, wire.EvictionInvalidRequestBody:
		if !c.misbehaved {
			return fmt.Errorf("eviction (%v) without a wrong request", eviction.Reason)
		}
		return nil
	case wire.EvictionNoSession, wire.EvictionSessionTooLow:
		if err := b.gaveWay(c); err != nil {
			return fmt.Errorf("eviction (%v), though %w", eviction.Reason, err)
		}
		return nil
	}
	return fmt.Errorf("eviction without a reason: %v", eviction.Reason)
}

// gaveWay returns nil if the session of a client may have given way to others.
func (b *checkBus) gaveWay(c *client) error {
	others := 0
	for _, other := range b.sim.clients {
		if other != c && (other.busy() || other.activeAt+activeFor >= c.servedAt) {
			others++
		}
	}
	if limit := int(b.sim.options.layout.SessionsMax); others < limit {
		return fmt.Errorf("at most %d of %d sessions were used since it was served last", others, limit)
	}
	return nil
}
