// Package buffer provides sector-aligned, reference-counted byte buffers from
// a pool with size classes.
//
// One buffer carries a message from the socket to the journal without being
// copied: the bus reads into it, the replica rewrites its header in place, the
// disk writes it with direct I/O, and the last holder's Release returns it.
package buffer

import (
	"fmt"
	"math/bits"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/ledgerd/ledgerd/internal/blockio"
)

const (
	classMin = 12 // 4 KiB
	classMax = 20 // 1 MiB
	// slack is what each class has beyond its power of two: a largest request
	// can be extended in place into a prepare, and padded to sectors.
	slack = blockio.SectorSize
	// freeBytesMax bounds what one class keeps for reuse; more is left to
	// the garbage collector.
	freeBytesMax = 64 << 20
)

// SizeMax is the largest size Acquire accepts, in bytes.
const SizeMax = 1<<classMax + slack

// Buffer is a reference-counted, sector-aligned piece of memory.
//
// Retain and Release may be called from any goroutine. Bytes belongs to the
// holders together: they agree among themselves who may write.
type Buffer struct {
	// Bytes is the content. Its capacity is a multiple of
	// blockio.SectorSize and its first byte is sector-aligned. Holders may
	// reslice it from the start, within the capacity; the last Release
	// panics if the start has moved.
	Bytes []byte

	refs  atomic.Int32
	class uint8
	pool  *Pool
}

// Retain adds one reference and returns b.
func (b *Buffer) Retain() *Buffer {
	if b.refs.Add(1) <= 1 {
		panic("buffer: Retain after the last Release")
	}
	return b
}

// Release drops one reference; the last one returns b to its pool, after
// which nobody may touch it.
func (b *Buffer) Release() {
	switch n := b.refs.Add(-1); {
	case n == 0:
		b.pool.put(b)
	case n < 0:
		panic("buffer: Release without a reference")
	}
}

// Sectors returns the content padded with zero bytes to whole sectors, for a
// direct write. The length of Bytes stays as it is.
func (b *Buffer) Sectors() []byte {
	n := len(b.Bytes)
	padded := b.Bytes[:blockio.RoundUp(n)]
	clear(padded[n:])
	return padded
}

// Pool hands out buffers in power-of-two size classes from 4 KiB to 1 MiB, each
// one sector larger than its class.
// It is safe for concurrent use. The zero Pool is ready to use.
type Pool struct {
	mu   sync.Mutex
	free [classMax + 1][]*Buffer
}

// Acquire returns a buffer with one reference and len(Bytes) == size. Up to
// 1 MiB the capacity is at least one sector more than size. The content is
// undefined. It panics if size is not in 0 .. SizeMax.
func (p *Pool) Acquire(size int) *Buffer {
	class := classOf(size)
	p.mu.Lock()
	var b *Buffer
	if list := p.free[class]; len(list) > 0 {
		b = list[len(list)-1]
		list[len(list)-1] = nil
		p.free[class] = list[:len(list)-1]
	}
	p.mu.Unlock()
	if b == nil {
		b = &Buffer{Bytes: Aligned(1<<class + slack), class: class, pool: p}
	}
	b.Bytes = b.Bytes[:size]
	b.refs.Store(1)
	return b
}

func (p *Pool) put(b *Buffer) {
	if cap(b.Bytes) != 1<<b.class+slack {
		panic("buffer: Bytes was resliced from its middle")
	}
	p.mu.Lock()
	if len(p.free[b.class])<<b.class < freeBytesMax {
		p.free[b.class] = append(p.free[b.class], b)
	}
	p.mu.Unlock()
}

func classOf(size int) uint8 {
	if size < 0 || size > SizeMax {
		panic(fmt.Sprintf("buffer: size %d is not in 0 .. %d", size, SizeMax))
	}
	if size <= 1<<classMin {
		return classMin
	}
	return min(classMax, uint8(bits.Len(uint(size-1))))
}

// Aligned allocates size bytes whose first byte is sector-aligned. The garbage
// collector frees them.
func Aligned(size int) []byte {
	raw := make([]byte, size+blockio.SectorSize)
	skip := -int(uintptr(unsafe.Pointer(&raw[0]))) & (blockio.SectorSize - 1)
	return raw[skip : skip+size : skip+size]
}
