package grid

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/vsr/faultdisk"
)

// tour runs a whole tour and returns the blocks it found, good ones with their
// payload size, bad ones with -1.
func tour(t *testing.T, g *Grid, disk *faultdisk.Disk, scope Scope, depth int) map[block.Address]int {
	t.Helper()
	found := map[block.Address]int{}
	s := g.NewScrubber(scope, depth, func(info BlockInfo, err error) {
		if _, twice := found[info.Address]; twice {
			t.Errorf("%v was found twice", info.Address)
		}
		found[info.Address] = info.PayloadSize
		var corrupt *CorruptError
		switch {
		case errors.As(err, &corrupt) && corrupt.Address == info.Address && corrupt.Offset == g.offset(info.Address):
			found[info.Address] = -1
		case err != nil || info.Kind != testKind && info.Kind != KindFreeSet:
			t.Errorf("found %+v, %v", info, err)
		}
	})
	for !s.Tick() {
		if disk.InFlight() > depth {
			t.Fatalf("%d reads in flight", disk.InFlight())
		}
		disk.Step()
	}
	return found
}

func TestTour(t *testing.T) {
	for _, depth := range []int{1, 3} {
		disk := newDisk(1)
		g := newGrid(disk)
		if found := tour(t, g, disk, Whole, depth); len(found) != 0 {
			t.Errorf("in an empty grid it found %v", found)
		}
		want := map[block.Address]int{}
		for n := range 200 {
			want[put(g, disk, payloadOf(n, n)).Address] = n
		}
		want[put(g, disk, payloadOf(1, g.PayloadSize())).Address] = g.PayloadSize()
		g.Acquire() // not written
		for _, scope := range []Scope{Whole, HeadersOnly} {
			for range 2 { // one tour after the other
				if found := tour(t, g, disk, scope, depth); !maps.Equal(found, want) {
					t.Errorf("scope %d: found %v", scope, found)
				}
			}
		}
	}
}

// Each damage is found in the block that has it and in no other.
func TestTourFindsDamage(t *testing.T) {
	const size = 5000
	for _, test := range []struct {
		name     string
		damage   func(d *faultdisk.Disk, offset int64)
		inHeader bool
		passes   bool
	}{
		{name: "checksum", damage: func(d *faultdisk.Disk, o int64) { d.Rot(o+15, 1) }},
		{name: "address", damage: func(d *faultdisk.Disk, o int64) { d.Rot(o+16, 1) }, inHeader: true},
		{name: "size", damage: func(d *faultdisk.Disk, o int64) { d.Rot(o+27, 1) }, inHeader: true},
		{name: "payload", damage: func(d *faultdisk.Disk, o int64) { d.Rot(o+HeaderSize+size-1, 1) }},
		{name: "zeros", damage: func(d *faultdisk.Disk, o int64) { d.Poke(o, make([]byte, testBlockSize)) }, inHeader: true},
		{name: "another block", damage: func(d *faultdisk.Disk, o int64) { d.Poke(o, sealed(7, size)) }, inHeader: true},
		{name: "an older block", damage: func(d *faultdisk.Disk, o int64) { d.Poke(o, sealed(5, size)) }, passes: true},
		{name: "behind the payload", damage: func(d *faultdisk.Disk, o int64) { d.Rot(o+HeaderSize+size, 1) }, passes: true},
		{name: "unreadable", damage: func(d *faultdisk.Disk, o int64) { d.Inject = unreadableAt(o) }, inHeader: true},
	} {
		disk := newDisk(1)
		g := newGrid(disk)
		want := map[block.Address]int{}
		for n := range 10 {
			want[put(g, disk, payloadOf(n, size)).Address] = size
		}
		test.damage(disk, g.offset(5))
		if !test.passes {
			want[5] = -1
		}
		if found := tour(t, g, disk, Whole, 2); !maps.Equal(found, want) {
			t.Errorf("%s: found %v", test.name, found)
		}
		if !test.inHeader {
			want[5] = size
		}
		if found := tour(t, g, disk, HeadersOnly, 2); !maps.Equal(found, want) {
			t.Errorf("%s: found %v in the headers", test.name, found)
		}
	}
}

