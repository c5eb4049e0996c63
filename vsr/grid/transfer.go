package grid

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/checksum"
)

const (
	// receiveDepth is how many blocks a Receiver has in hand at a time.
	receiveDepth = 32
	// receiveQuestions is how many of its questions wait for answers at a time.
	receiveQuestions = 4
)

// Peers asks other replicas. What is not answered is asked again: tries counts how
// often it has been asked for already. Each time it should be another replica.
type Peers interface {
	// AskRefs asks which blocks the checkpoint has at these addresses, RefsMax
	// at most. Receiver.Refs takes the answer.
	AskRefs(addresses []block.Address, tries int)
	// AskBlock asks for one block, whoever has it. Put takes the answer.
	AskBlock(ref block.Ref, tries int)
}

// Contents has the checksums of blocks that are known to be here, whole.
type Contents map[block.Address]checksum.Sum

// Receiver brings the grid of a data file to a checkpoint of another replica:
// first the free set, which is named by checksum, then every block that is in
// use. It asks which blocks those are, many at a time, compares with what is here,
// and asks for the ones that are not. Nothing else may write to the grid's zone
// meanwhile.
type Receiver struct {
	storage Storage
	config  Config
	peers   Peers
	done    func()

	next    block.Ref // of the free set's stream; zero when that is complete
	content []byte    // of that stream, as far as it has come
	inUse   bitmap
	// cursor is the last block that was asked about, questions what of it has
	// not been answered, refs what has been and is not in hand yet.
	cursor    block.Address
	questions []*question
	refs      []block.Ref
	slots     []*receiveSlot // in hand
	idle      []*receiveSlot
	// contents is what is here, received which of it is known to be of the
	// checkpoint.
	contents Contents
	received bitmap

	ended bool
	// inFlight counts requests to the disk; quiet is told when there are none
	// any more after Stop.
	inFlight int
	quiet    func()
}

// question is what was asked about and not answered. fresh says that this was
// not long ago.
type question struct {
	addresses []block.Address
	fresh     bool
	tries     int
}

// receiveSlot is a block in hand: it is read here, asked for, and written.
type receiveSlot struct {
	request blockio.Request
	buf     []byte
	ref     block.Ref
	asking  bool
	fresh   bool
	tries   int
}

// Receive begins to bring the grid to state, zero for an empty one. contents is what is
// known to be here; the Receiver adds to it, so that the next one, of a later
// checkpoint, need not read it again. done is called when every block is here and
// stable.
func Receive(storage Storage, config Config, state State, contents Contents, peers Peers, done func()) *Receiver {
	r := &Receiver{
		storage: storage, config: config, peers: peers, done: done, contents: contents, next: block.RefFrom(state[:]),
	}
	for range receiveDepth {
		r.idle = append(r.idle, &receiveSlot{})
	}
	if r.next.IsZero() {
		r.more() // which finds nothing to do
	} else {
		r.take(r.next)
	}
	return r
}

// Has returns those of the blocks that have been received, for others who are
// receiving the same checkpoint.
func (r *Receiver) Has(addresses []block.Address) (refs []block.Ref) {
	for _, a := range addresses {
		if r.received.has(a) {
			refs = append(refs, block.Ref{Address: a, Checksum: r.contents[a]})
		}
	}
	return refs
}

// Stop ends it. quiet is called, perhaps at once, when nothing of it is on its
// way to the disk any more: only then may others use the zone.
func (r *Receiver) Stop(quiet func()) {
	r.ended, r.quiet = true, quiet
	if r.inFlight == 0 {
		quiet()
	}
}

// submit sends a request to the disk, and calls done unless Stop came first. A
// write or Sync that fails is a fault also then.
func (r *Receiver) submit(request *blockio.Request, done func()) {
	r.inFlight++
	request.Done = func(*blockio.Request) {
		r.inFlight--
		switch {
		case request.Err != nil && request.Kind != blockio.Read:
			r.ended = true
			r.config.Fault(fmt.Errorf("grid: %v at offset %d for another checkpoint: %w", request.Kind, request.Offset, request.Err))
		case r.quiet == nil:
			done()
		case r.inFlight == 0:
			r.quiet()
		}
	}
	r.storage.Submit(request)
}

// Again asks once more for what has not come since the last time.
func (r *Receiver) Again() {
	if r.ended {
		return
	}
	for _, q := range r.questions {
		if !q.fresh {
			q.tries++
			r.peers.AskRefs(q.addresses, q.tries)
		}
		q.fresh = false
	}
	var doubtful []block.Address // perhaps nobody has that one, and the reference was damaged
	tries := 0
	for _, s := range r.slots {
		if s.asking && !s.fresh {
			s.tries++
			r.peers.AskBlock(s.ref, s.tries)
			doubtful, tries = append(doubtful, s.ref.Address), max(tries, s.tries)
		}
		s.fresh = false
	}
	if len(doubtful) > 0 && r.next.IsZero() {
		r.peers.AskRefs(doubtful, tries)
	}
}

