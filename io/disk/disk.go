package disk

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"syscall"
	"unsafe"

	"github.com/ledgerd/ledgerd/internal/blockio"
)

const (
	// workersDefault is how many requests the pool carries out at a time.
	workersDefault = 16
	// requestsMax bounds the requests that are submitted and not completed.
	// The owners of requests reuse theirs, and together have far fewer.
	requestsMax = 4096
)

// Options are the parameters of Open.
type Options struct {
	// Complete is told of every request that was submitted, once, when it
	// has been carried out and its Err is set. It is called from several
	// goroutines at the same time; it should pass the request on to the loop
	// that owns it, which calls Done. While it blocks, other completions may
	// wait.
	Complete func(*blockio.Request)
	// Workers is how many requests the pool carries out at a time; 0 means 16.
	Workers int
	// ReadOnly opens a file that is never written, on a file system that may be
	// mounted read-only. Several may do so at a time, but none while somebody
	// has it open for writing. To submit a Write or a Sync is a bug then.
	ReadOnly bool
	// AllowBuffered permits I/O through the page cache where the file system
	// has no direct I/O. Open then logs a warning.
	AllowBuffered bool
	// Logger; nil means slog.Default.
	Logger *slog.Logger
}

// Disk is an open data file. Submit is safe for concurrent use.
type Disk struct {
	path     string
	file     file
	readOnly bool
	complete func(*blockio.Request)
	aio      *aio                  // nil if the kernel cannot serve the file
	queue    chan *blockio.Request // what the pool is to carry out
	workers  sync.WaitGroup

	groups      chan *blockio.Request // small durable writes
	groupWriter *groupWriter          // nil if the kernel cannot serve the file

	growth growth
}

// Open opens and locks the data file at path.
//
// The error wraps ErrLocked, ErrNoDirectIO or what the operating system said.
func Open(path string, options Options) (*Disk, error) {
	if options.Complete == nil {
		panic("disk: Options.Complete is nil")
	}
	if options.Logger == nil {
		options.Logger = slog.Default()
	}
	f, err := openFile(path, options, systemOpen)
	if err != nil {
		return nil, fmt.Errorf("disk: open data file: %w", err)
	}
	size, err := f.size()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("disk: open data file: %w", err), f.close())
	}
	if !f.direct {
		options.Logger.Warn("DATA FILE WITHOUT DIRECT I/O: slower, and write faults may be noticed late. Not for production.",
			"path", path)
	}
	d := start(path, f, size, options)
	if f.direct {
		if err = d.startKernel(f); err != nil {
			options.Logger.Info("no asynchronous I/O by the kernel: a pool of threads serves the data file, more slowly",
				"path", path, "error", err)
		}
	}
	return d, nil
}

// start makes a Disk of an open file that has size bytes, served by the pool.
func start(path string, f file, size int64, options Options) *Disk {
	d := &Disk{
		path:     path,
		file:     f,
		readOnly: options.ReadOnly,
		complete: options.Complete,
		queue:    make(chan *blockio.Request, requestsMax),
		groups:   make(chan *blockio.Request, requestsMax),
	}
	d.growth.end.Store(size)
	workers := options.Workers
	if workers == 0 {
		workers = workersDefault
	}
	for range workers {
		d.workers.Go(d.work)
	}
	d.workers.Go(d.workGroups)
	return d
}

// Submit starts r, which belongs to d until Options.Complete is told of it. It
// never blocks. Requests are completed in any order.
//
// It panics if r is malformed, if it would change a file opened with ReadOnly,
// if requestsMax requests are under way, or after Close: those are bugs.
func (d *Disk) Submit(r *blockio.Request) {
	check(r)
	if d.readOnly && r.Kind != blockio.Read {
		panic(fmt.Sprintf("disk: %v of a file that is open for reading", r.Kind))
	}
	if d.aio != nil && r.Kind == blockio.Read && d.aio.start(r) {
		return
	}
	queue := d.queue
	if d.joinsGroup(r) {
		queue = d.groups
	}
	select {
	case queue <- r:
	default:
		panic(fmt.Sprintf("disk: more than %d requests under way", requestsMax))
	}
}

// check panics unless r is well formed.
func check(r *blockio.Request) {
	switch r.Kind {
	case blockio.Read, blockio.Write:
	case blockio.Sync:
		return
	default:
		panic(fmt.Sprintf("disk: request of kind %d", r.Kind))
	}
	address := uintptr(unsafe.Pointer(unsafe.SliceData(r.Buf)))
	if r.Offset < 0 || len(r.Buf) == 0 ||
		(uintptr(r.Offset)|uintptr(len(r.Buf))|address)%blockio.SectorSize != 0 {
		panic(fmt.Sprintf("disk: %v of %d bytes at address %#x, offset %d: not whole sectors",
			r.Kind, len(r.Buf), address, r.Offset))
	}
}

// Close waits until all submitted requests are completed, then closes the file
// and gives up its lock. It does not sync. It must be called once.
func (d *Disk) Close() error {
	var err error
	if d.aio != nil {
		err = d.aio.close() // it may leave requests to the pool
	}
	close(d.queue)
	close(d.groups)
	d.workers.Wait()
	if d.groupWriter != nil {
		err = errors.Join(err, d.groupWriter.close())
	}
	if err := errors.Join(err, d.file.close()); err != nil {
		return fmt.Errorf("disk: close %s: %w", d.path, err)
	}
	return nil
}

// finish completes a read that the kernel has carried out with result, the bytes
// transferred or a negative error number. What it has not done, or not
// wholly, the pool does again from the start; an error is final.
func (d *Disk) finish(r *blockio.Request, result int64) {
	r.Err = nil
	if result != int64(len(r.Buf)) {
		err := syscall.Errno(max(0, -result))
		if err == 0 || again(err) {
			d.queue <- r
			return
		}
		r.Err = d.explain(r, err)
	}
	d.complete(r)
}

func (d *Disk) work() {
	for r := range d.queue {
		d.setOutcome(r, d.carryOut(r))
		d.complete(r)
	}
}

// setOutcome sets the error of a request that has been carried out.
func (d *Disk) setOutcome(r *blockio.Request, err error) {
	r.Err = nil
	if err != nil {
		r.Err = d.explain(r, err)
	}
}

func (d *Disk) carryOut(r *blockio.Request) error {
	switch r.Kind {
	case blockio.Read:
		return readFull(d.file, r.Buf, r.Offset)
	case blockio.Write:
		if err := d.growth.reserve(d.file, r.Offset+int64(len(r.Buf))); err != nil {
			return err
		}
		return writeFull(d.file, r.Buf, r.Offset, r.Durable)
	default:
		return d.file.sync()
	}
}
