package rowlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"
)

var (
	errWrong   = errors.New("wrong answer")
	errFreeSet = errors.New("the free set is damaged")
)

// Random ops, reads that overlap with them, checkpoints and restarts.
func TestAgainstTwin(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 1))
		w := newWorld(t, seed, 4096*(1+int(seed%5)))
		if seed%3 == 0 {
			w.rowSize = 64 // fills parts exactly
		}
		if seed%4 == 0 {
			w.pace = 100 // the same stamp in several blocks
		}
		if seed%2 == 0 {
			w.disorder = 1 << (seed % 12)
		}
		var reads []check
		for range 120 {
			for _, c := range reads { // Truncate must wait for them
				if err := w.finish(c); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
			}
			reads = reads[:0]
			settled := false
			w.log.Settle(func() { settled = true })
			w.wait(&settled)
			if w.log.writing > writingMax {
				t.Fatalf("seed %d: %d blocks on their way", seed, w.log.writing)
			}
			w.op(rng)
			w.some()
			for range rng.IntN(4) {
				reads = append(reads, w.randomRead(rng))
				w.some()
			}
			if rng.IntN(3) == 0 { // an op under the reads
				for range rng.IntN(200) {
					w.pushRandom(rng)
				}
				w.log.Flush()
				w.some()
			}
			switch rng.IntN(12) {
			case 0, 1:
				w.checkpoint()
			case 2:
				reads = nil
				w.disk = w.disk.PowerCut()
				if w.state == nil {
					w.build()
					w.twin = nil
				} else if err := w.reopen(); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
			}
			if w.log.Rows() != uint64(len(w.twin)) {
				t.Fatalf("seed %d: %d rows, want %d", seed, w.log.Rows(), len(w.twin))
			}
			for n := 0; n < len(w.twin); n += 1 + rng.IntN(100) {
				if row, ok := w.log.Row(w.twin[n].at); ok && !bytes.Equal(row, w.twin[n].bytes) {
					t.Fatalf("seed %d: row %d of %d", seed, n, len(w.twin))
				}
			}
		}
	}
}

// What is on the grid depends on the operations alone.
func TestDeterminism(t *testing.T) {
	for seed := range uint64(10) {
		var states, images [][]byte
		for timing := range uint64(4) {
			rng := rand.New(rand.NewPCG(seed, 2))
			w := newWorld(t, timing, 4096)
			for i := range 150 {
				w.op(rng)
				w.some()
				if timing > 1 {
					w.randomRead(rand.New(rand.NewPCG(timing, uint64(i))))
					w.disk.Run() // no Truncate under the read
				}
				if i%20 == 19 {
					w.checkpoint()
				}
			}
			w.checkpoint()
			if len(w.log.directory.refs) == 0 {
				t.Fatal("no block of the directory")
			}
			states = append(states, w.state)
			images = append(images, w.disk.Peek(testZoneOffset, w.grid.BlocksInUse()*w.blockSize))
			if !bytes.Equal(states[0], states[timing]) || !bytes.Equal(images[0], images[timing]) {
				t.Fatalf("seed %d, timing %d: another state", seed, timing)
			}
		}
	}
}

// A log goes on behind a newest block, or a part of it, that is exactly full.
func TestOpenOfWholeParts(t *testing.T) {
	for _, rows := range []int{63, 63 + 64, 2 * (63 + 64)} {
		rng := rand.New(rand.NewPCG(1, 8))
		w := newWorld(t, 0, 8192)
		for range rows {
			w.push(rng, 64)
		}
		w.checkpoint()
		if err := w.reopen(); err != nil {
			t.Fatal(err)
		}
		for range 300 {
			w.push(rng, 64)
		}
		w.checkpoint()
		if err := w.probe(); err != nil {
			t.Errorf("%d rows: %v", rows, err)
		}
	}
}

// The blocks that a log names are those that it holds.
func TestBlocksAreGivenBack(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 3))
	w := newWorld(t, 0, 4096)
	for range 20 {
		for range 100 {
			w.op(rng)
		}
		w.checkpoint()
		w.checkpoint() // what was released before is free now, but for the free set's own blocks
		s := w.log.Stats()
		if held := w.grid.BlocksInUse() - s.Blocks - s.DirectoryBlocks; held < 0 || held > 4 {
			t.Fatalf("%d blocks, %d of the directory, but %d acquired", s.Blocks, s.DirectoryBlocks, w.grid.BlocksInUse())
		}
	}
	if s := w.log.Stats(); s.DirectoryBlocks < 3 {
		t.Fatalf("only %d blocks of the directory", s.DirectoryBlocks)
	}
}

