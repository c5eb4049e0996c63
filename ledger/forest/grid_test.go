package forest

import (
	"fmt"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/internal/checksum"
	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/lsm"
)

// memoryGrid is the simplest Grid: a map of blocks. Completions wait until
// run is called.
type memoryGrid struct {
	payloadSize int
	blocks      map[block.Address]memoryBlock
	acquired    map[block.Address]bool
	released    []block.Address // not to be reused yet
	streams     map[block.Address][]block.Address
	waiting     []func()
	late        []func() // completions of writes of rows, if slow: when nothing else waits
	slow        bool
	unchecked   bool            // Read does not verify
	shuffle     func(n int) int // picks the completion to run next; nil: the first
}

type memoryBlock struct {
	kind    uint8
	payload string
}

func newMemoryGrid(payloadSize int) *memoryGrid {
	return &memoryGrid{
		payloadSize: payloadSize,
		blocks:      map[block.Address]memoryBlock{},
		acquired:    map[block.Address]bool{},
		streams:     map[block.Address][]block.Address{},
	}
}

func (g *memoryGrid) PayloadSize() int { return g.payloadSize }

func (g *memoryGrid) Acquire() block.Address {
	a := block.Address(1)
	for g.acquired[a] {
		a++
	}
	g.acquired[a] = true
	delete(g.blocks, a)
	return a
}

func (g *memoryGrid) Release(a block.Address) {
	if !g.acquired[a] || slices.Contains(g.released, a) {
		panic(fmt.Sprintf("release of %v", a))
	}
	g.released = append(g.released, a)
}

// durable makes the released blocks reusable, and unreadable at once.
func (g *memoryGrid) durable() {
	for _, a := range g.released {
		delete(g.acquired, a)
		delete(g.blocks, a)
	}
	g.released = nil
}

func (g *memoryGrid) Write(a block.Address, kind uint8, fill func(dst []byte) int, done func(block.Ref)) {
	if _, written := g.blocks[a]; written || !g.acquired[a] {
		panic(fmt.Sprintf("write of %v", a))
	}
	g.blocks[a] = memoryBlock{kind: kind}
	write := func() {
		payload := make([]byte, g.payloadSize)
		payload = payload[:fill(payload)]
		g.blocks[a] = memoryBlock{kind, string(payload)}
		done(refOf(a, payload))
	}
	if g.slow && (kind == kindAccounts || kind == kindEvents) {
		g.late = append(g.late, write)
		return
	}
	g.waiting = append(g.waiting, write)
}

func refOf(a block.Address, payload []byte) block.Ref {
	ref := block.Ref{Address: a}
	hash := uint64(14695981039346656037)
	for _, b := range payload {
		hash = (hash ^ uint64(b)) * 1099511628211
	}
	ref.Checksum = checksum.Sum{}
	for i := range 8 {
		ref.Checksum[i] = byte(hash >> (8 * i))
	}
	return ref
}

func (g *memoryGrid) Read(ref block.Ref, done func(payload []byte, err error)) {
	g.waiting = append(g.waiting, func() {
		payload := []byte(g.blocks[ref.Address].payload)
		if !g.unchecked && refOf(ref.Address, payload) != ref {
			done(nil, fmt.Errorf("%v is not what it was", ref.Address))
			return
		}
		done(payload, nil)
	})
}

// TryPart finds nothing: every part must be read.
func (g *memoryGrid) TryPart(block.Ref, int, int) ([]byte, bool) { return nil, false }

func (g *memoryGrid) ReadPart(ref block.Ref, offset, size int, sum uint64, done func(part []byte, err error)) {
	g.waiting = append(g.waiting, func() {
		payload := []byte(g.blocks[ref.Address].payload)
		if len(payload) < offset+size || !g.unchecked && xxhash.Sum64(payload[offset:offset+size]) != sum {
			done(nil, fmt.Errorf("part of %v is not what it was", ref.Address))
			return
		}
		done(payload[offset:offset+size], nil)
	})
}

// Go makes the grid a worker as well.
func (g *memoryGrid) Go(job func(), done func()) {
	g.waiting = append(g.waiting, func() { job(); done() })
}

func (g *memoryGrid) WriteStream(kind uint8, content []byte, done func(head block.Ref)) {
	var chain []block.Address
	for range max(1, (len(content)+g.payloadSize-1)/g.payloadSize) {
		chain = append(chain, g.Acquire())
	}
	g.streams[chain[0]] = chain
	g.waiting = append(g.waiting, func() {
		for i, a := range chain {
			part := content[i*g.payloadSize : min((i+1)*g.payloadSize, len(content))]
			g.blocks[a] = memoryBlock{kind, string(part)}
		}
		done(block.Ref{Address: chain[0]})
	})
}

func (g *memoryGrid) ReadStream(head block.Ref, done func(content []byte, err error)) {
	g.waiting = append(g.waiting, func() {
		var content []byte
		for _, a := range g.streams[head.Address] {
			content = append(content, g.blocks[a].payload...)
		}
		done(content, nil)
	})
}

func (g *memoryGrid) ReleaseStream(head block.Ref) {
	for _, a := range g.streams[head.Address] {
		g.Release(a)
	}
}

// step completes one of what waits, and reports whether there was anything.
func (g *memoryGrid) step() bool {
	if len(g.waiting) == 0 && len(g.late) > 0 {
		g.waiting, g.late = append(g.waiting, g.late[0]), g.late[1:]
	}
	if len(g.waiting) == 0 {
		return false
	}
	i := 0
	if g.shuffle != nil {
		i = g.shuffle(len(g.waiting))
	}
	complete := g.waiting[i]
	g.waiting = slices.Delete(g.waiting, i, i+1)
	complete()
	return true
}

// run completes what waits, and what that leads to.
func (g *memoryGrid) run() {
	for g.step() {
	}
}

// newTestForest returns a forest with everything small, on a grid that is also
// its worker.
func newTestForest(grid interface {
	Grid
	lsm.Workers
}) *Forest {
	return New(grid, grid, Options{CacheAccounts: 20 * frameCost, RecentSize: 2 * smallPage})
}

// execute prefetches and commits a request.
func execute(f *Forest, operation ledger.Operation, timestamp uint64, body, reply []byte) []byte {
	grid := f.grid.(interface{ step() bool })
	ready := false
	f.Prefetch(byte(operation), timestamp, body, func() { ready = true })
	for !ready {
		if !grid.step() {
			panic("nothing waits, and Prefetch is not done")
		}
	}
	return f.Commit(byte(operation), timestamp, body, reply)
}

// verify has the forest verify itself.
func verify(f *Forest) error {
	grid := f.grid.(interface{ step() bool })
	done, result := false, error(nil)
	f.Verify(func(err error) { done, result = true, err })
	for !done {
		if !grid.step() {
			panic("nothing waits, and Verify is not done")
		}
	}
	return result
}
