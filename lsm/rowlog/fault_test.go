package rowlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/vsr/faultdisk"
	"github.com/ledgerd/ledgerd/vsr/grid"
)

// probe opens the checkpoint and reads everything in each way. It returns the
// first error; without one all answers were right.
func (w *world) probe() error {
	if err := w.reopen(); err != nil {
		return err
	}
	return w.readAll()
}

func (w *world) readAll() error {
	all := make([]int, len(w.twin))
	for i := range all {
		all[i] = len(all) - 1 - i
	}
	last := stampOf(w.twin[len(w.twin)-1].bytes)
	for _, begin := range []func() check{
		func() check { return w.fetch(all) },
		func() check { return w.find(all) },
		func() check { return w.scan(0, w.log.End(), false, len(w.twin)) },
		func() check { return w.scan(0, w.log.End(), true, len(w.twin)) },
		func() check { return w.seek(last / 3) },
		func() check { return w.seek(last) },
	} {
		if err := w.finish(begin()); err != nil {
			return err
		}
	}
	return nil
}

// faultyWorld returns a log with some chunks of its directory on the grid.
func faultyWorld(t *testing.T, blockSize, rows int) *world {
	rng := rand.New(rand.NewPCG(1, 1))
	w := newWorld(t, 0, blockSize)
	for i := range rows {
		w.push(rng, testRowMax-rng.IntN(20))
		if i%100 == 0 {
			w.log.Flush()
		}
	}
	w.log.Flush()
	w.checkpoint()
	w.disk.Run()
	return w
}

// Each block rots, in each of its parts. Whatever is read then is right or
// refused, by an error that names the log and the block.
func TestRot(t *testing.T) {
	detected, harmless := 0, 0
	for _, c := range []struct{ blockSize, rows int }{{4096, 1500}, {3 * 4096, 300}} {
		w := faultyWorld(t, c.blockSize, c.rows)
		if err := w.probe(); err != nil {
			t.Fatal(err)
		}
		if s := w.log.Stats(); c.blockSize == 4096 && s.DirectoryBlocks == 0 {
			t.Fatal("no block of the directory")
		}
		for n := range w.grid.BlocksInUse() {
			offset := int64(testZoneOffset + n*c.blockSize)
			good := w.disk.Peek(offset, c.blockSize)
			for at := int64(0); at < int64(c.blockSize); at += 1024 {
				w.disk.Rot(offset+at+int64(w.rng.IntN(900)), 1)
				err := w.probe()
				w.disk.Run()
				switch {
				case err == nil:
					harmless++ // behind the payload
				case errors.Is(err, errFreeSet):
				case errors.Is(err, errWrong):
					t.Fatalf("block %d rotten at %d: %v", n+1, at, err)
				case !errors.Is(err, grid.ErrCorrupt) || !strings.Contains(err.Error(), "rowlog: test: ") ||
					!strings.Contains(err.Error(), fmt.Sprintf("block %d ", n+1)):
					t.Fatalf("block %d rotten at %d: the error does not say so: %v", n+1, at, err)
				default:
					detected++
				}
				w.disk.Poke(offset, good)
			}
		}
	}
	t.Logf("%d detected, %d harmless", detected, harmless)
	if detected < 400 || harmless > detected/10 {
		t.Errorf("%d times was rot detected, and %d times not", detected, harmless)
	}
}

// Each read fails once, in turn.
func TestReadFaults(t *testing.T) {
	w := faultyWorld(t, 2*4096, 400)
	for _, effect := range []faultdisk.Effect{faultdisk.Unreadable, faultdisk.Rotten} {
		failed, n := 0, 0
		for reads := 0; reads >= n; n++ {
			reads = 0
			w.disk.Inject = func(_ int, r *blockio.Request) (f faultdisk.Fault) {
				if r.Kind == blockio.Read {
					reads++
				}
				if reads == n+1 {
					f.Effect = effect
				}
				return f
			}
			err := w.probe()
			if errors.Is(err, errWrong) || err == nil && effect == faultdisk.Unreadable && reads > n {
				t.Fatalf("read %d: %v", n, err)
			}
			if err != nil {
				failed++
			}
			w.disk.Run() // what a failed read has left behind
			w.disk.Inject = nil
			if w.opened { // the log goes on
				if err := w.readAll(); err != nil {
					t.Fatalf("after read %d: %v", n, err)
				}
			}
		}
		t.Logf("%d reads, %d errors", n, failed)
		if failed < 70 {
			t.Errorf("only %d of %d reads failed", failed, n)
		}
	}
}

