package sim

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/vsr"
	"github.com/ledgerd/ledgerd/vsr/faultdisk"
	"github.com/ledgerd/ledgerd/vsr/grid"
	"github.com/ledgerd/ledgerd/vsr/journal"
	"github.com/ledgerd/ledgerd/vsr/superblock"
)

// faultKind is what the disks of a run do wrong, beside losing power. One
// fault at a time: a cluster of one has no copy from which to repair two.
type faultKind uint8

const (
	faultNone  faultKind = iota
	faultRot             // a bit flips while the replica is down
	faultRead            // a read fails, has a flipped bit, or is of another place
	faultWrite           // a write or a sync is reported as failed
	faultLost            // a write is reported as done, and was not
)

// String names the kind for the trace.
func (k faultKind) String() string {
	return [...]string{"none", "rot", "read", "write", "lost"}[k]
}

// damages reports whether a fault of this kind makes something on a disk, or what
// is read of it, other than it should be.
func (k faultKind) damages() bool { return k == faultRot || k == faultRead || k == faultLost }

// fault is one fault of one process's life.
type fault struct {
	kind   faultKind
	at     int          // requests that it could strike before it does
	only   blockio.Kind // unless 0, the only kind that it strikes
	effect faultdisk.Effect
	// from is where the places begin that it can strike.
	from int64
	// struck says that it has happened; request is a copy of what it hit.
	struck  bool
	request blockio.Request
	// watched says that the process was given its time to fail.
	watched bool

	// offset and original are of a rotten byte; overwritten says that the
	// process wrote there.
	offset      int64
	original    byte
	overwritten bool
}

// drawFault arms a fault of the run's kind, if any.
func (r *replica) drawFault() *fault {
	random := r.sim.faults
	f := &fault{kind: r.sim.options.fault}
	if r.sim.calm || random.chance(40) || f.kind != faultWrite && !r.mayRot() {
		f.kind = faultNone
	}
	if !r.alone() && f.kind.damages() {
		// A crash may have torn a copy of the superblock; then another fault there
		// is one too many, and what the operator can do is to lose the disk.
		f.from = superblock.ZoneSize
	}
	switch f.kind {
	case faultRot:
		r.rot(f)
	case faultRead:
		f.at, f.effect = random.IntN(oneOf(random, 10, 100)), oneOf(random, faultdisk.Rotten, faultdisk.Unreadable, faultdisk.Misdirected)
	case faultWrite:
		f.at, f.effect = random.IntN(oneOf(random, 10, 100, 1000)), oneOf(random, faultdisk.Refused, faultdisk.Stored)
		if random.chance(30) {
			f.at, f.only = random.IntN(10), blockio.Sync
		}
	case faultLost:
		f.at = random.IntN(oneOf(random, 10, 100, 1000))
		f.effect = oneOf(random, faultdisk.Lost, faultdisk.Torn, faultdisk.Misdirected)
	}
	return f
}

// rot flips a bit somewhere in what has been written.
func (r *replica) rot(f *fault) {
	random, layout := r.sim.faults, &r.sim.options.layout
	low, high := int64(0), layout.JournalHeadersOffset()
	zone := random.IntN(5)
	if zone == 0 && !(r.alone() && r.superblockIsWhole()) {
		zone = 2 // else nobody heals it before the next rot, or a crash has torn a copy
	}
	switch zone {
	case 0: // the superblock: its copies begin their slots
		f.offset = int64(random.IntN(superblock.Copies))*superblock.CopySlotSize + int64(random.IntN(2048))
	case 1:
		low, high = layout.JournalHeadersOffset(), layout.JournalRecordsOffset()
	case 2, 3: // often the record written last: nothing but its witness tells that it was
		low, high = layout.JournalRecordsOffset(), layout.GridOffset()
		if r.record.size > 0 && (random.chance(70) || !r.alone()) {
			low, high = r.record.offset, r.record.offset+r.record.size
		}
	case 4:
		low, high = layout.GridOffset(), max(r.fileSize, layout.GridOffset()+4096)
	}
	// Most of it was never written: look for something that was.
	for range 50 {
		if low > 0 {
			f.offset = low + random.Int64N(high-low)
		}
		f.original = r.disk.Peek(f.offset, 1)[0]
		if f.original != 0 {
			break
		}
	}
	r.disk.Rot(f.offset, 1)
	f.struck = true
}

