package rowlog

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/vsr/faultdisk"
	"github.com/ledgerd/ledgerd/vsr/grid"
)

const (
	testZoneOffset = 4096
	testRowMax     = 350
)

// world is a log on a real grid on a simulated disk, with its naive twin. Its
// timing comes from one seed, the operations from elsewhere.
type world struct {
	t         testing.TB
	rng       *rand.Rand // of the timing
	blockSize int
	config    Config
	disk      *faultdisk.Disk
	grid      *grid.Grid
	log       *Log
	twin      twin
	rowSize   int // of all rows, unless 0
	pace      int // of how many rows one has another stamp than the row before
	disorder  int // by how many rows a key may be out of order
	pushed    int // rows, ever

	state []byte // of the log, in the last checkpoint
	rows  int    // of the twin then
	free  grid.State

	opened bool // the log, by reopen
}

// twin is a log as a slice.
type twin []twinRow

type twinRow struct {
	at    Position
	bytes []byte
}

func newWorld(t testing.TB, seed uint64, blockSize int) *world {
	w := &world{t: t, rng: rand.New(rand.NewPCG(seed, 77)), blockSize: blockSize, pace: 1}
	w.config = Config{
		Name: "test", Kind: 9, DirectoryKind: 10,
		RowMax: testRowMax, Key: testKey, RecentSize: int(seed%4) * (blockSize - grid.HeaderSize),
	}
	w.disk = faultdisk.New(rand.New(rand.NewPCG(seed, 78)))
	w.build()
	return w
}

// testKey returns the key of a row that is long enough to have one.
func testKey(row []byte) u128.Uint128 {
	if len(row) < rowMin+u128.Size {
		return u128.Uint128{}
	}
	return u128.FromBytes(row[rowMin:])
}

func (w *world) build() {
	w.grid = grid.New(w.disk, grid.Config{
		ZoneOffset: testZoneOffset, BlockSize: w.blockSize, CacheSize: w.rng.IntN(2) * grid.CacheSizeMin,
		Fault: func(err error) { w.t.Fatal(err) },
	})
	w.log = New(w.grid, w.config)
}

// wait lets things happen until done.
func (w *world) wait(done *bool) {
	w.t.Helper()
	for !*done {
		if !w.disk.Step() {
			w.t.Fatal("nothing left to happen, and something still waits")
		}
	}
}

// some lets a few things happen.
func (w *world) some() {
	for w.rng.IntN(3) > 0 && w.disk.Step() {
	}
}

func (w *world) push(rng *rand.Rand, size int) {
	row := w.log.Tail()[:w.config.RowMax]
	for i := range row { // also what is behind the row
		row[i] = byte(rng.Uint32())
	}
	stamp := uint64(0)
	if n := len(w.twin); n > 0 {
		stamp = stampOf(w.twin[n-1].bytes)
	}
	binary.LittleEndian.PutUint16(row, uint16(size))
	if rng.IntN(w.pace) == 0 {
		stamp += uint64(rng.IntN(3))
	}
	binary.LittleEndian.PutUint64(row[8:], stamp)
	w.pushed++
	key := u128.Uint128{Lo: uint64(w.pushed), Hi: uint64(w.pushed/4 + rng.IntN(w.disorder+1))}
	key.PutBytes(row[rowMin:])
	kept := slices.Clone(row[:size])
	w.twin = append(w.twin, twinRow{w.log.Push(size), kept})
}

func (w *world) pushRandom(rng *rand.Rand) {
	size := rowMin + rng.IntN(testRowMax-rowMin+1)
	if w.rowSize != 0 {
		size = w.rowSize
	}
	w.push(rng, size)
}

// op pushes some rows and flushes, mostly; sometimes it rolls back in between.
func (w *world) op(rng *rand.Rand) {
	rows := rng.IntN(1 << rng.IntN(9))
	for range 1 + rng.IntN(2) {
		mark, end := w.log.Mark(), len(w.twin)
		for range rows {
			w.pushRandom(rng)
		}
		if rng.IntN(3) == 0 {
			w.log.Truncate(mark)
			w.twin = w.twin[:end]
		}
	}
	if rng.IntN(8) > 0 {
		w.log.Flush()
	}
}

// checkpoint makes one durable.
func (w *world) checkpoint() {
	w.t.Helper()
	done := false
	w.log.Checkpoint(func() { done = true })
	w.some()
	w.grid.Release(w.grid.Acquire()) // others use the grid as well
	w.wait(&done)
	w.state = w.log.AppendState(nil)
	done = false
	w.grid.Checkpoint(func(s grid.State) { done, w.free = true, s })
	w.wait(&done)
	done = false
	w.disk.Submit(&blockio.Request{Kind: blockio.Sync, Done: func(*blockio.Request) { done = true }})
	w.wait(&done)
	w.grid.CheckpointDurable()
	w.rows = len(w.twin)
}

