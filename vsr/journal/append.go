package journal

import (
	"fmt"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/wire"
)

// appendSlot is one appended prepare until it is durable.
type appendSlot struct {
	journal       *Journal
	record, spare blockio.Request
	op            uint64
	message       *buffer.Buffer // held until the record is durable, and its spare
	spared        bool           // there is a spare, so nobody waits for the witness
	writing       int            // how many of record and spare are not durable yet
	done          func(op uint64)
}

// witnessWrite is the one write of witnesses that may be in flight.
type witnessWrite struct {
	request blockio.Request
	buf     []byte
	busy    bool
	last    uint64 // op of the last witness in it
}

// Append writes a sealed prepare that follows the one appended last and Fits.
// done is called when it is durable, in the order of the ops. The journal takes
// a reference of its own; nobody may change the bytes before done.
//
// It panics if the prepare does not follow, or if AppendsMax are in flight.
func (j *Journal) Append(prepare *buffer.Buffer, done func(op uint64)) {
	if j.failed {
		return
	}
	var header wire.Prepare
	if err := header.Decode(prepare.Bytes); err != nil {
		panic(fmt.Sprintf("journal: append: %v", err))
	}
	j.mustFollow(&header, len(prepare.Bytes))
	slot := &j.appends[header.Op%AppendsMax]
	slot.op = header.Op
	slot.message = prepare.Retain()
	slot.done = done
	slot.record.Offset, slot.record.Buf = j.place(header.Offset), prepare.Sectors()
	slot.writing = 1
	slot.spared = len(slot.record.Buf) <= j.config.SpareSize && header.Op <= j.witnessedOp+uint64(j.config.Spares)
	j.headOp, j.headChecksum, j.headEnd = header.Op, header.Checksum, OffsetEnd(&header)
	j.endMax = max(j.endMax, j.headEnd)
	j.storage.Submit(&slot.record)
	if slot.spared {
		slot.writing++
		slot.spare.Offset, slot.spare.Buf = j.sparePlace(header.Op), slot.record.Buf
		j.storage.Submit(&slot.spare)
	}
}

func (j *Journal) mustFollow(header *wire.Prepare, size int) {
	switch {
	case j.mending > 0:
		panic("journal: append before the journal is mended")
	case j.InFlight() == AppendsMax:
		panic("journal: too many appends in flight")
	case int(header.Size) != size:
		panic(fmt.Sprintf("journal: prepare of %d bytes has size %d", size, header.Size))
	case header.Cluster != j.config.Cluster:
		panic("journal: prepare of another cluster")
	case header.Op != j.headOp+1 || header.Parent != j.headChecksum:
		panic(fmt.Sprintf("journal: op %d does not follow op %d", header.Op, j.headOp))
	case header.Offset != j.NextOffset(j.headEnd, size):
		panic(fmt.Sprintf("journal: op %d at offset %d follows a record that ends at %d", header.Op, header.Offset, j.headEnd))
	case !j.Fits(header.Op, header.Offset, size):
		panic(fmt.Sprintf("journal: op %d overwrites what is after the checkpoint", header.Op))
	}
}

// written is called when a record or a spare is durable.
func (s *appendSlot) written(r *blockio.Request) {
	j := s.journal
	if r.Err != nil {
		j.fail(fmt.Errorf("journal: write the record of op %d at offset %d: %w", s.op, r.Offset, r.Err))
	}
	if j.failed {
		return
	}
	s.writing--
	for j.recordedOp < j.headOp && j.appends[(j.recordedOp+1)%AppendsMax].writing == 0 {
		j.recordedOp++
		j.appends[j.recordedOp%AppendsMax].recorded()
	}
	j.writeWitnesses()
	j.acknowledge()
}

// recorded ends the writing of a prepare, when it is durable with all before it.
func (s *appendSlot) recorded() {
	j := s.journal
	copy(j.witnessOf(s.op), s.message.Bytes)
	j.setFaulty(s.op, false)
	s.message.Release()
	s.message, s.record.Buf, s.spare.Buf = nil, nil, nil
	if !s.spared {
		j.unsparedOp = s.op
	}
}

// acknowledge tells of what is durable twice: as record and spare, or as record
// and witness.
func (j *Journal) acknowledge() {
	for j.durableOp < j.recordedOp {
		slot := &j.appends[(j.durableOp+1)%AppendsMax]
		if !slot.spared && slot.op > j.witnessedOp {
			return
		}
		j.durableOp++
		done := slot.done
		slot.done = nil
		done(slot.op) // it may append, and so take the slot of an op completed before
	}
}

// witnessesDue reports whether witnesses have to be written: somebody waits for
// them, or so many are missing that there would soon be no slot for another spare.
func (j *Journal) witnessesDue() bool {
	return j.unsparedOp > j.witnessedOp || j.recordedOp-j.witnessedOp > uint64(j.config.Spares/2)
}

// Witnessed reports whether the witness of a durable op is durable too. If it is
// not, it is written now.
func (j *Journal) Witnessed(op uint64) bool {
	j.unsparedOp = max(j.unsparedOp, op)
	if !j.failed {
		j.writeWitnesses()
	}
	return op <= j.witnessedOp
}

// writeWitnesses starts a write of the witnesses that are due, as many as one
// write can take. The sectors are copied, because slots in them may change
// while they are in flight. While Truncate writes some of them, they wait.
func (j *Journal) writeWitnesses() {
	w := &j.witnessWrite
	if w.busy || j.mending > 0 || !j.witnessesDue() {
		return
	}
	first := j.witnessedOp + 1
	slot := first % uint64(j.config.Slots)
	slot -= slot % witnessesPerSector
	slotEnd := min(slot+witnessSectorsMax*witnessesPerSector, uint64(j.config.Slots))
	w.last = min(j.recordedOp, first+(slotEnd-first%uint64(j.config.Slots))-1)
	lastSlot := w.last % uint64(j.config.Slots)
	size := blockio.RoundUp(int(lastSlot-slot+1) * wire.HeaderSize)

	w.busy = true
	w.request.Offset = j.config.HeadersOffset + int64(slot)*wire.HeaderSize
	w.request.Buf = w.buf[:size]
	copy(w.request.Buf, j.witnesses[slot*wire.HeaderSize:])
	j.storage.Submit(&w.request)
}

// witnessed is called when a write of witnesses is durable.
func (j *Journal) witnessed(r *blockio.Request) {
	if r.Err != nil {
		j.fail(fmt.Errorf("journal: write the witnesses up to op %d at offset %d: %w", j.witnessWrite.last, r.Offset, r.Err))
	}
	if j.failed {
		return
	}
	j.witnessWrite.busy = false
	j.witnessedOp = j.witnessWrite.last
	j.writeWitnesses()
	j.acknowledge()
}