// A scan tells an error in its turn: no row before the damage is missing.
func TestScanUpToTheDamage(t *testing.T) {
	for _, descending := range []bool{false, true} {
		w := faultyWorld(t, 2*4096, 2000)
		damaged := len(w.twin) / 2
		a := w.log.directory.ref(w.twin[damaged].at.number()).Address
		w.disk.Rot(testZoneOffset+int64(a-1)*int64(w.blockSize)+100, 1)
		if err := w.reopen(); err != nil {
			t.Fatal(err)
		}
		n, done := 0, false
		var failure error
		w.log.Scan(0, w.log.End(), descending, func(Position, []byte) bool { n++; return true }, func(err error) {
			done, failure = true, err
		})
		w.wait(&done)
		if n < damaged-100 || n > damaged || !errors.Is(failure, grid.ErrCorrupt) {
			t.Errorf("%d rows of %d, then %v", n, damaged, failure)
		}
		w.disk.Run()
		if len(w.log.scans) != 1 || w.log.scans[0].inFlight != 0 {
			t.Error("the scan is not idle")
		}
	}
}

// States of another shape are refused.
func TestOpenOfSomethingElse(t *testing.T) {
	w := faultyWorld(t, 4096, 1500)
	for name, change := range map[string]func(state []byte) []byte{
		"empty":          func(s []byte) []byte { return nil },
		"short":          func(s []byte) []byte { return s[:len(s)-1] },
		"long":           func(s []byte) []byte { return append(s, 0) },
		"version":        func(s []byte) []byte { s[0]++; return s },
		"block size":     func(s []byte) []byte { s[5]++; return s },
		"more blocks":    func(s []byte) []byte { s[16]++; return s },
		"no newest":      func(s []byte) []byte { clear(s[24:48]); return s },
		"large newest":   func(s []byte) []byte { binary.LittleEndian.PutUint32(s[20:], 5000); return s },
		"another newest": func(s []byte) []byte { binary.LittleEndian.PutUint32(s[20:], 20); return s },
		"nothing newest": func(s []byte) []byte { clear(s[20:48]); return s },
		"no chunk":       func(s []byte) []byte { clear(s[48:72]); return s },
		"no block":       func(s []byte) []byte { clear(s[len(s)-56 : len(s)-32]); return s },
		"stamps":         func(s []byte) []byte { clear(s[len(s)-32 : len(s)-24]); return s },
	} {
		good := w.state
		w.state = change(append([]byte(nil), good...))
		err := w.reopen()
		if !errors.Is(err, ErrState) && name != "another newest" || err == nil || !strings.Contains(err.Error(), "rowlog: test: ") {
			t.Errorf("%s: %v", name, err)
		}
		w.disk.Run()
		w.state = good
	}
	if err := w.probe(); err != nil {
		t.Error(err)
	}
}

// FuzzState opens a log of any state and directory.
func FuzzState(f *testing.F) {
	w := newWorld(f, 0, 4096)
	rng := rand.New(rand.NewPCG(1, 1))
	for _, rows := range []int{0, 20, 100, 2000} {
		for range rows {
			w.push(rng, 350)
		}
		w.checkpoint()
		var chunk []byte
		if len(w.log.directory.refs) > 0 {
			chunk = w.log.directory.chunks[0]
		}
		f.Add(w.state, chunk)
	}
	f.Fuzz(func(t *testing.T, state, chunk []byte) {
		l := New(w.grid, w.config)
		if err := l.decode(state); err != nil {
			if !errors.Is(err, ErrState) {
				t.Fatal(err)
			}
			return
		}
		for n := range l.directory.refs {
			copy(l.directory.chunks[n], chunk)
		}
		if err := l.directory.validate(); err != nil {
			if !errors.Is(err, ErrState) {
				t.Fatal(err)
			}
			return
		}
		if again := l.AppendState(nil); string(again) != string(state) {
			t.Fatal("two encodings of one state")
		}
	})
}

// FuzzPart searches and scans a part of any bytes.
func FuzzPart(f *testing.F) {
	w := newWorld(f, 0, 4096)
	rng := rand.New(rand.NewPCG(1, 1))
	for range 30 {
		w.push(rng, 100)
	}
	f.Add(w.log.data[:3000], uint64(5), uint16(300), uint16(2000), true)
	f.Fuzz(func(t *testing.T, part []byte, stamp uint64, from, to uint16, descending bool) {
		l := New(w.grid, w.config)
		l.used = copy(l.data[:l.payload], part)
		l.rows = 1
		l.Seek(stamp, func(p Position, err error) {
			if err == nil && (p < positionOf(1, 0) || p > l.End()) {
				t.Fatalf("%v is outside of the log", p)
			}
		})
		last := Position(0)
		l.Scan(positionOf(1, int(from)), positionOf(1, int(to)), descending, func(p Position, row []byte) bool {
			if len(row) < rowMin || last != 0 && (p > last) == descending {
				t.Fatalf("%v of %d bytes after %v", p, len(row), last)
			}
			last = p
			return true
		}, func(error) {})
	})
}