// Refs takes the answer to AskRefs: what the checkpoint has.
func (r *Receiver) Refs(refs []block.Ref) {
	if r.ended || !r.next.IsZero() {
		return
	}
	for _, ref := range refs {
		if ref.Checksum.IsZero() {
			continue
		}
		for _, s := range r.slots {
			if s.asking && s.ref.Address == ref.Address {
				s.ref = ref
			}
		}
		for _, q := range r.questions {
			if i := slices.Index(q.addresses, ref.Address); i >= 0 {
				q.addresses = slices.Delete(q.addresses, i, i+1)
				r.refs = append(r.refs, ref)
				break
			}
		}
	}
	r.questions = slices.DeleteFunc(r.questions, func(q *question) bool { return len(q.addresses) == 0 })
	r.more()
}

// take takes a block in hand. If it is not known what is here, that is read first.
func (r *Receiver) take(ref block.Ref) {
	s := r.idle[len(r.idle)-1]
	r.idle = r.idle[:len(r.idle)-1]
	r.slots = append(r.slots, s)
	if s.buf == nil {
		s.buf = buffer.Aligned(r.config.BlockSize)
	}
	s.ref = ref
	if _, known := r.contents[ref.Address]; known && r.next.IsZero() {
		r.ask(s)
		return
	}
	s.request = blockio.Request{Kind: blockio.Read, Offset: r.config.offsetOf(ref.Address), Buf: s.buf}
	r.submit(&s.request, func() {
		delete(r.contents, ref.Address) // whatever was there: this is what can be read
		if _, sum, wrong := checkWhole(s.buf, ref.Address); s.request.Err == nil && wrong == "" {
			r.contents[ref.Address] = sum
		}
		if r.contents[ref.Address] == ref.Checksum {
			r.complete(s)
			return
		}
		r.ask(s)
	})
}

func (r *Receiver) ask(s *receiveSlot) {
	s.asking, s.fresh, s.tries = true, true, 0
	r.peers.AskBlock(s.ref, 0)
}

// Put takes a block that was asked for, as Sender.Block gave it.
func (r *Receiver) Put(ref block.Ref, whole []byte) {
	for _, s := range r.slots {
		if s.ref == ref && s.asking && !r.ended {
			r.put(s, whole)
			return
		}
	}
}

func (r *Receiver) put(s *receiveSlot, whole []byte) {
	if !unpack(s.buf, whole, s.ref) {
		return
	}
	s.asking = false
	delete(r.contents, s.ref.Address)
	s.request = blockio.Request{Kind: blockio.Write, Offset: r.config.offsetOf(s.ref.Address), Buf: s.buf[:blockio.RoundUp(len(whole))]}
	r.submit(&s.request, func() {
		r.contents[s.ref.Address] = s.ref.Checksum
		r.complete(s)
	})
}

// unpack fills buf with a block that has come from elsewhere, if it is the one
// that ref names.
func unpack(buf, whole []byte, ref block.Ref) bool {
	if len(whole) < HeaderSize || len(whole) > len(buf) {
		return false
	}
	clear(buf[copy(buf, whole):])
	payload, _, wrong := unseal(buf, ref)
	return wrong == "" && HeaderSize+len(payload) == len(whole)
}

// complete is called when the block of a slot is here.
func (r *Receiver) complete(s *receiveSlot) {
	r.slots = slices.DeleteFunc(r.slots, func(other *receiveSlot) bool { return other == s })
	r.idle = append(r.idle, s)
	r.mark(s.ref.Address)
	if !r.next.IsZero() {
		size := binary.LittleEndian.Uint32(s.buf[24:])
		if !r.extend(s.buf[HeaderSize : HeaderSize+size]) {
			r.take(r.next)
			return
		}
	}
	r.more()
}

// mark notes that a block is of the checkpoint.
func (r *Receiver) mark(a block.Address) {
	for int(a) > 64*len(r.received) {
		r.received = append(r.received, 0)
	}
	r.received.set(a)
}

// extend takes a block of the free set's stream, and reports whether it was the
// last one.
func (r *Receiver) extend(payload []byte) bool {
	r.next = block.RefFrom(payload)
	r.content = append(r.content, payload[streamHeaderSize:]...)
	if !r.next.IsZero() {
		return false
	}
	r.content = r.content[:len(r.content)/2] // the other half is of the checkpoint before
	for ; len(r.content) >= 8; r.content = r.content[8:] {
		r.inUse = append(r.inUse, binary.LittleEndian.Uint64(r.content))
	}
	return true
}

// more asks about and takes in hand as many blocks as there is room for, and ends
// when there are none left.
func (r *Receiver) more() {
	for len(r.refs) > 0 && len(r.idle) > 0 {
		ref := r.refs[0]
		r.refs = r.refs[1:]
		if r.contents[ref.Address] == ref.Checksum {
			r.mark(ref.Address)
		} else {
			r.take(ref)
		}
	}
	for len(r.questions) < receiveQuestions && len(r.refs) < RefsMax {
		q := &question{fresh: true}
		for ; len(q.addresses) < RefsMax && int(r.cursor) < 64*len(r.inUse); r.cursor++ {
			if r.inUse.has(r.cursor + 1) {
				q.addresses = append(q.addresses, r.cursor+1)
			}
		}
		if len(q.addresses) == 0 {
			break
		}
		r.questions = append(r.questions, q)
		r.peers.AskRefs(q.addresses, 0)
	}
	if !r.ended && len(r.slots)+len(r.questions)+len(r.refs) == 0 {
		r.end()
	}
}

// end makes what was received stable.
func (r *Receiver) end() {
	r.ended = true
	sync := blockio.Request{Kind: blockio.Sync}
	r.submit(&sync, r.done)
}
