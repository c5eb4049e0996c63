package bench

import (
	"errors"
	"os"
	"syscall"
)

// openSynchronous creates the file at path for writes that are durable when
// they return, and that pass by the page cache where the file system can.
func openSynchronous(path string) (file *os.File, direct bool, err error) {
	const flags = os.O_CREATE | os.O_EXCL | os.O_RDWR | syscall.O_DSYNC
	file, err = os.OpenFile(path, flags|syscall.O_DIRECT, 0o600)
	if !errors.Is(err, syscall.EINVAL) {
		return file, err == nil, err
	}
	os.Remove(path) // some file systems create the file before they refuse
	file, err = os.OpenFile(path, flags, 0o600)
	return file, false, err
}
