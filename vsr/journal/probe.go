package journal

import (
	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/wire"
)

// probe looks for the record of the op after the walk's, which no intact
// witness leads to. It can be in two places: behind the record before it, or at
// the beginning of the next lap, if it did not fit in the rest of this one. In
// each place its first sector is read, then, if that is the header looked for,
// the whole record.
type probe struct {
	recovery *recovery
	request  blockio.Request
	offsets  [2]uint64 // virtual
	count    int
	at       int // index in offsets
	buf      *buffer.Buffer
	err      error // of a read that failed
}

func (p *probe) start(r *recovery) {
	ring := r.journal.config.RingSize
	*p = probe{recovery: r, offsets: [2]uint64{r.end, r.end - r.end%ring + ring}, count: 2}
	if r.end%ring == 0 {
		p.count = 1
	}
	p.readHeader()
}

func (p *probe) readHeader() {
	r := p.recovery
	// Nothing can be beyond what Fits allows: there the ring has older records.
	if p.at == p.count || !r.journal.Fits(r.op+1, p.offsets[p.at], blockio.SectorSize) {
		reason := "there is another one, or it is torn or rotten"
		if p.err != nil {
			reason = "it cannot be read"
		}
		r.notFound(reason, p.err)
		return
	}
	p.read(blockio.SectorSize, p.headerRead)
}

// read fetches the first size bytes at the current place.
func (p *probe) read(size int, done func(*blockio.Request)) {
	j := p.recovery.journal
	p.buf = j.pool.Acquire(size)
	p.request = blockio.Request{Kind: blockio.Read, Offset: j.place(p.offsets[p.at]), Buf: p.buf.Bytes, Done: done}
	j.storage.Submit(&p.request)
}

func (p *probe) headerRead(request *blockio.Request) {
	header, ok := decodeHeader(p.buf.Bytes)
	p.buf.Release()
	if request.Err != nil || !ok || !p.isNext(&header) {
		p.elsewhere(request.Err)
		return
	}
	p.read(int(recordSize(int(header.Size))), p.recordRead)
}

func (p *probe) recordRead(request *blockio.Request) {
	record := p.buf
	defer record.Release()
	header, ok := decodeHeader(record.Bytes)
	if request.Err != nil || !ok || !p.isNext(&header) || verifyRecord(record.Bytes) != "" {
		p.elsewhere(request.Err)
		return
	}
	p.recovery.found(record.Bytes)
}

func (p *probe) elsewhere(err error) {
	if err != nil {
		p.err = err
	}
	p.at++
	p.readHeader()
}

// isNext reports whether header is that of the op looked for, in this place.
func (p *probe) isNext(header *wire.Prepare) bool {
	r := p.recovery
	return header.Cluster == r.journal.config.Cluster && header.Op == r.op+1 && header.Parent == r.parent &&
		header.Offset == p.offsets[p.at] && r.isPlace(header) &&
		header.Offset == r.journal.NextOffset(r.end, int(header.Size))
}
