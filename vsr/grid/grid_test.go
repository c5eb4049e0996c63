package grid

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/vsr/faultdisk"
)

const (
	testBlockSize  = 8192
	testZoneOffset = 64 << 10
	testKind       = 7
)

func newDisk(seed uint64) *faultdisk.Disk {
	return faultdisk.New(rand.New(rand.NewPCG(seed, 1)))
}

func newGrid(disk Storage) *Grid {
	return New(disk, Config{
		ZoneOffset: testZoneOffset,
		BlockSize:  testBlockSize,
		Fault:      func(err error) { panic(err) },
	})
}

// put writes one block and waits for it.
func put(g *Grid, disk *faultdisk.Disk, payload []byte) (ref block.Ref) {
	g.Write(g.Acquire(), testKind, func(dst []byte) int { return copy(dst, payload) }, func(r block.Ref) { ref = r })
	disk.Run()
	return ref
}

// get reads one block and waits for it.
func get(g *Grid, disk *faultdisk.Disk, ref block.Ref) (payload []byte, err error) {
	err = errors.New("read did not complete")
	g.Read(ref, func(p []byte, e error) { payload, err = bytes.Clone(p), e })
	disk.Run()
	return payload, err
}

func payloadOf(seed, size int) []byte {
	rng := rand.New(rand.NewPCG(uint64(seed), uint64(size)))
	p := make([]byte, size)
	for i := range p {
		p[i] = byte(rng.Uint32())
	}
	return p
}

func TestWriteAndRead(t *testing.T) {
	disk := newDisk(1)
	g := newGrid(disk)
	sizes := []int{0, 1, blockio.SectorSize - HeaderSize, blockio.SectorSize - HeaderSize + 1, g.PayloadSize()}
	var refs []block.Ref
	for i, size := range sizes {
		refs = append(refs, put(g, disk, payloadOf(i, size)))
	}
	for i, ref := range refs {
		got, err := get(g, disk, ref)
		if err != nil || !bytes.Equal(got, payloadOf(i, sizes[i])) {
			t.Errorf("%d bytes: read %d bytes, %v", sizes[i], len(got), err)
		}
	}
}

// More blocks than slots: the queue holds the rest, in order, and completions
// may ask for more.
func TestManyInFlight(t *testing.T) {
	disk := newDisk(2)
	g := newGrid(disk)
	const count = 5 * writesMax
	var filled []int
	refs := make([]block.Ref, count)
	for i := range count {
		g.Write(g.Acquire(), testKind, func(dst []byte) int {
			filled = append(filled, i)
			return copy(dst, payloadOf(i, 100))
		}, func(ref block.Ref) { refs[i] = ref })
		if n := disk.InFlight(); n > writesMax {
			t.Fatalf("%d writes in flight", n)
		}
	}
	disk.Run()
	for i, n := range filled {
		if i != n {
			t.Fatalf("filled in the order %v", filled)
		}
	}
	seen := 0
	var read func(i int)
	read = func(i int) {
		g.Read(refs[i], func(p []byte, err error) {
			if err != nil || !bytes.Equal(p, payloadOf(i, 100)) {
				t.Errorf("block %d: %v", i, err)
			}
			seen++
			if next := i + readsMax + 5; next < count {
				read(next)
			}
		})
	}
	for i := range readsMax + 5 {
		read(i)
	}
	disk.Run()
	if seen != count {
		t.Errorf("%d of %d reads completed", seen, count)
	}
}

