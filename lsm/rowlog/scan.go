package rowlog

import (
	"slices"

	"github.com/ledgerd/ledgerd/internal/blockio"
)

const (
	// scanAhead is how many pieces a Scan has in memory or on their way.
	scanAhead = 8
	// scanAheadFirst is how many it begins with: most scans end soon.
	scanAheadFirst = 4
	// scanWholeBlocks is after how many parts a Scan reads whole blocks.
	scanWholeBlocks = 16
)

// scan walks the parts of a log in one direction. What it reads it copies, so
// that pieces may come in any order and stay until it is their turn. It is used
// again.
type scan struct {
	log        *Log
	from, to   Position
	descending bool
	visit      func(p Position, row []byte) bool
	done       func(error)

	low, high int // places that were not asked for yet, both included
	asked     int // parts
	visited   int // pieces
	pieces    [scanAhead]piece
	head      int // of pieces, a ring
	count     int
	inFlight  int
	ended     bool
	starts    []int // of rows in the part at hand
}

// piece is one part of the log, or several of one block.
type piece struct {
	scan  *scan
	place int // of its first part
	parts int
	part  []byte // one part, if page is nil
	page  *page  // of the block
	ready bool
	err   error
	came  func(content []byte, err error)
}

// Scan calls visit for the rows from one position on and before another, in
// order or in reverse, until visit returns false. Both are positions of rows,
// ends of rows, or 0, and mean no more than the rows there are. A row is good
// until visit returns. Scan reads ahead, whole blocks in the end. visit and
// done may be called before Scan returns; done is called once, and no visit
// after it. An error is told when all rows before the damage were visited.
func (l *Log) Scan(from, to Position, descending bool, visit func(p Position, row []byte) bool, done func(error)) {
	s := l.idleScan()
	s.from, s.to = max(from, positionOf(1, 0)), min(to, l.End())
	s.descending, s.visit, s.done = descending, visit, done
	s.low, s.high = 1, 0
	if s.from < s.to {
		s.low, s.high = l.place(s.from), l.placeBefore(s.to)
	}
	s.run()
}

func (l *Log) idleScan() *scan {
	if n := len(l.scans); n > 0 {
		s := l.scans[n-1]
		l.scans = l.scans[:n-1]
		s.asked, s.visited, s.head, s.count, s.ended = 0, 0, 0, 0, false
		return s
	}
	s := &scan{log: l}
	for i := range s.pieces {
		p := &s.pieces[i]
		p.scan, p.came, p.part = s, p.complete, make([]byte, 0, blockio.SectorSize)
	}
	return s
}

// run asks for pieces and visits those whose turn it is, until it has to wait.
func (s *scan) run() {
	for {
		for s.low <= s.high && s.count < min(scanAhead, scanAheadFirst+s.visited) {
			s.ask()
		}
		p := &s.pieces[s.head]
		if s.count == 0 {
			s.finish(nil)
			return
		}
		if !p.ready {
			return
		}
		more, err := s.visitPiece(p)
		if err != nil || !more {
			s.finish(err)
			return
		}
		p.free()
		s.head = (s.head + 1) % scanAhead
		s.count--
		s.visited++
	}
}

// ask takes the next piece from memory or begins to read it.
func (s *scan) ask() {
	l, p := s.log, &s.pieces[(s.head+s.count)%scanAhead]
	s.count++
	p.ready, p.err, p.place, p.parts = false, nil, s.low, 1
	if s.descending {
		p.place = s.high
	}
	number := p.place / l.parts
	first, last := max(s.low, number*l.parts), min(s.high, number*l.parts+l.parts-1)
	whole := s.asked >= scanWholeBlocks && l.page(number) == nil && 4*(last-first+1) >= l.parts
	if whole {
		p.place, p.parts = first, last-first+1
	}
	s.asked += p.parts
	if s.descending {
		s.high -= p.parts
	} else {
		s.low += p.parts
	}
	if whole {
		s.inFlight++
		p.page = l.sparePage()
		l.grid.Read(l.directory.ref(number), p.came)
	} else if part, ok := l.part(p.place); ok {
		p.part, p.ready = append(p.part[:0], part...), true
	} else {
		s.inFlight++
		l.readPart(p.place, p.came)
	}
}

func (p *piece) complete(content []byte, err error) {
	s := p.scan
	s.inFlight--
	if s.ended {
		s.recycle()
		return
	}
	switch {
	case err != nil:
		p.err = err
	case p.page != nil:
		copy(p.page.data, content)
	default:
		p.part = append(p.part[:0], content...)
	}
	p.ready = true
	s.run()
}

// free gives back the memory of a block.
func (p *piece) free() {
	if p.page != nil {
		p.scan.log.spare = append(p.scan.log.spare, p.page)
		p.page = nil
	}
}

func (s *scan) finish(err error) {
	for ; s.count > 0; s.count-- {
		s.pieces[s.head].free()
		s.head = (s.head + 1) % scanAhead
	}
	if err != nil {
		err = s.log.wrap(err)
	}
	done := s.done
	s.ended, s.visit, s.done = true, nil, nil
	s.recycle()
	done(err)
}

// recycle makes an ended scan idle when none of its reads is on its way.
func (s *scan) recycle() {
	if s.inFlight == 0 {
		s.log.scans = append(s.log.scans, s)
	}
}

func (s *scan) visitPiece(p *piece) (more bool, err error) {
	if p.err != nil {
		return false, p.err
	}
	l := s.log
	for i := range p.parts {
		if s.descending {
			i = p.parts - 1 - i
		}
		place, part := p.place+i, p.part
		if p.page != nil {
			n := place % l.parts
			part = p.page.data[l.start(n):l.start(n+1)]
		}
		if more, err = s.visitPart(place, part); err != nil || !more {
			return more, err
		}
	}
	return true, nil
}

func (s *scan) visitPart(place int, part []byte) (more bool, err error) {
	start := s.log.startOf(place)
	s.starts = s.starts[:0]
	at := int(max(s.from, start) - start)
	end := int(min(s.to-start, Position(len(part))))
	for at < end {
		n := rowLength(part[at:])
		if n < 0 {
			return false, s.log.notRow(place, at)
		}
		if n == 0 {
			break
		}
		s.starts = append(s.starts, at)
		at += n
	}
	if s.descending {
		slices.Reverse(s.starts)
	}
	for _, at := range s.starts {
		n := rowLength(part[at:])
		if !s.visit(start+Position(at), part[at:at+n:at+n]) {
			return false, nil
		}
	}
	return true, nil
}
