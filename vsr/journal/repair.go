package journal

import (
	"fmt"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/checksum"
	"github.com/ledgerd/ledgerd/wire"
)

// DurableOp returns the last op that is durable with all before it.
func (j *Journal) DurableOp() uint64 { return j.durableOp }

// LostOp returns the last op beyond the head that is known to have been in the
// log and to have left no header, or 0. What came after the head may have been
// acknowledged.
func (j *Journal) LostOp() uint64 {
	if j.lostOp <= j.headOp {
		return 0
	}
	return j.lostOp
}

// Find returns the header of an op up to the head, durable or not, as long as
// its slot has not been taken by a later one.
func (j *Journal) Find(op uint64) (header wire.Prepare, ok bool) {
	if op == 0 || op > j.headOp {
		return header, false
	}
	b := j.witnessOf(op)
	if op > j.recordedOp {
		b = j.appends[op%AppendsMax].message.Bytes
	}
	ok = header.Decode(b) == nil && header.Op == op
	return header, ok
}

// Readable reports whether Read may find an op with this checksum: it is
// durable, not known to be damaged, and not overwritten.
func (j *Journal) Readable(op uint64, sum checksum.Sum) bool {
	header, ok := j.Find(op)
	return ok && header.Checksum == sum && op <= j.durableOp && !j.Faulty(op) && header.Offset+j.config.RingSize >= j.endMax
}

// Faulty reports whether the record of an op of the log is known to be damaged.
func (j *Journal) Faulty(op uint64) bool {
	return op <= j.recordedOp && j.faulty[op%uint64(j.config.Slots)]
}

// Quiet reports whether nothing is being written: Truncate may be called.
func (j *Journal) Quiet() bool { return j.InFlight() == 0 && !j.witnessWrite.busy && j.mending == 0 }

// Mending reports whether Repair or Truncate is writing: nothing may be appended.
func (j *Journal) Mending() bool { return j.mending > 0 }

// mend writes buf durably, then calls done.
func (j *Journal) mend(what string, offset int64, buf []byte, done func()) {
	j.mending++
	j.storage.Submit(&blockio.Request{Kind: blockio.Write, Durable: true, Offset: offset, Buf: buf, Done: func(r *blockio.Request) {
		if r.Err != nil {
			j.fail(fmt.Errorf("journal: %s at offset %d: %w", what, r.Offset, r.Err))
		}
		if j.failed {
			return
		}
		j.mending--
		done()
		j.writeWitnesses() // what has waited
	}})
}

// Repair writes the record of a Faulty op again: prepare is what its header
// names, or Repair panics. The op is readable when done is called. The journal
// takes a reference of its own.
func (j *Journal) Repair(prepare *buffer.Buffer, done func()) {
	if j.failed {
		return
	}
	var repaired wire.Prepare
	err := repaired.Decode(prepare.Bytes)
	header, ok := j.Find(repaired.Op)
	if err != nil || !ok || header.Checksum != repaired.Checksum || !j.Faulty(header.Op) {
		panic(fmt.Sprintf("journal: repair of op %d, which is not damaged or another one", repaired.Op))
	}
	prepare.Retain()
	j.mend("repair a record", j.place(header.Offset), prepare.Sectors(), func() {
		prepare.Release()
		if now, ok := j.Find(header.Op); ok && now.Checksum == header.Checksum {
			j.setFaulty(header.Op, false)
		}
		done()
	})
}

// Truncate makes op the head: what came after it is forgotten, its witnesses
// are erased. op is at or after the last checkpoint and has a header, and the
// journal is Quiet; nothing may be appended before done, which is called at once
// if there is nothing to erase.
//
// The witnesses go from the last to the first, so that a crash leaves a log
// that ends somewhere in between. Records stay where they are: one that follows
// the head can be found again after a crash, and its replica must not take it
// for part of the log without asking.
func (j *Journal) Truncate(op uint64, done func()) {
	if j.failed {
		return
	}
	if !j.Quiet() || op > j.headOp || op < j.start.Op {
		panic(fmt.Sprintf("journal: truncation to op %d of %d .. %d", op, j.start.Op, j.headOp))
	}
	slots := uint64(j.config.Slots)
	last := min(max(j.headOp, j.lostOp), j.start.Kept.Op+slots) // beyond it, slots have what is kept
	if op == j.start.Op {
		j.headChecksum, j.headEnd = j.start.Checksum, j.start.Offset
	} else {
		header, ok := j.Find(op)
		if !ok {
			panic(fmt.Sprintf("journal: truncation to op %d, which has no header", op))
		}
		j.headChecksum, j.headEnd = header.Checksum, OffsetEnd(&header)
	}
	j.headOp, j.recordedOp, j.durableOp, j.lostOp = op, op, op, 0
	j.witnessedOp, j.unsparedOp = min(j.witnessedOp, op), min(j.unsparedOp, op)
	var sectors []uint64
	for n := op + 1; n <= last; n++ {
		slot := n % slots
		clear(j.witnesses[slot*wire.HeaderSize:][:wire.HeaderSize])
		j.setFaulty(n, false)
		if sector := slot / witnessesPerSector; len(sectors) == 0 || sectors[len(sectors)-1] != sector {
			sectors = append(sectors, sector)
		}
	}
	j.eraseWitnesses(sectors, done)
}

// eraseWitnesses writes sectors of witnesses, from the last of the list to the
// first.
func (j *Journal) eraseWitnesses(sectors []uint64, done func()) {
	if len(sectors) == 0 {
		done()
		return
	}
	rest, sector := sectors[:len(sectors)-1], int64(sectors[len(sectors)-1])
	buf := buffer.Aligned(blockio.SectorSize)
	copy(buf, j.witnesses[sector*blockio.SectorSize:])
	j.mend("erase witnesses", j.config.HeadersOffset+sector*blockio.SectorSize, buf, func() { j.eraseWitnesses(rest, done) })
}

// NextFaulty returns the first Faulty op after op.
func (j *Journal) NextFaulty(op uint64) (faulty uint64, ok bool) {
	if j.faultyCount == 0 {
		return 0, false
	}
	for op++; op <= j.recordedOp; op++ {
		if j.Faulty(op) {
			return op, true
		}
	}
	return 0, false
}

// setFaulty notes whether the record in the slot of op is damaged.
func (j *Journal) setFaulty(op uint64, faulty bool) {
	slot := &j.faulty[op%uint64(j.config.Slots)]
	if *slot != faulty {
		*slot = faulty
		if faulty {
			j.faultyCount++
		} else {
			j.faultyCount--
		}
	}
}
