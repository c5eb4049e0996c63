package lsm

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/vsr/faultdisk"
	"github.com/ledgerd/ledgerd/vsr/grid"
)

const (
	testZoneOffset = 4096
	testBlockSize  = 4096
)

// world is a tree on a real grid on a simulated disk, with workers of random
// speed. Its timing comes from one seed, the operations from elsewhere.
type world struct {
	t       *testing.T
	rng     *rand.Rand
	config  Config
	disk    *faultdisk.Disk
	grid    *grid.Grid
	tree    *Tree
	workers []hired
	lazy    bool // whether workers go on only when somebody waits for them

	// The owner's log: all that was put and removed, and rows of no entry, of
	// which the last checkpoint has the first saved. A mark is a place in it.
	log   []Entry
	saved int
	root  []byte // state of the tree in the last checkpoint
	state grid.State
}

type hired struct{ job, done func() }

func testConfig(words int) Config {
	return Config{Name: "test", Kind: 9, Words: words, MemtableEntries: 256, BeatEntries: 64, PageSize: 256}
}

func newWorld(t *testing.T, seed uint64, config Config) *world {
	w := &world{t: t, rng: rand.New(rand.NewPCG(seed, 77)), config: config}
	w.disk = faultdisk.New(rand.New(rand.NewPCG(seed, 78)))
	w.lazy = seed%4 == 1
	w.build()
	return w
}

func (w *world) build() {
	w.grid = grid.New(w.disk, grid.Config{
		ZoneOffset: testZoneOffset, BlockSize: testBlockSize, CacheSize: w.rng.IntN(2) * grid.CacheSizeMin,
		Fault: func(err error) { w.t.Fatal(err) },
	})
	w.workers = nil
	w.tree = New(w.grid, w, w.config)
}

func (w *world) Go(job, done func()) { w.workers = append(w.workers, hired{job, done}) }

// step lets one thing happen, or reports that there is nothing.
func (w *world) step() bool {
	n := w.disk.InFlight()
	if n > 0 && (len(w.workers) == 0 || w.lazy || w.rng.IntN(3) > 0) {
		w.disk.Step()
		return true
	}
	if len(w.workers) == 0 {
		return false
	}
	i := w.rng.IntN(len(w.workers))
	h := w.workers[i]
	w.workers = slices.Delete(w.workers, i, i+1)
	h.job()
	h.done()
	return true
}

// wait lets things happen until done.
func (w *world) wait(done *bool) {
	w.t.Helper()
	for !*done {
		if !w.step() {
			w.t.Fatal("nothing left to happen, and something still waits")
		}
	}
}

func (w *world) put(key Key, value uint64) {
	w.log = append(w.log, Entry{Key: key, Value: value})
	w.tree.Put(key, value)
}

func (w *world) remove(key Key) {
	w.log = append(w.log, Entry{Key: key, Value: Absent})
	w.tree.Remove(key)
}

// noEntry is the value of a row of the log from which no entry follows.
const noEntry = Absent - 1

// idle adds rows of which the tree has nothing.
func (w *world) idle(rows int) {
	for range rows {
		w.log = append(w.log, Entry{Value: noEntry})
	}
}

func (w *world) beat() error {
	done, err := false, error(nil)
	w.tree.Beat(uint64(len(w.log)), func(e error) { done, err = true, e })
	w.wait(&done)
	if span := w.config.MarkSpan; span > 0 && uint64(len(w.log))-w.tree.Mark() > span {
		w.t.Fatalf("mark %d of %d rows, with a span of %d", w.tree.Mark(), len(w.log), span)
	}
	for !w.lazy && w.rng.IntN(3) > 0 && w.step() {
	}
	return err
}

// checkpoint makes one durable.
func (w *world) checkpoint() error {
	done, err := false, error(nil)
	w.tree.Checkpoint(func(e error) { done, err = true, e })
	w.wait(&done)
	if err != nil {
		return err
	}
	root := w.tree.AppendState(nil)
	var state grid.State
	done = false
	w.grid.Checkpoint(func(s grid.State) { done, state = true, s })
	w.wait(&done)
	done = false
	sync := blockio.Request{Kind: blockio.Sync, Done: func(*blockio.Request) { done = true }}
	w.disk.Submit(&sync)
	w.wait(&done)
	w.root, w.state, w.saved = root, state, len(w.log)
	w.grid.CheckpointDurable()
	return nil
}

