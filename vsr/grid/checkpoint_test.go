package grid

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/vsr/faultdisk"
)

func TestStreamRoundTrip(t *testing.T) {
	disk := newDisk(1)
	g := newGrid(disk)
	piece := g.streamPieceSize()
	for _, size := range []int{0, 1, piece - 1, piece, piece + 1, 40*piece + 17} {
		want := payloadOf(9, size)
		before := g.BlocksInUse()
		var head block.Ref
		g.WriteStream(testKind, want, func(ref block.Ref) { head = ref })
		disk.Run()
		if n := g.BlocksInUse() - before; n != g.streamBlocks(size) {
			t.Errorf("%d bytes took %d blocks", size, n)
		}
		got, err := getStream(g, disk, head)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: read %d, %v", size, len(got), err)
		}
		g.ReleaseStream(head)
		if !panics(func() { g.ReleaseStream(head) }) {
			t.Errorf("%d bytes: released twice", size)
		}
	}
}

func getStream(g *Grid, disk *faultdisk.Disk, head block.Ref) (content []byte, err error) {
	err = errors.New("read did not complete")
	g.ReadStream(head, func(c []byte, e error) { content, err = c, e })
	disk.Run()
	return content, err
}

func TestDamagedStreamIsDetected(t *testing.T) {
	for damaged := range 3 {
		disk := newDisk(1)
		g := newGrid(disk)
		var head block.Ref
		g.WriteStream(testKind, payloadOf(1, 2*g.streamPieceSize()+1), func(ref block.Ref) { head = ref })
		disk.Run()
		disk.Rot(g.offset(block.Address(damaged+1))+200, 1)
		if damaged == 2 { // the last block has one byte of content
			disk.Rot(g.offset(3)+100, 1)
			disk.Rot(g.offset(3)+HeaderSize+streamHeaderSize, 1)
		}
		var corrupt *CorruptError
		if _, err := getStream(g, disk, head); !errors.As(err, &corrupt) || corrupt.Address != block.Address(damaged+1) {
			t.Errorf("block %d: %v", damaged+1, err)
		}
	}
}

// A block that is valid by itself but not a part of a stream is refused.
func TestReadStreamOfSomethingElse(t *testing.T) {
	disk := newDisk(1)
	g := newGrid(disk)
	for _, payload := range [][]byte{nil, make([]byte, 31), bytes.Repeat([]byte{0xff}, 64), payloadOf(1, 200)} {
		ref := put(g, disk, payload)
		if _, err := getStream(g, disk, ref); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%d bytes: %v", len(payload), err)
		}
	}
}

// Two valid blocks in a chain that no WriteStream made: the second says that one
// byte more is left than the first does.
func TestReadStreamOfBlocksThatDisagree(t *testing.T) {
	disk := newDisk(1)
	g := newGrid(disk)
	piece := g.streamPieceSize()
	link := func(next block.Ref, remaining int) block.Ref {
		payload := make([]byte, g.PayloadSize())
		next.Put(payload)
		binary.LittleEndian.PutUint64(payload[block.RefSize:], uint64(remaining))
		return put(g, disk, payload)
	}
	last := link(block.Ref{}, piece)
	if _, err := getStream(g, disk, link(last, 2*piece)); err != nil {
		t.Errorf("the chain that is right: %v", err)
	}
	last = link(block.Ref{}, piece+1)
	if _, err := getStream(g, disk, link(last, 2*piece)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("the chain that is wrong: %v", err)
	}
}

// checkpoint makes one and waits until it could be named by a superblock.
func checkpoint(g *Grid, disk *faultdisk.Disk) (state State) {
	g.Checkpoint(func(s State) { state = s })
	disk.Run()
	sync := blockio.Request{Kind: blockio.Sync, Done: func(*blockio.Request) {}}
	disk.Submit(&sync)
	disk.Run()
	return state
}

