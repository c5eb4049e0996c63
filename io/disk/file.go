package disk

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/ledgerd/ledgerd/internal/blockio"
)

// growthSize is how much is preallocated at a time, in bytes.
const growthSize = 16 << 20

// A file is what the disk asks of the operating system. Tests put faults in
// its place. All methods but close are safe for concurrent use.
type file interface {
	// pread and pwrite are the system calls: they may transfer less than
	// asked for, and fail with EINTR. pread returns 0 at the end of the file.
	// A durable pwrite is stable when it returns.
	pread(buf []byte, offset int64) (int, error)
	pwrite(buf []byte, offset int64, durable bool) (int, error)
	// sync makes completed writes stable.
	sync() error
	// preallocate extends the file from end by size zero bytes and reserves
	// their space. errors.ErrUnsupported means that it cannot be done here.
	preallocate(end, size int64) error
	// free returns how many bytes the file system has left, negative if
	// that is unknown.
	free() int64
	close() error
}

// readFull fills buf from offset. Past the end of the file it reads zeros.
func readFull(f file, buf []byte, offset int64) error {
	for len(buf) > 0 {
		n, err := f.pread(buf, offset)
		if again(err) {
			continue
		}
		if err != nil {
			return err
		}
		buf, offset = buf[n:], offset+int64(n)
		// Only the end of a file that does not end with a sector makes a
		// direct read stop inside one. To go on from there is not allowed.
		if n == 0 || n%blockio.SectorSize != 0 {
			clear(buf)
			return nil
		}
	}
	return nil
}

// writeFull stores all of buf at offset.
func writeFull(f file, buf []byte, offset int64, durable bool) error {
	for len(buf) > 0 {
		n, err := f.pwrite(buf, offset, durable)
		if again(err) {
			continue
		}
		if err != nil {
			return err
		}
		if n == 0 {
			return io.ErrShortWrite
		}
		buf, offset = buf[n:], offset+int64(n)
	}
	return nil
}

// again reports whether a system call is to be repeated.
func again(err error) bool {
	return err == syscall.EINTR || err == syscall.EAGAIN
}

// growth extends the file ahead of the writes.
type growth struct {
	mu sync.Mutex
	// end is the size of the file in bytes as far as it is known: what lies
	// before it needs no preallocation. It never shrinks. Written under mu.
	end atomic.Int64
	// unsupported: the file system cannot preallocate; each write extends
	// the file by itself. Guarded by mu.
	unsupported bool
}

// reserve makes sure that the file has space for all bytes before end.
func (g *growth) reserve(f file, end int64) error {
	if end <= g.end.Load() {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	current := g.end.Load()
	if end <= current || g.unsupported {
		return nil
	}
	target := (end + growthSize - 1) / growthSize * growthSize
	err := f.preallocate(current, target-current)
	if isFull(err) {
		target = end // The last bytes of a disk serve as well.
		err = f.preallocate(current, target-current)
	}
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		g.unsupported = true
		return nil
	case err != nil:
		return err
	}
	g.end.Store(target)
	return nil
}
