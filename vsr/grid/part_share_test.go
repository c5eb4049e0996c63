package grid

import (
	"bytes"
	"errors"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/internal/blockio"
)

// Who asks for the same part at the same time shares one read, also if it has
// to wait for a slot. A part that differs in anything has its own.
func TestEqualPartsShareARead(t *testing.T) {
	disk := newDisk(1)
	g := newCachedGrid(disk, CacheSizeMin)
	payload := payloadOf(1, g.PayloadSize())
	ref := put(g, disk, payload)
	good, bad := 0, 0
	ask := func(offset, size int, wrong uint64) {
		want := payload[offset:][:size]
		g.ReadPart(ref, offset, size, xxhash.Sum64(want)+wrong, func(part []byte, err error) {
			if wrong != 0 {
				bad++
				if err == nil {
					t.Error("a part with another hash was taken")
				}
				return
			}
			good++
			if err != nil || !bytes.Equal(part, want) {
				t.Errorf("%d bytes at %d: %v, or other bytes", size, offset, err)
			}
		})
	}
	for range 3 {
		ask(0, 1000, 0)
		ask(0, 1000, 1)
		ask(0, 1001, 0)
		ask(1, 1000, 0)
	}
	if n := disk.InFlight(); n != 4 {
		t.Errorf("%d reads in flight, want 4", n)
	}
	for n := range partReadsMax - 4 { // until no slot is idle
		ask(2+n, 100, 0)
	}
	for range 3 {
		ask(2, 100, 0)    // in flight
		ask(2000, 100, 0) // not yet
	}
	before := disk.Submitted()
	disk.Run()
	if n := disk.Submitted() - before; n != 1 {
		t.Errorf("%d more reads, want 1", n)
	}
	if want := 9 + partReadsMax - 4 + 6; good != want || bad != 3 {
		t.Errorf("%d good parts and %d bad, want %d and 3", good, bad, want)
	}
}

// A part that is asked for when it has just come is read again.
func TestPartIsAskedForAgain(t *testing.T) {
	disk := newDisk(1)
	g := newCachedGrid(disk, 0)
	payload := payloadOf(1, 1000)
	ref := put(g, disk, payload)
	rounds := 0
	var again func([]byte, error)
	again = func(part []byte, err error) {
		if err != nil || !bytes.Equal(part, payload) {
			t.Fatalf("round %d: %v, or other bytes", rounds, err)
		}
		if rounds++; rounds < 2*partReadsMax {
			g.ReadPart(ref, 0, 1000, xxhash.Sum64(payload), again)
			if !bytes.Equal(part, payload) {
				t.Fatalf("round %d: the part has changed before done returned", rounds)
			}
		}
	}
	g.ReadPart(ref, 0, 1000, xxhash.Sum64(payload), again)
	disk.Run()
	if rounds != 2*partReadsMax {
		t.Errorf("%d rounds", rounds)
	}
}

// Parts and whole blocks are in flight side by side, each up to their number,
// and what is kept of buffers afterwards is small.
func TestPartsInFlight(t *testing.T) {
	disk := newDisk(1)
	g := New(disk, Config{BlockSize: BlockSizeDefault, Fault: func(err error) { panic(err) }})
	payload := payloadOf(1, g.PayloadSize())
	ref := put(g, disk, payload)
	parts, blocks := 0, 0
	for n := range 3 * partReadsMax {
		size := 1 + n*31%(64<<10)
		if n%16 == 0 {
			size = g.PayloadSize() - n
		}
		want := payload[n:][:size]
		g.ReadPart(ref, n, size, xxhash.Sum64(want), func(part []byte, err error) {
			if parts++; err != nil || !bytes.Equal(part, want) {
				t.Errorf("part %d: %v, or other bytes", n, err)
			}
		})
	}
	for range 3 * readsMax {
		g.Read(ref, func([]byte, error) { blocks++ })
	}
	for disk.Step() {
		if disk.InFlight() > partReadsMax+readsMax {
			t.Fatalf("%d reads in flight", disk.InFlight())
		}
		if parts < partReadsMax && blocks < readsMax && disk.InFlight() != partReadsMax+readsMax {
			t.Fatalf("only %d reads in flight", disk.InFlight())
		}
	}
	if parts != 3*partReadsMax || blocks != 3*readsMax {
		t.Errorf("%d parts, %d blocks", parts, blocks)
	}
	if len(g.partSlots) != partReadsMax || len(g.partsInFlight) != 0 {
		t.Errorf("%d slots are idle, %d parts in flight", len(g.partSlots), len(g.partsInFlight))
	}
	for _, s := range g.partSlots {
		if len(s.buf) > partBufferMax || len(s.waiting) != 0 {
			t.Errorf("a slot keeps %d bytes, and %d wait", len(s.buf), len(s.waiting))
		}
	}
}

