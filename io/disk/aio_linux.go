package disk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/cpu"
	"golang.org/x/sys/unix"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/internal/buffer"
)

// aioMax is how many reads are with the kernel at a time: what a drive's queue
// commonly takes. It is small beside fs.aio-max-nr, 65,536 for a machine.
const aioMax = 256

// controlBlock is the kernel's struct iocb, little-endian.
type controlBlock struct {
	data      uint64 // returned in the event: the number of the slot
	_         uint32
	rwFlags   uint32
	operation uint16
	_         int16
	file      uint32
	buffer    uint64
	size      uint64
	offset    int64
	_         uint64
	flags     uint32
	eventFile uint32
}

// aioEvent is the kernel's struct io_event.
type aioEvent struct {
	data   uint64
	_      uint64
	result int64 // bytes transferred, or the negative error number
	_      int64
}

// What linux/aio_abi.h calls IOCB_CMD_PREAD, IOCB_CMD_PWRITE and IOCB_FLAG_RESFD.
const (
	operationRead  = 0
	operationWrite = 1
	flagEventFile  = 1
)

// An aio hands reads to the kernel from the goroutine that submits them, and
// learns of their completion through an eventfd. That fits Go: a wait for it
// occupies no thread, whereas one in io_getevents would keep a processor from
// other goroutines until the scheduler takes it away.
//
// It takes what the kernel promises to begin without waiting. Everything else
// is left to the pool: what is refused, and what comes back undone.
type aio struct {
	context uintptr
	file    int      // descriptor of the data file
	wake    *os.File // the eventfd
	wakeFD  uint32   // its descriptor, which wake.Fd would make blocking
	finish  func(r *blockio.Request, result int64)
	ended   chan struct{} // closed when the last request has been finished

	mu      sync.Mutex
	slots   [aioMax]aioSlot
	idle    []uint16 // slots without a request
	closing bool
}

// aioSlot is a request with the kernel. Its fields are written under the lock
// by whoever takes the slot, and are not changed before the completion.
type aioSlot struct {
	request *blockio.Request
	control controlBlock
	list    *controlBlock // &control: the list of one that io_submit takes
}

// startKernel has the kernel serve reads and groups of writes. The error says why
// it cannot.
func (d *Disk) startKernel(f *systemFile) (err error) {
	if d.aio, err = startAIO(f, d.finish); err != nil || d.readOnly {
		return err
	}
	d.groupWriter, err = newGroupWriter(f)
	return err
}

// startAIO returns an aio on an open file that has direct I/O. finish is called
// from one goroutine, once for each read that was started. The error says why
// the kernel cannot serve the file.
func startAIO(f *systemFile, finish func(*blockio.Request, int64)) (*aio, error) {
	if cpu.IsBigEndian {
		return nil, errors.ErrUnsupported
	}
	a := &aio{file: f.plain, finish: finish, ended: make(chan struct{})}
	for i := range a.slots {
		a.slots[i].list = &a.slots[i].control
		a.idle = append(a.idle, uint16(i))
	}
	_, _, errno := unix.Syscall(unix.SYS_IO_SETUP, aioMax, uintptr(unsafe.Pointer(&a.context)), 0)
	if errno != 0 {
		return nil, os.NewSyscallError("io_setup", errno)
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, errors.Join(os.NewSyscallError("eventfd", err), destroy(a.context))
	}
	a.wake, a.wakeFD = os.NewFile(uintptr(wake), "eventfd"), uint32(wake)
	if err := a.probe(); err != nil {
		return nil, errors.Join(err, a.wake.Close(), destroy(a.context))
	}
	go a.reap()
	return a, nil
}

// probe reads a sector, to see whether the kernel and the file system promise
// not to wait.
func (a *aio) probe() error {
	if errno := a.begin(&blockio.Request{Kind: blockio.Read, Buf: buffer.Aligned(blockio.SectorSize)}); errno != 0 {
		return os.NewSyscallError("io_submit", errno)
	}
	var events [1]aioEvent
	for a.events(events[:], 1) == 0 {
	}
	a.take(events[0])
	if result := events[0].result; result < 0 && !again(syscall.Errno(-result)) {
		return os.NewSyscallError("read", syscall.Errno(-result))
	}
	return nil
}

