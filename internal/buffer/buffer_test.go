package buffer

import (
	"fmt"
	"sync"
	"testing"
	"unsafe"

	"github.com/ledgerd/ledgerd/internal/blockio"
)

func aligned(b []byte) bool {
	return uintptr(unsafe.Pointer(unsafe.SliceData(b)))%blockio.SectorSize == 0
}

func TestAcquire(t *testing.T) {
	sizes := []int{0, 1, 256, 4095, 4096, 4097, 8192, 8193, 1<<20 - 1, 1 << 20, 1<<20 + 64, SizeMax}
	var pool Pool
	for _, size := range sizes {
		for _, state := range []string{"new", "reused"} {
			b := pool.Acquire(size)
			switch {
			case len(b.Bytes) != size:
				t.Errorf("%s, size %d: len is %d", state, size, len(b.Bytes))
			case !aligned(b.Bytes[:1]):
				t.Errorf("%s, size %d: not sector-aligned", state, size)
			case cap(b.Bytes)%blockio.SectorSize != 0:
				t.Errorf("%s, size %d: capacity %d is no whole number of sectors", state, size, cap(b.Bytes))
			case size <= 1<<20 && cap(b.Bytes) < size+blockio.SectorSize:
				t.Errorf("%s, size %d: capacity %d leaves no sector of slack", state, size, cap(b.Bytes))
			}
			b.Release()
		}
	}
}

func TestAcquireReuses(t *testing.T) {
	var pool Pool
	first := pool.Acquire(5000)
	first.Release()
	if other := pool.Acquire(4096); other == first {
		t.Error("a buffer served another size class")
	}
	if again := pool.Acquire(8192); again != first {
		t.Error("a released buffer was not reused within its class")
	}
	if third := pool.Acquire(8192); third == first {
		t.Error("a buffer was handed out twice")
	}
}

func TestSectors(t *testing.T) {
	var pool Pool
	for _, size := range []int{0, 1, 4095, 4096, 4097, 1 << 20, SizeMax} {
		b := pool.Acquire(size)
		whole := b.Bytes[:cap(b.Bytes)]
		for i := range whole {
			whole[i] = 0xAA
		}
		padded := b.Sectors()
		if len(padded) != blockio.RoundUp(size) || len(b.Bytes) != size {
			t.Errorf("size %d: padded to %d, length now %d", size, len(padded), len(b.Bytes))
		}
		for i, c := range padded {
			if want := map[bool]byte{true: 0xAA, false: 0}[i < size]; c != want {
				t.Fatalf("size %d: byte %d is %#x, want %#x", size, i, c, want)
			}
		}
	}
}

func TestMisusePanics(t *testing.T) {
	var pool Pool
	tests := map[string]func(){
		"negative size":  func() { pool.Acquire(-1) },
		"size too large": func() { pool.Acquire(SizeMax + 1) },
		"Release twice": func() {
			b := pool.Acquire(1)
			b.Release()
			b.Release()
		},
		"Retain after Release": func() {
			b := pool.Acquire(1)
			b.Release()
			b.Retain()
		},
		"start moved": func() {
			b := pool.Acquire(100)
			b.Bytes = b.Bytes[1:]
			b.Release()
		},
	}
	for name, misuse := range tests {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			misuse()
		})
	}
}

func TestRetainDelaysReuse(t *testing.T) {
	var pool Pool
	b := pool.Acquire(10)
	b.Retain().Release()
	if pool.Acquire(10) == b {
		t.Fatal("a buffer with a holder was handed out")
	}
	b.Release()
	if pool.Acquire(10) != b {
		t.Fatal("the last Release did not return the buffer")
	}
}

func TestPoolBound(t *testing.T) {
	var pool Pool
	const count = freeBytesMax>>classMax + 3
	buffers := make([]*Buffer, count)
	for i := range buffers {
		buffers[i] = pool.Acquire(1 << classMax)
	}
	for _, b := range buffers {
		b.Release()
	}
	if kept := len(pool.free[classMax]); kept != count-3 {
		t.Errorf("the pool keeps %d of %d buffers", kept, count)
	}
}

// TestConcurrent is for the race detector: holders in several goroutines
// write what only they hold, and the last of them releases.
func TestConcurrent(t *testing.T) {
	var pool Pool
	var wait sync.WaitGroup
	for holder := range byte(8) {
		wait.Go(func() {
			for i := range 500 {
				b := pool.Acquire(1 + i*7%20000)
				for j := range b.Bytes {
					b.Bytes[j] = holder
				}
				b.Retain()
				wait.Go(b.Release)
				for _, c := range b.Bytes {
					if c != holder {
						t.Error("two holders of one buffer")
						break
					}
				}
				b.Release()
			}
		})
	}
	wait.Wait()
}

func TestAcquireAllocatesNothing(t *testing.T) {
	var pool Pool
	for _, size := range []int{256, 1 << 20} {
		if n := testing.AllocsPerRun(100, func() { pool.Acquire(size).Release() }); n != 0 {
			t.Errorf("size %d: %v allocations", size, n)
		}
	}
}

func BenchmarkAcquireRelease(b *testing.B) {
	for _, size := range []int{512, 1 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			var pool Pool
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					pool.Acquire(size).Release()
				}
			})
		})
	}
}
