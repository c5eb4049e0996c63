package vsr

import (
	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/checksum"
	"github.com/ledgerd/ledgerd/vsr/journal"
	"github.com/ledgerd/ledgerd/wire"
)

// Bounds of the pipeline.
const (
	// pipelineMax is how many prepares may be between prepare and commit.
	pipelineMax = 8
	// coalesceBytes is how much must wait before a second prepare joins one
	// that is being journalled. Below it, waiting for the write in flight
	// costs less than a write more: what waits together is journalled
	// together. A lone request never waits for company.
	coalesceBytes = 128 << 10
)

// prepared is a prepare in the pipeline.
type prepared struct {
	header  wire.Prepare
	message *buffer.Buffer // one reference
	// acks has a bit for each replica that has made the prepare durable.
	acks uint8
}

// pipeline holds the prepares from the first uncommitted op to the head.
//
// Invariant: the ops are consecutive, and each header's parent is the checksum
// of the one before.
type pipeline struct {
	ring  [pipelineMax]prepared
	first Op
	count int
}

func (p *pipeline) full() bool { return p.count == pipelineMax }

// at returns the prepare of op, or nil if it is not in the pipeline.
func (p *pipeline) at(op Op) *prepared {
	if op < p.first || op >= p.first+Op(p.count) {
		return nil
	}
	return &p.ring[op%pipelineMax]
}

// push adds the prepare after the last one.
func (p *pipeline) push(entry prepared) {
	op := Op(entry.header.Op)
	if p.count == 0 {
		p.first = op
	}
	if p.full() || op != p.first+Op(p.count) {
		panic("vsr: pipeline overflow or gap")
	}
	p.ring[op%pipelineMax] = entry
	p.count++
}

// pop removes the first prepare, which has been committed.
func (p *pipeline) pop() {
	slot := &p.ring[p.first%pipelineMax]
	slot.message.Release()
	*slot = prepared{}
	p.first++
	p.count--
}

// clear forgets all prepares.
func (p *pipeline) clear() {
	for p.count > 0 {
		p.pop()
	}
}

// prepareWaiting turns what waits into prepares, as far as the pipeline and
// the journal have room.
func (r *Replica) prepareWaiting() {
	for r.leads() && !r.takesOver() && !r.pipeline.full() && !r.abdicates() {
		now, ok := r.now()
		if !ok {
			return
		}
		pulseSlots := r.pulseDue(now)
		count, bodySize := r.requests.next()
		if count == 0 && pulseSlots == 0 {
			return
		}
		if r.journal.Mending() {
			return
		}
		if r.journal.InFlight() > 0 && r.requests.bytes < coalesceBytes {
			return // joins the group that forms behind the write in flight
		}
		if pulseSlots > 0 && bodySize+wire.EntrySize > r.requests.bodySizeMax {
			count, bodySize = 0, 0 // the pulse goes alone, before a largest request
		}
		if pulseSlots > 0 {
			bodySize += wire.EntrySize
		}
		if !r.prepare(now, pulseSlots, count, bodySize) {
			return // no room in the journal before the next checkpoint
		}
	}
}

// now returns the cluster time: the primary's clock as far as a majority agrees,
// never behind a timestamp that was handed out. It reports false if there is no
// such agreement.
func (r *Replica) now() (now uint64, ok bool) {
	now, ok = r.realtime()
	return max(r.timestamp+1, now), ok
}

// pulseDue returns the timestamps that a pulse needs, 0 if none is due or one
// is in the pipeline already.
func (r *Replica) pulseDue(now uint64) int {
	if r.pulse > r.commitMin {
		return 0
	}
	slots, due := r.machine.Pulse(now)
	if !due {
		return 0
	}
	return slots
}

