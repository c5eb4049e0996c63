package superblock

import (
	"bytes"
	"fmt"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/checksum"
)

const (
	// readBackMin is how many copies of an update must be as written, and
	// openMin how many equal ones Open wants. Their sum exceeds Copies.
	readBackMin = 3
	openMin     = 2

	// updatesMax bounds the Updates that wait for one write together.
	updatesMax = 16
)

// Storage is the data file. Submit only enqueues; see blockio.Request for who
// owns what until its completion.
type Storage interface {
	Submit(*blockio.Request)
}

// Superblock is the root of one data file. It belongs to the goroutine that
// owns the replica; completions are never called from within the method that
// asked for them. After a fault nothing completes any more.
type Superblock struct {
	storage Storage
	fault   func(error)

	durable  State        // what Open finds from now on
	checksum checksum.Sum // of durable
	wanted   State        // durable with all updates asked for
	writing  State        // between the two, while an update is in flight

	phase  phase
	bad    [Copies]bool // copies that Repair must rewrite
	inHand int          // requests of this phase not yet completed

	writes [Copies]blockio.Request
	reads  [Copies]blockio.Request
	sync   blockio.Request

	opened   func(error) // of Open
	repaired func()      // of Repair
	// flying is told when writing is durable, waiting when wanted is.
	flying, waiting []func()
}

// phase is what the superblock waits for.
type phase uint8

const (
	phaseNew     phase = iota // Open must come first
	phaseReading              // Open reads the copies
	phaseOpened               // Repair must come next
	phaseSyncing              // Repair makes what was read stable
	phaseMending              // Repair writes the bad copies
	phaseReady                // nothing is in flight
	phaseFirstPair
	phaseSecondPair
	phaseReadBack
	phaseFailed
)

// New returns the superblock of the file in storage. fault is told of the first
// I/O that makes an update or a repair fail, once; the replica must stop then.
func New(storage Storage, fault func(error)) *Superblock {
	s := &Superblock{storage: storage, fault: fault}
	memory := buffer.Aligned(2 * Copies * copySize)
	for i := range Copies {
		offset := int64(i) * CopySlotSize
		s.writes[i] = blockio.Request{Kind: blockio.Write, Offset: offset, Durable: true, Done: s.wrote}
		s.writes[i].Buf = memory[i*copySize:][:copySize]
		s.reads[i] = blockio.Request{Kind: blockio.Read, Offset: offset, Done: s.read}
		s.reads[i].Buf = memory[(Copies+i)*copySize:][:copySize]
	}
	s.sync = blockio.Request{Kind: blockio.Sync, Done: s.synced}
	return s
}

// State returns the root that is durable. It may be called after Open.
func (s *Superblock) State() State { return s.durable }

// Update changes the root. change is called at once with what the updates asked
// for so far make of it, and alters what it wants, except Sequence and Parent;
// an alteration that is not valid, or goes backwards, panics. done is called
// when the change is durable.
//
// One write is in flight at a time. Updates that come meanwhile are written
// together after it, in one new root. At most updatesMax may wait.
func (s *Superblock) Update(change func(*State), done func()) {
	if s.phase == phaseFailed {
		return
	}
	if s.phase < phaseReady {
		panic("superblock: Update before Repair")
	}
	if len(s.waiting) == updatesMax {
		panic("superblock: too many updates wait")
	}
	before := s.wanted
	change(&s.wanted)
	s.wanted.Sequence, s.wanted.Parent = before.Sequence, before.Parent
	s.wanted.mustFollow(&before)
	if err := s.wanted.Validate(); err != nil {
		panic(err.Error())
	}
	s.waiting = append(s.waiting, done)
	s.startUpdate()
}

func (s *Superblock) startUpdate() {
	if s.phase != phaseReady || len(s.waiting) == 0 {
		return
	}
	s.wanted.Sequence, s.wanted.Parent = s.durable.Sequence+1, s.checksum
	s.writing = s.wanted
	s.flying, s.waiting = s.waiting, nil
	s.phase = phaseFirstPair
	s.write(0, 1)
}

// write submits the copies of writing with the given indexes.
func (s *Superblock) write(indexes ...int) {
	for _, i := range indexes {
		s.writing.encode(s.writes[i].Buf, i)
		s.inHand++
	}
	for _, i := range indexes {
		s.storage.Submit(&s.writes[i])
	}
}

func (s *Superblock) wrote(r *blockio.Request) {
	if s.phase == phaseFailed {
		return
	}
	if r.Err != nil {
		s.fail(fmt.Errorf("superblock: write copy %d: %w", r.Offset/CopySlotSize, r.Err))
		return
	}
	s.inHand--
	if s.inHand > 0 {
		return
	}
	switch s.phase {
	case phaseMending:
		s.finishRepair()
	case phaseFirstPair:
		s.phase = phaseSecondPair
		s.write(2, 3)
	case phaseSecondPair:
		s.phase = phaseReadBack
		s.readCopies()
	default:
		panic("superblock: write completed in a wrong phase")
	}
}

func (s *Superblock) readCopies() {
	s.inHand = Copies
	for i := range s.reads {
		s.storage.Submit(&s.reads[i])
	}
}

func (s *Superblock) read(*blockio.Request) {
	s.inHand--
	if s.inHand > 0 {
		return
	}
	switch s.phase {
	case phaseReading:
		s.finishOpen()
	case phaseReadBack:
		s.finishUpdate()
	default:
		panic("superblock: read completed in a wrong phase")
	}
}

// finishUpdate judges the copies read back.
func (s *Superblock) finishUpdate() {
	good := 0
	for i := range Copies {
		if s.reads[i].Err == nil && bytes.Equal(s.reads[i].Buf, s.writes[i].Buf) {
			good++
		}
	}
	if good < readBackMin {
		s.fail(fmt.Errorf("%w: %d are as written", ErrReadBack, good))
		return
	}
	s.durable = s.writing
	s.checksum = checksum.Sum(s.writes[0].Buf[offsetChecksum:offsetSummed])
	s.phase = phaseReady
	done := s.flying
	s.startUpdate()
	for _, durable := range done {
		durable()
	}
}

func (s *Superblock) fail(err error) {
	s.phase = phaseFailed
	s.fault(err)
}
