package vsr

import (
	"encoding/binary"
	"math/bits"

	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/vsr/superblock"
	"github.com/ledgerd/ledgerd/wire"
)

// committing is the prepare that is being executed, one at a time. Its requests
// are executed one after another: each is prefetched, which may wait for the
// disk, when all before it are committed, and then committed, which may not
// wait. After the last one comes, when enough has been journalled since the
// last one, a checkpoint.
type committing struct {
	stage    commitStage
	header   wire.Prepare
	message  *buffer.Buffer // one reference
	requests []wire.Entry   // not yet executed
	bodies   []byte         // of requests, back to back
	// made is the checkpoint after the prepare, as soon as the state machine has
	// given it to the grid and until it may be named.
	made *superblock.Checkpoint
}

type commitStage uint8

const (
	stageIdle commitStage = iota
	stageRead             // the prepare comes from the journal
	stagePrefetch
	stageReady // the next request is prefetched
	stageCheckpoint
)

// Step does the work that has become possible: it orders what waits and
// executes at most one prepare, so that the caller can look for new messages
// in between. It reports whether there is more to do at once.
func (r *Replica) Step() (more bool) {
	if r.err != nil || r.status == statusSyncing || r.status == statusOpening || r.group.adopting {
		return false
	}
	r.advance()
	r.nameCheckpoint()
	r.prepareWaiting()
	if r.commit.stage == stageIdle {
		r.commitNext()
	}
	if r.commit.stage != stageReady {
		return false
	}
	r.execute()
	return true
}

// commitNext begins to execute the next prepare, if it is committed and durable
// here.
func (r *Replica) commitNext() {
	entry := r.pipeline.at(r.commitMin + 1)
	if !r.leads() {
		r.commitNextOfBackup(entry)
	} else if entry != nil && r.isCommittable(entry) {
		r.tellOfCommit(&entry.header)
		r.startCommit(entry.header, entry.message.Retain())
	}
}

// isCommittable reports whether a quorum has made a prepare durable, this
// replica among them.
func (r *Replica) isCommittable(entry *prepared) bool {
	return bits.OnesCount8(entry.acks) >= r.quorum && entry.acks>>r.root.Replica&1 == 1
}

// startCommit begins to execute a prepare. It takes over the reference.
func (r *Replica) startCommit(header wire.Prepare, message *buffer.Buffer) {
	if Op(header.Op) != r.commitMin+1 || header.Parent != r.commitChecksum {
		panic("vsr: commit out of order or off the chain")
	}
	r.entries = r.entries[:0]
	for entry := range header.Requests(message.Bytes[wire.HeaderSize:]) {
		r.entries = append(r.entries, entry)
	}
	r.commit = committing{
		header: header, message: message, requests: r.entries, bodies: message.Bytes[wire.HeaderSize:],
	}
	r.prefetch()
}

// prefetch begins to bring into memory what the next request needs.
func (r *Replica) prefetch() {
	entry := &r.commit.requests[0]
	r.commit.stage = stagePrefetch
	if entry.Operation == wire.OperationRegister {
		r.onPrefetched()
		return
	}
	r.machine.Prefetch(byte(entry.Operation), entry.Timestamp, r.commit.bodies[:entry.BodySize], r.prefetched)
}

func (r *Replica) onPrefetched() { r.commit.stage = stageReady }

// execute runs the requests of the prepare and answers them, until one has to
// wait for the disk or all are done.
func (r *Replica) execute() {
	c := &r.commit
	for c.stage == stageReady {
		entry := &c.requests[0]
		r.commitOrdinal++
		r.executeRequest(&c.header, entry, c.bodies[:entry.BodySize:entry.BodySize])
		c.requests, c.bodies = c.requests[1:], c.bodies[entry.BodySize:]
		if len(c.requests) == 0 {
			r.finishCommit()
			return
		}
		r.prefetch()
	}
}

// finishCommit ends the execution of a prepare.
func (r *Replica) finishCommit() {
	header := &r.commit.header
	r.commitMin = Op(header.Op)
	r.commitChecksum = header.Checksum
	r.timestamp = max(r.timestamp, header.Timestamp)
	r.commitMax = max(r.commitMax, r.commitMin)
	r.commit.message.Release()
	if r.pipeline.at(r.commitMin) != nil {
		r.pipeline.pop()
	}
	r.commit.message = nil
	r.commit.stage = stageIdle
	switch {
	case r.checkpointDue():
		r.commit.stage = stageCheckpoint
		r.startCheckpoint()
	case r.status == statusReplay:
		r.replayNext()
	}
}

// executeRequest runs one request of a prepare, and stores and sends its reply.
func (r *Replica) executeRequest(prepare *wire.Prepare, entry *wire.Entry, body []byte) {
	result := r.scratch[:0]
	session := r.sessions.find(entry.Client)
	switch {
	case entry.Operation == wire.OperationPulse:
		r.machine.Commit(byte(entry.Operation), entry.Timestamp, nil, result)
		return
	case entry.Operation == wire.OperationRegister:
		session = r.sessions.register(entry.Client, r.commitOrdinal)
		result = appendRegisterResult(result, r.requestSizeMax-wire.HeaderSize)
	default:
		result = r.machine.Commit(byte(entry.Operation), entry.Timestamp, body, result)
		if session != nil && session.number != Ordinal(entry.Session) {
			session = nil
		}
	}
	r.requests.committed(entry.Client, entry.RequestChecksum)
	reply, message := r.reply(prepare, entry, result)
	if session != nil { // or evicted since the request was admitted
		session.store(reply, message)
	}
	if r.leads() {
		r.options.Bus.SendToClient(entry.Client, message)
	}
	message.Release()
}

// reply builds the reply to a request with the given body.
func (r *Replica) reply(prepare *wire.Prepare, entry *wire.Entry, body []byte) (wire.Reply, *buffer.Buffer) {
	message := r.options.Pool.Acquire(wire.HeaderSize + len(body))
	copy(message.Bytes[wire.HeaderSize:], body)
	reply := wire.Reply{
		Frame:           r.frame(wire.CommandReply),
		RequestChecksum: entry.RequestChecksum,
		Client:          entry.Client,
		Op:              uint64(r.commitOrdinal),
		Commit:          uint64(r.commitOrdinal),
		Timestamp:       entry.Timestamp,
		Request:         entry.Request,
		Operation:       entry.Operation,
	}
	reply.Size = uint32(len(message.Bytes))
	reply.View = prepare.View
	reply.Release = entry.Release
	reply.Replica = prepare.Replica
	reply.Encode(message.Bytes)
	wire.SealReply(message.Bytes)
	if err := reply.Decode(message.Bytes); err != nil { // takes over what was sealed
		panic("vsr: invalid reply: " + err.Error())
	}
	return reply, message
}

// appendRegisterResult appends the body of a reply to a registration: the
// largest request body accepted, then zero bytes (PROTOCOL.md section 7).
func appendRegisterResult(b []byte, bodySizeLimit int) []byte {
	var result [wire.RegisterReplySize]byte
	binary.LittleEndian.PutUint32(result[:], uint32(bodySizeLimit))
	return append(b, result[:]...)
}