// prepare orders the first count waiting requests, behind a pulse if
// pulseSlots > 0: it assigns op, ordinals and timestamps, chains the prepare
// to its predecessor, and hands it to the journal. It returns false, with
// nothing changed, when the journal has no room.
func (r *Replica) prepare(now uint64, pulseSlots, count, bodySize int) bool {
	size := wire.HeaderSize + bodySize
	offset := r.journal.NextOffset(r.head.offsetEnd, size)
	if !r.journal.Fits(uint64(r.head.op+1), offset, size) {
		return false
	}
	message := r.gather(pulseSlots > 0, count, size)
	table := message.Bytes[size-r.tableSize(pulseSlots > 0, count) : size]
	requestCount := 0
	put := func(entry wire.Entry, slots int) {
		now += uint64(slots)
		entry.Timestamp = now
		entry.Encode(table[requestCount*wire.EntrySize:])
		requestCount++
		r.timestamp = now
		now, _ = r.now()
	}
	if pulseSlots > 0 {
		put(wire.Entry{Operation: wire.OperationPulse}, pulseSlots)
		r.pulse = r.head.op + 1
	}
	for i := range count {
		request := &r.requests.waiting[i]
		put(entryOf(&request.header), request.slots)
	}
	header := wire.Prepare{
		Frame:        r.frame(wire.CommandPrepare),
		Parent:       r.head.checksum,
		Checkpoint:   r.root.Checkpoint.ID(),
		Op:           uint64(r.head.op + 1),
		Commit:       uint64(r.commitMin),
		Offset:       offset,
		Timestamp:    r.timestamp,
		Ordinal:      uint64(r.head.ordinal + 1),
		RequestCount: uint32(requestCount),
	}
	header.Size = uint32(size)
	header.Encode(message.Bytes)
	header.Checksum = wire.Seal(message.Bytes)
	for i := range count {
		r.requests.waiting[i].message.Release()
	}
	r.requests.drop(count)
	r.head.advance(&header)
	r.pipeline.push(prepared{header: header, message: message})
	r.journal.Append(message, r.onDurable)
	r.broadcast(message)
	return true
}

func (r *Replica) tableSize(pulse bool, count int) int {
	if pulse {
		count++
	}
	return count * wire.EntrySize
}

// gather returns the message of a prepare of size bytes with the bodies of the
// first count waiting requests in place. A lone request's own buffer becomes
// the prepare: nothing is copied.
func (r *Replica) gather(pulse bool, count, size int) *buffer.Buffer {
	if count == 1 && !pulse {
		message := r.requests.waiting[0].message.Retain()
		message.Bytes = message.Bytes[:size]
		return message
	}
	message := r.options.Pool.Acquire(size)
	at := wire.HeaderSize
	for i := range count {
		at += copy(message.Bytes[at:], r.requests.waiting[i].message.Bytes[wire.HeaderSize:])
	}
	return message
}

func entryOf(header *wire.Request) wire.Entry {
	return wire.Entry{
		Client:          header.Client,
		RequestChecksum: header.Checksum,
		Session:         header.Session,
		Request:         header.Request,
		Release:         header.Release,
		BodySize:        header.Size - wire.HeaderSize,
		Operation:       header.Operation,
	}
}

// onJournalled is called when a prepare and its witness are durable here.
func (r *Replica) onJournalled(op uint64) {
	switch {
	case r.leads():
		if entry := r.pipeline.at(Op(op)); entry != nil {
			entry.acks |= 1 << r.root.Replica
		}
	case r.status == statusNormal:
		r.sendPrepareOK()
	}
}

// head describes the newest prepare of the log: what the next one builds on.
type head struct {
	op        Op
	checksum  checksum.Sum
	ordinal   Ordinal // of its last request
	offsetEnd uint64  // virtual journal offset behind its record
}

// advance makes the prepare with this header the head.
func (h *head) advance(header *wire.Prepare) {
	h.op = Op(header.Op)
	h.checksum = header.Checksum
	h.ordinal = Ordinal(header.Ordinal) + Ordinal(header.RequestCount) - 1
	h.offsetEnd = journal.OffsetEnd(header)
}