// Full blocks stay in memory up to RecentSize, and not more.
func TestRecentBlocks(t *testing.T) {
	for recent := range 4 {
		w := newWorld(t, uint64(recent), 8192)
		rng := rand.New(rand.NewPCG(1, 4))
		for range 1000 {
			w.push(rng, 100)
		}
		w.log.Flush()
		if len(w.log.pages) < 12 {
			t.Fatalf("%d blocks in memory before they are written", len(w.log.pages))
		}
		w.disk.Run()
		if got := len(w.log.pages) - 1; got != recent {
			t.Errorf("%d full blocks in memory, want %d", got, recent)
		}
		mark := w.log.Mark() // buffers are used again
		buffers := len(w.log.pages) + len(w.log.spare)
		for range 5 {
			for range 600 {
				w.push(rng, 100)
			}
			w.log.Truncate(mark)
		}
		if got := len(w.log.pages) + len(w.log.spare); got != buffers {
			t.Errorf("%d buffers, want %d", got, buffers)
		}
	}
}

// A log that the disk cannot keep up with waits, and no longer than it must.
func TestSettle(t *testing.T) {
	w := newWorld(t, 0, 4096)
	rng := rand.New(rand.NewPCG(1, 7))
	for w.log.newest().number <= 2*writingMax {
		w.push(rng, 350)
	}
	w.log.Flush()
	settled := false
	w.log.Settle(func() { settled = true })
	w.wait(&settled)
	if w.log.writing != writingMax {
		t.Errorf("%d blocks on their way, want %d", w.log.writing, writingMax)
	}
	settled = false
	w.log.Settle(func() { settled = true })
	if !settled {
		t.Error("a log that has settled waits")
	}
}

func TestPositionsOfFixedRows(t *testing.T) {
	for _, size := range []int{16, 64, 100, 350} {
		for blocks := range 3 {
			w := newWorld(t, 0, 4096*(1+blocks))
			rng := rand.New(rand.NewPCG(1, 5))
			for n := range uint64(2000) {
				if got := w.log.NumberOf(w.log.End(), size); got != n {
					t.Fatalf("size %d: end is of row %d, want %d", size, got, n)
				}
				w.push(rng, size)
				p := w.twin[n].at
				if got := w.log.PositionOf(n, size); got != p {
					t.Fatalf("size %d: row %d at %v, want %v", size, n, got, p)
				}
				if got := w.log.NumberOf(p, size); got != n {
					t.Fatalf("size %d: %v is of row %d, want %d", size, p, got, n)
				}
			}
		}
	}
}

func TestRowLength(t *testing.T) {
	for _, c := range []struct {
		rest []byte
		want int
	}{
		{nil, 0},
		{make([]byte, 15), 0},
		{[]byte{16, 14: 0}, 0}, // too short for a row
		{make([]byte, 16), 0},
		{[]byte{15, 100: 0}, -1},
		{[]byte{16, 100: 0}, 16},
		{[]byte{101, 100: 0}, 101},
		{[]byte{102, 100: 0}, -1},
		{[]byte{0, 1, 255: 0}, 256},
	} {
		if got := rowLength(c.rest); got != c.want {
			t.Errorf("row in %d bytes, %v: %d, want %d", len(c.rest), c.rest, got, c.want)
		}
	}
}

// A part is one sector of the file.
func TestPartsAreSectors(t *testing.T) {
	w := newWorld(t, 0, 4*4096)
	l := w.log
	if l.parts != 4 {
		t.Fatalf("%d parts", l.parts)
	}
	const header = 64
	for part := range l.parts {
		start, end := l.start(part), l.start(part+1)
		if part > 0 && (start+header)%4096 != 0 || (end+header)%4096 != 0 || end-start > 4096 {
			t.Errorf("part %d from %d to %d", part, start, end)
		}
		if l.partAt(start) != part || l.partAt(end-1) != part {
			t.Errorf("part %d is not where it is", part)
		}
	}
}

func TestMisuse(t *testing.T) {
	panics := func(name string, f func()) {
		defer func() {
			if recover() == nil {
				t.Errorf("%s: no panic", name)
			}
		}()
		f()
	}
	w := newWorld(t, 0, 4096)
	panics("no kind", func() { New(w.grid, Config{RowMax: 100}) })
	panics("large rows", func() { New(w.grid, Config{Kind: 1, DirectoryKind: 2, RowMax: 4096}) })
	panics("empty row", func() { w.log.Push(0) })
	binary.LittleEndian.PutUint16(w.log.Tail(), 32)
	panics("wrong length", func() { w.log.Push(33) })
	panics("no row there", func() { w.log.Row(w.log.End()) })
	rng := rand.New(rand.NewPCG(1, 6))
	mark := w.log.Mark()
	for range 100 {
		w.push(rng, 100)
	}
	panics("state without a checkpoint", func() { w.log.AppendState(nil) })
	w.log.Flush()
	panics("truncate behind a flush", func() { w.log.Truncate(mark) })
	mark = w.log.Mark()
	w.push(rng, 100)
	w.checkpoint()
	panics("truncate behind a checkpoint", func() { w.log.Truncate(mark) })
}
