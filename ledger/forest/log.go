package forest

import (
	"encoding/binary"
	"fmt"
	"sort"

	"github.com/ledgerd/ledgerd/internal/block"
)

// position says where in a log a row begins: number of the page, then offset
// in the page. Positions of one log ascend with time; 0 is none.
type position uint64

// offsetBits is enough for the offset in a page of any size.
const offsetBits = 20

func (p position) page() int   { return int(p >> offsetBits) }
func (p position) offset() int { return int(p & (1<<offsetBits - 1)) }

// pageHeaderSize is the size of what precedes the rows of a page.
//
//	offset size field
//	     0    2 version of the format: 1
//	     2    2 reserved, zero
//	     4    4 number of rows
//	     8    4 bytes used, this header included
//	    12    4 reserved, zero
//	    16      rows, back to back
const (
	pageHeaderSize = 16
	pageVersion    = 1
)

// log is an append-only sequence of rows in pages. A page is the payload of a
// block of the grid: what is in memory is what is on disk. A row never spans
// pages. Rows that are older than the last commit never change.
type log struct {
	kind     uint8 // of its blocks
	pageSize int
	rowMax   int  // the largest row, in bytes
	keep     bool // full pages stay in memory once they are written
	events   bool // rows are as in row.go; searches by time work
	pages    []page
	rows     uint64
	flushed  int      // full pages that were handed to the grid
	spare    [][]byte // memory of pages that were rolled back
}

// page is one page of a log. Its data has rowMax bytes more than pageSize, so
// that any row can be encoded in place before it is known whether it fits.
type page struct {
	data    []byte // nil once it is on disk, if the log does not keep it
	used    int
	rows    uint32
	marks   []uint32      // offsets of every markDistance-th row, for searches
	written int           // how much of it the block at address holds
	address block.Address // 0 if it was never written
	ref     block.Ref     // of the block at address, once that is written
}

// markDistance is how many rows a search in a page walks at most.
const markDistance = 64

// newLog completes a log of which the first five fields are set.
func newLog(l log) log {
	if l.pageSize > 1<<offsetBits || l.pageSize < pageHeaderSize+l.rowMax {
		panic(fmt.Sprintf("forest: pages of %d bytes", l.pageSize))
	}
	return l
}

// tail returns memory for the next row, at least rowMax bytes.
func (l *log) tail() []byte {
	if len(l.pages) == 0 {
		l.addPage()
	}
	p := &l.pages[len(l.pages)-1]
	return p.data[p.used:]
}

// push makes the first size bytes of tail the newest row.
func (l *log) push(size int) position {
	p := &l.pages[len(l.pages)-1]
	if p.used+size > l.pageSize {
		row := p.data[p.used : p.used+size]
		l.addPage()
		p = &l.pages[len(l.pages)-1]
		copy(p.data[p.used:], row)
	}
	at := position(len(l.pages)-1)<<offsetBits | position(p.used)
	if l.events && p.rows%markDistance == 0 {
		p.marks = append(p.marks, uint32(p.used))
	}
	p.used += size
	p.rows++
	l.rows++
	return at
}

func (l *log) addPage() {
	var data []byte
	if n := len(l.spare); n > 0 {
		data, l.spare = l.spare[n-1], l.spare[:n-1]
	} else {
		data = make([]byte, l.pageSize+l.rowMax)
	}
	l.pages = append(l.pages, page{data: data, used: pageHeaderSize})
}

// at returns the bytes from a position to the end of the rows of its page.
func (l *log) at(p position) []byte {
	page := &l.pages[p.page()]
	return page.data[p.offset():page.used]
}

// end returns the position after the newest row.
func (l *log) end() position {
	if len(l.pages) == 0 {
		return pageHeaderSize
	}
	n := len(l.pages) - 1
	return position(n)<<offsetBits | position(l.pages[n].used)
}

// normal turns a position after the last row of a page into that of the next
// row, which is on the next page if there is one.
func (l *log) normal(p position) position {
	n := p.page()
	if n+1 < len(l.pages) && p.offset() == l.pages[n].used {
		return position(n+1)<<offsetBits | pageHeaderSize
	}
	return p
}

// truncate drops the rows from end on. rows is how many remain.
func (l *log) truncate(end position, rows uint64) {
	if l.rows == rows {
		return
	}
	keep := end.page() + 1
	if rows == 0 {
		keep = 0
	}
	for i := keep; i < len(l.pages); i++ {
		l.spare = append(l.spare, l.pages[i].data)
		l.rows -= uint64(l.pages[i].rows)
		l.pages[i] = page{}
	}
	l.pages = l.pages[:keep]
	if keep > 0 {
		p := &l.pages[keep-1]
		p.used = end.offset()
		p.rows -= uint32(l.rows - rows)
		if l.events {
			p.marks = p.marks[:(p.rows+markDistance-1)/markDistance]
		}
	}
	l.rows = rows
}

// putHeader completes a page for the disk.
func (p *page) putHeader(dst []byte) {
	clear(dst[:pageHeaderSize])
	binary.LittleEndian.PutUint16(dst, pageVersion)
	binary.LittleEndian.PutUint32(dst[4:], p.rows)
	binary.LittleEndian.PutUint32(dst[8:], uint32(p.used))
}

// lowerBound returns the position of the first row whose timestamp is at
// least timestamp, or end.
func (l *log) lowerBound(timestamp uint64) position {
	n := sort.Search(len(l.pages), func(i int) bool {
		return rowTimestamp(l.pages[i].data[pageHeaderSize:]) >= timestamp
	})
	if n > 0 {
		p := &l.pages[n-1]
		after := sort.Search(len(p.marks), func(i int) bool {
			return rowTimestamp(p.data[p.marks[i]:]) >= timestamp
		})
		// The first row of the page is before timestamp, so after > 0.
		for at := int(p.marks[after-1]); at < p.used; at += rowLength(p.data[at:]) {
			if rowTimestamp(p.data[at:]) >= timestamp {
				return position(n-1)<<offsetBits | position(at)
			}
		}
	}
	if n == len(l.pages) {
		return l.end()
	}
	return position(n)<<offsetBits | pageHeaderSize
}

// hasAt reports whether a row has this timestamp.
func (l *log) hasAt(timestamp uint64) bool {
	at := l.lowerBound(timestamp)
	return at != l.end() && rowTimestamp(l.at(at)) == timestamp
}

// mark makes the marks of pages that were loaded.
func (l *log) mark() {
	for n := range l.pages {
		p := &l.pages[n]
		rows := 0
		for at := pageHeaderSize; at < p.used; at += rowLength(p.data[at:]) {
			if rows%markDistance == 0 {
				p.marks = append(p.marks, uint32(at))
			}
			rows++
		}
	}
}
