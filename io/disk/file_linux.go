package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// systemFile is a file as Linux has it.
type systemFile struct {
	plain   int  // descriptor; it holds the lock
	durable int  // descriptor with O_DSYNC; plain itself in a file opened for reading
	direct  bool // both have O_DIRECT
}

// systemOpen is the system call. Tests refuse O_DIRECT in its place.
func systemOpen(path string, flags int) (int, error) {
	for {
		fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0)
		if !again(err) {
			return fd, err
		}
	}
}

// openFile opens and locks the file at path, with direct I/O if possible and
// without it if that is allowed.
func openFile(path string, options Options, open func(string, int) (int, error)) (*systemFile, error) {
	flags, lockKind := unix.O_RDWR|unix.O_DIRECT, unix.LOCK_EX
	if options.ReadOnly {
		flags, lockKind = unix.O_RDONLY|unix.O_DIRECT, unix.LOCK_SH
	}
	plain, err := open(path, flags)
	if err == unix.EINVAL || err == unix.EOPNOTSUPP {
		if !options.AllowBuffered {
			return nil, fmt.Errorf("%s: %w; choose another file system, or permit buffered I/O with --development",
				path, ErrNoDirectIO)
		}
		flags &^= unix.O_DIRECT
		plain, err = open(path, flags)
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	if err := lock(plain, lockKind, path); err != nil {
		return nil, errors.Join(err, unix.Close(plain))
	}
	durable := plain
	if !options.ReadOnly {
		if durable, err = open(path, flags|unix.O_DSYNC); err != nil {
			return nil, errors.Join(&os.PathError{Op: "open", Path: path, Err: err}, unix.Close(plain))
		}
	}
	return &systemFile{plain: plain, durable: durable, direct: flags&unix.O_DIRECT != 0}, nil
}

// lockPatience is how long a lock that somebody else holds is waited for. A
// process that was killed keeps its lock until the I/O it had in flight is
// over, and whoever restarts it at once should not have to know that.
const (
	lockPatience = time.Second
	lockPause    = 20 * time.Millisecond
)

// lock takes the file for this open descriptor, alone or together with others
// of the same kind. The kernel gives it up when the descriptor is closed, by a
// crash too.
func lock(fd, kind int, path string) error {
	for deadline := time.Now().Add(lockPatience); ; {
		err := unix.Flock(fd, kind|unix.LOCK_NB)
		switch {
		case err == unix.EWOULDBLOCK && time.Now().Before(deadline):
			time.Sleep(lockPause)
		case err == unix.EWOULDBLOCK:
			return fmt.Errorf("%s: %w by %s", path, ErrLocked, holder(fd))
		case err == nil:
			return nil
		case !again(err):
			return &os.PathError{Op: "lock", Path: path, Err: err}
		}
	}
}

// holder describes the process that has the file locked, as far as
// /proc/locks tells.
func holder(fd int) string {
	const unknown = "another process"
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return unknown
	}
	locks, err := os.ReadFile("/proc/locks")
	if err != nil {
		return unknown
	}
	file := fmt.Sprintf("%02x:%02x:%d", unix.Major(stat.Dev), unix.Minor(stat.Dev), stat.Ino)
	for line := range strings.Lines(string(locks)) {
		// 1: FLOCK  ADVISORY  WRITE 1234 fe:00:5678 0 EOF
		fields := strings.Fields(line)
		if len(fields) < 6 || fields[1] != "FLOCK" || fields[5] != file {
			continue
		}
		pid, err := strconv.Atoi(fields[4])
		if err != nil || pid <= 0 {
			return unknown // a process of another container
		}
		name, err := os.ReadFile(filepath.Join("/proc", fields[4], "comm"))
		if err != nil {
			return fmt.Sprintf("process %d", pid)
		}
		return fmt.Sprintf("process %d (%s)", pid, strings.TrimSpace(string(name)))
	}
	return unknown
}

func (f *systemFile) pread(buf []byte, offset int64) (int, error) {
	return unix.Pread(f.plain, buf, offset)
}

func (f *systemFile) pwrite(buf []byte, offset int64, durable bool) (int, error) {
	if durable {
		return unix.Pwrite(f.durable, buf, offset)
	}
	return unix.Pwrite(f.plain, buf, offset)
}

func (f *systemFile) sync() error {
	for {
		if err := unix.Fdatasync(f.plain); !again(err) {
			return err
		}
	}
}

func (f *systemFile) preallocate(end, size int64) error {
	for {
		err := unix.Fallocate(f.plain, 0, end, size)
		if !again(err) {
			return err
		}
	}
}

// reserveAll reserves the first size bytes of a new file.
func reserveAll(f *os.File, size int64) error {
	return (&systemFile{plain: int(f.Fd())}).preallocate(0, size)
}

func (f *systemFile) free() int64 {
	var stat unix.Statfs_t
	if err := unix.Fstatfs(f.plain, &stat); err != nil {
		return -1
	}
	return int64(stat.Bavail) * int64(stat.Bsize)
}

func (f *systemFile) size() (int64, error) {
	var stat unix.Stat_t
	if err := unix.Fstat(f.plain, &stat); err != nil {
		return 0, err
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFREG {
		return 0, errors.New("not a regular file")
	}
	return stat.Size, nil
}

func (f *systemFile) close() error {
	if f.durable == f.plain {
		return unix.Close(f.plain)
	}
	return errors.Join(unix.Close(f.durable), unix.Close(f.plain))
}
