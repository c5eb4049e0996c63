//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package disk

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/ledgerd/ledgerd/internal/blockio"
)

// systemFile is a file where there is no O_DIRECT. It is for development only:
// openFile insists on allowBuffered.
type systemFile struct {
	plain   *os.File // it holds the lock
	durable *os.File // with O_SYNC; plain itself in a file opened for reading
	direct  bool     // always false
}

// systemOpen is the system call.
func systemOpen(path string, flags int) (*os.File, error) { return os.OpenFile(path, flags, 0) }

func openFile(path string, options Options, open func(string, int) (*os.File, error)) (*systemFile, error) {
	if !options.AllowBuffered {
		return nil, fmt.Errorf("%s: %w; permit buffered I/O with --development", path, ErrNoDirectIO)
	}
	flags, lockKind := os.O_RDWR, syscall.LOCK_EX
	if options.ReadOnly {
		flags, lockKind = os.O_RDONLY, syscall.LOCK_SH
	}
	plain, err := open(path, flags)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(plain.Fd()), lockKind|syscall.LOCK_NB); err != nil {
		if err == syscall.EWOULDBLOCK {
			err = fmt.Errorf("%s: %w by another process", path, ErrLocked)
		}
		return nil, errors.Join(err, plain.Close())
	}
	durable := plain
	if !options.ReadOnly {
		if durable, err = open(path, flags|os.O_SYNC); err != nil {
			return nil, errors.Join(err, plain.Close())
		}
	}
	return &systemFile{plain: plain, durable: durable}, nil
}

func (f *systemFile) pread(buf []byte, offset int64) (int, error) {
	n, err := f.plain.ReadAt(buf, offset)
	if err == io.EOF {
		err = nil
	}
	return n, err
}

func (f *systemFile) pwrite(buf []byte, offset int64, durable bool) (int, error) {
	if durable {
		return f.durable.WriteAt(buf, offset)
	}
	return f.plain.WriteAt(buf, offset)
}

func (f *systemFile) sync() error { return f.plain.Sync() }

func (f *systemFile) preallocate(_, _ int64) error { return errors.ErrUnsupported }

func (f *systemFile) free() int64 { return -1 }

func (f *systemFile) size() (int64, error) {
	info, err := f.plain.Stat()
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, errors.New("not a regular file")
	}
	return info.Size(), nil
}

func (f *systemFile) close() error {
	if f.durable == f.plain {
		return f.plain.Close()
	}
	return errors.Join(f.durable.Close(), f.plain.Close())
}

func reserveAll(*os.File, int64) error { return errors.ErrUnsupported }

// startKernel has nothing to start.
func (*Disk) startKernel(*systemFile) error { return errors.ErrUnsupported }

// aio and groupWriter are what the kernel does by itself: nothing here.
type (
	aio         struct{}
	groupWriter struct{}
)

func (*aio) start(*blockio.Request) bool { return false }

func (*aio) close() error { return nil }

func (*groupWriter) write([]*blockio.Request, []int64) {}

func (*groupWriter) close() error { return nil }