// Each way in which a block can be wrong is told from the right one.
func TestDamageIsDetected(t *testing.T) {
	const size = 5000 // two sectors
	offset := int64(testZoneOffset)
	for name, damage := range map[string]func(disk *faultdisk.Disk, g *Grid, ref block.Ref){
		"rot of the checksum":  func(d *faultdisk.Disk, _ *Grid, _ block.Ref) { d.Rot(offset, 1) },
		"rot of the address":   func(d *faultdisk.Disk, _ *Grid, _ block.Ref) { d.Rot(offset+16, 1) },
		"rot of the size":      func(d *faultdisk.Disk, _ *Grid, _ block.Ref) { d.Rot(offset+27, 1) },
		"rot of the reserved":  func(d *faultdisk.Disk, _ *Grid, _ block.Ref) { d.Rot(offset+63, 1) },
		"rot of the payload":   func(d *faultdisk.Disk, _ *Grid, _ block.Ref) { d.Rot(offset+HeaderSize+size-1, 1) },
		"lost: zeros":          func(d *faultdisk.Disk, _ *Grid, _ block.Ref) { d.Poke(offset, make([]byte, testBlockSize)) },
		"torn: second sector":  func(d *faultdisk.Disk, _ *Grid, _ block.Ref) { d.Poke(offset+4096, make([]byte, 4096)) },
		"torn: first sector":   func(d *faultdisk.Disk, _ *Grid, _ block.Ref) { d.Poke(offset, make([]byte, 4096)) },
		"misdirected over it":  func(d *faultdisk.Disk, g *Grid, _ block.Ref) { d.Poke(offset, sealed(2, size)) },
		"stale: older content": func(d *faultdisk.Disk, _ *Grid, _ block.Ref) { d.Poke(offset, sealed(1, size-1)) },
		"unreadable":           func(d *faultdisk.Disk, _ *Grid, _ block.Ref) { d.Inject = always(faultdisk.Unreadable) },
	} {
		disk := newDisk(3)
		g := newGrid(disk)
		ref := put(g, disk, payloadOf(1, size))
		damage(disk, g, ref)
		_, err := get(g, disk, ref)
		var corrupt *CorruptError
		if !errors.Is(err, ErrCorrupt) || !errors.As(err, &corrupt) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if corrupt.Address != ref.Address || corrupt.Offset != offset || corrupt.Want != ref.Checksum {
			t.Errorf("%s: %+v", name, corrupt)
		}
	}
}

// sealed returns a valid block for an address, other than the test's.
func sealed(a block.Address, size int) []byte {
	buf := make([]byte, testBlockSize)
	copy(buf[HeaderSize:], payloadOf(1, size))
	seal(buf, a, testKind, size)
	return buf
}

func always(effect faultdisk.Effect) func(int, *blockio.Request) faultdisk.Fault {
	return func(int, *blockio.Request) faultdisk.Fault { return faultdisk.Fault{Effect: effect} }
}

func TestMisdirectedWriteIsDetected(t *testing.T) {
	disk := newDisk(4)
	g := newGrid(disk)
	first := put(g, disk, payloadOf(1, 100))
	disk.Inject = func(int, *blockio.Request) faultdisk.Fault {
		return faultdisk.Fault{Effect: faultdisk.Misdirected, Elsewhere: g.offset(first.Address)}
	}
	second := put(g, disk, payloadOf(1, 100)) // the same payload
	disk.Inject = nil
	for _, ref := range []block.Ref{first, second} {
		if _, err := get(g, disk, ref); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%v: %v", ref.Address, err)
		}
	}
}

// A bit flipped in transit is seen, except where it means nothing.
func TestRottenRead(t *testing.T) {
	disk := newDisk(3)
	g := newGrid(disk)
	ref := put(g, disk, payloadOf(1, g.PayloadSize()))
	disk.Inject = always(faultdisk.Rotten)
	if _, err := get(g, disk, ref); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a full block: %v", err)
	}
	disk.Inject = nil
	ref = put(g, disk, payloadOf(1, 100))
	disk.Rot(g.offset(ref.Address)+HeaderSize+100, 1)
	if _, err := get(g, disk, ref); err != nil {
		t.Errorf("behind the payload: %v", err)
	}
}

func TestMisdirectedReadIsDetected(t *testing.T) {
	disk := newDisk(3)
	g := newGrid(disk)
	first, second := put(g, disk, payloadOf(1, 100)), put(g, disk, payloadOf(1, 100))
	disk.Inject = func(int, *blockio.Request) faultdisk.Fault {
		return faultdisk.Fault{Effect: faultdisk.Misdirected, Elsewhere: g.offset(second.Address)}
	}
	if _, err := get(g, disk, first); !errors.Is(err, ErrCorrupt) {
		t.Error(err)
	}
}

// The very bytes that a reference demands, but in another block's place.
func TestCopyAtAnotherAddressIsDetected(t *testing.T) {
	disk := newDisk(4)
	g := newGrid(disk)
	first, second := put(g, disk, payloadOf(1, 100)), put(g, disk, payloadOf(2, 100))
	disk.Poke(g.offset(second.Address), disk.Peek(g.offset(first.Address), testBlockSize))
	second.Checksum = first.Checksum
	if _, err := get(g, disk, second); !errors.Is(err, ErrCorrupt) {
		t.Errorf("read: %v", err)
	}
}