// A tour beside writes, frees and checkpoints finds no damage where none is, and
// sees every block that stays.
func TestTourBesideWrites(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 2))
		disk := newDisk(seed)
		g := newGrid(disk)
		stays := put(g, disk, payloadOf(1, 100)).Address
		seen, tours := 0, 0
		s := g.NewScrubber(Whole, 2, func(info BlockInfo, err error) {
			if err != nil {
				t.Errorf("seed %d: %v", seed, err)
			}
			if info.Address == stays {
				seen++
			}
		})
		var held []block.Address
		checkpoint := "none"
		for range 2000 {
			switch op := rng.IntN(5); {
			case op == 0:
				g.Write(g.Acquire(), testKind, func(dst []byte) int { return copy(dst, payloadOf(rng.Int(), 7000)) },
					func(ref block.Ref) { held = append(held, ref.Address) })
			case op == 1 && len(held) > 0:
				n := rng.IntN(len(held))
				g.Release(held[n])
				held = append(held[:n], held[n+1:]...)
			case op == 2 && checkpoint == "none":
				checkpoint = "written"
				g.Checkpoint(func(State) { checkpoint = "done" })
			case op == 2 && checkpoint == "done":
				g.CheckpointDurable()
				checkpoint = "none"
			case op == 3:
				if s.Tick() {
					tours++
				}
			default:
				disk.Step()
			}
		}
		if tours == 0 || seen < tours {
			t.Errorf("seed %d: %d tours saw the block %d times", seed, tours, seen)
		}
	}
}

// A block that is freed while it is being read may be half of another one then.
func TestTourLeavesFreedBlocks(t *testing.T) {
	disk := newDisk(1)
	g := newGrid(disk)
	ref := put(g, disk, payloadOf(1, 7000))
	s := g.NewScrubber(Whole, 1, func(info BlockInfo, err error) { t.Errorf("found %+v, %v", info, err) })
	s.Tick()
	g.Release(ref.Address)
	for range 2 { // without what would let the disk go on
		g.free.stage()
		g.checkpoint.count++
	}
	disk.Poke(g.offset(ref.Address)+4096, payloadOf(2, 4096))
	disk.Run()
}

func unreadableAt(offset int64) func(int, *blockio.Request) faultdisk.Fault {
	return func(_ int, r *blockio.Request) faultdisk.Fault {
		if r.Offset == offset {
			return faultdisk.Fault{Effect: faultdisk.Unreadable}
		}
		return faultdisk.Fault{}
	}
}

func TestNextInUse(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 100 {
		var f freeSet
		for range 1 + rng.IntN(300) {
			f.acquire()
		}
		var want, got []block.Address
		for a := block.Address(1); int(a) <= len(f.acquired)*64; a++ {
			if f.acquired.has(a) && rng.IntN(3) == 0 {
				f.markWritten(a)
				f.markFinished(a)
				want = append(want, a)
			}
		}
		for a := f.nextInUse(0); a != 0; a = f.nextInUse(a) {
			got = append(got, a)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}

// BenchmarkScrub measures the check of one whole block of the default size.
func BenchmarkScrub(b *testing.B) {
	disk := newDisk(1)
	g := New(disk, Config{BlockSize: BlockSizeDefault, Fault: func(err error) { b.Fatal(err) }})
	put(g, disk, payloadOf(1, g.PayloadSize()))
	s := g.NewScrubber(Whole, 1, func(_ BlockInfo, err error) {
		if err != nil {
			b.Fatal(err)
		}
	})
	b.SetBytes(BlockSizeDefault)
	for b.Loop() {
		s.Tick()
		disk.Step()
		s.Tick()
	}
}
