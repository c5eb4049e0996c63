package grid

import (
	"fmt"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/internal/blockio"
)

const (
	// BlockSizeDefault is the block size of an ordinary data file, in bytes.
	BlockSizeDefault = 256 << 10

	// BlockSizeMax is the largest block size, in bytes.
	BlockSizeMax = 1 << 20

	// CacheSizeMin is the smallest size of a cache, in bytes.
	CacheSizeMin = 64 << 10

	// writesMax and readsMax bound the blocks in flight, partReadsMax the parts, and
	// so the memory of a grid without its cache: (writesMax + readsMax) *
	// BlockSize + partReadsMax * partBufferMax. A drive is at its fastest with about
	// partReadsMax small reads at a time.
	writesMax    = 16
	readsMax     = 16
	partReadsMax = 128

	// partBufferMax is how much of a buffer for parts is kept, in bytes: for 32
	// KiB that begin anywhere in a sector. A larger part has its own, for once.
	partBufferMax = 32<<10 + blockio.SectorSize
)

// Storage is the data file. Submit only enqueues; see blockio.Request for who
// owns what until its completion.
type Storage interface {
	Submit(*blockio.Request)
}

// Config says where and how large the blocks are, which must be the same for
// the life of the data file, and what the grid is given.
type Config struct {
	// ZoneOffset is the offset of block 1 in the data file, in bytes, a
	// multiple of blockio.SectorSize.
	ZoneOffset int64
	// BlockSize is the size of a block in bytes, a multiple of
	// blockio.SectorSize, at most BlockSizeMax.
	BlockSize int
	// CacheSize bounds the memory of the cache of parts, in bytes: 0 for no
	// cache, or at least CacheSizeMin. It is allocated as it fills.
	CacheSize int
	// Fault is told of the first write that failed, once. The replica must
	// stop: nothing of the grid completes any more.
	Fault func(error)
	// Missing, unless nil, is asked to fetch a block from elsewhere which is
	// damaged here, and to give it to Put. Who reads the block waits until then,
	// unless Missing reports false: there is nobody to ask. tries is as for Peers.
	Missing func(ref block.Ref, tries int) bool
}

// Grid is the block store. See the package comment for its rules.
type Grid struct {
	storage Storage
	config  Config
	failed  bool

	free freeSet

	// Blocks and parts wait in queue order for a slot; slots are reused for
	// ever. Reads of parts have slots of their own: somebody waits for them,
	// while whole blocks come in hundreds, from merges.
	writeQueue fifo[blockWrite]
	writeSlots []*writeSlot // idle ones
	readQueue  fifo[blockRead]
	readSlots  []*readSlot // idle ones
	partQueue  fifo[partRead]
	partSlots  []*partSlot // idle ones

	// partsInFlight has the slots that are not idle. It is only looked up,
	// never walked.
	partsInFlight map[partID]*partSlot

	cache cache

	// streams lists the blocks of every stream written or read so far, by
	// the address of its head, so that it can be released as a whole. It is
	// only looked up, never walked.
	streams map[block.Address][]block.Address

	checkpoint checkpointState
	missing    []*missing
}

// New returns an empty grid on storage. It panics if cfg is not valid.
func New(storage Storage, cfg Config) *Grid {
	switch {
	case cfg.BlockSize < blockio.SectorSize || cfg.BlockSize > BlockSizeMax || cfg.BlockSize%blockio.SectorSize != 0:
		panic(fmt.Sprintf("grid: block size %d", cfg.BlockSize))
	case cfg.ZoneOffset < 0 || cfg.ZoneOffset%blockio.SectorSize != 0:
		panic(fmt.Sprintf("grid: zone offset %d", cfg.ZoneOffset))
	case cfg.CacheSize != 0 && cfg.CacheSize < CacheSizeMin:
		panic(fmt.Sprintf("grid: cache of %d bytes", cfg.CacheSize))
	case cfg.Fault == nil:
		panic("grid: no Fault function")
	}
	g := &Grid{
		storage: storage, config: cfg,
		partsInFlight: make(map[partID]*partSlot, partReadsMax),
		streams:       make(map[block.Address][]block.Address),
	}
	g.cache = newCache(cfg.CacheSize)
	for range writesMax {
		g.writeSlots = append(g.writeSlots, newWriteSlot(g))
	}
	for range readsMax {
		g.readSlots = append(g.readSlots, newReadSlot(g))
	}
	for range partReadsMax {
		g.partSlots = append(g.partSlots, newPartSlot(g))
	}
	return g
}

// PayloadSize returns how many bytes of its user a block holds.
func (g *Grid) PayloadSize() int { return g.config.BlockSize - HeaderSize }

// Acquire takes the free block with the lowest address. The grid zone grows as
// needed; whether the disk has room shows when the block is written.
func (g *Grid) Acquire() block.Address { return g.free.acquire() }

// Release gives a block back. It stays readable until the second Checkpoint from
// now on, and becomes free then. Releasing a block that is not held is a bug and
// panics.
func (g *Grid) Release(a block.Address) { g.free.release(a) }

// BlocksInUse returns how many blocks the last checkpoint has, and those
// acquired since.
func (g *Grid) BlocksInUse() int {
	return g.free.acquired.count() - g.free.staged.count()
}

// offset returns where block a begins in the data file, in bytes.
func (g *Grid) offset(a block.Address) int64 {
	return g.config.offsetOf(a)
}

// fail stops the grid after an operation that must not fail did.
func (g *Grid) fail(err error) {
	if g.failed {
		return
	}
	g.failed = true
	g.config.Fault(err)
}

// fifo is a queue that reuses its memory.
type fifo[T any] struct {
	items []T
	head  int
}

func (q *fifo[T]) empty() bool { return q.head == len(q.items) }

func (q *fifo[T]) push(item T) { q.items = append(q.items, item) }

func (q *fifo[T]) pop() T {
	item := q.items[q.head]
	var zero T
	q.items[q.head] = zero // drop the closures it holds
	q.head++
	if q.empty() {
		q.items, q.head = q.items[:0], 0
	}
	return item
}
