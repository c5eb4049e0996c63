package grid

import (
	"encoding/binary"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/checksum"
)

// Scope says what of each block a Scrubber reads.
type Scope uint8

// The scopes.
const (
	// Whole blocks are read, and checked by the checksum in their header.
	Whole Scope = iota
	// HeadersOnly are read: one sector of each block. Damage of the payload
	// goes unseen.
	HeadersOnly
)

// BlockInfo is what a block's header says of it. Kind and PayloadSize are 0 if
// it is damaged.
type BlockInfo struct {
	Address     block.Address
	Kind        uint8
	PayloadSize int // in bytes
}

// Scrubber tours the blocks of a grid in the order of their addresses, and looks
// at each by itself, without its reference: an older block of the same address,
// left by a lost write, passes.
//
// Blocks that only the checkpoint before has are not looked at: a replica that
// has taken over its checkpoint lacks them. It may run beside everything else. Blocks that are being written are left for
// the next tour, and so are those that were freed while they were being read. It
// has no clock: the pace is that of its Ticks.
type Scrubber struct {
	grid     *Grid
	found    func(BlockInfo, error)
	position block.Address // the block read last
	depth    int
	idle     []*scrubSlot
}

// scrubSlot is one read of a Scrubber.
type scrubSlot struct {
	scrubber   *Scrubber
	request    blockio.Request
	address    block.Address
	checkpoint uint64 // how many there were when the read began
}

// NewScrubber returns a Scrubber with up to depth reads in flight, each with a
// buffer of its own. found is called for each block that was looked at, in any
// order; its error is nil or a *CorruptError.
func (g *Grid) NewScrubber(scope Scope, depth int, found func(BlockInfo, error)) *Scrubber {
	size := g.config.BlockSize
	if scope == HeadersOnly {
		size = blockio.SectorSize
	}
	s := &Scrubber{grid: g, found: found, depth: depth}
	for range depth {
		slot := &scrubSlot{scrubber: s}
		slot.request = blockio.Request{Kind: blockio.Read, Buf: buffer.Aligned(size), Done: slot.complete}
		s.idle = append(s.idle, slot)
	}
	return s
}

// Tick begins reads until depth are in flight. It reports true, and begins none,
// when the tour has ended: every block was looked at. The Tick after that begins
// another tour.
func (s *Scrubber) Tick() (ended bool) {
	for len(s.idle) > 0 {
		next := s.grid.free.nextInUse(s.position)
		if next == 0 {
			if len(s.idle) < s.depth {
				return false
			}
			s.position = 0
			return true
		}
		s.position = next
		slot := s.idle[len(s.idle)-1]
		s.idle = s.idle[:len(s.idle)-1]
		slot.address, slot.checkpoint = next, s.grid.checkpoint.count
		slot.request.Offset = s.grid.offset(next)
		s.grid.storage.Submit(&slot.request)
	}
	return false
}

func (s *scrubSlot) complete(r *blockio.Request) {
	g := s.scrubber.grid
	if g.failed {
		return
	}
	info, err := s.look(r)
	s.scrubber.idle = append(s.scrubber.idle, s)
	if err != nil && s.checkpoint != g.checkpoint.count {
		return // perhaps another block is being written in its place
	}
	s.scrubber.found(info, err)
}

// look checks what was read.
func (s *scrubSlot) look(r *blockio.Request) (BlockInfo, error) {
	info := BlockInfo{Address: s.address}
	damaged := &CorruptError{Address: s.address, Offset: r.Offset, Err: r.Err}
	if r.Err != nil {
		damaged.Reason = "read failed"
		return info, damaged
	}
	buf := r.Buf
	damaged.Want = checksum.Sum(buf[:16])
	damaged.Got = damaged.Want
	size := int(binary.LittleEndian.Uint32(buf[24:]))
	if len(buf) == s.scrubber.grid.config.BlockSize {
		size, damaged.Got, damaged.Reason = checkWhole(buf, s.address)
	} else if damaged.Reason = checkAddress(buf, s.address); size > s.scrubber.grid.PayloadSize() {
		damaged.Reason = "payload size out of range"
	}
	if damaged.Reason != "" {
		return info, damaged
	}
	info.Kind, info.PayloadSize = buf[28], size
	return info, nil
}
