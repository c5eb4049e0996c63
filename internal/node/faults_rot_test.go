package node_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/sim/model/gen"
	"github.com/ledgerd/ledgerd/vsr/faultdisk"
	"github.com/ledgerd/ledgerd/vsr/journal"
	"github.com/ledgerd/ledgerd/vsr/superblock"
	"github.com/ledgerd/ledgerd/wire"
)

// decays are ways in which a sector can become another one while nobody looks.
var decays = []struct {
	name  string
	decay func(p *photo, random *rand.Rand, offset int64) []byte
}{
	{"a bit flips", func(p *photo, random *rand.Rand, offset int64) []byte {
		sector := p.sector(offset)
		for i := random.IntN(len(sector)); ; i = (i + 1) % len(sector) {
			if sector[i] != 0 || random.IntN(len(sector)) == 0 { // where something is written, rather
				sector[i] ^= 1 << random.IntN(8)
				return sector
			}
		}
	}},
	{"it becomes zero", func(p *photo, _ *rand.Rand, offset int64) []byte {
		return make([]byte, blockio.SectorSize)
	}},
	{"it is an older one", func(p *photo, _ *rand.Rand, offset int64) []byte {
		return p.before.Peek(offset, blockio.SectorSize)
	}},
	{"it is another one", func(p *photo, random *rand.Rand, offset int64) []byte {
		s := step{offset: offset, size: blockio.SectorSize}
		return p.sector(s.elsewhere(random.Int()))
	}},
}

// photo is a data file at rest, and what is known of it.
type photo struct {
	*rig
	before *faultdisk.Disk // the same file some requests before
	// checkpoint is the op of the last one; records are those after it.
	checkpoint uint64
	records    []wire.Prepare
}

func (p *photo) sector(offset int64) []byte { return p.disk.Peek(offset, blockio.SectorSize) }

// newPhoto runs the script to a request of it, and cuts the power when nothing is
// in flight.
func newPhoto(t *testing.T, script []gen.Request, requests int) *photo {
	p := &photo{rig: newRig(1, script[:requests-10])}
	for range 2 {
		if !p.open() || !p.serve() {
			t.Fatal(p.wrong, p.replica.Err())
		}
		p.powerCut()
		if p.before == nil {
			p.before, p.script = p.fork(0).disk, script[:requests]
		}
	}
	p.checkpoint = p.verify().Root.Checkpoint.Op
	ring := p.disk.Peek(zones[1], int(rigLayout.JournalSparesOffset()-zones[1]))
	for ; len(ring) > 0; ring = ring[wire.HeaderSize:] {
		var header wire.Prepare
		if _, err := wire.VerifyHeader(ring[:wire.HeaderSize]); err == nil &&
			header.Decode(ring[:wire.HeaderSize]) == nil && header.Op > p.checkpoint {
			p.records = append(p.records, header)
		}
	}
	return p
}

// lost returns the op that is lost if the bytes at offset are now others, or 0: it
// has no spare.
func (p *photo) lost(offset int64, now []byte) uint64 {
	for _, header := range p.records {
		start := zones[2] + int64(header.Offset%rigLayout.JournalRingSize)
		spare := rigLayout.JournalSparesOffset() + int64(header.Op%uint64(rigLayout.JournalSpares))*superblock.SpareSize
		if bytes.Equal(p.disk.Peek(spare, int(header.Size)), p.disk.Peek(start, int(header.Size))) {
			continue
		}
		for i, was := range p.sector(offset) {
			if at := offset + int64(i); was != now[i] && start <= at && at < start+int64(header.Size) {
				return header.Op
			}
		}
	}
	return 0
}

// TestFaultOfRot changes each sector of a data file at rest. One copy of the
// superblock, or a witness, is superfluous; a record that the checkpoint does not
// have is not, and its op is named; neither is a block, once it is read. Put back
// as it was, the sector must be all that was wrong.
func TestFaultOfRot(t *testing.T) {
	script, _ := baseline(t)
	n := tally{t: t}
	for _, left := range some(len(script)/2, 2, 3) {
		requests := len(script) - left
		p := newPhoto(t, script, requests)
		for len(p.records) < 3 { // a checkpoint was just made
			requests--
			p = newPhoto(t, script, requests)
		}
		for _, sector := range some(int(p.fileSize/blockio.SectorSize), 50, all) {
			offset := int64(sector) * blockio.SectorSize
			for kind, d := range decays {
				decayed := d.decay(p, rand.New(rand.NewPCG(uint64(sector), uint64(kind))), offset)
				if bytes.Equal(decayed, p.sector(offset)) {
					continue
				}
				r := p.fork(uint64(sector))
				r.disk.Poke(offset, decayed)
				n.rotten(p, r, offset)
				n.check(r, "sector at %d, zone %d: %s", offset, zone(offset), d.name)
			}
		}
	}
	n.finish()
}

// rotten starts a replica on a file of which one sector, at offset, is not as p
// has it.
func (n *tally) rotten(p *photo, r *rig, offset int64) {
	decayed := r.disk.Peek(offset, blockio.SectorSize)
	lost := p.lost(offset, decayed)
	damage := len(r.verify().Damage)
	before := n.refusals
	n.live(r, place{offset, blockio.SectorSize})
	if r.wrong != nil {
		return
	}
	refused := n.refusals > before
	var record *journal.CorruptError
	switch {
	case refused && damage == 0:
		r.fail("a file that verify finds sound is refused: %w", r.replica.Err())
	case refused && zone(offset) < 2:
		r.fail("refused for what is superfluous: %w", r.replica.Err())
	case zone(offset) == 2 && refused != (lost != 0):
		r.fail("of op %d the record has rotted: refused %t: %w", lost, refused, r.replica.Err())
	case lost != 0 && (!errors.As(r.replica.Err(), &record) || record.Op != lost):
		r.fail("the record of op %d has rotted: %w", lost, r.replica.Err())
	}
	if r.wrong != nil {
		return
	}
	if refused && bytes.Equal(r.disk.Peek(offset, blockio.SectorSize), decayed) {
		r.powerCut()
		r.disk.Poke(offset, p.sector(offset))
		n.recover(r)
	}
}
