package grid

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/vsr/faultdisk"
)

func newCachedGrid(disk Storage, cacheSize int) *Grid {
	return New(disk, Config{
		ZoneOffset: testZoneOffset,
		BlockSize:  testBlockSize,
		CacheSize:  cacheSize,
		Fault:      func(err error) { panic(err) },
	})
}

// getPart reads a part whose content should be want, and waits for it.
func getPart(g *Grid, disk *faultdisk.Disk, ref block.Ref, offset int, want []byte) (part []byte, err error) {
	err = errors.New("read did not complete")
	g.ReadPart(ref, offset, len(want), xxhash.Sum64(want), func(p []byte, e error) { part, err = bytes.Clone(p), e })
	disk.Run()
	return part, err
}

// Parts at and around every border between sectors, with the least I/O.
func TestReadPart(t *testing.T) {
	disk := newDisk(1)
	g := newCachedGrid(disk, 0)
	payload := payloadOf(1, g.PayloadSize())
	ref := put(g, disk, payload)
	const firstSector = blockio.SectorSize - HeaderSize // what of the payload is in it
	for _, test := range []struct{ offset, size, sectors int }{
		{0, 1, 1}, {0, firstSector, 1}, {0, firstSector + 1, 2}, {firstSector - 1, 1, 1}, {firstSector - 1, 2, 2},
		{firstSector, 1, 1}, {firstSector, blockio.SectorSize, 1}, {g.PayloadSize() - 1, 1, 1}, {0, g.PayloadSize(), 2},
	} {
		bytesRead := 0
		disk.Inject = func(_ int, r *blockio.Request) faultdisk.Fault {
			bytesRead += len(r.Buf)
			return faultdisk.Fault{}
		}
		want := payload[test.offset:][:test.size]
		got, err := getPart(g, disk, ref, test.offset, want)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes at %d: %d bytes, %v", test.size, test.offset, len(got), err)
		}
		if bytesRead != test.sectors*blockio.SectorSize {
			t.Errorf("%d bytes at %d: read %d, want %d sectors", test.size, test.offset, bytesRead, test.sectors)
		}
	}
}

func TestReadPartOutOfRange(t *testing.T) {
	disk := newDisk(1)
	g := newCachedGrid(disk, CacheSizeMin)
	ref := put(g, disk, payloadOf(1, 100))
	for _, test := range []struct{ offset, size int }{{-1, 1}, {0, 0}, {0, -1}, {0, g.PayloadSize() + 1}, {g.PayloadSize(), 1}} {
		if !panics(func() { g.TryPart(ref, test.offset, test.size) }) ||
			!panics(func() { g.ReadPart(ref, test.offset, test.size, 0, nil) }) {
			t.Errorf("%+v was taken", test)
		}
	}
	unwritten := block.Ref{Address: g.Acquire()}
	if !panics(func() { g.TryPart(unwritten, 0, 1) }) || !panics(func() { g.ReadPart(unwritten, 0, 1, 0, nil) }) {
		t.Error("a part of an unwritten block was taken")
	}
}

// Damage of a part is seen, and does not enter the cache; damage elsewhere in
// the block costs nothing.
func TestDamageOfPart(t *testing.T) {
	const offset, size = 5000, 2000
	for _, test := range []struct {
		name   string
		damage func(d *faultdisk.Disk, at int64)
		bad    bool
	}{
		{"its first byte", func(d *faultdisk.Disk, at int64) { d.Rot(at, 1) }, true},
		{"its last byte", func(d *faultdisk.Disk, at int64) { d.Rot(at+size-1, 1) }, true},
		{"behind it", func(d *faultdisk.Disk, at int64) { d.Rot(at+size, 1) }, false},
		{"before it", func(d *faultdisk.Disk, at int64) { d.Rot(at-1, 1) }, false},
		{"the header", func(d *faultdisk.Disk, at int64) { d.Rot(testZoneOffset, 64) }, false},
		{"unreadable", func(d *faultdisk.Disk, _ int64) { d.Inject = always(faultdisk.Unreadable) }, true},
		{"misdirected", func(d *faultdisk.Disk, _ int64) { d.Inject = always(faultdisk.Misdirected) }, true},
	} {
		disk := newDisk(1)
		g := newCachedGrid(disk, CacheSizeMin)
		payload := payloadOf(1, g.PayloadSize())
		ref := put(g, disk, payload)
		at := int64(testZoneOffset + HeaderSize + offset)
		test.damage(disk, at)
		_, err := getPart(g, disk, ref, offset, payload[offset:][:size])
		var corrupt *CorruptError
		if errors.As(err, &corrupt) != test.bad {
			t.Errorf("%s: %v", test.name, err)
		}
		if test.bad && (corrupt.Address != ref.Address || corrupt.Offset != at ||
			!strings.Contains(err.Error(), fmt.Sprintf("block 1 at offset %d: ", at))) {
			t.Errorf("%s: %+v: %v", test.name, corrupt, err)
		}
		if _, ok := g.TryPart(ref, offset, size); ok == test.bad {
			t.Errorf("%s: in the cache: %v", test.name, ok)
		}
	}
}