// reopen opens the last checkpoint.
func (w *world) reopen() error {
	w.twin, w.opened = w.twin[:w.rows], false
	w.build()
	done, err := false, error(nil)
	w.grid.Open(w.free, func(e error) { done, err = true, e })
	w.wait(&done)
	if err != nil {
		return fmt.Errorf("%w: %w", errFreeSet, err)
	}
	done = false
	w.log.Open(w.state, func(e error) { done, err = true, e })
	w.wait(&done)
	w.opened = err == nil
	return err
}

// A check is a read that was begun. It returns its error, if it is done: that
// of the read, or errWrong.
type check func() (done bool, err error)

func (w *world) finish(c check) error {
	w.t.Helper()
	for {
		if done, err := c(); done {
			return err
		}
		if !w.disk.Step() {
			w.t.Fatal("nothing left to happen, and a read still waits")
		}
	}
}

func (w *world) fetch(numbers []int) check {
	twin := w.twin
	positions := make([]Position, len(numbers))
	for i, n := range numbers {
		positions[i] = twin[n].at
	}
	visits := make([]int, len(numbers))
	done, err := false, error(nil)
	w.log.Fetch(positions, func(i int, row []byte) {
		if done || !bytes.Equal(row, twin[numbers[i]].bytes) {
			err = fmt.Errorf("%w: fetch of %v", errWrong, positions[i])
		}
		visits[i]++
	}, func(e error) {
		if done {
			w.t.Fatal("done twice")
		}
		done = true
		if err == nil {
			err = e
		}
		if e == nil && slices.ContainsFunc(visits, func(n int) bool { return n != 1 }) {
			err = fmt.Errorf("%w: fetch visits %v", errWrong, visits)
		}
	})
	return func() (bool, error) { return done, err }
}

func (w *world) scan(from, to Position, descending bool, limit int) check {
	rows := w.twin
	search := func(p Position) int { return sort.Search(len(rows), func(i int) bool { return rows[i].at >= p }) }
	var want twin
	if low, high := search(from), search(to); low < high {
		want = slices.Clone(rows[low:high])
	}
	if descending {
		slices.Reverse(want)
	}
	want = want[:min(limit, len(want))]
	n, done, err := 0, false, error(nil)
	w.log.Scan(from, to, descending, func(p Position, row []byte) bool {
		if done || n == len(want) || p != want[n].at || !bytes.Equal(row, want[n].bytes) {
			err = fmt.Errorf("%w: scan from %v to %v, row %d of %d: %v", errWrong, from, to, n, len(want), p)
			return false
		}
		n++
		return n < limit
	}, func(e error) {
		if done {
			w.t.Fatal("done twice")
		}
		done = true
		if err == nil {
			err = e
		}
		if err == nil && n != len(want) {
			err = fmt.Errorf("%w: scan from %v to %v ended after %d of %d", errWrong, from, to, n, len(want))
		}
	})
	return func() (bool, error) { return done, err }
}

func (w *world) seek(stamp uint64) check {
	want := w.log.End()
	if i := sort.Search(len(w.twin), func(i int) bool { return stampOf(w.twin[i].bytes) >= stamp }); i < len(w.twin) {
		want = w.twin[i].at
	}
	done, err := false, error(nil)
	w.log.Seek(stamp, func(p Position, e error) {
		done, err = true, e
		if e == nil && p != want {
			err = fmt.Errorf("%w: seek of %d gives %v, want %v", errWrong, stamp, p, want)
		}
	})
	return func() (bool, error) { return done, err }
}

// randomRead begins a read of a random kind.
func (w *world) randomRead(rng *rand.Rand) check {
	n := len(w.twin)
	switch kind := rng.IntN(4); {
	case n == 0:
		return w.seek(uint64(rng.IntN(2)))
	case kind < 2:
		numbers := make([]int, rng.IntN(1<<rng.IntN(10)))
		for i := range numbers {
			numbers[i] = rng.IntN(n)
		}
		if kind == 0 {
			return w.fetch(numbers)
		}
		return w.find(numbers)
	case kind == 2:
		return w.seek(uint64(rng.IntN(int(stampOf(w.twin[n-1].bytes)) + 2)))
	}
	bound := func(edge Position) Position {
		switch p := w.twin[rng.IntN(n)]; rng.IntN(4) {
		case 0:
			return edge
		case 1:
			return p.at + Position(len(p.bytes))
		default:
			return p.at
		}
	}
	return w.scan(bound(0), bound(1<<63), rng.IntN(2) == 0, 1+rng.IntN(1<<rng.IntN(13)))
}
