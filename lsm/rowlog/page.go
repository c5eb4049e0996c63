package rowlog

import (
	"encoding/binary"
	"fmt"

	"github.com/ledgerd/ledgerd/internal/block"
)

// page is a block in memory. Pages and their functions are used again.
type page struct {
	log     *Log
	number  int
	data    []byte // payload bytes, and behind them RowMax for a row that will not fit
	used    int    // how much of data was handed to the grid, 0 if nothing
	written bool   // whole, and the grid has it
	fill    func(dst []byte) int
	done    func(block.Ref)
}

func (l *Log) sparePage() *page {
	if n := len(l.spare); n > 0 {
		p := l.spare[n-1]
		l.spare = l.spare[:n-1]
		return p
	}
	p := &page{log: l, data: make([]byte, l.payload+l.config.RowMax)}
	p.fill = func(dst []byte) int { return copy(dst, p.data[:p.used]) }
	p.done = p.complete
	return p
}

// page returns a block if it is in memory, or nil.
func (l *Log) page(number int) *page {
	if i := number - l.first; i >= 0 {
		return l.pages[i]
	}
	return nil
}

// firstStamp returns the stamp of the first row of a block that has one.
func (l *Log) firstStamp(number int) uint64 {
	if number <= l.flushed {
		return l.directory.stamp(number)
	}
	return stampOf(l.page(number).data)
}

func stampOf(row []byte) uint64 { return binary.LittleEndian.Uint64(row[8:]) }

// write hands the first used bytes of the oldest block that is not written to
// the grid. What a checkpoint has written of it is given back: that checkpoint
// still finds it until the next one is durable.
func (l *Log) write(p *page, used int) {
	if !l.tail.IsZero() {
		l.grid.Release(l.tail.Address)
		l.tail = block.Ref{}
	}
	p.used = used
	l.writing++
	l.grid.Write(l.grid.Acquire(), l.config.Kind, p.fill, p.done)
}

func (p *page) complete(ref block.Ref) {
	l := p.log
	if p.number <= l.flushed {
		l.directory.setRef(p.number, ref)
		p.written = true
		l.forget()
	} else {
		l.tail = ref
	}
	l.wrote()
}

// forget drops the oldest blocks from memory as far as RecentSize demands.
func (l *Log) forget() {
	n := 0
	for l.pages[n].written && (len(l.pages)-1-n)*l.payload > l.config.RecentSize {
		l.spare = append(l.spare, l.pages[n])
		n++
	}
	l.first += n
	kept := copy(l.pages, l.pages[n:])
	clear(l.pages[kept:])
	l.pages = l.pages[:kept]
}

// part returns a part of the log, to the end of its rows or further, if it is
// in memory. It is good until the caller returns to the loop.
func (l *Log) part(place int) (part []byte, ok bool) {
	number, n := place/l.parts, place%l.parts
	start, end := l.start(n), l.start(n+1)
	if p := l.page(number); p != nil {
		if p.number == l.newest().number {
			end = min(end, l.used)
		}
		return p.data[start:end:end], true
	}
	return l.grid.TryPart(l.directory.ref(number), start, end-start)
}

// readPart reads a part of a block that is not in memory. It is good until
// done returns.
func (l *Log) readPart(place int, done func(part []byte, err error)) {
	number, n := place/l.parts, place%l.parts
	start, end := l.start(n), l.start(n+1)
	l.grid.ReadPart(l.directory.ref(number), start, end-start, l.directory.sum(number, n), done)
}

// rowLength returns the length of the row at the beginning of what is left of
// a part, 0 if there is none, or -1 if that is no row.
func rowLength(rest []byte) int {
	if len(rest) < rowMin {
		return 0
	}
	n := int(binary.LittleEndian.Uint16(rest))
	if n > len(rest) || n != 0 && n < rowMin {
		return -1
	}
	return n
}

// Row returns the row at a position if it is in memory: in a recent block, or
// in the grid's cache. It is good until the caller returns to the loop, or
// truncates the log. A position that is no row's is a bug, and panics if it is
// noticed.
func (l *Log) Row(p Position) (row []byte, ok bool) {
	place := l.place(p)
	part, ok := l.part(place)
	if !ok {
		return nil, false
	}
	return l.cut(l.rest(p, part, place)), true
}

// rest returns what there is of a part from a position in it on.
func (l *Log) rest(p Position, part []byte, place int) []byte {
	at := p.offset() - l.start(place%l.parts)
	if at >= len(part) {
		panic(fmt.Sprintf("rowlog: %s has no %v", l.config.Name, p))
	}
	return part[at:]
}

// cut returns the row that something begins with.
func (l *Log) cut(rest []byte) []byte {
	n := rowLength(rest)
	if n <= 0 {
		panic(fmt.Sprintf("rowlog: %s is asked for what is no row", l.config.Name))
	}
	return rest[:n:n]
}

func (l *Log) wrap(err error) error { return fmt.Errorf("rowlog: %s: %w", l.config.Name, err) }
