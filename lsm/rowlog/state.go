package rowlog

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ledgerd/ledgerd/internal/block"
)

// The state of a log is what a checkpoint must keep beside the blocks.
//
//	offset size field
//	     0    4 version of the format: 2
//	     4    4 size of a block's payload in bytes
//	     8    8 rows
//	    16    4 full blocks
//	    20    4 bytes in the newest block
//	    24   24 reference of the newest block, zeros if it has no bytes
//	    48      for each chunk of the directory that is full,
//	        24  reference of its block
//	            then the entries of the other chunk, see directory.go
//
// How many chunks and entries there are follows from the number of full blocks.
const (
	stateVersion    = 2
	stateHeaderSize = 24 + block.RefSize
)

// ErrState is what errors of a state are, in the sense of errors.Is: its bytes
// are not what this version writes for blocks of this size.
var ErrState = errors.New("bad state of a log")

// AppendState appends the state of the log to dst. It must follow a Checkpoint
// that is done, before the next Push.
func (l *Log) AppendState(dst []byte) []byte {
	if l.writing > 0 || l.newest().used != l.used || len(l.directory.refs) != l.directory.full() {
		panic(fmt.Sprintf("rowlog: state of %s without a checkpoint", l.config.Name))
	}
	dst = binary.LittleEndian.AppendUint32(dst, stateVersion)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(l.payload))
	dst = binary.LittleEndian.AppendUint64(dst, l.rows)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(l.flushed))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(l.used))
	dst = appendRef(dst, l.tail)
	for _, ref := range l.directory.refs {
		dst = appendRef(dst, ref)
	}
	return append(dst, l.directory.rest()...)
}

func appendRef(dst []byte, ref block.Ref) []byte {
	var b [block.RefSize]byte
	ref.Put(b[:])
	return append(dst, b[:]...)
}

// Open makes a new log what it was when AppendState gave this state, which must
// have no bytes behind it. It reads the directory and the newest block, all at
// a time. done is called when they are there, perhaps before Open returns. The
// state may change then, not before.
func (l *Log) Open(state []byte, done func(error)) {
	if err := l.decode(state); err != nil {
		done(l.wrap(err))
		return
	}
	d, p := &l.directory, l.newest()
	reading, failed := 0, error(nil)
	opened := func() {
		if failed == nil {
			failed = d.validate()
		}
		if failed != nil {
			done(l.wrap(failed))
			return
		}
		if l.config.Key != nil {
			d.takeFences()
		}
		done(nil)
	}
	read := func(ref block.Ref, dst []byte) {
		reading++
		l.grid.Read(ref, func(payload []byte, err error) {
			if err == nil && len(payload) != len(dst) {
				err = fmt.Errorf("%v has %d bytes, not %d", ref.Address, len(payload), len(dst))
			}
			if err != nil && failed == nil {
				failed = err
			}
			copy(dst, payload)
			reading--
			if reading == 0 {
				opened()
			}
		})
	}
	for i, ref := range d.refs {
		read(ref, d.chunks[i])
	}
	if l.used > 0 {
		read(l.tail, p.data[:l.used])
	}
	if reading == 0 {
		opened()
	}
}

// decode takes a state apart, and makes room for what it names.
func (l *Log) decode(b []byte) error {
	if len(b) < stateHeaderSize {
		return fmt.Errorf("%w: of %d bytes", ErrState, len(b))
	}
	u32 := func(at int) int { return int(binary.LittleEndian.Uint32(b[at:])) }
	if u32(0) != stateVersion || u32(4) != l.payload {
		return fmt.Errorf("%w: version %d of blocks of %d bytes, this is version %d of blocks of %d bytes",
			ErrState, u32(0), u32(4), stateVersion, l.payload)
	}
	d := &l.directory
	l.rows, l.flushed, l.used = binary.LittleEndian.Uint64(b[8:]), u32(16), u32(20)
	l.tail = block.RefFrom(b[24:])
	d.entries = l.flushed
	chunks := d.full()
	if len(b) != stateHeaderSize+chunks*block.RefSize+d.entries%d.perChunk*d.entrySize ||
		l.used > l.payload || (l.used == 0) != l.tail.IsZero() || l.used == 0 && l.flushed > 0 {
		return fmt.Errorf("%w: of %d bytes for %d full blocks and %d bytes of the newest one", ErrState, len(b), l.flushed, l.used)
	}
	b = b[stateHeaderSize:]
	for range chunks {
		ref := block.RefFrom(b)
		if ref.IsZero() {
			return fmt.Errorf("%w: chunk %d of the directory has no block", ErrState, len(d.refs))
		}
		d.refs = append(d.refs, ref)
		d.chunks = append(d.chunks, make([]byte, d.perChunk*d.entrySize))
		b = b[block.RefSize:]
	}
	if len(b) > 0 {
		d.chunks = append(d.chunks, make([]byte, d.perChunk*d.entrySize))
		copy(d.chunks[chunks], b)
	}
	p := l.newest()
	l.first, p.number, p.used = l.flushed+1, l.flushed+1, l.used
	l.base = positionOf(p.number, 0)
	l.limit = min(l.start(l.partAt(l.used)+1), l.payload)
	return nil
}
