package grid

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/vsr/faultdisk"
)

// source makes a grid with a checkpoint and returns the references of its blocks.
func source(disk *faultdisk.Disk, blocks int) (g *Grid, refs []block.Ref, state State) {
	g = newGrid(disk)
	for i := range blocks {
		refs = append(refs, put(g, disk, payloadOf(i, 3000)))
	}
	state = checkpoint(g, disk)
	g.CheckpointDurable()
	return g, refs, state
}

// exchange is a Receiver and a Sender that answers it, unless the answer gets lost.
type exchange struct {
	from, to *faultdisk.Disk
	sender   *Sender
	receiver *Receiver
	lost     func() bool
	done     bool
	// questions and blocks count what was asked.
	questions, blocks int
}

func (x *exchange) AskRefs(addresses []block.Address, _ int) {
	x.questions++
	x.sender.Refs(addresses, func(refs []block.Ref) {
		if !x.lost() {
			x.receiver.Refs(refs)
		}
	})
}

func (x *exchange) AskBlock(ref block.Ref, _ int) {
	x.blocks++
	x.sender.Block(ref, func(whole []byte) {
		if !x.lost() {
			x.receiver.Put(ref, bytes.Clone(whole))
		}
	})
}

// run receives a checkpoint. Nothing lasts long enough to be asked again, unless
// nothing else happens.
func (x *exchange) run(t *testing.T, state State, contents Contents) {
	t.Helper()
	config := newGrid(x.to).config
	x.sender, x.done, x.questions, x.blocks = NewSender(x.from, config), false, 0, 0
	if x.lost == nil {
		x.lost = func() bool { return false }
	}
	x.receiver = Receive(x.to, config, state, contents, x, func() { x.done = true })
	for beats := 0; !x.done; {
		if x.to.Step() || x.from.Step() {
			continue
		}
		if beats++; beats > 100 {
			t.Fatal("it waits for nothing")
		}
		x.receiver.Again()
	}
}

// What has been received is stable when that is told: the power may fail then,
// and the checkpoint is whole, whatever was here before and got lost on the way.
func TestReceivedBlocksAreStable(t *testing.T) {
	for seed := range uint64(10) {
		x := exchange{from: newDisk(1), to: newDisk(seed + 2)}
		random := rand.New(rand.NewPCG(seed, 3))
		g, refs, state := source(x.from, 300)
		for _, ref := range refs { // some are here already, some are damaged
			if random.IntN(2) == 0 {
				x.to.Poke(g.offset(ref.Address), x.from.Peek(g.offset(ref.Address), g.config.BlockSize))
			}
			if random.IntN(4) == 0 {
				x.to.Rot(g.offset(ref.Address)+100, 1)
			}
		}
		x.lost = func() bool { return random.IntN(10) == 0 }
		x.run(t, state, Contents{})
		x.to = x.to.PowerCut()
		received := reopen(t, x.to, state)
		for i, ref := range refs {
			if got, err := get(received, x.to, ref); err != nil || !bytes.Equal(got, payloadOf(i, 3000)) {
				t.Errorf("seed %d: %v: %v", seed, ref.Address, err)
			}
		}
	}
}

// A Receiver asks about many blocks at once, and only for those that are not here;
// the next one does not even read what the last one has seen.
func TestOnlyWhatDiffersIsReceived(t *testing.T) {
	x := exchange{from: newDisk(1), to: newDisk(2)}
	g, _, state := source(x.from, 300)
	contents := Contents{}
	x.run(t, state, contents)
	if x.blocks < 301 || x.questions != 3 {
		t.Errorf("%d blocks and %d questions", x.blocks, x.questions)
	}
	put(g, x.from, payloadOf(1000, 3000))
	next := checkpoint(g, x.from)
	before := x.to.Submitted()
	x.run(t, next, contents)
	if x.blocks != 2 || x.questions != 3 {
		t.Errorf("%d blocks and %d questions for what is new", x.blocks, x.questions)
	}
	if n := x.to.Submitted() - before; n > 6 {
		t.Errorf("%d requests to the disk", n)
	}
}

// An empty grid has nothing to be received.
func TestEmptyGridIsReceived(t *testing.T) {
	x := exchange{from: newDisk(1), to: newDisk(2)}
	x.run(t, State{}, Contents{})
	if x.blocks+x.questions != 0 {
		t.Errorf("%d blocks and %d questions", x.blocks, x.questions)
	}
}

// A block of the free set that was here, and cannot be read any more, is fetched.
func TestUnreadableFreeSetIsReceived(t *testing.T) {
	x := exchange{from: newDisk(1), to: newDisk(2)}
	_, _, state := source(x.from, 3)
	contents := Contents{}
	x.run(t, state, contents)
	struck := false
	x.to.Inject = func(_ int, r *blockio.Request) faultdisk.Fault {
		if struck || r.Kind != blockio.Read {
			return faultdisk.Fault{}
		}
		struck = true
		return faultdisk.Fault{Effect: faultdisk.Unreadable}
	}
	x.run(t, state, contents)
	if x.blocks != 1 {
		t.Errorf("%d blocks were asked for", x.blocks)
	}
}

