package journal

import (
	"fmt"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/checksum"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/wire"
)

const (
	// AppendsMax is how many appended prepares may wait for their durability.
	AppendsMax = 32
	// ReadsMax is how many Reads may be in flight.
	ReadsMax = 8

	// witnessesPerSector is how many headers share a sector of their ring.
	witnessesPerSector = blockio.SectorSize / wire.HeaderSize
	// witnessSectorsMax bounds one write of witnesses.
	witnessSectorsMax = 4
)

// Storage is the data file. Submit only enqueues; see blockio.Request for who
// owns what until its completion.
type Storage interface {
	Submit(*blockio.Request)
}

// Config says where the journal is. It is the same for the life of a file.
type Config struct {
	Cluster u128.Uint128
	// HeadersOffset is where the ring of witnesses begins in the data file, in
	// bytes; Slots, a multiple of 16, is how many it has.
	HeadersOffset int64
	Slots         uint32
	// SparesOffset is where the ring of spares begins in the data file, in bytes.
	// Spares, at most half of Slots, is how many slots it has, and SpareSize the
	// size of one, whole sectors. Without spares every append waits for its
	// witness.
	SparesOffset int64
	Spares       uint32
	SpareSize    int
	// RecordsOffset is where the ring of records begins in the data file and
	// RingSize its length, in bytes, both multiples of a sector.
	RecordsOffset int64
	RingSize      uint64
	// Repairable says that there are peers who may have what is lost here:
	// Recover then reports damage instead of failing, and Repair mends it.
	Repairable bool
	// Fault is told of the first write that failed, once. The replica must
	// stop.
	Fault func(error)
}

func (c *Config) validate() {
	const sector = blockio.SectorSize
	switch {
	case c.Slots == 0 || c.Slots%witnessesPerSector != 0:
		panic(fmt.Sprintf("journal: %d slots", c.Slots))
	case c.Spares > c.Slots/2 || c.SparesOffset < 0 || c.SparesOffset%sector != 0 || c.SpareSize%sector != 0:
		panic(fmt.Sprintf("journal: %d spares of %d bytes at %d, with %d slots", c.Spares, c.SpareSize, c.SparesOffset, c.Slots))
	case c.HeadersOffset < 0 || c.HeadersOffset%sector != 0 || c.RecordsOffset < 0 || c.RecordsOffset%sector != 0:
		panic(fmt.Sprintf("journal: zones at %d and %d", c.HeadersOffset, c.RecordsOffset))
	case c.RingSize == 0 || c.RingSize%sector != 0:
		panic(fmt.Sprintf("journal: ring of %d bytes", c.RingSize))
	case c.Fault == nil:
		panic("journal: no Fault function")
	}
}

// Start is the end of the log as a checkpoint has it: what comes after must be
// in the journal.
type Start struct {
	Op       uint64       // last op in the checkpoint
	Checksum checksum.Sum // of its prepare's header: the parent of the next
	Offset   uint64       // virtual offset behind its record
	// CommitMax is an op known to have been committed, if any: Recover refuses
	// to end the log before it.
	CommitMax uint64
	// Kept is where the log ends that need not be kept: the checkpoint before.
	Kept Mark
}

// Mark is a place between two ops of the log.
type Mark struct {
	Op       uint64       // the one before it
	Checksum checksum.Sum // of its prepare's header
	Offset   uint64       // virtual, behind its record
}

// Journal is the write-ahead log of one replica. It belongs to the goroutine
// that owns the replica; completions are never called from within the method
// that asked for them.
type Journal struct {
	storage Storage
	pool    *buffer.Pool
	config  Config
	failed  bool

	// witnesses is the ring of headers as it is or soon will be on disk. It has
	// the headers of durable records only, without a gap between them.
	witnesses []byte

	// start is the last durable checkpoint, start.Kept the one before, or any
	// earlier place. Nothing after start.Kept is overwritten: what other replicas
	// lack who have not got as far.
	start Start
	// headOp, headChecksum and headEnd are of the prepare appended last.
	headOp       uint64
	headChecksum checksum.Sum
	headEnd      uint64
	// endMax is how far records were ever written: what is a ring's length
	// before it is overwritten, though Truncate may have moved the head back.
	endMax uint64
	// faulty says of each slot that the record of its op cannot be read, though
	// its witness says that it was there. lostOp is the last op that is known
	// to have been there and has no header: 0, or above headOp.
	faulty []bool
	lostOp uint64
	// faultyCount is how many slots are.
	faultyCount int
	// mending counts writes of Repair and Truncate in flight.
	mending int
	// start.Kept.Op <= start.Op <= durableOp <= recordedOp <= headOp: up to durableOp
	// done was called, up to recordedOp the record is durable, and its spare if it has one.
	durableOp, recordedOp uint64
	// witnessedOp <= recordedOp: up to it the witness is durable. Up to
	// unsparedOp, which is recorded, somebody waits for that.
	witnessedOp, unsparedOp uint64

	appends      [AppendsMax]appendSlot // op mod AppendsMax
	witnessWrite witnessWrite
	reads        []*readSlot // idle ones
	recovery     *recovery   // while Recover runs
	restored     int         // records that Recover has written again from their spares
}

