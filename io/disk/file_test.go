package disk

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/ledgerd/ledgerd/internal/blockio"
)

// A faultyFile is a file in memory whose system calls do less than was asked
// for, are interrupted, and fail.
type faultyFile struct {
	content   []byte
	partial   int      // most bytes of one call; 0: no limit
	interrupt int      // this many calls are interrupted first
	fail      error    // of pread, pwrite and sync
	failSync  error    // of sync alone
	calls     []string // writes and syncs, in turn
	grow      func(end, size int64) error
	grown     []int64 // end and size of each preallocate
	closed    bool
}

func (f *faultyFile) step(size int) (int, error) {
	if f.interrupt > 0 {
		f.interrupt--
		return 0, []error{syscall.EINTR, syscall.EAGAIN}[f.interrupt%2]
	}
	if f.partial > 0 {
		size = min(size, f.partial)
	}
	return size, f.fail
}

func (f *faultyFile) pread(buf []byte, offset int64) (int, error) {
	size, err := f.step(len(buf))
	if err != nil || offset >= int64(len(f.content)) {
		return 0, err
	}
	return copy(buf[:size], f.content[offset:]), nil
}

func (f *faultyFile) pwrite(buf []byte, offset int64, durable bool) (int, error) {
	f.calls = append(f.calls, fmt.Sprintf("write at %d, durable %v", offset/sector, durable))
	size, err := f.step(len(buf))
	if err != nil {
		return 0, err
	}
	if end := int(offset) + size; end > len(f.content) {
		f.content = slices.Grow(f.content, end-len(f.content))[:end]
	}
	return copy(f.content[offset:], buf[:size]), nil
}

func (f *faultyFile) preallocate(end, size int64) error {
	f.grown = append(f.grown, end, size)
	if f.grow == nil {
		return nil
	}
	return f.grow(end, size)
}

func (f *faultyFile) sync() error {
	f.calls = append(f.calls, "sync")
	return cmp.Or(f.fail, f.failSync)
}

func (f *faultyFile) free() int64 { return 12345 }
func (f *faultyFile) close() error {
	f.closed = true
	return f.fail
}

func startFaulty(f *faultyFile) *diskLoop {
	l := newDiskLoop()
	l.Disk = start("data", f, int64(len(f.content)), l.options())
	return l
}

func TestPartialAndInterruptedCalls(t *testing.T) {
	for _, partial := range []int{0, sector, 3 * sector} {
		t.Run(fmt.Sprint(partial), func(t *testing.T) {
			f := &faultyFile{partial: partial, interrupt: 3}
			l := startFaulty(f)
			defer l.Close()
			want := append(filled(4*sector, 1), filled(4*sector, 2)...)
			sent := filled(8*sector, 0)
			copy(sent, want)
			if err := do(l, blockio.Write, 0, sent, false); err != nil || !bytes.Equal(f.content, want) {
				t.Fatalf("write: %v, or other bytes", err)
			}
			f.interrupt = 3
			got := filled(8*sector, 0)
			if err := do(l, blockio.Read, 0, got, false); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("read: %v, or other bytes", err)
			}
		})
	}
}

func TestReadStopsInsideTheLastSector(t *testing.T) {
	f := &faultyFile{content: bytes.Repeat([]byte{9}, sector+10)}
	l := startFaulty(f)
	defer l.Close()
	got := filled(3*sector, 0xEE)
	want := append(bytes.Repeat([]byte{9}, sector+10), make([]byte, 2*sector-10)...)
	if err := do(l, blockio.Read, 0, got, false); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("read: %v, or other bytes", err)
	}
}

func TestFaultsAreReported(t *testing.T) {
	for _, kind := range []blockio.Kind{blockio.Read, blockio.Write, blockio.Sync} {
		f := &faultyFile{content: make([]byte, sector), fail: syscall.EIO}
		l := startFaulty(f)
		buf := filled(sector, 0)
		if kind == blockio.Sync {
			buf = nil
		}
		err := do(l, kind, 0, buf, true)
		if !errors.Is(err, syscall.EIO) || !strings.Contains(err.Error(), kind.String()) || !strings.Contains(err.Error(), "data") {
			t.Errorf("%v: %v", kind, err)
		}
		if err := l.Close(); !errors.Is(err, syscall.EIO) || !f.closed {
			t.Errorf("close: %v", err)
		}
	}
}

func TestWriteOfNothingFails(t *testing.T) {
	if err := writeFull(stuckFile{}, filled(sector, 0), 0, false); err != io.ErrShortWrite {
		t.Errorf("got %v", err)
	}
}

// A stuckFile writes nothing and says that this is no error.
type stuckFile struct{}

func (stuckFile) pread([]byte, int64) (int, error)        { return 0, nil }
func (stuckFile) pwrite([]byte, int64, bool) (int, error) { return 0, nil }
func (stuckFile) preallocate(int64, int64) error          { return nil }
func (stuckFile) sync() error                             { return nil }
func (stuckFile) free() int64                             { return 0 }
func (stuckFile) close() error                            { return nil }

func TestGrowth(t *testing.T) {
	const chunk = growthSize
	full := func(room int64) func(end, size int64) error {
		return func(end, size int64) error {
			if end+size > room {
				return syscall.ENOSPC
			}
			return nil
		}
	}
	for _, test := range []struct {
		name  string
		grow  func(end, size int64) error
		ends  []int64 // of the writes
		want  []int64 // end and size of each preallocate
		fails bool    // the last
	}{
		{name: "inside", ends: []int64{sector, 2 * sector}},
		{name: "chunks", ends: []int64{3 * sector, 4 * sector, chunk, chunk + sector},
			want: []int64{2 * sector, chunk - 2*sector, chunk, chunk}},
		{name: "far", ends: []int64{5*chunk + sector}, want: []int64{2 * sector, 6*chunk - 2*sector}},
		{name: "unsupported", grow: func(int64, int64) error { return syscall.EOPNOTSUPP },
			ends: []int64{3 * sector, 2 * chunk}, want: []int64{2 * sector, chunk - 2*sector}},
		{name: "last bytes", grow: full(4 * sector), ends: []int64{4 * sector},
			want: []int64{2 * sector, chunk - 2*sector, 2 * sector, 2 * sector}},
		{name: "full", grow: full(4 * sector), ends: []int64{5 * sector}, fails: true,
			want: []int64{2 * sector, chunk - 2*sector, 2 * sector, 3 * sector}},
		{name: "quota", grow: func(int64, int64) error { return syscall.EDQUOT }, ends: []int64{3 * sector}, fails: true,
			want: []int64{2 * sector, chunk - 2*sector, 2 * sector, sector}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := &faultyFile{grow: test.grow}
			var g growth
			g.end.Store(2 * sector)
			var err error
			for _, end := range test.ends {
				err = g.reserve(f, end)
			}
			if !slices.Equal(f.grown, test.want) {
				t.Errorf("preallocated %v, want %v", f.grown, test.want)
			}
			if (err != nil) != test.fails || test.fails && !isFull(err) {
				t.Errorf("last error is %v", err)
			}
		})
	}
}

func TestFullErrorText(t *testing.T) {
	l := startFaulty(&faultyFile{grow: func(int64, int64) error { return syscall.ENOSPC }})
	defer l.Close()
	err := do(l, blockio.Write, 8*sector, filled(2*sector, 0), true)
	want := "disk: write 8192 bytes at offset 32768 of data: disk full: 8192 bytes are needed, 12345 bytes are free " +
		"(no space left on device); free space or enlarge the file system, then start again"
	if !errors.Is(err, ErrDiskFull) || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}
