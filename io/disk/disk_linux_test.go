package disk

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ledgerd/ledgerd/internal/blockio"
)

func TestConformance(t *testing.T) {
	testConformance(t, func(t *testing.T) testStorage { return openLoop(t, created(t, 0)) })
}

func TestConformanceBuffered(t *testing.T) {
	testConformance(t, func(t *testing.T) testStorage {
		path, l := created(t, 1<<20), newDiskLoop()
		f, err := openFile(path, Options{AllowBuffered: true}, refuseDirect)
		if err != nil {
			t.Fatal(err)
		}
		options := l.options()
		options.Workers = 3
		l.Disk = start(path, f, 1<<20, options)
		t.Cleanup(func() { l.Close() })
		return l
	})
}

// refuseDirect is systemOpen on a file system without direct I/O.
func refuseDirect(path string, flags int) (int, error) {
	if flags&unix.O_DIRECT != 0 {
		return -1, unix.EINVAL
	}
	return systemOpen(path, flags)
}

func TestOpenUsesDirectIO(t *testing.T) {
	f, err := openFile(created(t, 0), Options{}, systemOpen)
	if errors.Is(err, ErrNoDirectIO) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	for fd, want := range map[int]int{f.plain: unix.O_DIRECT, f.durable: unix.O_DIRECT | unix.O_DSYNC} {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		if got := flags & (unix.O_DIRECT | unix.O_DSYNC); err != nil || got != want {
			t.Errorf("flags %#x, %v; want %#x", got, err, want)
		}
	}
}

func TestBufferedHasToBeAllowed(t *testing.T) {
	path := created(t, 0)
	_, err := openFile(path, Options{}, refuseDirect)
	if !errors.Is(err, ErrNoDirectIO) || !strings.Contains(err.Error(), "--development") {
		t.Errorf("refused with: %v", err)
	}
	f, err := openFile(path, Options{AllowBuffered: true}, refuseDirect)
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	flags, err := unix.FcntlInt(uintptr(f.durable), unix.F_GETFL, 0)
	if err != nil || flags&unix.O_DSYNC == 0 {
		t.Errorf("durable writes are not: flags %#x, %v", flags, err)
	}
}

// TestBufferedWarns opens a file on ramfs, which has no direct I/O.
func TestBufferedWarns(t *testing.T) {
	path := filepath.Join(mount(t, "ramfs", ""), "data")
	if err := Create(path, 1<<20); err != nil {
		t.Fatal(err)
	}
	l := newDiskLoop()
	options := l.options()
	var log bytes.Buffer
	options.Logger = slog.New(slog.NewTextHandler(&log, nil))
	options.AllowBuffered = false
	if _, err := Open(path, options); !errors.Is(err, ErrNoDirectIO) {
		t.Fatalf("opened without permission: %v", err)
	}
	options.AllowBuffered = true
	d, err := Open(path, options)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if !strings.Contains(log.String(), "level=WARN") || !strings.Contains(log.String(), path) {
		t.Errorf("logged %q", log.String())
	}
}