// New returns a journal that has yet to be recovered. Buffers of Read come from
// pool. It panics if config is not valid.
func New(storage Storage, pool *buffer.Pool, config Config) *Journal {
	config.validate()
	j := &Journal{storage: storage, pool: pool, config: config}
	j.witnesses = buffer.Aligned(int(config.Slots) * wire.HeaderSize)
	j.faulty = make([]bool, config.Slots)
	for i := range j.appends {
		slot := &j.appends[i]
		slot.journal = j
		slot.record = blockio.Request{Kind: blockio.Write, Durable: true, Done: slot.written}
		slot.spare = slot.record
	}
	for range ReadsMax {
		slot := &readSlot{journal: j}
		slot.request = blockio.Request{Kind: blockio.Read, Done: slot.complete}
		j.reads = append(j.reads, slot)
	}
	j.witnessWrite.buf = buffer.Aligned(witnessSectorsMax * blockio.SectorSize)
	j.witnessWrite.request = blockio.Request{Kind: blockio.Write, Durable: true, Done: j.witnessed}
	return j
}

// HeadOp returns the op appended last, durable or not.
func (j *Journal) HeadOp() uint64 { return j.headOp }

// Restored returns how many records Recover has written again from their spares.
func (j *Journal) Restored() int { return j.restored }

// InFlight returns how many appended prepares are not durable yet.
func (j *Journal) InFlight() int { return int(j.headOp - j.durableOp) }

// OffsetEnd returns the virtual offset behind the record of a prepare.
func OffsetEnd(header *wire.Prepare) uint64 {
	return header.Offset + recordSize(int(header.Size))
}

// NextOffset returns the virtual offset of a prepare of size bytes that follows
// a record which ends at previousEnd. It depends on nothing but the size of the
// ring.
func (j *Journal) NextOffset(previousEnd uint64, size int) uint64 {
	ring := j.config.RingSize
	if lap := previousEnd % ring; lap+recordSize(size) > ring {
		return previousEnd - lap + ring
	}
	return previousEnd
}

// Fits reports whether the prepare of op with size bytes can be written at
// offset without overwriting a record or a witness that is kept: after the last
// but one durable checkpoint. If not, it fits after a later one.
func (j *Journal) Fits(op, offset uint64, size int) bool {
	end, kept := offset+recordSize(size), &j.start.Kept
	return end-kept.Offset <= j.config.RingSize && op-kept.Op <= uint64(j.config.Slots)
}

// CheckpointDurable says that the superblock names a later checkpoint: records
// up to the one before may be overwritten. Only ops that are durable can be in it.
func (j *Journal) CheckpointDurable(op, offsetEnd uint64) {
	if op < j.start.Op || op > j.durableOp || offsetEnd < j.start.Offset || offsetEnd > j.headEnd {
		panic(fmt.Sprintf("journal: checkpoint at op %d, offset %d, after op %d; durable is op %d", op, offsetEnd, j.start.Op, j.durableOp))
	}
	j.start.Kept = Mark{j.start.Op, j.start.Checksum, j.start.Offset}
	if header, ok := j.Find(op); ok {
		j.start.Checksum = header.Checksum
	}
	j.start.Op, j.start.Offset = op, offsetEnd
}

// sparePlace returns where the spare of op is in the data file.
func (j *Journal) sparePlace(op uint64) int64 {
	return j.config.SparesOffset + int64(op%uint64(j.config.Spares))*int64(j.config.SpareSize)
}

// place returns where a virtual offset is in the data file.
func (j *Journal) place(offset uint64) int64 {
	return j.config.RecordsOffset + int64(offset%j.config.RingSize)
}

// witnessOf returns the slot of op in the ring of headers.
func (j *Journal) witnessOf(op uint64) []byte {
	slot := op % uint64(j.config.Slots)
	return j.witnesses[slot*wire.HeaderSize:][:wire.HeaderSize]
}

// recordSize returns the length of a record of a prepare with size bytes.
func recordSize(size int) uint64 { return uint64(blockio.RoundUp(size)) }

func (j *Journal) fail(err error) {
	if j.failed {
		return
	}
	j.failed = true
	j.config.Fault(err)
}
