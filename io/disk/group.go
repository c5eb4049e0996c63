package disk

import (
	"syscall"

	"github.com/ledgerd/ledgerd/internal/blockio"
)

const (
	// groupWriteSize is the largest write that joins a group, in bytes. A larger
	// one takes longer than the sync that it would share.
	groupWriteSize = 32 << 10
	// groupMax is how many writes a group has at most.
	groupMax = 16
)

// joinsGroup reports whether r is carried out in a group: a small durable write
// that does not extend the file.
func (d *Disk) joinsGroup(r *blockio.Request) bool {
	return r.Kind == blockio.Write && r.Durable && len(r.Buf) <= groupWriteSize &&
		r.Offset+int64(len(r.Buf)) <= d.growth.end.Load()
}

// workGroups carries out the writes of d.groups, one group after the other: those
// that wait together are one.
func (d *Disk) workGroups() {
	var room [groupMax]*blockio.Request
	for r := range d.groups {
		group := append(room[:0], r)
		for len(group) < groupMax && len(d.groups) > 0 {
			group = append(group, <-d.groups)
		}
		d.carryOutGroup(group)
		for i, r := range group {
			group[i] = nil
			d.complete(r)
		}
	}
}

// carryOutGroup carries out a group and sets the outcome of each write. A lone one
// is a single system call; several are written at the same time, and one sync
// makes all of them stable.
func (d *Disk) carryOutGroup(group []*blockio.Request) {
	if len(group) == 1 {
		d.setOutcome(group[0], d.carryOut(group[0]))
		return
	}
	var results [groupMax]int64
	if d.groupWriter != nil {
		d.groupWriter.write(group, results[:])
	}
	var errs [groupMax]error
	for i, r := range group {
		errs[i] = d.finishWrite(r, results[i])
	}
	sync := d.file.sync()
	for i, r := range group {
		if errs[i] == nil {
			errs[i] = sync
		}
		d.setOutcome(r, errs[i])
	}
}

// finishWrite ends a write that the kernel has carried out with result, the bytes
// transferred or a negative error number. What it has not done, or not wholly, is
// done again from the start; an error is final.
func (d *Disk) finishWrite(r *blockio.Request, result int64) error {
	if result == int64(len(r.Buf)) {
		return nil
	}
	if err := syscall.Errno(max(0, -result)); err != 0 && !again(err) {
		return err
	}
	return writeFull(d.file, r.Buf, r.Offset, false)
}
