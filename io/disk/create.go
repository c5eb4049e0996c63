package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ledgerd/ledgerd/internal/buffer"
)

// zerosSize is how much Create writes at a time, in bytes.
const zerosSize = 1 << 20

// Create makes a data file of size zero bytes, all of them stored and stable
// when it returns, together with the file's name. A file that exists is left
// alone and reported as fs.ErrExist; what a failed Create has made, it removes.
func Create(path string, size int64) (err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("disk: create data file: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("disk: create data file: %w", err), os.Remove(path))
		}
	}()
	if err := fill(f, size); err != nil {
		if isFull(err) {
			err = &fullError{needed: size, free: -1, cause: err}
		}
		return errors.Join(err, f.Close())
	}
	if err := f.Close(); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// fill stores size zero bytes. To write them, after reserving their space in
// one piece, leaves extents that later writes need not convert.
func fill(f *os.File, size int64) error {
	if size > 0 {
		err := reserveAll(f, size)
		if err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	zeros := buffer.Aligned(zerosSize)
	for offset := int64(0); offset < size; offset += zerosSize {
		if _, err := f.WriteAt(zeros[:min(zerosSize, size-offset)], offset); err != nil {
			return err
		}
	}
	return f.Sync()
}

// syncFolder makes the names in a folder stable.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
