package grid

import (
	"encoding/binary"
	"fmt"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/checksum"
)

// ReadWhole fetches a block by its address alone, for another replica that has
// the same checkpoint: the block as it is on the disk, header and payload. It is
// valid during done only; it is nil if there is no such block, or a damaged one,
// or if it may have been overwritten meanwhile.
func (g *Grid) ReadWhole(a block.Address, done func(whole []byte, sum checksum.Sum)) {
	if !g.free.readable(a) {
		done(nil, checksum.Sum{})
		return
	}
	count := g.checkpoint.count
	readWhole(g.storage, &g.config, a, func(whole []byte, sum checksum.Sum) {
		if count != g.checkpoint.count {
			whole = nil
		}
		done(whole, sum)
	})
}

func readWhole(storage Storage, config *Config, a block.Address, done func(whole []byte, sum checksum.Sum)) {
	buf := buffer.Aligned(config.BlockSize)
	offset := config.ZoneOffset + int64(a-1)*int64(config.BlockSize)
	storage.Submit(&blockio.Request{Kind: blockio.Read, Offset: offset, Buf: buf, Done: func(r *blockio.Request) {
		size, sum, wrong := checkWhole(buf, a)
		if r.Err != nil || wrong != "" {
			done(nil, sum)
			return
		}
		done(buf[:HeaderSize+size], sum)
	}})
}

// receiveDepth is how many blocks a Receiver has in hand at a time.
const receiveDepth = 16

// Receiver brings the grid of a data file to a checkpoint of another replica:
// first the free set, which is named by checksum, then every block that is in
// use, by its address. A block that is whole here already is asked for with its
// checksum, so that the other side need not send it again. Nothing else may use
// the grid's zone meanwhile.
type Receiver struct {
	storage Storage
	config  Config
	ask     func(a block.Address, have checksum.Sum)
	done    func()

	next    block.Ref // of the free set's stream; zero when that is complete
	bitmap  bitmap
	content []byte
	cursor  block.Address // the last block that was begun
	// received has the blocks that are as the others have them.
	received bitmap
	slots    []*receiveSlot
	ended    bool
	// inFlight counts requests to the disk; quiet is told when there are none
	// any more after Stop.
	inFlight int
	quiet    func()
}

// receiveSlot is a block in hand: it is read here, asked for, and written.
type receiveSlot struct {
	receiver *Receiver
	request  blockio.Request
	buf      []byte
	ref      block.Ref // the checksum is zero unless it is known
	have     checksum.Sum
	asking   bool
}

// Receive begins to bring the grid to state. ask is called for each block that
// is wanted, with the checksum of what is here, zero if that is damaged; Put
// answers. done is called when every block is here and stable. state must not
// be zero.
func Receive(storage Storage, config Config, state State, ask func(block.Address, checksum.Sum), done func()) *Receiver {
	r := &Receiver{storage: storage, config: config, ask: ask, done: done, next: block.RefFrom(state[:])}
	r.begin(r.next)
	return r
}

// ReadWhole is that of Grid, for others who are receiving the same checkpoint.
// Only a block that has been received already is sure to be of this checkpoint:
// what else is here may be whole, and older.
func (r *Receiver) ReadWhole(a block.Address, done func(whole []byte, sum checksum.Sum)) {
	if !r.received.has(a) {
		done(nil, checksum.Sum{})
		return
	}
	readWhole(r.storage, &r.config, a, done)
}

// Stop ends it. quiet is called, perhaps at once, when nothing of it is on its
// way to the disk any more: only then may others use the zone.
func (r *Receiver) Stop(quiet func()) {
	r.ended, r.quiet = true, quiet
	if r.inFlight == 0 {
		quiet()
	}
}

// submit sends a request to the disk, and calls done unless Stop came first.
func (r *Receiver) submit(request *blockio.Request, done func()) {
	r.inFlight++
	request.Done = func(*blockio.Request) {
		r.inFlight--
		switch {
		case r.quiet == nil:
			done()
		case r.inFlight == 0:
			r.quiet()
		}
	}
	r.storage.Submit(request)
}

// Again asks once more for all that has not come.
func (r *Receiver) Again() {
	for _, s := range r.slots {
		if s.asking && !r.ended {
			r.ask(s.ref.Address, s.have)
		}
	}
}

