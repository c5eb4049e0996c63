package faultdisk

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/internal/buffer"
)

func newTestDisk(seed uint64) *Disk { return New(rand.New(rand.NewPCG(seed, 0))) }

// do carries out one request to its end.
func do(d *Disk, kind blockio.Kind, offset int64, buf []byte, durable bool) error {
	r := &blockio.Request{Kind: kind, Offset: offset, Buf: buf, Durable: durable, Done: func(*blockio.Request) {}}
	d.Submit(r)
	d.Run()
	return r.Err
}

func sector(fill byte) []byte {
	b := buffer.Aligned(blockio.SectorSize)
	for i := range b {
		b[i] = fill
	}
	return b
}

func TestStableBytesSurviveEveryPowerCut(t *testing.T) {
	for seed := range uint64(200) {
		d := newTestDisk(seed)
		do(d, blockio.Write, 0, sector(1), true)
		do(d, blockio.Write, 4096, sector(2), false)
		do(d, blockio.Sync, 0, nil, false)
		do(d, blockio.Write, 8192, sector(3), false)
		after := d.PowerCut()
		if !bytes.Equal(after.Peek(0, 4096), sector(1)) || !bytes.Equal(after.Peek(4096, 4096), sector(2)) {
			t.Fatalf("seed %d: a stable sector was lost", seed)
		}
	}
}

func TestPowerCutLosesTearsAndKeeps(t *testing.T) {
	var lost, torn, kept int
	for seed := range uint64(200) {
		d := newTestDisk(seed)
		do(d, blockio.Write, 0, sector(1), true)
		do(d, blockio.Write, 0, sector(2), false)
		got := d.PowerCut().Peek(0, 4096)
		switch {
		case bytes.Equal(got, sector(1)):
			lost++
		case bytes.Equal(got, sector(2)):
			kept++
		default:
			torn++
		}
	}
	if lost < 20 || torn < 20 || kept < 20 {
		t.Fatalf("lost %d, torn %d, kept %d of 200", lost, torn, kept)
	}
}

// A durable write is stable also where an older write, which is not, overlaps.
func TestDurableOverVolatile(t *testing.T) {
	for seed := range uint64(100) {
		d := newTestDisk(seed)
		do(d, blockio.Write, 0, twoSectors(1), false)
		do(d, blockio.Write, 4096, sector(2), true)
		if got := d.PowerCut().Peek(4096, 4096); !bytes.Equal(got, sector(2)) {
			t.Fatalf("seed %d: durable write undone", seed)
		}
	}
}

func twoSectors(fill byte) []byte {
	b := buffer.Aligned(2 * blockio.SectorSize)
	for i := range b {
		b[i] = fill
	}
	return b
}

func TestEffects(t *testing.T) {
	for _, test := range []struct {
		effect Effect
		fails  bool
		want   byte // first byte at offset 0 afterwards; the sector held 1, 2 is written
	}{
		{Good, false, 2}, {Lost, false, 1}, {Misdirected, false, 1}, {Refused, true, 1}, {Stored, true, 2},
	} {
		d := newTestDisk(1)
		do(d, blockio.Write, 0, sector(1), true)
		d.Inject = func(int, *blockio.Request) Fault { return Fault{test.effect, 8192} }
		err := do(d, blockio.Write, 0, sector(2), true)
		if errors.Is(err, ErrInjected) != test.fails || d.Peek(0, 1)[0] != test.want {
			t.Errorf("effect %d: error %v, holds %d", test.effect, err, d.Peek(0, 1)[0])
		}
		if moved := d.Peek(8192, 1)[0] == 2; moved != (test.effect == Misdirected) {
			t.Errorf("effect %d: stored elsewhere: %v", test.effect, moved)
		}
	}
}

func TestReadEffects(t *testing.T) {
	d := newTestDisk(1)
	do(d, blockio.Write, 0, sector(1), true)
	d.Inject = func(step int, r *blockio.Request) Fault { return Fault{Effect: Rotten} }
	buf := sector(0)
	if err := do(d, blockio.Read, 0, buf, false); err != nil || bytes.Equal(buf, sector(1)) {
		t.Errorf("rotten read: error %v, or no bit differs", err)
	}
	d.Inject = func(step int, r *blockio.Request) Fault { return Fault{Effect: Unreadable} }
	if err := do(d, blockio.Read, 0, buf, false); !errors.Is(err, ErrInjected) {
		t.Errorf("unreadable: %v", err)
	}
	d.Inject = func(step int, r *blockio.Request) Fault { return Fault{Effect: Misdirected, Elsewhere: 8192} }
	if err := do(d, blockio.Read, 0, buf, false); err != nil || !bytes.Equal(buf, sector(0)) {
		t.Errorf("misdirected: error %v, or not what is elsewhere", err)
	}
	d.Inject = nil
	if err := do(d, blockio.Read, 0, buf, false); err != nil || !bytes.Equal(buf, sector(1)) {
		t.Errorf("the fault stayed: %v", err)
	}
}

// Poke may cut a write at any byte.
func TestPokeIntoVolatile(t *testing.T) {
	for seed := range uint64(20) {
		d := newTestDisk(seed)
		do(d, blockio.Write, 0, sector(1), false)
		d.Poke(100, []byte{9})
		if got := d.PowerCut().Peek(100, 1)[0]; got != 9 {
			t.Fatalf("seed %d: poked byte is %d", seed, got)
		}
	}
}

func TestBrokenContractsPanic(t *testing.T) {
	write := func(offset int64, buf []byte) *blockio.Request {
		return &blockio.Request{Kind: blockio.Write, Offset: offset, Buf: buf, Done: func(*blockio.Request) {}}
	}
	for name, broken := range map[string]func(*Disk){
		"overlap":          func(d *Disk) { d.Submit(write(0, twoSectors(0))); d.Submit(write(4096, sector(0))) },
		"unaligned offset": func(d *Disk) { d.Submit(write(512, sector(0))) },
		"unaligned length": func(d *Disk) { d.Submit(write(0, sector(0)[:100])) },
		"unaligned memory": func(d *Disk) { d.Submit(write(0, twoSectors(0)[8:4104])) },
		"changed in flight": func(d *Disk) {
			r := write(0, sector(0))
			d.Submit(r)
			r.Buf[5] = 1
			d.Run()
		},
		"submitted twice": func(d *Disk) {
			r := &blockio.Request{Kind: blockio.Sync, Done: func(*blockio.Request) {}}
			d.Submit(r)
			d.Submit(r)
		},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			broken(newTestDisk(1))
		}()
	}
	d := newTestDisk(1)
	d.Submit(write(0, twoSectors(0)))
	d.Submit(write(8192, twoSectors(0))) // next to each other is fine
}
