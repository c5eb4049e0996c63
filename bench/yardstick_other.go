//go:build !linux

package bench

import "os"

// openSynchronous creates the file at path for writes that are durable when
// they return. Direct writes are only tried on Linux.
func openSynchronous(path string) (file *os.File, direct bool, err error) {
	file, err = os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR|os.O_SYNC, 0o600)
	return file, false, err
}
