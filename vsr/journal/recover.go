package journal

import (
	"bytes"
	"fmt"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/checksum"
	"github.com/ledgerd/ledgerd/wire"
)

// recoverReadsMax bounds the reads in flight during Recover, and so its memory:
// this many records of the largest size.
const recoverReadsMax = 8

// recovery is Recover in progress. Its steps, in order:
//
//  1. read the ring of witnesses, a sector at a time, so that a bad sector
//     costs no more than itself, and find those that are missing of the log
//     before the checkpoint: walkKept;
//  2. read the records they name, to learn which are intact: verified;
//  3. walk the ops from the checkpoint on by the table of the package comment,
//     reading what no witness names: walk;
//  4. make what was read stable: Sync;
//  5. rewrite the witnesses that were not as they should be.
type recovery struct {
	journal *Journal
	done    func(headOp uint64, err error)

	slots    [recoverReadsMax]recoverSlot
	idle     []*recoverSlot
	next     uint64 // sector of witnesses (step 1), op (step 2) to be read next
	inFlight int

	// lastWitness is the highest op after the checkpoint with a valid witness,
	// or the checkpoint's op.
	lastWitness uint64
	// intact says of op start.Op+1+i whether its witness and its record are
	// valid and belong together.
	intact []bool

	// op, parent and end are the walk's: the last op found present, the
	// checksum of its header, and the virtual offset behind its record.
	op     uint64
	parent checksum.Sum
	end    uint64
	probe  probe
	// stale says which sectors of witnesses must be rewritten.
	stale []bool
	sync  blockio.Request
}

// recoverSlot is one read of step 1 or 2.
type recoverSlot struct {
	recovery *recovery
	request  blockio.Request
	op       uint64         // step 2
	record   *buffer.Buffer // step 2
}

// Recover finds out what the journal has after a checkpoint. It is called once,
// before anything else but pure functions. done gets the head of the log, an op
// from start.Op on; all ops after start.Op up to it are durable and can be read.
// The error is a *CorruptError: an op that may have been acknowledged is lost,
// and the replica must not go on. If Config.Repairable, there is none: an op
// whose witness is intact is part of the log and not Readable; the log ends
// before one that has no header at all, and LostOp tells of it.
func (j *Journal) Recover(start Start, done func(headOp uint64, err error)) {
	if j.recovery != nil || j.headOp != 0 {
		panic("journal: recovered twice")
	}
	j.start = start
	r := &recovery{
		journal: j, done: done, lastWitness: start.Op,
		op: start.Op, parent: start.Checksum, end: start.Offset,
		stale: make([]bool, len(j.witnesses)/blockio.SectorSize),
	}
	for i := range r.slots {
		slot := &r.slots[i]
		slot.recovery = r
		slot.request.Kind = blockio.Read
		r.idle = append(r.idle, slot)
	}
	j.recovery = r
	r.readWitnesses()
}

// take returns an idle slot for one more read.
func (r *recovery) take() *recoverSlot {
	slot := r.idle[len(r.idle)-1]
	r.idle = r.idle[:len(r.idle)-1]
	r.inFlight++
	return slot
}

func (r *recovery) give(slot *recoverSlot) {
	r.idle = append(r.idle, slot)
	r.inFlight--
}

// Step 1.

func (r *recovery) readWitnesses() {
	j := r.journal
	for len(r.idle) > 0 && r.next < uint64(len(r.stale)) {
		slot := r.take()
		at := r.next * blockio.SectorSize
		slot.request.Offset = j.config.HeadersOffset + int64(at)
		slot.request.Buf = j.witnesses[at:][:blockio.SectorSize]
		slot.request.Done = slot.witnessesRead
		r.next++
		j.storage.Submit(&slot.request)
	}
	if r.inFlight == 0 {
		r.judgeWitnesses()
	}
}

func (s *recoverSlot) witnessesRead(request *blockio.Request) {
	if request.Err != nil {
		clear(request.Buf) // no witness in it is valid
	}
	s.recovery.give(s)
	s.recovery.readWitnesses()
}

