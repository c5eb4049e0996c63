package lsm

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/vsr/faultdisk"
	"github.com/ledgerd/ledgerd/vsr/grid"
)

// probe opens the checkpoint and reads everything in each way, and merges. It
// returns the first error; without one all answers were right.
func (l *workload) probe(w *world) error {
	w.build()
	if err := w.open(); err != nil {
		return err
	}
	var keys []Key
	for _, e := range l.twin {
		keys = append(keys, e.Key)
	}
	values, err := w.lookup(keys)
	if err != nil {
		return err
	}
	for i, e := range l.twin {
		if values[i] != e.Value {
			return fmt.Errorf("%w: key %v has %d, want %d", errWrong, e.Key, values[i], e.Value)
		}
	}
	for _, descending := range []bool{false, true} {
		got, err := w.scan(Range{Max: Key{1 << 63}, Descending: descending}, 1<<30)
		if err != nil {
			return err
		}
		if len(got) != len(l.twin) {
			return fmt.Errorf("%w: scan of %d entries, want %d", errWrong, len(got), len(l.twin))
		}
	}
	for slot := range uint64(10) { // as a chain, if the tree is tiered
		r := Range{Min: Key{slot}, Max: Key{slot, math.MaxUint64}, Descending: slot%2 == 0}
		got, err := w.scan(r, 50)
		if err != nil {
			return err
		}
		if !slices.Equal(got, l.twin.scan(r, 50)) {
			return fmt.Errorf("%w: scan of slot %d", errWrong, slot)
		}
	}
	for i := range uint64(2 * l.config.MemtableEntries) {
		w.put(Key{i << 38, 9}, 1)
		if i%16 == 15 {
			if err := w.beat(); err != nil {
				return err
			}
		}
	}
	done, err := false, error(nil)
	w.tree.Checkpoint(func(e error) { done, err = true, e })
	w.wait(&done)
	return err
}

var (
	errWrong   = errors.New("wrong answer")
	errFreeSet = errors.New("the free set is damaged")
)

// faultyWorld returns a tree of some levels, as its checkpoint has it.
func faultyWorld(t *testing.T, tiered bool) (*world, *workload) {
	config := testConfig(2)
	config.Filter, config.Tiered = !tiered, tiered
	config.MemtableEntries, config.BeatEntries = 64, 16
	w := newWorld(t, 2, config)
	l := &workload{rng: rand.New(rand.NewPCG(1, 1)), config: config, key: random, removes: 1}
	if tiered {
		l.key, l.removes = slotted, 0
	}
	for range 150 {
		l.op(t, w)
	}
	if err := w.checkpoint(); err != nil {
		t.Fatal(err)
	}
	for w.step() {
	}
	return w, l
}

// Each block of the grid rots in several places. Whatever is read then is right
// or refused, by an error that names the tree and the block.
func TestRot(t *testing.T) {
	for _, tiered := range []bool{false, true} {
		rotEverywhere(t, tiered)
	}
}

func rotEverywhere(t *testing.T, tiered bool) {
	w, l := faultyWorld(t, tiered)
	if err := l.probe(w); err != nil {
		t.Fatal(err)
	}
	detected, harmless := 0, 0
	for n := range w.blocks() {
		offset := int64(testZoneOffset + n*testBlockSize)
		good := w.disk.Peek(offset, testBlockSize)
		for _, at := range []int64{0, 20, grid.HeaderSize, grid.HeaderSize + 1, grid.HeaderSize + 700, 2000, 3000} {
			w.disk.Rot(offset+at, 1)
			err := l.probe(w)
			switch {
			case err == nil:
				harmless++ // behind the payload, or in a part that nobody needs
			case errors.Is(err, errFreeSet):
			case errors.Is(err, errWrong):
				t.Fatalf("block %d rotten at %d: %v", n+1, at, err)
			case !errors.Is(err, grid.ErrCorrupt) || !strings.Contains(err.Error(), "lsm: tree test: ") ||
				!strings.Contains(err.Error(), fmt.Sprintf("block %d ", n+1)):
				t.Fatalf("block %d rotten at %d: the error does not say so: %v", n+1, at, err)
			default:
				detected++
			}
			w.disk.Poke(offset, good)
		}
	}
	t.Logf("%d detected, %d harmless", detected, harmless)
	if detected < 60 {
		t.Errorf("only %d times was rot detected", detected)
	}
}