// mount mounts a small file system of the given kind for the test.
func mount(t *testing.T, kind, options string) string {
	t.Helper()
	folder := t.TempDir()
	if err := unix.Mount("none", folder, kind, 0, options); err != nil {
		t.Skipf("cannot mount %s: %v", kind, err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(folder, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return folder
}

func TestLock(t *testing.T) {
	path := created(t, 1<<20)
	first := newDiskLoop()
	d, err := Open(path, first.options())
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(path, first.options())
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "process") {
		t.Errorf("second open: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d, err = Open(path, first.options())
	if err != nil {
		t.Fatalf("after Close: %v", err)
	}
	d.Close()
}

// A process that was killed gives its lock up a moment later.
func TestLockIsWaitedForBriefly(t *testing.T) {
	path := created(t, 1<<20)
	first := newDiskLoop()
	d, err := Open(path, first.options())
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(lockPatience/4, func() { d.Close() })
	second, err := Open(path, newDiskLoop().options())
	if err != nil {
		t.Fatalf("while the first holder ends: %v", err)
	}
	second.Close()
}

func TestCreate(t *testing.T) {
	path := created(t, 3<<20+sector)
	var stat unix.Stat_t
	if err := unix.Stat(path, &stat); err != nil {
		t.Fatal(err)
	}
	if stat.Size != 3<<20+sector || stat.Blocks*512 < stat.Size {
		t.Errorf("size %d, stored %d", stat.Size, stat.Blocks*512)
	}
	content, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(content, make([]byte, stat.Size)) {
		t.Errorf("not all zero, or %v", err)
	}

	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Create(path, 1<<20); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over an existing file: %v", err)
	}
	if content, _ := os.ReadFile(path); string(content) != "precious" {
		t.Error("an existing file was changed")
	}
}

func TestCreateRemovesWhatFailed(t *testing.T) {
	path := filepath.Join(mount(t, "tmpfs", "size=1m"), "data")
	err := Create(path, 2<<20)
	if !errors.Is(err, ErrDiskFull) {
		t.Errorf("Create: %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a failed Create left: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	folder := t.TempDir()
	l := newDiskLoop()
	if _, err := Open(filepath.Join(folder, "absent"), l.options()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent file: %v", err)
	}
	if _, err := Open(folder, l.options()); err == nil {
		t.Error("a folder was opened")
	}
	if _, err := Open(os.DevNull, l.options()); err == nil || !strings.Contains(err.Error(), "regular") {
		t.Errorf("a device: %v", err)
	}
}

func TestDiskFull(t *testing.T) {
	path := filepath.Join(mount(t, "tmpfs", "size=4m"), "data")
	if err := Create(path, 1<<20); err != nil {
		t.Fatal(err)
	}
	l := openLoop(t, path)
	// What fits, fits: although no whole growthSize does.
	if err := do(l, blockio.Write, 2<<20, filled(1<<20, 1), false); err != nil {
		t.Fatal(err)
	}
	err := do(l, blockio.Write, 6<<20, filled(1<<20, 1), true)
	if !errors.Is(err, ErrDiskFull) || !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("past the end of the disk: %v", err)
	}
	for _, part := range []string{"disk full", "1048576 bytes are needed", path, "free space or enlarge"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
	buf := filled(1<<20, 0)
	if err := do(l, blockio.Read, 2<<20, buf, false); err != nil || !bytes.Equal(buf, filled(1<<20, 1)) {
		t.Errorf("what was stored before is lost: %v", err)
	}
}

func TestGrowthPreallocates(t *testing.T) {
	path := created(t, 1<<20)
	l := openLoop(t, path)
	for _, test := range []struct{ offset, size int64 }{
		{0, 1 << 20}, {1<<20 - sector, 1 << 20}, {1 << 20, growthSize}, {growthSize, 2 * growthSize},
	} {
		if err := do(l, blockio.Write, test.offset, filled(sector, 1), true); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Size() != test.size {
			t.Errorf("after a write at %d the file has %d bytes, want %d", test.offset, info.Size(), test.size)
		}
	}
}

func TestTruncatedFile(t *testing.T) {
	path := created(t, 1<<20)
	if err := os.WriteFile(path, bytes.Repeat([]byte{5}, 2*sector+100), 0o600); err != nil {
		t.Fatal(err)
	}
	l := openLoop(t, path)
	buf := filled(4*sector, 0xEE)
	if err := do(l, blockio.Read, 0, buf, false); err != nil {
		t.Fatal(err)
	}
	want := append(bytes.Repeat([]byte{5}, 2*sector+100), make([]byte, 2*sector-100)...)
	if !bytes.Equal(buf, want) {
		t.Error("the rest of a truncated file does not read as zero")
	}
	if err := do(l, blockio.Write, 2*sector, filled(sector, 6), true); err != nil {
		t.Error(err)
	}
}

func TestContentOutlivesClose(t *testing.T) {
	path := created(t, 1<<20)
	for round := range byte(3) {
		l := newDiskLoop()
		var err error
		if l.Disk, err = Open(path, l.options()); err != nil {
			t.Fatal(err)
		}
		buf := filled(sector, 0xEE)
		if err := do(l, blockio.Read, 1<<21, buf, false); err != nil || !bytes.Equal(buf, filled(sector, round)) {
			t.Errorf("round %d: %v or other bytes", round, err)
		}
		if err := do(l, blockio.Write, 1<<21, filled(sector, round+1), round%2 == 0); err != nil {
			t.Error(err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestCloseWaits(t *testing.T) {
	path := created(t, 1<<20)
	var completed atomic.Int32
	d, err := Open(path, Options{Workers: 2, AllowBuffered: true, Complete: func(*blockio.Request) {
		time.Sleep(time.Millisecond)
		completed.Add(1)
	}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		d.Submit(&blockio.Request{Kind: blockio.Write, Offset: int64(i) * sector, Buf: filled(sector, 1), Durable: true})
	}
	if err := d.Close(); err != nil || completed.Load() != 20 {
		t.Errorf("Close returned %v after %d of 20 completions", err, completed.Load())
	}
}

func TestMalformedRequestsPanic(t *testing.T) {
	good := filled(2*sector, 0)
	for name, r := range map[string]blockio.Request{
		"kind":            {Kind: 9, Buf: good},
		"empty":           {Kind: blockio.Read},
		"negative offset": {Kind: blockio.Read, Offset: -sector, Buf: good},
		"offset":          {Kind: blockio.Write, Offset: 512, Buf: good},
		"length":          {Kind: blockio.Write, Buf: good[:sector+512]},
		"address":         {Kind: blockio.Read, Buf: good[512 : 512+sector]},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			check(&r)
		})
	}
}

func TestSubmitAllocatesNothing(t *testing.T) {
	l := openLoop(t, created(t, 1<<20))
	write := &blockio.Request{Kind: blockio.Write, Buf: filled(sector, 1), Done: func(*blockio.Request) {}}
	read := &blockio.Request{Kind: blockio.Read, Buf: filled(sector, 1), Done: func(*blockio.Request) {}}
	if n := testing.AllocsPerRun(100, func() {
		l.Submit(write)
		l.Run()
		l.Submit(read)
		l.Run()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