// judgeWitnesses clears the witnesses that are not valid, or of no use because
// nobody needs their op any more, and prepares step 2.
func (r *recovery) judgeWitnesses() {
	j := r.journal
	for i := range j.config.Slots {
		b := j.witnesses[i*wire.HeaderSize:][:wire.HeaderSize]
		header, ok := decodeHeader(b)
		valid := ok && header.Cluster == j.config.Cluster && header.Op%uint64(j.config.Slots) == uint64(i)
		if !valid || header.Op <= j.start.Kept.Op {
			clear(b)
			continue
		}
		r.lastWitness = max(r.lastWitness, header.Op)
	}
	kept := &j.start.Kept
	r.op, r.parent, r.end = kept.Op, kept.Checksum, kept.Offset
	r.walkKept()
}

// walkKept follows the log from the checkpoint before to the last one. The replica
// does not need it, but others may ask for it. An op that no witness names is looked
// for as those after the checkpoint are: a power cut may have torn a sector of
// witnesses that were rewritten beside others.
func (r *recovery) walkKept() {
	j := r.journal
	for r.op < j.start.Op {
		header, ok := decodeHeader(j.witnessOf(r.op + 1))
		if !ok || !r.follows(&header) {
			r.probe.start(r)
			return
		}
		r.accept(&header)
	}
	r.begin()
}

// begin ends walkKept, however far it has come, and begins step 2.
func (r *recovery) begin() {
	j := r.journal
	r.keepBeforeStart()
	r.op, r.parent, r.end = j.start.Op, j.start.Checksum, j.start.Offset
	r.intact = make([]bool, min(r.lastWitness-j.start.Op, uint64(j.config.Slots)))
	r.next = j.start.Op + 1
	r.readRecords()
}

// keepBeforeStart clears the witnesses of ops that the checkpoint has unless they
// are known to be right, by their successors.
func (r *recovery) keepBeforeStart() {
	start, linked := &r.journal.start, true
	sum := start.Checksum
	for op := start.Op; op > start.Kept.Op; op-- {
		header, ok := decodeHeader(r.journal.witnessOf(op))
		if linked = linked && ok && header.Op == op && header.Checksum == sum; !linked {
			clear(r.journal.witnessOf(op))
		}
		sum = header.Parent
	}
}

// decodeHeader reads the header of a prepare. It reports false if its checksum
// or any field is not valid.
func decodeHeader(b []byte) (header wire.Prepare, ok bool) {
	frame, err := wire.VerifyHeader(b)
	if err != nil || frame.Command != wire.CommandPrepare {
		return header, false
	}
	return header, header.Decode(b) == nil
}

// Step 2.

func (r *recovery) readRecords() {
	j := r.journal
	for ; len(r.idle) > 0 && r.next <= j.start.Op+uint64(len(r.intact)); r.next++ {
		header, ok := decodeHeader(j.witnessOf(r.next))
		if !ok || header.Op != r.next || !r.isPlace(&header) {
			continue // the walk will look where the record should be
		}
		slot := r.take()
		slot.op = r.next
		slot.record = j.pool.Acquire(int(recordSize(int(header.Size))))
		slot.request.Offset = j.place(header.Offset)
		slot.request.Buf = slot.record.Bytes
		slot.request.Done = slot.recordRead
		j.storage.Submit(&slot.request)
	}
	if r.inFlight == 0 {
		r.walk()
	}
}

// isPlace reports whether a record can be where the header says.
func (r *recovery) isPlace(header *wire.Prepare) bool {
	j := r.journal
	return header.Offset >= j.start.Kept.Offset && j.Fits(header.Op, header.Offset, int(header.Size)) &&
		j.NextOffset(header.Offset, int(header.Size)) == header.Offset
}

func (s *recoverSlot) recordRead(request *blockio.Request) {
	r := s.recovery
	witness := r.journal.witnessOf(s.op)
	record := s.record.Bytes
	r.intact[s.op-r.journal.start.Op-1] = request.Err == nil &&
		bytes.Equal(record[:wire.HeaderSize], witness) && verifyRecord(record) == ""
	s.record.Release()
	s.record, request.Buf = nil, nil
	r.give(s)
	r.readRecords()
}

// Step 3.

// walk follows the log from op to op. It comes to a halt at an op whose record
// must be looked for; when that is found, probe calls it again.
func (r *recovery) walk() {
	j := r.journal
	for i := r.op - j.start.Op; i < uint64(len(r.intact)) && r.intact[i]; i++ {
		header, _ := decodeHeader(j.witnessOf(r.op + 1))
		if header.Parent != r.parent || header.Offset != j.NextOffset(r.end, int(header.Size)) {
			break
		}
		r.accept(&header)
	}
	if r.op == j.start.Kept.Op+uint64(j.config.Slots) {
		r.makeStable() // every slot is in use: there is no next op
		return
	}
	r.probe.start(r)
}