// reopen loses power and opens the last checkpoint.
func (w *world) reopen() error {
	w.disk = w.disk.PowerCut()
	w.build()
	return w.open()
}

// open opens the last checkpoint in a new world.
func (w *world) open() error {
	done, err := false, error(nil)
	w.grid.Open(w.state, func(e error) { done, err = true, e })
	w.wait(&done)
	if err != nil {
		return fmt.Errorf("%w: %v", errFreeSet, err)
	}
	w.log = w.log[:w.saved]
	if w.root == nil {
		return nil
	}
	if err := w.tree.Open(w.root); err != nil {
		return err
	}
	for _, e := range w.log[w.tree.Mark():] {
		switch e.Value {
		case Absent:
			w.tree.RefillRemove(e.Key)
		case noEntry:
		default:
			w.tree.Refill(e.Key, e.Value)
		}
	}
	return w.tree.Refilled()
}

func (w *world) lookup(keys []Key) ([]uint64, error) {
	done, err := false, error(nil)
	values := make([]uint64, len(keys))
	w.tree.Lookup(keys, values, func(e error) { done, err = true, e })
	w.wait(&done)
	return values, err
}

func (w *world) scan(r Range, limit int) (entries []Entry, err error) {
	done := false
	w.tree.Scan(r, limit, nil, func(e []Entry, er error) { done, entries, err = true, e, er })
	w.wait(&done)
	return entries, err
}

// verify checks what must hold of the tree's shape.
func (w *world) verify() {
	w.t.Helper()
	v := w.tree.version
	for n, r := range v.order {
		for i, p := range r {
			if p.from.Less(p.first) || p.last.Less(p.from) || p.entries < 1 || p.entries > p.sortedTable.entries ||
				i > 0 && !r[i-1].last.Less(p.from) {
				w.t.Fatalf("run %d, part %d: %v from %v to %v, %d of %d entries", n, i, p.first, p.from, p.last, p.entries, p.sortedTable.entries)
			}
		}
	}
	for level, runs := range v.levels {
		if len(runs) > runsMax || w.tree.sweeps[level] > len(runs) || level > 0 && len(runs) > 1 && !w.config.Tiered {
			w.t.Fatalf("level %d: %d runs, sweep of %d", level, len(runs), w.tree.sweeps[level])
		}
	}
}

// blocks returns the number of the last block that the tree names.
func (w *world) blocks() int {
	last := block.Address(0)
	for _, r := range w.tree.version.order {
		for _, p := range r {
			last = max(last, p.root.Address)
		}
	}
	return int(last)
}

// image returns every byte of the grid up to its last block.
func (w *world) image() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%x %x", w.root, w.state)
	for n := range w.blocks() {
		b.Write(w.disk.Peek(int64(testZoneOffset+n*testBlockSize), testBlockSize))
	}
	return b.Bytes()
}

// twin is the tree as a sorted slice.
type twin []Entry

func (n twin) search(key Key) (int, bool) {
	return slices.BinarySearchFunc(n, key, func(e Entry, k Key) int { return e.Key.Compare(k) })
}

func (n *twin) put(key Key, value uint64) {
	if i, found := n.search(key); found {
		(*n)[i].Value = value
	} else {
		*n = slices.Insert(*n, i, Entry{Key: key, Value: value})
	}
}

func (n *twin) remove(key Key) {
	if i, found := n.search(key); found {
		*n = slices.Delete(*n, i, i+1)
	}
}

func (n twin) lookup(key Key) uint64 {
	if i, found := n.search(key); found {
		return n[i].Value
	}
	return Absent
}

func (n twin) scan(r Range, limit int) []Entry {
	low, _ := n.search(r.Min)
	high, found := n.search(r.Max)
	if found {
		high++
	}
	if low >= high {
		return nil
	}
	entries := slices.Clone(n[low:high])
	if r.Descending {
		slices.Reverse(entries)
	}
	return entries[:min(limit, len(entries))]
}