// Each read fails once, in turn.
func TestReadFaults(t *testing.T) {
	for _, tiered := range []bool{false, true} {
		failEachRead(t, tiered)
	}
}

func failEachRead(t *testing.T, tiered bool) {
	w, l := faultyWorld(t, tiered)
	total := 0
	w.disk.Inject = func(_ int, r *blockio.Request) faultdisk.Fault {
		if r.Kind == blockio.Read {
			total++
		}
		return faultdisk.Fault{}
	}
	if err := l.probe(w); err != nil {
		t.Fatal(err)
	}
	for _, effect := range []faultdisk.Effect{faultdisk.Unreadable, faultdisk.Rotten} {
		failed := 0
		for n := 0; n < total; n += 1 + total/300 {
			reads := 0
			w.disk.Inject = func(_ int, r *blockio.Request) faultdisk.Fault {
				if r.Kind != blockio.Read {
					return faultdisk.Fault{}
				}
				reads++
				if reads == n+1 {
					return faultdisk.Fault{Effect: effect}
				}
				return faultdisk.Fault{}
			}
			err := l.probe(w)
			if errors.Is(err, errWrong) || err == nil && effect == faultdisk.Unreadable && reads > n {
				t.Fatalf("read %d: %v", n, err)
			}
			if err != nil {
				failed++
			}
			for w.disk.InFlight() > 0 { // what a failed tree has left behind
				w.disk.Step()
			}
		}
		t.Logf("%d reads, %d errors", total, failed)
	}
}

// A manifest of another tree, or a damaged one, is refused.
func TestOpenOfSomethingElse(t *testing.T) {
	w, _ := faultyWorld(t, true)
	for name, change := range map[string]func(*Config){
		"words":  func(c *Config) { c.Words = 3 },
		"filter": func(c *Config) { c.Tiered, c.Filter = false, true },
		"set":    func(c *Config) { c.Tiered, c.Set = false, true },
		"tiered": func(c *Config) { c.Tiered = false },
		"page":   func(c *Config) { c.PageSize = 512 },
		"beat":   func(c *Config) { c.BeatEntries = 8 },
		"span":   func(c *Config) { c.MarkSpan = 64 },
	} {
		other := w.config
		change(&other)
		if err := New(w.grid, w, other).Open(w.root); !errors.Is(err, ErrManifest) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for n := range w.root {
		if err := New(w.grid, w, w.config).Open(w.root[:n]); !errors.Is(err, ErrManifest) {
			t.Fatalf("first %d of %d bytes: %v", n, len(w.root), err)
		}
	}
}

func FuzzManifest(f *testing.F) {
	var worlds []*world
	for _, tiered := range []bool{false, true} {
		config := testConfig(2)
		config.MemtableEntries, config.BeatEntries, config.Tiered = 32, 8, tiered
		w := newWorld(nil, 0, config)
		for i := range uint64(400) {
			w.put(Key{i % 7, i}, i)
			if i%8 == 7 {
				w.tree.Beat(uint64(len(w.log)), func(error) {})
				for w.tree.task != nil && w.step() {
				}
			}
			if i%100 == 99 {
				for w.tree.writing > 0 && w.step() {
				}
				f.Add(w.tree.encode(nil))
			}
		}
		worlds = append(worlds, w)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		for _, w := range worlds {
			tree := New(w.grid, w, w.config)
			if err := tree.Open(content); err != nil {
				if !errors.Is(err, ErrManifest) {
					t.Fatal(err)
				}
				continue
			}
			r := tree.opened
			for range r.frozen + r.active {
				tree.Refill(Key{1}, 1)
			}
			if err := tree.Refilled(); err != nil {
				t.Fatal(err)
			}
			if again := tree.encode(nil); string(again) != string(content) {
				t.Fatal("two encodings of one manifest")
			}
		}
	})
}