func reopen(t *testing.T, disk *faultdisk.Disk, state State) *Grid {
	t.Helper()
	g := newGrid(disk)
	err := errors.New("open did not complete")
	g.Open(state, func(e error) { err = e })
	disk.Run()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// A released block is kept by the checkpoint that does without it, for the sake
// of replicas that have the one before, and by a restart.
func TestReleasedBlockWaitsForTwoCheckpoints(t *testing.T) {
	disk := newDisk(1)
	g := newGrid(disk)
	a := put(g, disk, payloadOf(1, 10)).Address
	checkpoint(g, disk)
	g.CheckpointDurable()

	g.Release(a)
	if g.Acquire() == a {
		t.Fatal("reused although the last checkpoint names it")
	}
	first := checkpoint(g, disk)
	if g.Acquire() == a {
		t.Fatal("reused although both the last checkpoint and the one before name it")
	}
	g.CheckpointDurable()
	if g.Acquire() == a || reopen(t, disk, first).Acquire() == a {
		t.Fatal("reused although the checkpoint before names it")
	}
	state := checkpoint(g, disk)
	if got := g.Acquire(); got != a {
		t.Fatalf("acquired %v, the lowest free is %v", got, a)
	}
	if got := reopen(t, disk, state).Acquire(); got != a {
		t.Fatalf("after a restart acquired %v, the lowest free is %v", got, a)
	}
}

// What is written after Checkpoint may take the place of what the durable
// checkpoints have: it waits until the new one is durable. What was written before
// does not wait.
func TestWritesWaitForTheCheckpoint(t *testing.T) {
	disk := newDisk(1)
	g := newGrid(disk)
	old := put(g, disk, payloadOf(1, 10))
	checkpoint(g, disk)
	g.CheckpointDurable()
	g.Release(old.Address)
	checkpoint(g, disk)
	g.CheckpointDurable()

	before := put(g, disk, payloadOf(2, 10))
	var after block.Ref
	written := false
	g.Checkpoint(func(State) { written = true })
	g.Write(g.Acquire(), testKind, func(dst []byte) int { return copy(dst, payloadOf(3, 10)) },
		func(ref block.Ref) { after = ref })
	disk.Run()
	if !written || !after.IsZero() {
		t.Fatalf("checkpoint written: %v; %v was written before it is durable", written, after.Address)
	}
	if raw := disk.Peek(g.offset(old.Address), HeaderSize+10); !bytes.Equal(raw[HeaderSize:], payloadOf(1, 10)) {
		t.Fatal("a block of the checkpoint before was overwritten")
	}
	g.CheckpointDurable()
	disk.Run()
	if after.Address != old.Address {
		t.Fatalf("%v was written after it is durable, want %v", after.Address, old.Address)
	}
	for i, ref := range []block.Ref{before, after} {
		if got, err := get(g, disk, ref); err != nil || !bytes.Equal(got, payloadOf(2+i, 10)) {
			t.Errorf("%v: %v, or other content", ref.Address, err)
		}
	}
}

func TestCheckpointMisusePanics(t *testing.T) {
	for name, misuse := range map[string]func(*Grid, *faultdisk.Disk){
		"a second Checkpoint":          func(g *Grid, d *faultdisk.Disk) { checkpoint(g, d); checkpoint(g, d) },
		"durable without a Checkpoint": func(g *Grid, d *faultdisk.Disk) { g.CheckpointDurable() },
		"durable before it is written": func(g *Grid, d *faultdisk.Disk) { g.Checkpoint(func(State) {}); g.CheckpointDurable() },
		"durable twice":                func(g *Grid, d *faultdisk.Disk) { checkpoint(g, d); g.CheckpointDurable(); g.CheckpointDurable() },
	} {
		disk := newDisk(1)
		g := newGrid(disk)
		if !panics(func() { misuse(g, disk) }) {
			t.Errorf("%s: no panic", name)
		}
	}
}

func TestDamagedFreeSetIsRefused(t *testing.T) {
	disk := newDisk(1)
	g := newGrid(disk)
	put(g, disk, payloadOf(1, 10))
	state := checkpoint(g, disk)
	open := func(s State) (err error) {
		newGrid(disk).Open(s, func(e error) { err = e })
		disk.Run()
		return err
	}
	for _, field := range []int{24, 32} {
		wrong := state
		binary.LittleEndian.PutUint64(wrong[field:], binary.LittleEndian.Uint64(wrong[field:])+64)
		if err := open(wrong); !errors.Is(err, ErrCorrupt) {
			t.Errorf("state field %d: %v", field, err)
		}
	}
	disk.Rot(g.offset(block.RefFrom(state[:]).Address)+HeaderSize+streamHeaderSize, 1)
	if err := open(state); !errors.Is(err, ErrCorrupt) {
		t.Errorf("rot: %v", err)
	}
}

// history is a random user of a grid: it writes, releases and checkpoints, and
// knows what the last durable checkpoint must contain.
type history struct {
	g       *Grid
	disk    *faultdisk.Disk
	rng     *rand.Rand
	serial  int
	live    map[block.Address]content
	order   []block.Address // keys of live, in a fixed order
	durable map[block.Address]content
	state   State
}

type content struct {
	ref  block.Ref
	seed int
}

// round writes and releases some blocks, then checkpoints. The power fails
// after a random number of I/O steps; round reports whether it did.
func (h *history) round(t *testing.T) (cut bool) {
	steps := h.rng.IntN(80)
	run := func() bool {
		for h.disk.InFlight() > 0 {
			if steps == 0 {
				return false
			}
			steps--
			h.disk.Step()
		}
		return true
	}
	for range h.rng.IntN(30) {
		if h.rng.IntN(2) == 0 && len(h.order) > 0 {
			i := h.rng.IntN(len(h.order))
			h.g.Release(h.order[i])
			delete(h.live, h.order[i])
			h.order[i] = h.order[len(h.order)-1]
			h.order = h.order[:len(h.order)-1]
			continue
		}
		h.serial++
		seed, a := h.serial, h.g.Acquire()
		h.order = append(h.order, a)
		h.g.Write(a, testKind, func(dst []byte) int { return copy(dst, payloadOf(seed, 6000)) }, func(ref block.Ref) {
			h.live[a] = content{ref, seed}
		})
		if h.rng.IntN(3) == 0 && !run() {
			return true
		}
		if h.disk.InFlight() == 0 {
			continue
		}
		if !run() { // a block must be written before it is released
			return true
		}
	}
	var state State
	h.g.Checkpoint(func(s State) { state = s })
	if !run() {
		return true
	}
	sync := blockio.Request{Kind: blockio.Sync, Done: func(*blockio.Request) {}}
	h.disk.Submit(&sync)
	if !run() {
		return true
	}
	h.state = state // the superblock is durable
	h.durable = make(map[block.Address]content)
	for a, c := range h.live {
		h.durable[a] = c
	}
	if h.rng.IntN(4) == 0 {
		return true // before the grid learns of it
	}
	h.g.CheckpointDurable()
	return false
}

// restart loses power, opens the last checkpoint, and checks all it names.
func (h *history) restart(t *testing.T, seed uint64) {
	h.disk = h.disk.PowerCut()
	h.g = reopen(t, h.disk, h.state)
	h.live = make(map[block.Address]content)
	h.order = h.order[:0]
	for a := range block.Address(1000) {
		c, ok := h.durable[a]
		if !ok {
			continue
		}
		got, err := get(h.g, h.disk, c.ref)
		if err != nil || !bytes.Equal(got, payloadOf(c.seed, 6000)) {
			t.Fatalf("seed %d: %v of the last checkpoint: %v", seed, a, err)
		}
		h.live[a] = c
		h.order = append(h.order, a)
	}
	want := len(h.durable)
	if h.state != (State{}) {
		want++ // the free set's own block
	}
	if n := h.g.BlocksInUse(); n != want {
		t.Fatalf("seed %d: %d blocks in use after a restart, want %d", seed, n, want)
	}
}

func TestLastCheckpointSurvivesPowerCuts(t *testing.T) {
	cuts := 0
	for seed := range uint64(60) {
		disk := newDisk(seed)
		h := &history{
			g: newGrid(disk), disk: disk, rng: rand.New(rand.NewPCG(seed, 2)),
			live: make(map[block.Address]content), durable: make(map[block.Address]content),
		}
		for range 20 {
			if h.round(t) {
				cuts++
				h.restart(t, seed)
			}
		}
	}
	if cuts < 200 {
		t.Errorf("only %d power cuts", cuts)
	}
}

// The order in which a disk completes requests leaves no trace: neither in the
// addresses nor in the bytes.
func TestTimingLeavesNoTrace(t *testing.T) {
	run := func(diskSeed uint64) (State, []byte) {
		disk := newDisk(diskSeed)
		rng := rand.New(rand.NewPCG(42, 0))
		g := newGrid(disk)
		var refs []block.Ref
		var state State
		for round := range 10 {
			for i := range 30 {
				g.Write(g.Acquire(), testKind, func(dst []byte) int { return copy(dst, payloadOf(round*100+i, 5000)) },
					func(ref block.Ref) { refs = append(refs, ref) })
				for range rng.IntN(3) {
					disk.Step()
				}
			}
			g.WriteStream(testKind, payloadOf(round, 30000), func(block.Ref) {})
			disk.Run()
			for a := block.Address(1 + round%3); a < 30; a += 3 {
				if g.free.held(a) && round > 0 {
					g.Release(a)
				}
			}
			state = checkpoint(g, disk)
			g.CheckpointDurable()
		}
		return state, disk.Peek(0, 4<<20)
	}
	state, bytes1 := run(1)
	for seed := uint64(2); seed < 6; seed++ {
		other, bytes2 := run(seed)
		if other != state || !bytes.Equal(bytes1, bytes2) {
			t.Fatalf("disk seed %d: another state or other bytes", seed)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(make([]byte, StateSize), make([]byte, 32))
	f.Fuzz(func(t *testing.T, state, content []byte) {
		var s State
		copy(s[:], state)
		g := newGrid(newDisk(1))
		if err := g.load(s, content); err != nil {
			return
		}
		if n := g.BlocksInUse(); uint64(n) != binary.LittleEndian.Uint64(s[32:]) {
			t.Fatalf("%d blocks in use", n)
		}
	})
}
