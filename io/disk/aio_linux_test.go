package disk

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ledgerd/ledgerd/internal/blockio"
)

// openAIO opens the file at path and skips the test where the kernel does not
// serve it.
func openAIO(t *testing.T, path string) *diskLoop {
	t.Helper()
	l := openLoop(t, path)
	if l.aio == nil {
		t.Skip("no asynchronous I/O here")
	}
	return l
}

// numbered returns a file whose sectors are filled with their own number.
func numbered(t *testing.T, sectors int) string {
	t.Helper()
	path := created(t, 0)
	content := make([]byte, sectors*sector)
	for i := range content {
		content[i] = byte(i / sector)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConformancePoolOnly(t *testing.T) {
	testConformance(t, func(t *testing.T) testStorage {
		f, err := openFile(created(t, 0), Options{AllowBuffered: true}, systemOpen)
		if err != nil {
			t.Fatal(err)
		}
		l := newDiskLoop()
		l.Disk = start("data", f, 0, l.options())
		t.Cleanup(func() { l.Close() })
		return l
	})
}

// More reads than the kernel is given at a time, several times over, from
// several goroutines, some of them past the end of the file: each is completed
// once, with its bytes, and every slot is idle then.
func TestManyReads(t *testing.T) {
	const sectors, submitters, reads = 100, 3, 3 * aioMax
	path := numbered(t, sectors)
	var completed [submitters * reads]atomic.Int32
	requests := make([]blockio.Request, submitters*reads)
	d, err := Open(path, Options{AllowBuffered: true, Complete: func(r *blockio.Request) { r.Done(r) }})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for s := range submitters {
		all.Go(func() {
			for i := s * reads; i < (s+1)*reads; i++ {
				requests[i] = blockio.Request{Kind: blockio.Read, Offset: int64(i%(2*sectors)) * sector,
					Buf: filled(2*sector, 0xEE), Done: func(*blockio.Request) { completed[i].Add(1) }}
				d.Submit(&requests[i])
			}
		})
	}
	all.Wait()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range requests {
		want := filled(2*sector, 0)
		for half := range 2 {
			if n := i%(2*sectors) + half; n < sectors {
				copy(want[half*sector:], filled(sector, byte(n)))
			}
		}
		if r := &requests[i]; completed[i].Load() != 1 || r.Err != nil || !bytes.Equal(r.Buf, want) {
			t.Fatalf("read %d: completed %d times, error %v, or other bytes", i, completed[i].Load(), r.Err)
		}
	}
	if d.aio != nil && !d.aio.done() {
		t.Error("a slot is not idle")
	}
}

// What the kernel leaves undone is done again; what it says went wrong, did.
func TestResultsOfReads(t *testing.T) {
	content := append(filled(sector, 1), filled(sector, 2)...)
	for _, test := range []struct {
		result int64
		err    error
	}{
		{2 * sector, nil}, {sector, nil}, {100, nil}, {0, nil}, {-int64(unix.EAGAIN), nil}, {-int64(unix.EINTR), nil},
		{-int64(unix.EIO), unix.EIO}, {-int64(unix.ENODATA), unix.ENODATA},
	} {
		l := startFaulty(&faultyFile{content: content})
		r := &blockio.Request{Kind: blockio.Read, Buf: filled(2*sector, 0xEE), Err: errors.ErrUnsupported, Done: func(*blockio.Request) {}}
		want := content
		if test.result == 2*sector || test.err != nil {
			want = bytes.Clone(r.Buf) // as the kernel has left it
		}
		l.underWay++
		l.finish(r, test.result)
		l.Run()
		if !errors.Is(r.Err, test.err) || (r.Err == nil) != (test.err == nil) || !bytes.Equal(r.Buf, want) {
			t.Errorf("result %d: %v, or other bytes", test.result, r.Err)
		}
		if test.err != nil && !strings.Contains(r.Err.Error(), "read 8192 bytes at offset 0 of data") {
			t.Errorf("result %d: %v", test.result, r.Err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}

// What the kernel does not even begin is the pool's, and leaves no slot taken.
func TestRefusedReads(t *testing.T) {
	l := openAIO(t, numbered(t, 10))
	l.aio.file = -1
	for i := range 2 * aioMax {
		buf := filled(sector, 0xEE)
		if err := do(l, blockio.Read, int64(i%10)*sector, buf, false); err != nil || !bytes.Equal(buf, filled(sector, byte(i%10))) {
			t.Fatalf("read %d: %v, or other bytes", i, err)
		}
	}
	if len(l.aio.idle) != aioMax {
		t.Errorf("%d slots are idle", len(l.aio.idle))
	}
}

// Reads go to the kernel and nothing else does: a worker that does not get on
// holds up writes alone.
func TestReadsNeedNoWorker(t *testing.T) {
	path := numbered(t, 10)
	busy, release := make(chan struct{}), make(chan struct{})
	reads := make(chan *blockio.Request, 100)
	d, err := Open(path, Options{Workers: 1, AllowBuffered: true, Complete: func(r *blockio.Request) {
		if r.Kind == blockio.Read {
			reads <- r
			return
		}
		busy <- struct{}{}
		<-release
	}})
	if err != nil {
		t.Fatal(err)
	}
	if d.aio == nil {
		t.Skip("no asynchronous I/O here")
	}
	d.Submit(&blockio.Request{Kind: blockio.Sync})
	<-busy
	for range cap(reads) {
		d.Submit(&blockio.Request{Kind: blockio.Read, Buf: filled(sector, 0xEE)})
	}
	for range cap(reads) {
		if r := <-reads; r.Err != nil {
			t.Error(r.Err)
		}
	}
	close(release)
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

func TestAIOIsRefused(t *testing.T) {
	f, err := openFile(created(t, 0), Options{AllowBuffered: true}, systemOpen)
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	if a, err := startAIO(&systemFile{plain: -1}, nil); a != nil || !errors.Is(err, unix.EBADF) {
		t.Fatalf("started on no file: %v", err)
	}
	a, err := startAIO(f, nil)
	if err != nil {
		t.Skip(err)
	}
	if err := a.close(); err != nil {
		t.Error(err)
	}
}

func TestReadOnly(t *testing.T) {
	folder := mount(t, "tmpfs", "size=4m")
	path := filepath.Join(folder, "data")
	if err := Create(path, 1<<20); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("none", folder, "tmpfs", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Skipf("cannot mount read-only: %v", err)
	}
	l := newDiskLoop()
	if _, err := Open(path, l.options()); !errors.Is(err, unix.EROFS) {
		t.Fatalf("opened for writing: %v", err)
	}
	options := l.options()
	options.ReadOnly = true
	var err error
	if l.Disk, err = Open(path, options); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	buf := filled(sector, 0xEE)
	if err := do(l, blockio.Read, 0, buf, false); err != nil || !bytes.Equal(buf, filled(sector, 0)) {
		t.Errorf("read: %v, or other bytes", err)
	}
	for _, kind := range []blockio.Kind{blockio.Write, blockio.Sync} {
		func() {
			defer func() {
				if text := fmt.Sprint(recover()); !strings.Contains(text, "open for reading") {
					t.Errorf("%v: %s", kind, text)
				}
			}()
			l.Disk.Submit(&blockio.Request{Kind: kind, Buf: buf})
		}()
	}
}

// A file that a server has open is not for inspection, nor the other way round;
// two inspections do not mind each other.
func TestReadOnlyLocks(t *testing.T) {
	path := created(t, 1<<20)
	open := func(readOnly bool) (*Disk, error) {
		options := newDiskLoop().options()
		options.ReadOnly = readOnly
		return Open(path, options)
	}
	for _, first := range []bool{false, true} {
		d, err := open(first)
		if err != nil {
			t.Fatal(err)
		}
		for _, second := range []bool{!first, true} {
			other, err := open(second)
			if first && second {
				if err != nil {
					t.Errorf("two inspections: %v", err)
				} else if err := other.Close(); err != nil {
					t.Error(err)
				}
			} else if !errors.Is(err, ErrLocked) {
				t.Errorf("read-only %v, then %v: %v", first, second, err)
			}
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestCloseWaitsForReads(t *testing.T) {
	path := created(t, 8<<20)
	for range 5 {
		var completed atomic.Int32
		d, err := Open(path, Options{AllowBuffered: true, Complete: func(*blockio.Request) { completed.Add(1) }})
		if err != nil {
			t.Fatal(err)
		}
		for i := range aioMax {
			d.Submit(&blockio.Request{Kind: blockio.Read, Offset: int64(i) * 8 * sector, Buf: filled(8*sector, 1)})
		}
		if err := d.Close(); err != nil || completed.Load() != aioMax {
			t.Fatalf("Close returned %v after %d of %d completions", err, completed.Load(), aioMax)
		}
	}
}

// tmpfs has direct I/O, but does not promise that a read will not wait.
func TestPoolServesWhatTheKernelDoesNot(t *testing.T) {
	path := filepath.Join(mount(t, "tmpfs", "size=4m"), "data")
	if err := Create(path, 1<<20); err != nil {
		t.Fatal(err)
	}
	l := newDiskLoop()
	options := l.options()
	var log bytes.Buffer
	options.Logger = slog.New(slog.NewTextHandler(&log, nil))
	var err error
	if l.Disk, err = Open(path, options); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if l.aio != nil || !l.file.(*systemFile).direct {
		t.Skip("this tmpfs differs")
	}
	if !strings.Contains(log.String(), "no asynchronous I/O") || !strings.Contains(log.String(), path) {
		t.Errorf("logged %q", log.String())
	}
	buf := filled(sector, 0xEE)
	if err := do(l, blockio.Read, 0, buf, false); err != nil || !bytes.Equal(buf, filled(sector, 0)) {
		t.Errorf("read: %v, or other bytes", err)
	}
}