// accept takes the next op as present.
func (r *recovery) accept(header *wire.Prepare) {
	r.op, r.parent, r.end = header.Op, header.Checksum, OffsetEnd(header)
}

// found takes the next op as present by its record alone: its witness is
// rewritten.
func (r *recovery) found(record []byte) {
	header, _ := decodeHeader(record)
	slot := header.Op % uint64(r.journal.config.Slots)
	copy(r.journal.witnessOf(header.Op), record)
	r.stale[slot/witnessesPerSector] = true
	r.accept(&header)
	if r.op <= r.journal.start.Op {
		r.walkKept()
		return
	}
	r.walk()
}

// judge decides whether the log ends before the next op, or has lost it.
func (r *recovery) judge(reason string, readErr error) {
	j, op := r.journal, r.op+1
	witness, ok := decodeHeader(j.witnessOf(op))
	existed := max(r.lastWitness, j.start.CommitMax)
	switch {
	case op <= j.start.Op:
		r.begin() // nothing is lost here: the checkpoint has it
	case j.config.Repairable && ok && r.follows(&witness):
		j.setFaulty(op, true)
		r.accept(&witness)
		r.walk()
	case j.config.Repairable && op <= existed:
		j.lostOp = existed
		r.makeStable()
	case ok && witness.Op == op:
		r.lost(j.place(witness.Offset), reason+", while its witness is intact", readErr)
	case op <= r.lastWitness:
		r.lost(j.place(r.end), fmt.Sprintf("%s, while there is a witness of op %d", reason, r.lastWitness), readErr)
	case op <= j.start.CommitMax:
		r.lost(j.place(r.end), fmt.Sprintf("%s, while op %d was committed", reason, j.start.CommitMax), readErr)
	default:
		r.makeStable()
	}
}

// follows reports whether a witness is of the next op.
func (r *recovery) follows(witness *wire.Prepare) bool {
	return witness.Op == r.op+1 && witness.Parent == r.parent && r.isPlace(witness) &&
		witness.Offset == r.journal.NextOffset(r.end, int(witness.Size))
}

func (r *recovery) lost(offset int64, reason string, readErr error) {
	r.done(0, &CorruptError{Op: r.op + 1, Offset: offset, Reason: reason, Err: readErr})
}

// Step 4.

func (r *recovery) makeStable() {
	r.sync = blockio.Request{Kind: blockio.Sync, Done: r.stable}
	r.journal.storage.Submit(&r.sync)
}

func (r *recovery) stable(request *blockio.Request) {
	if request.Err != nil {
		r.journal.fail(fmt.Errorf("journal: sync: %w", request.Err))
		return
	}
	r.next = 0
	r.rewriteWitnesses()
}

// Step 5.

// rewriteWitnesses writes the sectors of witnesses that are stale, one at a
// time. Slots that had nothing valid in them become zero.
func (r *recovery) rewriteWitnesses() {
	j := r.journal
	for r.next < uint64(len(r.stale)) && !r.stale[r.next] {
		r.next++
	}
	if r.next == uint64(len(r.stale)) {
		r.finish()
		return
	}
	at := r.next * blockio.SectorSize
	r.next++
	slot := &r.slots[0]
	slot.request = blockio.Request{
		Kind: blockio.Write, Durable: true, Done: r.rewritten,
		Offset: j.config.HeadersOffset + int64(at), Buf: j.witnesses[at:][:blockio.SectorSize],
	}
	j.storage.Submit(&slot.request)
}

func (r *recovery) rewritten(request *blockio.Request) {
	if request.Err != nil {
		r.journal.fail(fmt.Errorf("journal: rewrite the witnesses at offset %d: %w", request.Offset, request.Err))
		return
	}
	r.rewriteWitnesses()
}

func (r *recovery) finish() {
	j := r.journal
	j.headOp, j.headChecksum, j.headEnd, j.endMax = r.op, r.parent, r.end, r.end
	j.recordedOp, j.witnessedOp, j.durableOp = r.op, r.op, r.op
	j.recovery = nil
	r.done(r.op, nil)
}
