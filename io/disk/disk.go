package disk

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"unsafe"

	"github.com/ledgerd/ledgerd/internal/blockio"
)

const (
	// workersDefault is how many requests are with the operating system at
	// a time.
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
	// that owns it, which calls Done. While it blocks, one worker is idle.
	Complete func(*blockio.Request)
	// Workers is how many requests are carried out at a time; 0 means 16.
	Workers int
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
	complete func(*blockio.Request)
	queue    chan *blockio.Request
	workers  sync.WaitGroup

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
	f, err := openFile(path, options.AllowBuffered, systemOpen)
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
	return start(path, f, size, options), nil
}

// start makes a Disk of an open file that has size bytes.
func start(path string, f file, size int64, options Options) *Disk {
	d := &Disk{
		path:     path,
		file:     f,
		complete: options.Complete,
		queue:    make(chan *blockio.Request, requestsMax),
	}
	d.growth.end.Store(size)
	workers := options.Workers
	if workers == 0 {
		workers = workersDefault
	}
	for range workers {
		d.workers.Go(d.work)
	}
	return d
}

// Submit starts r, which belongs to d until Options.Complete is told of it. It
// never blocks. Requests are begun in the order in which they were submitted
// and completed in any order.
//
// It panics if r is malformed, if requestsMax requests are under way, or
// after Close: those are bugs.
func (d *Disk) Submit(r *blockio.Request) {
	check(r)
	select {
	case d.queue <- r:
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
	close(d.queue)
	d.workers.Wait()
	if err := d.file.close(); err != nil {
		return fmt.Errorf("disk: close %s: %w", d.path, err)
	}
	return nil
}

func (d *Disk) work() {
	for r := range d.queue {
		r.Err = nil
		if err := d.carryOut(r); err != nil {
			r.Err = d.explain(r, err)
		}
		d.complete(r)
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
