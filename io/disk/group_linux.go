package disk

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ledgerd/ledgerd/internal/blockio"
)

// A groupWriter hands the writes of a group to the kernel by one system call and
// waits for all of them in another. One goroutine uses it.
type groupWriter struct {
	context  uintptr
	file     int // descriptor of the data file
	controls [groupMax]controlBlock
	list     [groupMax]*controlBlock // of controls: what io_submit takes
	events   [groupMax]aioEvent
}

// newGroupWriter returns a groupWriter on an open file that has direct I/O.
func newGroupWriter(f *systemFile) (*groupWriter, error) {
	w := &groupWriter{file: f.plain}
	for i := range w.controls {
		w.list[i] = &w.controls[i]
	}
	_, _, errno := unix.Syscall(unix.SYS_IO_SETUP, groupMax, uintptr(unsafe.Pointer(&w.context)), 0)
	if errno != 0 {
		return nil, os.NewSyscallError("io_setup", errno)
	}
	return w, nil
}

// write carries out the writes of a group. It sets the result of each to the bytes
// written or a negative error number, and leaves that of one which the kernel
// does not take as it is.
func (w *groupWriter) write(group []*blockio.Request, results []int64) {
	for i, r := range group {
		w.controls[i] = controlBlock{
			data:      uint64(i),
			operation: operationWrite,
			file:      uint32(w.file),
			buffer:    uint64(uintptr(unsafe.Pointer(unsafe.SliceData(r.Buf)))), // group keeps it alive
			size:      uint64(len(r.Buf)),
			offset:    r.Offset,
		}
	}
	taken, _, errno := unix.Syscall(unix.SYS_IO_SUBMIT, w.context, uintptr(len(group)), uintptr(unsafe.Pointer(&w.list)))
	if errno != 0 {
		return
	}
	for left := int(taken); left > 0; {
		// Unlike RawSyscall this gives the processor to other goroutines.
		n, _, errno := unix.Syscall6(unix.SYS_IO_GETEVENTS, w.context, uintptr(left), uintptr(left),
			uintptr(unsafe.Pointer(&w.events)), 0, 0)
		switch {
		case again(errno):
			continue
		case errno != 0:
			panic(fmt.Sprintf("disk: io_getevents: %v", errno))
		}
		for _, event := range w.events[:n] {
			results[event.data] = event.result
		}
		left -= int(n)
	}
}

func (w *groupWriter) close() error { return destroy(w.context) }