// superblockIsWhole reports whether all copies of the superblock are the same: no
// crash has cut an update short.
func (r *replica) superblockIsWhole() bool {
	const varies = 32 // bytes that name the copy, and its checksum
	first := r.disk.Peek(varies, blockio.SectorSize-varies)
	for i := int64(1); i < superblock.Copies; i++ {
		if !bytes.Equal(first, r.disk.Peek(i*superblock.CopySlotSize+varies, blockio.SectorSize-varies)) {
			return false
		}
	}
	return true
}

// inject is faultdisk.Disk.Inject of one process.
func (f *fault) inject(random random, layout *vsr.Layout) func(int, *blockio.Request) faultdisk.Fault {
	return func(_ int, request *blockio.Request) faultdisk.Fault {
		if f.struck || !f.concerns(request) || request.Kind != blockio.Sync && request.Offset < f.from {
			return faultdisk.Fault{}
		}
		if f.at > 0 {
			f.at--
			return faultdisk.Fault{}
		}
		f.struck, f.request = true, *request
		struck := faultdisk.Fault{Effect: f.effect}
		if f.effect == faultdisk.Misdirected {
			struck.Elsewhere = elsewhere(random, layout, request)
		}
		return struck
	}
}

// concerns reports whether the fault can strike a request.
func (f *fault) concerns(request *blockio.Request) bool {
	if f.only != 0 && request.Kind != f.only {
		return false
	}
	switch f.kind {
	case faultRead:
		return request.Kind == blockio.Read
	case faultWrite:
		return request.Kind != blockio.Read
	case faultLost:
		return request.Kind == blockio.Write
	}
	return false
}

// elsewhere returns another place of the same zone for a write.
func elsewhere(random random, layout *vsr.Layout, request *blockio.Request) int64 {
	low, high := int64(0), layout.JournalHeadersOffset()
	switch {
	case request.Offset >= layout.GridOffset():
		low, high = layout.GridOffset(), request.Offset+16*int64(layout.BlockSize)
	case request.Offset >= layout.JournalRecordsOffset():
		low, high = layout.JournalRecordsOffset(), layout.GridOffset()
	case request.Offset >= layout.JournalHeadersOffset():
		low, high = layout.JournalHeadersOffset(), layout.JournalRecordsOffset()
	}
	sectors := (high - low - int64(len(request.Buf))) / blockio.SectorSize
	if sectors <= 0 {
		return request.Offset
	}
	return low + blockio.SectorSize*random.Int64N(sectors+1)
}

// excuses returns nil if err is what a process may stop with after the fault,
// and says where on the disk the damage is.
func (f *fault) excuses(err error, layout *vsr.Layout, alone bool) error {
	if !f.struck || !alone && f.kind != faultWrite {
		return fmt.Errorf("the replica failed, though its disk did not: %w", err)
	}
	if f.kind == faultWrite || f.effect == faultdisk.Unreadable && alone {
		if errors.Is(err, faultdisk.ErrInjected) {
			return nil
		}
	}
	var badBlock *grid.CorruptError
	var badRecord *journal.CorruptError
	ok := false
	switch {
	case errors.As(err, &badBlock):
		ok = badBlock.Offset >= layout.GridOffset() &&
			(f.kind != faultRot || badBlock.Offset <= f.offset && f.offset < badBlock.Offset+int64(layout.BlockSize))
	case errors.As(err, &badRecord):
		ok = badRecord.Offset >= layout.JournalRecordsOffset() && badRecord.Offset < layout.GridOffset() &&
			(f.kind != faultRot || badRecord.Offset <= f.offset && f.offset < layout.GridOffset())
	case errors.Is(err, superblock.ErrReadBack), errors.Is(err, superblock.ErrQuorum):
		ok = f.kind != faultRot || f.offset < layout.JournalHeadersOffset()
	}
	if !ok {
		return fmt.Errorf("after a %v fault (%v of %d bytes at offset %d, rot at %d) the replica failed without naming the place: %w",
			f.kind, f.request.Kind, len(f.request.Buf), f.request.Offset, f.offset, err)
	}
	return nil
}