// A write that fails is told, also after Stop, and nothing more comes of it.
func TestReceiverTellsOfFailedWrites(t *testing.T) {
	for _, stopped := range []bool{false, true} {
		x := exchange{from: newDisk(1), to: newDisk(2), lost: func() bool { return false }}
		_, _, state := source(x.from, 3)
		faults, writing := 0, false
		config := newGrid(x.to).config
		config.Fault = func(err error) {
			if faults++; !errors.Is(err, faultdisk.ErrInjected) {
				t.Error(err)
			}
		}
		x.to.Inject = func(_ int, r *blockio.Request) faultdisk.Fault {
			if writing = r.Kind == blockio.Write; writing {
				return faultdisk.Fault{Effect: faultdisk.Refused}
			}
			return faultdisk.Fault{}
		}
		x.sender = NewSender(x.from, config)
		x.receiver = Receive(x.to, config, state, Contents{}, &x, func() { t.Error("done") })
		for !writing {
			_ = x.from.Step() || x.to.Step()
		}
		if stopped {
			x.receiver.Stop(func() { t.Error("quiet after a failed write") })
		}
		for x.from.Step() || x.to.Step() {
		}
		if faults != 1 {
			t.Errorf("stopped %v: %d faults", stopped, faults)
		}
	}
}

// A header that has rotted on the other side names a block that nobody has. When
// that does not come, another replica is asked, which has the right one.
func TestWrongReferenceIsAskedForAgain(t *testing.T) {
	x := exchange{from: newDisk(1), to: newDisk(2)}
	g, refs, state := source(x.from, 3)
	x.from.Rot(g.offset(refs[1].Address), 1)
	asked := 0
	x.lost = func() bool {
		if asked++; asked == 20 {
			x.from.Rot(g.offset(refs[1].Address), 1)
			x.from.Poke(g.offset(refs[1].Address), refs[1].Checksum[:])
		}
		return false
	}
	x.run(t, state, Contents{})
	if got, err := get(reopen(t, x.to, state), x.to, refs[1]); err != nil || !bytes.Equal(got, payloadOf(1, 3000)) {
		t.Error(err)
	}
}

// What is here may be whole, and older than the checkpoint: others are told only of
// what has been received.
func TestOnlyWhatWasReceivedIsHandedOn(t *testing.T) {
	x := exchange{from: newDisk(1), to: newDisk(2)}
	_, refs, state := source(x.from, 50)
	var addresses []block.Address
	older := newGrid(x.to)
	for i, ref := range refs {
		addresses = append(addresses, ref.Address)
		if old := put(older, x.to, payloadOf(1000+i, 3000)); old.Address != ref.Address {
			t.Fatalf("%v is not where %v is", old.Address, ref.Address)
		}
	}
	x.lost = func() bool {
		for _, ref := range x.receiver.Has(addresses) {
			if !slices.Contains(refs, ref) {
				t.Errorf("%v of another checkpoint is handed on", ref.Address)
			}
		}
		return false
	}
	x.run(t, state, Contents{})
	if has := x.receiver.Has(addresses); !slices.Equal(has, refs) {
		t.Errorf("%d of %d blocks are handed on in the end", len(has), len(refs))
	}
}

// Who reads a damaged block, whole or a part, waits until it has come from
// elsewhere, and gets it.
func TestDamagedBlockIsMended(t *testing.T) {
	disk := newDisk(1)
	g, refs, _ := source(disk, 3)
	good := newDisk(2)
	good.Poke(0, disk.Peek(0, 1<<20))
	var asked []block.Ref
	g.config.Missing = func(ref block.Ref, _ int) bool { asked = append(asked, ref); return true }
	sender := NewSender(good, g.config)
	disk.Rot(g.offset(refs[1].Address)+HeaderSize+5, 1)

	want, answers := payloadOf(1, 3000), 0
	g.Read(refs[1], func(payload []byte, err error) {
		if answers++; err != nil || !bytes.Equal(payload, want) {
			t.Errorf("whole: %v", err)
		}
	})
	for range 2 {
		g.ReadPart(refs[1], 0, 100, xxhash.Sum64(want[:100]), func(part []byte, err error) {
			if answers++; err != nil || !bytes.Equal(part, want[:100]) {
				t.Errorf("part: %v", err)
			}
		})
	}
	disk.Run()
	if answers != 0 || len(asked) != 1 || asked[0] != refs[1] || g.AskAgain() != 2 || len(asked) != 2 {
		t.Fatalf("%d answers, asked for %v", answers, asked)
	}
	g.Put(refs[1], []byte("another"))
	sender.Block(refs[1], func(whole []byte) { g.Put(refs[1], whole); g.Put(refs[1], whole) })
	good.Run()
	disk.Run()
	if answers != 3 || g.AskAgain() != 0 {
		t.Errorf("%d answers", answers)
	}
	if !bytes.Equal(disk.Peek(g.offset(refs[1].Address), testBlockSize), good.Peek(g.offset(refs[1].Address), testBlockSize)) {
		t.Error("the block is still damaged")
	}
}

// A block that was found damaged by a tour, and is freed before it comes, is not
// written: there may be another one in its place.
func TestFreedBlockIsNotMended(t *testing.T) {
	disk := newDisk(1)
	g, refs, _ := source(disk, 3)
	g.config.Missing = func(block.Ref, int) bool { return true }
	good := disk.Peek(g.offset(refs[1].Address), HeaderSize+3000)
	disk.Rot(g.offset(refs[1].Address)+HeaderSize+5, 1)
	damaged := disk.Peek(g.offset(refs[1].Address), HeaderSize+3000)
	s := g.NewScrubber(Whole, 1, func(_ BlockInfo, err error) {
		if damage, ok := err.(*CorruptError); ok && !g.Mend(damage) {
			t.Errorf("%v cannot be mended", damage)
		}
	})
	for !s.Tick() {
		disk.Run()
	}
	if len(g.missing) != 1 {
		t.Fatalf("%d blocks are missing", len(g.missing))
	}
	checkpoint(g, disk)
	g.Put(refs[1], good)
	disk.Run()
	if !bytes.Equal(disk.Peek(g.offset(refs[1].Address), HeaderSize+3000), damaged) || g.AskAgain() != 0 {
		t.Error("it was written")
	}
}