// TestPartsAgainstNaiveTwin writes, frees and reads parts at random, over
// checkpoints, and compares each part with what was written.
func TestPartsAgainstNaiveTwin(t *testing.T) {
	type written struct {
		ref     block.Ref
		payload []byte
	}
	hits := 0
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 3))
		disk := newDisk(seed)
		g := newCachedGrid(disk, CacheSizeMin)
		var blocks []written
		reads := 0
		for step := range 1500 {
			switch op := rng.IntN(40); {
			case op < 3 || len(blocks) == 0:
				payload := payloadOf(int(seed)<<20+step, g.PayloadSize())
				blocks = append(blocks, written{put(g, disk, payload), payload})
			case op == 3 && len(blocks) > 1:
				n := rng.IntN(len(blocks))
				g.Release(blocks[n].ref.Address)
				blocks = append(blocks[:n], blocks[n+1:]...)
			case op == 4:
				disk.Run() // nothing is freed while it is being read
				g.Checkpoint(func(State) {})
				disk.Run()
				g.CheckpointDurable()
			default:
				b := blocks[rng.IntN(len(blocks))]
				offset, size := rng.IntN(8)*1000, 1+rng.IntN(2)*999
				want := b.payload[offset:][:size]
				if part, ok := g.TryPart(b.ref, offset, size); ok {
					hits++
					if !bytes.Equal(part, want) {
						t.Fatalf("seed %d, step %d: wrong part from the cache", seed, step)
					}
					continue
				}
				reads++
				g.ReadPart(b.ref, offset, size, xxhash.Sum64(want), func(part []byte, err error) {
					reads--
					if err != nil || !bytes.Equal(part, want) {
						t.Fatalf("seed %d, step %d: wrong part, %v", seed, step, err)
					}
				})
				if disk.InFlight() > partReadsMax {
					t.Fatalf("%d reads in flight", disk.InFlight())
				}
				for rng.IntN(3) > 0 && disk.Step() {
				}
			}
		}
		disk.Run()
		if reads != 0 {
			t.Errorf("seed %d: %d reads did not complete", seed, reads)
		}
	}
	if hits < 1000 {
		t.Errorf("the cache was hit %d times only", hits)
	}
}

// A freed block's parts are not found in the block that takes its place.
func TestFreedPartsAreForgotten(t *testing.T) {
	disk := newDisk(1)
	g := newCachedGrid(disk, CacheSizeMin)
	old := put(g, disk, payloadOf(1, 100))
	if _, err := getPart(g, disk, old, 0, payloadOf(1, 100)); err != nil {
		t.Fatal(err)
	}
	g.Release(old.Address)
	if _, ok := g.TryPart(old, 0, 100); !ok {
		t.Error("a released block can still be read")
	}
	for range 2 {
		g.Checkpoint(func(State) {})
		disk.Run()
		g.CheckpointDurable()
	}
	if !panics(func() { g.TryPart(old, 0, 100) }) {
		t.Error("a part of a free block was found")
	}
	now := put(g, disk, payloadOf(2, 100))
	if now.Address != old.Address {
		t.Fatalf("%v was not reused", old.Address)
	}
	if _, ok := g.TryPart(now, 0, 100); ok {
		t.Error("a part of the former content was found")
	}
}

