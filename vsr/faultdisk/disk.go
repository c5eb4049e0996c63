// Package faultdisk is a simulated data file that loses power, tears, loses,
// misdirects and rots, and does so in the same way for the same seed.
//
// It is the test double of io/disk for the parts of a replica and for the
// simulator; no production code imports it. It owns no goroutine: requests
// wait until Step completes one of them, in random order, and Done is called
// from there.
//
// # What it keeps
//
// Two images. Reads see the newest bytes. The stable image is what a power cut
// leaves at least: it holds every durable write that was completed and every
// write that was completed before a completed Sync was submitted. Of the rest,
// completed or in flight, PowerCut keeps or loses each piece of PieceSize bytes
// by itself, and may leave garbage in a piece that was in flight.
package faultdisk

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"unsafe"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/internal/checksum"
)

// PieceSize is the unit in which a power cut keeps or loses what was written:
// the sector of an old drive, smaller than blockio.SectorSize.
const PieceSize = 512

// ErrInjected is the error of requests that were made to fail.
var ErrInjected = errors.New("faultdisk: injected fault")

// Effect is what happens to one request.
type Effect uint8

// The effects. One that is not of a request's kind is ignored.
const (
	Good        Effect = iota
	Lost               // write: reported as done, nothing stored
	Torn               // write: reported as done, some pieces stored
	Misdirected        // write, read: reported as done, stored at or read from Fault.Elsewhere
	Refused            // write or sync: reported as failed, nothing stored
	Stored             // write or sync: reported as failed, yet stored
	Rotten             // read: one bit flipped, this time only
	Unreadable         // read: reported as failed
)

// Fault is an Effect with its parameter.
type Fault struct {
	Effect    Effect
	Elsewhere int64 // Misdirected only: offset, a multiple of blockio.SectorSize
}

// Disk is a simulated data file. It satisfies the Storage interfaces of the
// journal, the superblock and the grid.
type Disk struct {
	// Inject, if not nil, is asked for the fate of each request when it is
	// submitted. step counts the requests of this Disk from 0.
	Inject func(step int, r *blockio.Request) Fault

	rng      *rand.Rand
	steps    int
	pending  []operation
	newest   image
	stable   image
	volatile []write // completed, in this order, and not stable
	sequence uint64  // of the write completed last
	dead     bool
}

type operation struct {
	request *blockio.Request
	fault   Fault
	// sequence is, for a Sync, that of the last write it makes stable.
	sequence uint64
	// content is, for a write, the checksum of what was submitted.
	content checksum.Sum
}

type write struct {
	sequence uint64
	offset   int64
	data     []byte // a copy
}

// New returns an empty disk: all its bytes read as zero. Whatever is random
// comes from rng.
func New(rng *rand.Rand) *Disk { return &Disk{rng: rng} }

// Submit takes a request. It panics where direct I/O would fail or where the
// contract of blockio.Request is broken.
func (d *Disk) Submit(r *blockio.Request) {
	if d.dead {
		return
	}
	d.check(r)
	op := operation{request: r, sequence: d.sequence}
	if r.Kind == blockio.Write {
		op.content = checksum.Of(r.Buf)
	}
	if d.Inject != nil {
		op.fault = d.Inject(d.steps, r)
	}
	d.steps++
	r.Err = nil
	d.pending = append(d.pending, op)
}

func (d *Disk) check(r *blockio.Request) {
	if r.Done == nil {
		panic("faultdisk: request without Done")
	}
	for _, other := range d.pending {
		if other.request == r {
			panic("faultdisk: request submitted twice")
		}
	}
	if r.Kind == blockio.Sync {
		return
	}
	if r.Offset < 0 || r.Offset%blockio.SectorSize != 0 || len(r.Buf) == 0 || len(r.Buf)%blockio.SectorSize != 0 {
		panic(fmt.Sprintf("faultdisk: %v of %d bytes at offset %d", r.Kind, len(r.Buf), r.Offset))
	}
	if uintptr(unsafe.Pointer(&r.Buf[0]))%blockio.SectorSize != 0 {
		panic("faultdisk: buffer is not aligned")
	}
	for _, other := range d.pending {
		o := other.request
		writes := r.Kind == blockio.Write && o.Kind == blockio.Write
		if writes && r.Offset < o.Offset+int64(len(o.Buf)) && o.Offset < r.Offset+int64(len(r.Buf)) {
			panic(fmt.Sprintf("faultdisk: overlapping writes at offsets %d and %d", r.Offset, o.Offset))
		}
	}
}

// InFlight returns how many requests wait for their completion.
func (d *Disk) InFlight() int { return len(d.pending) }

// Submitted returns how many requests were submitted so far.
func (d *Disk) Submitted() int { return d.steps }

// Step completes one waiting request, chosen at random, and reports whether
// there was one.
func (d *Disk) Step() bool {
	if len(d.pending) == 0 {
		return false
	}
	i := d.rng.IntN(len(d.pending))
	op := d.pending[i]
	d.pending[i] = d.pending[len(d.pending)-1]
	d.pending = d.pending[:len(d.pending)-1]
	if r := op.request; r.Kind == blockio.Write && checksum.Of(r.Buf) != op.content {
		panic(fmt.Sprintf("faultdisk: the buffer of a write at offset %d was changed in flight", r.Offset))
	}
	d.perform(op)
	op.request.Done(op.request)
	return true
}

// Run completes requests until none waits.
func (d *Disk) Run() {
	for d.Step() {
	}
}

