package disk

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/ledgerd/ledgerd/internal/blockio"
)

// What an operator can do something about. The errors that wrap these say what.
var (
	// ErrDiskFull: the file system, or the quota, has no room for a write.
	ErrDiskFull = errors.New("disk full")
	// ErrLocked: another process, or another Disk, has the file open.
	ErrLocked = errors.New("data file is in use")
	// ErrNoDirectIO: the file system has no direct I/O, and
	// Options.AllowBuffered was not set.
	ErrNoDirectIO = errors.New("file system without direct I/O")
)

// A fullError is ErrDiskFull with what the operator needs to know.
type fullError struct {
	needed int64 // bytes
	free   int64 // bytes; negative if unknown
	cause  error
}

func (e *fullError) Error() string {
	free := ""
	if e.free >= 0 {
		free = fmt.Sprintf(", %d bytes are free", e.free)
	}
	return fmt.Sprintf("%v: %d bytes are needed%s (%v); free space or enlarge the file system, then start again",
		ErrDiskFull, e.needed, free, e.cause)
}

// Unwrap makes errors.Is work with ErrDiskFull and with the system's error.
func (e *fullError) Unwrap() []error { return []error{ErrDiskFull, e.cause} }

func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// explain adds to err what failed where.
func (d *Disk) explain(r *blockio.Request, err error) error {
	if isFull(err) {
		err = &fullError{needed: int64(len(r.Buf)), free: d.file.free(), cause: err}
	}
	if r.Kind == blockio.Sync {
		return fmt.Errorf("disk: sync %s: %w", d.path, err)
	}
	return fmt.Errorf("disk: %v %d bytes at offset %d of %s: %w", r.Kind, len(r.Buf), r.Offset, d.path, err)
}