// start hands r to the kernel, or returns false: then r is the pool's. It is
// for the pool as well to find out what an error means.
func (a *aio) start(r *blockio.Request) bool { return a.begin(r) == 0 }

func (a *aio) begin(r *blockio.Request) unix.Errno {
	a.mu.Lock()
	if len(a.idle) == 0 {
		a.mu.Unlock()
		return unix.EAGAIN
	}
	number := a.idle[len(a.idle)-1]
	a.idle = a.idle[:len(a.idle)-1]
	slot := &a.slots[number]
	slot.request = r
	slot.control = a.control(r, number)
	a.mu.Unlock()

	// One system call for each read: a list of many saves a tenth of its cost.
	_, _, errno := unix.Syscall(unix.SYS_IO_SUBMIT, a.context, 1, uintptr(unsafe.Pointer(&slot.list)))
	if errno != 0 {
		a.mu.Lock()
		a.release(number)
		a.mu.Unlock()
	}
	return errno
}

// control describes r to the kernel. slot.request keeps the buffer alive.
func (a *aio) control(r *blockio.Request, number uint16) controlBlock {
	return controlBlock{
		data:      uint64(number),
		rwFlags:   unix.RWF_NOWAIT,
		operation: operationRead,
		file:      uint32(a.file),
		buffer:    uint64(uintptr(unsafe.Pointer(unsafe.SliceData(r.Buf)))),
		size:      uint64(len(r.Buf)),
		offset:    r.Offset,
		flags:     flagEventFile,
		eventFile: a.wakeFD,
	}
}

// release makes a slot idle. The caller holds the lock.
func (a *aio) release(number uint16) {
	a.slots[number].request = nil
	a.idle = append(a.idle, number)
}

// take returns whose event it is and makes its slot idle.
func (a *aio) take(event aioEvent) *blockio.Request {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.slots[event.data].request
	a.release(uint16(event.data))
	return r
}

// reap finishes what the kernel has completed until the aio is closed and
// nothing is under way. The kernel first stores an event, then adds to the
// eventfd; so what is not seen here wakes the goroutine again.
func (a *aio) reap() {
	defer close(a.ended)
	var count [8]byte
	var events [64]aioEvent
	for !a.done() {
		if _, err := a.wake.Read(count[:]); err != nil {
			panic(fmt.Sprintf("disk: wait for completions: %v", err))
		}
		for n := len(events); n == len(events); {
			n = a.events(events[:], 0)
			for _, event := range events[:n] {
				a.finish(a.take(event), event.result)
			}
		}
	}
}

func (a *aio) done() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.closing && len(a.idle) == aioMax
}

// events fetches completions into dst, and waits a second for as many as least.
func (a *aio) events(dst []aioEvent, least int) int {
	timeout := unix.NsecToTimespec(int64(least) * 1e9)
	n, _, errno := unix.RawSyscall6(unix.SYS_IO_GETEVENTS, a.context, uintptr(least), uintptr(len(dst)),
		uintptr(unsafe.Pointer(unsafe.SliceData(dst))), uintptr(unsafe.Pointer(&timeout)), 0)
	switch {
	case again(errno):
		return 0
	case errno != 0:
		panic(fmt.Sprintf("disk: io_getevents: %v", errno))
	}
	return int(n)
}

// close waits until nothing is under way any more.
func (a *aio) close() error {
	a.mu.Lock()
	a.closing = true
	a.mu.Unlock()
	if _, err := a.wake.Write(binary.NativeEndian.AppendUint64(nil, 1)); err != nil {
		return os.NewSyscallError("eventfd", err)
	}
	<-a.ended
	return errors.Join(destroy(a.context), a.wake.Close())
}

// destroy gives up what io_setup has made.
func destroy(context uintptr) error {
	_, _, errno := unix.Syscall(unix.SYS_IO_DESTROY, context, 0, 0)
	if errno != 0 {
		return os.NewSyscallError("io_destroy", errno)
	}
	return nil
}