// A failed write is told once, whether it was persisted or not, and nothing
// completes after it.
func TestWriteFaultStops(t *testing.T) {
	for _, effect := range []faultdisk.Effect{faultdisk.Refused, faultdisk.Stored} {
		disk := newDisk(5)
		var faults []error
		g := New(disk, Config{ZoneOffset: testZoneOffset, BlockSize: testBlockSize, Fault: func(err error) { faults = append(faults, err) }})
		disk.Inject = always(effect)
		for range 2 * writesMax {
			g.Write(g.Acquire(), testKind, func([]byte) int { return 0 }, func(block.Ref) { t.Error("a write completed") })
		}
		disk.Run()
		if len(faults) != 1 || !errors.Is(faults[0], faultdisk.ErrInjected) || !strings.Contains(faults[0].Error(), "offset ") {
			t.Errorf("faults %v", faults)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	fault := func(error) {}
	for _, cfg := range []Config{
		{0, 0, 0, fault, nil}, {0, 4097, 0, fault, nil}, {0, BlockSizeMax + 4096, 0, fault, nil}, {1, 4096, 0, fault, nil}, {-4096, 4096, 0, fault, nil},
		{0, 4096, CacheSizeMin - 1, fault, nil}, {0, 4096, -1, fault, nil}, {0, 4096, 0, nil, nil},
	} {
		if !panics(func() { New(newDisk(1), cfg) }) {
			t.Errorf("%+v was taken", cfg)
		}
	}
}

// Reads and writes of blocks allocate nothing once the slots have their
// buffers.
func TestSteadyStateAllocatesNothing(t *testing.T) {
	disk := instantDisk{}
	g := newGrid(&disk)
	fill := func(dst []byte) int { return len(dst) }
	var ref block.Ref
	wrote := func(r block.Ref) { ref = r }
	read := func(_ []byte, err error) {
		if err != nil {
			t.Error(err)
		}
	}
	a := g.Acquire()
	cycle := func() {
		g.free.unwritten.set(a) // the same block again and again
		g.Write(a, testKind, fill, wrote)
		disk.complete()
		g.Read(ref, read)
		disk.complete()
	}
	if n := testing.AllocsPerRun(100, cycle); n != 0 {
		t.Errorf("%v allocations for a write and a read", n)
	}
}

// instantDisk has room for one block and one request.
type instantDisk struct {
	request *blockio.Request
	block   [testBlockSize]byte
}

func (d *instantDisk) Submit(r *blockio.Request) { d.request = r }

func (d *instantDisk) complete() {
	if d.request.Kind == blockio.Write {
		copy(d.block[:], d.request.Buf)
	} else {
		copy(d.request.Buf, d.block[:])
	}
	d.request.Done(d.request)
}

func BenchmarkWriteBlock(b *testing.B) {
	disk := instantDisk{}
	g := New(&disk, Config{BlockSize: BlockSizeDefault, Fault: func(error) {}})
	b.SetBytes(BlockSizeDefault)
	fill := func(dst []byte) int { return len(dst) }
	a := g.Acquire()
	for b.Loop() {
		g.free.unwritten.set(a)
		g.Write(a, testKind, fill, func(block.Ref) {})
		disk.complete()
	}
}

func BenchmarkAcquireRelease(b *testing.B) {
	var f freeSet
	for range 1 << 20 {
		f.acquire()
	}
	for a := block.Address(1 << 19); b.Loop(); a = f.acquire() {
		f.release(a)
		f.stage()
	}
}

func FuzzUnseal(f *testing.F) {
	f.Add(sealed(1, 100), uint64(1))
	f.Add(make([]byte, testBlockSize), uint64(1))
	f.Fuzz(func(t *testing.T, data []byte, address uint64) {
		buf := make([]byte, testBlockSize)
		copy(buf, data)
		ref := block.Ref{Address: block.Address(address), Checksum: [16]byte(buf)}
		payload, _, wrong := unseal(buf, ref)
		if wrong != "" {
			return
		}
		// What is accepted is what seal makes.
		again := make([]byte, testBlockSize)
		copy(again[HeaderSize:], payload)
		end := HeaderSize + len(payload)
		if sum, _ := seal(again, ref.Address, buf[28], len(payload)); sum == ref.Checksum && !bytes.Equal(again[:end], buf[:end]) {
			t.Fatal("two encodings of one block")
		}
	})
}
