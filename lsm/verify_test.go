package lsm

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/vsr/grid"
)

func (w *world) verifyBlocks(visit func(block.Ref)) error {
	done, err := false, error(nil)
	w.tree.Verify(visit, func(e error) { done, err = true, e })
	w.wait(&done)
	return err
}

func (w *world) warm() error {
	done, err := false, error(nil)
	w.tree.Warm(func(e error) { done, err = true, e })
	w.wait(&done)
	return err
}

// Verify visits each block once, as many as Stats counts, and finds nothing
// wrong with a tree of any kind, whatever has been merged.
func TestVerify(t *testing.T) {
	for i, load := range workloads {
		config := testConfig(2)
		config.MemtableEntries, config.BeatEntries = 64, 16
		load.config(&config)
		w := newWorld(t, uint64(i), config)
		l := &workload{rng: rand.New(rand.NewPCG(uint64(i), 1)), config: config, key: load.key, removes: load.removes}
		for range 30 {
			for range 10 {
				l.op(t, w)
			}
			seen := map[block.Address]bool{}
			twice := 0
			if err := w.verifyBlocks(func(ref block.Ref) {
				if seen[ref.Address] {
					twice++
				}
				seen[ref.Address] = true
			}); err != nil {
				t.Fatalf("%s: %v", load.name, err)
			}
			blocks, entries := 0, 0
			stats := w.tree.Stats()
			for _, level := range stats.Levels {
				blocks += level.Blocks
				entries += level.Entries
			}
			if twice > 0 || len(seen) != blocks || entries != w.stored() {
				t.Fatalf("%s: %d blocks, %d of them twice, of %+v", load.name, len(seen), twice, stats)
			}
		}
	}
}

// Verify finds each byte that rots in what the tree names, with the block.
func TestVerifyFindsRot(t *testing.T) {
	w, _ := faultyWorld(t, false)
	var refs []block.Ref
	if err := w.verifyBlocks(func(ref block.Ref) { refs = append(refs, ref) }); err != nil || len(refs) < 10 {
		t.Fatal(len(refs), err)
	}
	for _, ref := range refs {
		w.build()
		if err := w.open(); err != nil {
			t.Fatal(err)
		}
		offset := int64(testZoneOffset + int(ref.Address-1)*testBlockSize)
		good := w.disk.Peek(offset, testBlockSize)
		w.disk.Rot(offset+grid.HeaderSize+3, 1)
		err := w.verifyBlocks(nil)
		if !errors.Is(err, grid.ErrCorrupt) || !strings.Contains(err.Error(), "tree test: ") ||
			!strings.Contains(err.Error(), fmt.Sprintf("block %d ", ref.Address)) {
			t.Errorf("block %d: %v", ref.Address, err)
		}
		w.disk.Poke(offset, good)
	}
}

// What a manifest says wrongly of a table is found when the table is read.
func TestVerifyFindsContradictions(t *testing.T) {
	for name, change := range map[string]func(p *part){
		"left":       func(p *part) { p.entries-- },
		"entries":    func(p *part) { p.sortedTable.entries++ },
		"tombstones": func(p *part) { p.tombstones++ },
		"first":      func(p *part) { p.first[0]--; p.from[0]-- },
		"from":       func(p *part) { p.from[0]++ },
		"low":        func(p *part) { p.low-- },
		"high":       func(p *part) { p.high++ },
		"blocks":     func(p *part) { p.blocks++ },
	} {
		w, _ := faultyWorld(t, false)
		w.build()
		if err := w.open(); err != nil {
			t.Fatal(err)
		}
		change(&w.tree.version.order[0][0])
		if err := w.verifyBlocks(nil); err == nil {
			t.Errorf("%s: nothing is wrong", name)
		}
	}
}

// Warm reads each index once, whatever is merged meanwhile.
func TestWarm(t *testing.T) {
	for seed := range uint64(20) {
		config := testConfig(2)
		config.Filter = true
		config.MemtableEntries, config.BeatEntries = 64, 16
		w := newWorld(t, seed, config)
		l := &workload{rng: rand.New(rand.NewPCG(seed, 9)), config: config, key: random}
		for range 150 {
			l.op(t, w)
		}
		if err := w.checkpoint(); err != nil {
			t.Fatal(err)
		}
		if err := w.reopen(); err != nil {
			t.Fatal(err)
		}
		if seed%2 == 0 {
			if err := w.warm(); err != nil {
				t.Fatal(err)
			}
			for _, r := range w.tree.version.order {
				for _, p := range r {
					if p.index == nil {
						t.Fatal("an index is not there")
					}
				}
			}
			continue
		}
		warm := false
		w.tree.Warm(func(err error) { warm = err == nil })
		for range 100 {
			l.op(t, w)
			if l.rng.IntN(8) == 0 {
				if err := w.checkpoint(); err != nil {
					t.Fatal(err)
				}
			}
		}
		w.wait(&warm)
		l.check(t, w)
	}
	w, _ := faultyWorld(t, false)
	w.build()
	if err := w.open(); err != nil {
		t.Fatal(err)
	}
	root := w.tree.version.order[0][0].root.Address
	w.disk.Rot(int64(testZoneOffset+int(root-1)*testBlockSize+grid.HeaderSize), 1)
	if err := w.warm(); !errors.Is(err, grid.ErrCorrupt) {
		t.Errorf("%v of a rotten index", err)
	}
}
