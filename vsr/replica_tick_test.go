package vsr_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/vsr"
	"github.com/ledgerd/ledgerd/vsr/faultdisk"
	"github.com/ledgerd/ledgerd/vsr/grid"
	"github.com/ledgerd/ledgerd/wire"
)

// withCheckpoint returns a replica that has made a checkpoint, and so has blocks.
func withCheckpoint(t *testing.T) *harness {
	h := newHarness(t, smallLayout())
	u := h.newUser(1)
	for i := range 12 { // a third of the journal's slots
		u.call(opSet, fmt.Sprintf("key%d=value", i))
	}
	return h
}

// readBlocks lets ticks pass and returns the offsets of the blocks that were read.
func (h *harness) readBlocks(ticks int) (offsets []int64) {
	h.disk.Inject = func(_ int, r *blockio.Request) faultdisk.Fault {
		if r.Kind != blockio.Read || r.Offset < h.layout.GridOffset() {
			h.t.Errorf("a tick leads to a %v at offset %d", r.Kind, r.Offset)
		}
		offsets = append(offsets, r.Offset)
		return faultdisk.Fault{}
	}
	for range ticks {
		h.replica.Tick()
		h.run()
	}
	h.disk.Inject = nil
	return offsets
}

// Blocks are looked at one after the other, a block every ten ticks, and again an
// hour after the tour began.
func TestTourOfBlocks(t *testing.T) {
	h := withCheckpoint(t)
	if early := h.readBlocks(9); len(early) != 0 {
		t.Errorf("%d blocks were read in 9 ticks", len(early))
	}
	if two := h.readBlocks(11); len(two) != 2 {
		t.Errorf("%d blocks were read in 20 ticks", len(two))
	}
	h.powerCut() // the tour begins anew
	first := h.readBlocks(1000)
	if len(first) < 3 || len(first) > 20 {
		t.Fatalf("%d blocks read", len(first))
	}
	for i, offset := range first {
		if i > 0 && offset <= first[i-1] {
			t.Errorf("offsets %d are out of order", first)
		}
	}
	if early := h.readBlocks(10 * len(first)); len(early) != 0 {
		t.Errorf("%d blocks were read again at once", len(early))
	}
	if again := h.readBlocks(360_000); len(again) != len(first) {
		t.Errorf("the next tour has %d blocks, the first had %d", len(again), len(first))
	}
	if err := h.replica.Err(); err != nil {
		t.Error(err)
	}
}

func TestTourFindsRot(t *testing.T) {
	h := withCheckpoint(t)
	blocks := h.readBlocks(1000)
	h.powerCut() // the tour begins anew
	h.disk.Rot(blocks[1]+100, 1)
	for range 1000 {
		if h.replica.Tick(); h.replica.Err() != nil {
			break
		}
		h.run()
	}
	var damage *grid.CorruptError
	err := h.replica.Err()
	if !errors.As(err, &damage) || damage.Offset != blocks[1] || !strings.Contains(err.Error(), "no other copy") {
		t.Errorf("rot in the block at %d: %v", blocks[1], err)
	}
	submitted := h.disk.Submitted()
	for range 100 {
		h.replica.Tick()
	}
	if h.disk.Submitted() != submitted {
		t.Error("the tour goes on after the replica has failed")
	}
}

// A replica that has not opened looks at nothing.
func TestTickBeforeOpen(t *testing.T) {
	h := withCheckpoint(t)
	h.disk = h.disk.PowerCut()
	h.prepareReplica()
	h.replica.Open(func(error) {})
	for range 100 {
		h.replica.Tick()
	}
	if n := h.disk.InFlight(); n > 4 { // the copies of the superblock
		t.Errorf("%d requests in flight", n)
	}
}

// reading is a store whose prefetch cannot read its block.
type reading struct {
	vsr.StateMachine
	fault func(error)
	err   error
}

func (s *reading) Prefetch(_ byte, _ uint64, _ []byte, _ func()) { s.fault(s.err) }

// A prefetch that cannot read stops the replica: nothing is executed, nobody is
// answered, and the error names the block.
func TestPrefetchFails(t *testing.T) {
	for _, test := range []struct {
		err  error
		text string
	}{
		{&grid.CorruptError{Address: 7, Offset: 40960, Reason: "bad"}, "block 7 at offset 40960: bad; what this block holds is lost"},
		{errors.New("no such row"), "no such row"},
	} {
		h := newHarness(t, smallLayout())
		h.newMachine = func(g *grid.Grid, fault func(error)) vsr.StateMachine {
			return &reading{newStore(g, fault), fault, test.err}
		}
		if err := h.open(); err != nil {
			t.Fatal(err)
		}
		u := h.newUser(1)
		u.send(wire.Operation(opSet), text("a=1"))
		h.run()
		if err := h.replica.Err(); !errors.Is(err, test.err) || !strings.Contains(err.Error(), test.text) {
			t.Errorf("failed with %v, want %q", err, test.text)
		}
		if n := len(h.sent[u.id]); n != 0 {
			t.Errorf("%d messages were sent", n)
		}
	}
}
