package journal

import (
	"errors"
	"fmt"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/checksum"
	"github.com/ledgerd/ledgerd/wire"
)

// ErrCorrupt is what every *CorruptError is, in the sense of errors.Is.
var ErrCorrupt = errors.New("journal: corrupt record")

// CorruptError says that the record of an op, which may have been acknowledged,
// cannot be read as it was written.
type CorruptError struct {
	Op     uint64
	Offset int64 // of the record in the data file, in bytes
	Reason string
	Err    error // the storage's error, or nil
}

// Error names the zone, the place, the op, and what is lost.
func (e *CorruptError) Error() string {
	text := fmt.Sprintf("journal: the record of op %d, at offset %d of the data file, is damaged: %s; "+
		"this op may have been acknowledged and this file has no other copy of it", e.Op, e.Offset, e.Reason)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Is reports whether target is ErrCorrupt.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }

// Unwrap returns the storage's error, if there was one.
func (e *CorruptError) Unwrap() error { return e.Err }

// readSlot is one Read in flight.
type readSlot struct {
	journal *Journal
	request blockio.Request
	message *buffer.Buffer
	header  wire.Prepare
	done    func(*buffer.Buffer, error)
}

// Header returns the header of a durable op after the last durable checkpoint.
// It panics for any other op.
func (j *Journal) Header(op uint64) wire.Prepare {
	if op <= j.start.Op || op > j.durableOp {
		panic(fmt.Sprintf("journal: op %d is not in %d .. %d", op, j.start.Op+1, j.durableOp))
	}
	var header wire.Prepare
	if err := header.Decode(j.witnessOf(op)); err != nil || header.Op != op {
		panic(fmt.Sprintf("journal: no header of op %d: %v", op, err))
	}
	return header
}

// CanRead reports whether fewer than ReadsMax reads are in flight.
func (j *Journal) CanRead() bool { return len(j.reads) > 0 }

// Read fetches the prepare of an op for which Header is defined, or which is
// Readable. done gets a reference to the prepare, or a *CorruptError; after
// that the op is not Readable. It panics if ReadsMax are in flight.
func (j *Journal) Read(op uint64, done func(prepare *buffer.Buffer, err error)) {
	if j.failed {
		return
	}
	if len(j.reads) == 0 {
		panic("journal: too many reads in flight")
	}
	slot := j.reads[len(j.reads)-1]
	j.reads = j.reads[:len(j.reads)-1]
	header, ok := j.Find(op)
	if !ok || op > j.durableOp {
		panic(fmt.Sprintf("journal: read of op %d, which is not there", op))
	}
	slot.header = header
	slot.done = done
	slot.message = j.pool.Acquire(int(recordSize(int(slot.header.Size))))
	slot.request.Offset = j.place(slot.header.Offset)
	slot.request.Buf = slot.message.Bytes
	j.storage.Submit(&slot.request)
}

func (s *readSlot) complete(r *blockio.Request) {
	j, message, done := s.journal, s.message, s.done
	s.message, s.done, s.request.Buf = nil, nil, nil
	j.reads = append(j.reads, s)
	if j.failed {
		message.Release()
		return
	}
	reason := "it cannot be read"
	if r.Err == nil {
		reason = s.verify(message.Bytes)
	}
	if reason != "" {
		message.Release()
		j.setFaulty(s.header.Op, true)
		done(nil, &CorruptError{Op: s.header.Op, Offset: r.Offset, Reason: reason, Err: r.Err})
		return
	}
	message.Bytes = message.Bytes[:s.header.Size]
	done(message, nil)
}

// verify checks that a record is the one that the witness names. What is wrong
// is returned as text.
func (s *readSlot) verify(record []byte) string {
	if checksum.Sum(record[:checksum.Size]) != s.header.Checksum {
		return "it is another one, or its first sector is damaged"
	}
	return verifyRecord(record)
}

// verifyRecord checks a record by itself. What is wrong is returned as text.
// The padding means nothing, so damage of it costs nothing.
func verifyRecord(record []byte) string {
	frame, err := wire.VerifyHeader(record)
	if err != nil || frame.Command != wire.CommandPrepare {
		return "its header is damaged"
	}
	if recordSize(int(frame.Size)) != uint64(len(record)) {
		return "it has another size"
	}
	if err := wire.VerifyBody(record[:frame.Size]); err != nil {
		return "its body is damaged"
	}
	return ""
}