// begin takes a block in hand: what is here is read first.
func (r *Receiver) begin(ref block.Ref) {
	s := &receiveSlot{receiver: r, ref: ref, buf: buffer.Aligned(r.config.BlockSize)}
	r.slots = append(r.slots, s)
	offset := r.config.ZoneOffset + int64(ref.Address-1)*int64(r.config.BlockSize)
	s.request = blockio.Request{Kind: blockio.Read, Offset: offset, Buf: s.buf}
	r.submit(&s.request, s.read)
}

func (s *receiveSlot) read() {
	r := s.receiver
	if size, sum, wrong := checkWhole(s.buf, s.ref.Address); s.request.Err == nil && wrong == "" {
		if sum == s.ref.Checksum {
			s.complete(size)
			return
		}
		s.have = sum
	}
	s.asking = true
	r.ask(s.ref.Address, s.have)
}

// Put takes a block that was asked for: whole is as ReadWhole gave it, or empty
// if what is here is the right one.
func (r *Receiver) Put(a block.Address, sum checksum.Sum, whole []byte) {
	for _, s := range r.slots {
		if s.ref.Address == a && s.asking && !r.ended {
			s.put(sum, whole)
			return
		}
	}
}

func (s *receiveSlot) put(sum checksum.Sum, whole []byte) {
	r := s.receiver
	if len(whole) == 0 {
		if sum == s.have && !sum.IsZero() && s.ref.Checksum.IsZero() {
			s.complete(int(binary.LittleEndian.Uint32(s.buf[24:])))
		}
		return
	}
	if len(whole) < HeaderSize || len(whole) > len(s.buf) {
		return
	}
	clear(s.buf)
	copy(s.buf, whole)
	size, got, wrong := checkWhole(s.buf, s.ref.Address)
	if wrong != "" || HeaderSize+size != len(whole) || !s.ref.Checksum.IsZero() && got != s.ref.Checksum {
		s.have = checksum.Sum{}
		return
	}
	s.asking = false
	s.request = blockio.Request{Kind: blockio.Write, Offset: s.request.Offset, Buf: s.buf[:blockio.RoundUp(len(whole))]}
	r.submit(&s.request, func() {
		if s.request.Err != nil {
			r.config.Fault(fmt.Errorf("grid: write %v at offset %d: %w", s.ref.Address, s.request.Offset, s.request.Err))
			return
		}
		s.complete(size)
	})
}

// complete is called when the block of a slot is here.
func (s *receiveSlot) complete(payloadSize int) {
	r := s.receiver
	for i := range r.slots {
		if r.slots[i] == s {
			r.slots = append(r.slots[:i], r.slots[i+1:]...)
			break
		}
	}
	for int(s.ref.Address) > 64*len(r.received) {
		r.received = append(r.received, 0)
	}
	r.received.set(s.ref.Address)
	if !r.next.IsZero() && s.ref == r.next {
		payload := s.buf[HeaderSize : HeaderSize+payloadSize]
		r.next = block.RefFrom(payload)
		r.content = append(r.content, payload[streamHeaderSize:]...)
		if !r.next.IsZero() {
			r.begin(r.next)
			return
		}
		r.content = r.content[:len(r.content)/2] // the other half is of the checkpoint before
		for ; len(r.content) >= 8; r.content = r.content[8:] {
			r.bitmap = append(r.bitmap, binary.LittleEndian.Uint64(r.content))
		}
	}
	r.more()
}

// more begins as many blocks as there are slots, and ends when there are none
// left.
func (r *Receiver) more() {
	for ; len(r.slots) < receiveDepth && int(r.cursor) < 64*len(r.bitmap); r.cursor++ {
		if r.bitmap.has(r.cursor + 1) {
			r.begin(block.Ref{Address: r.cursor + 1})
		}
	}
	if len(r.slots) > 0 {
		return
	}
	r.ended = true
	sync := blockio.Request{Kind: blockio.Sync}
	r.submit(&sync, func() {
		if sync.Err != nil {
			r.config.Fault(fmt.Errorf("grid: make received blocks durable: %w", sync.Err))
			return
		}
		r.done()
	})
}
