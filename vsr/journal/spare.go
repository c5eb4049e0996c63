package journal

import (
	"fmt"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/wire"
)

// notFound looks for the spare of the next op, whose record is not valid, and writes
// the record again from it. It is called with what is wrong with the
// record.
func (r *recovery) notFound(reason string, readErr error) {
	j := r.journal
	if j.config.Spares == 0 {
		r.judge(reason, readErr)
		return
	}
	slot := j.pool.Acquire(j.config.SpareSize)
	j.storage.Submit(&blockio.Request{Kind: blockio.Read, Offset: j.sparePlace(r.op + 1), Buf: slot.Bytes, Done: func(request *blockio.Request) {
		header, ok := wire.Prepare{}, false
		if request.Err == nil {
			header, ok = r.decodeSpare(slot.Bytes)
		}
		if !ok {
			slot.Release()
			r.judge(reason, readErr)
			return
		}
		slot.Bytes = slot.Bytes[:recordSize(int(header.Size))]
		r.restore(&header, slot)
	}})
}

// decodeSpare returns the header of the spare in a slot. It reports false if that
// is not one of the next op, whole, or if the witness names another one: then it
// is from before a truncation.
func (r *recovery) decodeSpare(slot []byte) (header wire.Prepare, ok bool) {
	header, ok = decodeHeader(slot)
	size := recordSize(int(header.Size))
	if !ok || header.Cluster != r.journal.config.Cluster || !r.follows(&header) || size > uint64(len(slot)) || verifyRecord(slot[:size]) != "" {
		return header, false
	}
	witness, ok := decodeHeader(r.journal.witnessOf(header.Op))
	return header, !ok || witness.Op != header.Op || witness.Checksum == header.Checksum
}

// restore writes the record of the next op again, from its spare.
func (r *recovery) restore(header *wire.Prepare, record *buffer.Buffer) {
	j := r.journal
	j.storage.Submit(&blockio.Request{Kind: blockio.Write, Durable: true, Offset: j.place(header.Offset), Buf: record.Bytes, Done: func(request *blockio.Request) {
		defer record.Release()
		if request.Err != nil {
			j.fail(fmt.Errorf("journal: restore the record of op %d at offset %d: %w", header.Op, request.Offset, request.Err))
			return
		}
		j.restored++
		r.found(record.Bytes)
	}})
}