// A read in flight is shared also by who comes when no slot is idle.
func TestPartIsSharedWithoutSlots(t *testing.T) {
	disk := manyDisk{}
	g := newCachedGrid(&disk, 0)
	ref := disk.put(g)
	sum, done := xxhash.Sum64(make([]byte, 100)), 0
	for n := range partReadsMax {
		g.ReadPart(ref, n, 100, sum, func([]byte, error) {})
	}
	g.ReadPart(ref, 0, 100, sum, func([]byte, error) { done++ })
	disk.complete()
	if done != 1 || len(disk.inFlight) != 0 {
		t.Errorf("answered %d times, %d reads in flight", done, len(disk.inFlight))
	}
}

// After a failed write nothing is begun and nothing completes.
func TestNoPartsAfterAFault(t *testing.T) {
	disk, faults := manyDisk{}, 0
	g := New(&disk, Config{BlockSize: testBlockSize, Fault: func(error) { faults++ }})
	ref := disk.put(g)
	done := func([]byte, error) { t.Error("a read completed") }
	g.Write(g.Acquire(), testKind, func([]byte) int { return 0 }, func(block.Ref) {})
	disk.inFlight[0].Err = errors.ErrUnsupported
	g.ReadPart(ref, 0, 100, 0, done)
	disk.complete()
	g.ReadPart(ref, 1, 100, 0, done)
	if faults != 1 || len(disk.inFlight) != 0 {
		t.Errorf("%d faults, %d reads in flight", faults, len(disk.inFlight))
	}
}

// manyDisk reads as zeros, many at a time.
type manyDisk struct{ inFlight, completed []*blockio.Request }

func (d *manyDisk) Submit(r *blockio.Request) { d.inFlight = append(d.inFlight, r) }

// complete completes what is in flight, in order, and nothing that this brings.
func (d *manyDisk) complete() {
	d.inFlight, d.completed = d.completed[:0], d.inFlight
	for _, r := range d.completed {
		r.Done(r)
	}
}

// put writes a block.
func (d *manyDisk) put(g *Grid) (ref block.Ref) {
	g.Write(g.Acquire(), testKind, func([]byte) int { return 4000 }, func(r block.Ref) { ref = r })
	d.complete()
	return ref
}

// BenchmarkReadParts keeps all slots busy, each time with other parts. Budget:
// 600 ns a part, of which the hash takes 200 and the cache 100.
func BenchmarkReadParts(b *testing.B) {
	disk := manyDisk{}
	g := newCachedGrid(&disk, 1<<20)
	ref := disk.put(g)
	sum := xxhash.Sum64(make([]byte, 4000))
	done := func(_ []byte, err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		ref.Checksum[0], ref.Checksum[1], ref.Checksum[2] = byte(n), byte(n>>8), byte(n>>16)
		g.ReadPart(ref, 0, 4000, sum, done)
		if n%partReadsMax == partReadsMax-1 {
			disk.complete()
		}
	}
}