func (d *Disk) perform(op operation) {
	r := op.request
	effect := op.fault.Effect
	switch r.Kind {
	case blockio.Read:
		offset := r.Offset
		if effect == Misdirected {
			offset = op.fault.Elsewhere
		}
		d.newest.read(offset, r.Buf)
		if effect == Rotten {
			r.Buf[d.rng.IntN(len(r.Buf))] ^= 1 << d.rng.IntN(8)
		}
		if effect == Unreadable {
			r.Err = ErrInjected
		}
	case blockio.Write:
		d.performWrite(r, op.fault)
	case blockio.Sync:
		if effect != Refused {
			d.sync(op.sequence)
		}
	}
	if r.Kind != blockio.Read && (effect == Refused || effect == Stored) {
		r.Err = ErrInjected
	}
}

func (d *Disk) performWrite(r *blockio.Request, fault Fault) {
	switch fault.Effect {
	case Lost, Refused:
	case Misdirected:
		d.store(fault.Elsewhere, r.Buf, r.Durable)
	case Torn:
		for p := 0; p < len(r.Buf); p += PieceSize {
			if d.rng.IntN(2) == 0 {
				d.store(r.Offset+int64(p), r.Buf[p:p+PieceSize], r.Durable)
			}
		}
	default:
		d.store(r.Offset, r.Buf, r.Durable)
	}
}

func (d *Disk) store(offset int64, data []byte, durable bool) {
	d.sequence++
	d.newest.write(offset, data)
	if durable {
		d.stable.write(offset, data)
		d.punch(offset, int64(len(data)))
		return
	}
	d.volatile = append(d.volatile, write{d.sequence, offset, slices.Clone(data)})
}

// punch forgets what volatile writes put into a range that was made stable.
func (d *Disk) punch(offset, size int64) {
	var kept []write
	for _, w := range d.volatile {
		end := w.offset + int64(len(w.data))
		if end <= offset || offset+size <= w.offset {
			kept = append(kept, w)
			continue
		}
		if w.offset < offset {
			kept = append(kept, write{w.sequence, w.offset, w.data[:offset-w.offset]})
		}
		if offset+size < end {
			kept = append(kept, write{w.sequence, offset + size, w.data[offset+size-w.offset:]})
		}
	}
	d.volatile = kept
}

func (d *Disk) sync(sequence uint64) {
	var kept []write
	for _, w := range d.volatile {
		if w.sequence > sequence {
			kept = append(kept, w)
			continue
		}
		d.stable.write(w.offset, w.data)
	}
	d.volatile = kept
}

// Kill ends the process but not the machine: what was completed stays readable
// (not necessarily stable), what was in flight happened wholly, in part, or not
// at all. The disk can be used again at once; no Done of before is called.
func (d *Disk) Kill() {
	for _, op := range d.takePending() {
		r := op.request
		d.eachSurvivor(r.Offset, r.Buf, func(offset int64, piece []byte) { d.store(offset, piece, false) })
	}
}

// PowerCut returns the disk as the next start of the machine finds it. The old
// one is dead: it takes no request and calls no Done.
func (d *Disk) PowerCut() *Disk {
	after := &Disk{rng: d.rng, stable: d.stable.clone()}
	for _, w := range d.volatile {
		d.eachSurvivor(w.offset, w.data, after.stable.write)
	}
	for _, op := range d.takePending() {
		r := op.request
		d.eachSurvivor(r.Offset, r.Buf, func(offset int64, piece []byte) {
			if d.rng.IntN(64) == 0 {
				piece = d.garbage()
			}
			after.stable.write(offset, piece)
		})
	}
	d.dead, d.volatile = true, nil
	after.newest = after.stable.clone()
	return after
}

// takePending returns the writes in flight in random order and forgets all
// that was in flight.
func (d *Disk) takePending() []operation {
	var writes []operation
	for _, op := range d.pending {
		if op.request.Kind == blockio.Write && op.fault.Effect != Lost && op.fault.Effect != Refused {
			writes = append(writes, op)
		}
	}
	d.pending = nil
	d.rng.Shuffle(len(writes), func(i, j int) { writes[i], writes[j] = writes[j], writes[i] })
	return writes
}

// eachSurvivor calls keep for the pieces of a write that a crash left: all,
// none, or some. A piece can be shorter where Poke has cut the write.
func (d *Disk) eachSurvivor(offset int64, data []byte, keep func(offset int64, piece []byte)) {
	fate := d.rng.IntN(3)
	for p := 0; p < len(data); p += PieceSize {
		if fate == 0 || fate == 1 && d.rng.IntN(2) == 0 {
			keep(offset+int64(p), data[p:min(p+PieceSize, len(data))])
		}
	}
}

func (d *Disk) garbage() []byte {
	piece := make([]byte, PieceSize)
	for i := range piece {
		piece[i] = byte(d.rng.Uint32())
	}
	return piece
}

// Rot flips one random bit in each of the count bytes from offset on, for good.
func (d *Disk) Rot(offset int64, count int) {
	data := make([]byte, count)
	d.newest.read(offset, data)
	for i := range data {
		data[i] ^= 1 << d.rng.IntN(8)
	}
	d.Poke(offset, data)
}

// Peek returns count bytes from offset on, as a read would see them.
func (d *Disk) Peek(offset int64, count int) []byte {
	data := make([]byte, count)
	d.newest.read(offset, data)
	return data
}

// Poke stores bytes behind everybody's back, for good. Neither offset nor
// length need be aligned.
func (d *Disk) Poke(offset int64, data []byte) {
	d.newest.write(offset, data)
	d.stable.write(offset, data)
	d.punch(offset, int64(len(data)))
}
