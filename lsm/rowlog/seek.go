package rowlog

import (
	"fmt"
	"sort"
)

// seek looks for the first row with at least a stamp in one block, of which the
// first row has less. It is used again.
type seek struct {
	log       *Log
	stamp     uint64
	low, high int // places: the row is in low or behind it, and not behind the beginning of high
	done      func(Position, error)
	came      func(part []byte, err error)
}

// Seek finds the first row whose stamp is at least the given one: its position,
// or End if there is none. It reads no more than about seven parts, one after
// the other. done may be called before Seek returns.
func (l *Log) Seek(stamp uint64, done func(Position, error)) {
	blocks := l.newest().number
	if l.rows == 0 {
		blocks = 0
	}
	before := sort.Search(blocks, func(i int) bool { return l.firstStamp(i+1) >= stamp })
	if before == 0 {
		done(positionOf(1, 0), nil)
		return
	}
	s := l.idleSeek()
	s.stamp, s.done = stamp, done
	s.low, s.high = before*l.parts, (before+1)*l.parts
	if before == blocks {
		s.high = l.placeBefore(l.End()) + 1
	}
	s.run()
}

func (l *Log) idleSeek() *seek {
	if n := len(l.seeks); n > 0 {
		s := l.seeks[n-1]
		l.seeks = l.seeks[:n-1]
		return s
	}
	s := &seek{log: l}
	s.came = s.complete
	return s
}

func (s *seek) run() {
	l := s.log
	for s.low < s.high {
		middle := (s.low + s.high) / 2
		part, ok := l.part(middle)
		if !ok {
			l.readPart(middle, s.came)
			return
		}
		if p, err := s.judge(middle, part); p != 0 || err != nil {
			s.finish(p, err)
			return
		}
	}
	s.finish(min(l.startOf(s.high), l.End()), nil)
}

func (s *seek) complete(part []byte, err error) {
	var p Position
	if err == nil {
		p, err = s.judge((s.low+s.high)/2, part)
	}
	if p != 0 || err != nil {
		s.finish(p, err)
		return
	}
	s.run()
}

// judge looks at a part: it has the row, whose position it returns, or it makes
// the range smaller.
func (s *seek) judge(place int, part []byte) (Position, error) {
	for at := 0; ; {
		n := rowLength(part[at:])
		switch {
		case n < 0:
			return 0, s.log.notRow(place, at)
		case n == 0:
			s.low = place + 1
			return 0, nil
		case stampOf(part[at:]) < s.stamp:
			at += n
		case at == 0:
			s.high = place
			return 0, nil
		default:
			return s.log.startOf(place) + Position(at), nil
		}
	}
}

func (s *seek) finish(p Position, err error) {
	l, done := s.log, s.done
	s.done = nil
	l.seeks = append(l.seeks, s)
	if err != nil {
		err = l.wrap(err)
	}
	done(p, err)
}

// notRow is the error of bytes of a part that are neither a row nor zeros.
func (l *Log) notRow(place, at int) error {
	p := l.startOf(place) + Position(at)
	if number := p.number(); number <= l.flushed {
		return fmt.Errorf("%v: no %v", l.directory.ref(number).Address, p)
	}
	return fmt.Errorf("no %v", p)
}