// What TryPart returned stays as it is until the next completion of a ReadPart,
// whatever else is done meanwhile.
func TestPartIsValidUntilTheNextCompletion(t *testing.T) {
	disk := newDisk(1)
	g := newCachedGrid(disk, CacheSizeMin)
	payload := payloadOf(1, g.PayloadSize())
	ref := put(g, disk, payload)
	if _, err := getPart(g, disk, ref, 0, payload[:4000]); err != nil {
		t.Fatal(err)
	}
	part, ok := g.TryPart(ref, 0, 4000)
	if !ok {
		t.Fatal("not in the cache")
	}
	g.Release(ref.Address)
	for n := range 100 {
		g.ReadPart(ref, n, 4000, xxhash.Sum64(payload[n:][:4000]), func([]byte, error) {})
		g.TryPart(ref, n, 4000)
	}
	put := g.Acquire()
	g.Write(put, testKind, func(dst []byte) int { return len(dst) }, func(block.Ref) {})
	if !bytes.Equal(part, payload[:4000]) {
		t.Error("the part has changed")
	}
	disk.Run()
	if cap(part) != len(part) {
		t.Error("an append would write into the cache")
	}
}

// Parts are read before whole blocks that were asked for earlier.
func TestPartsGoFirst(t *testing.T) {
	disk := newDisk(1)
	g := newCachedGrid(disk, 0)
	payload := payloadOf(1, 200)
	ref := put(g, disk, payload)
	blocks, seen := 0, -1
	for range 10 * readsMax {
		g.Read(ref, func([]byte, error) { blocks++ })
	}
	g.ReadPart(ref, 0, 200, xxhash.Sum64(payload), func([]byte, error) { seen = blocks })
	disk.Run()
	if seen < 0 || seen > 4*readsMax || blocks != 10*readsMax {
		t.Errorf("the part came after %d of %d blocks", seen, blocks)
	}
}

func TestPartsAllocateNothing(t *testing.T) {
	disk := instantDisk{}
	g := newCachedGrid(&disk, CacheSizeMin)
	var ref block.Ref
	g.Write(g.Acquire(), testKind, func(dst []byte) int { return copy(dst, payloadOf(1, 8000)) }, func(r block.Ref) { ref = r })
	disk.complete()
	sum := xxhash.Sum64(payloadOf(1, 8000)[:1000])
	read := func(_ []byte, err error) {
		if err != nil {
			t.Error(err)
		}
	}
	miss := func() {
		g.ReadPart(ref, 0, 1000, sum, read)
		disk.complete()
	}
	for range 100 { // until every segment has its memory
		ref.Checksum[0]++ // another key each time
		miss()
	}
	if n := testing.AllocsPerRun(100, func() { ref.Checksum[0]++; miss() }); n != 0 {
		t.Errorf("%v allocations for a miss", n)
	}
	if n := testing.AllocsPerRun(100, func() { g.TryPart(ref, 0, 1000) }); n != 0 {
		t.Errorf("%v allocations for a hit", n)
	}
}

func BenchmarkTryPart(b *testing.B) {
	disk := instantDisk{}
	g := newCachedGrid(&disk, CacheSizeMin)
	var ref block.Ref
	g.Write(g.Acquire(), testKind, func(dst []byte) int { return 4000 }, func(r block.Ref) { ref = r })
	disk.complete()
	g.cache.insert(partKey{ref, 0, 4000}, make([]byte, 4000))
	for b.Loop() {
		if _, ok := g.TryPart(ref, 0, 4000); !ok {
			b.Fatal("missed")
		}
	}
}

// BenchmarkReadPart measures all but the disk: queue, hash and cache.
func BenchmarkReadPart(b *testing.B) {
	disk := instantDisk{}
	g := newCachedGrid(&disk, 1<<20)
	var ref block.Ref
	g.Write(g.Acquire(), testKind, func(dst []byte) int { return 4000 }, func(r block.Ref) { ref = r })
	disk.complete()
	sum := xxhash.Sum64(disk.block[HeaderSize:][:4000])
	b.SetBytes(4000)
	n := uint32(0)
	for b.Loop() {
		n++
		ref.Checksum[0], ref.Checksum[1], ref.Checksum[2] = byte(n), byte(n>>8), byte(n>>16)
		g.ReadPart(ref, 0, 4000, sum, func(_ []byte, err error) {
			if err != nil {
				b.Fatal(err)
			}
		})
		disk.complete()
	}
}
