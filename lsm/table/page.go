package table

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"slices"
)

// A page is what a point read fetches and decodes. Its entries lean on one
// another, except for each 32nd, the restarts, at which a search begins.
//
//	offset  size  field
//	     0     2  n, number of entries, not 0
//	     2     2  e, size of the entries in bytes
//	     4     e  entries
//	   4+e    2r  offset of entries 0, 32, 64 ... from the first; r = ceil(n/32)
//	4+e+2r     8  0, so that 8 bytes can be loaded wherever an entry has one
//
// An entry is told by how it differs from the one before; a restart by how it
// differs from key 0 with value 0:
//
//	size  field
//	   1  bits 0..1: s, the number of leading words that are equal
//	      bits 2..4: d-1
//	      bits 5..7: code of v; 0..5 are themselves, 6 is 8 bytes, 7 a tombstone
//	   1  low nibble a, high nibble b; absent if s is the key's last word
//	   d  word s minus that of the entry before, 1..8 bytes
//	   a  word s+1, 0..8 bytes
//	   b  word s+2, 0..8 bytes
//	   v  value minus that of the entry before, zigzag, 0..8 bytes
//
// Integers are little-endian, their upper zero bytes left out. A tombstone has
// no v, and the next entry leans on the value before it.
const (
	pageHeaderSize  = 4
	pagePadding     = 8
	restartInterval = 32
	entrySizeMax    = 2 + 8*WordsMax + 8
	entrySizeMin    = 2

	// pageRoomMin has room for a page of one entry.
	pageRoomMin = pageHeaderSize + entrySizeMax + 2 + pagePadding

	valueCodeWide      = 6
	valueCodeTombstone = 7

	// PageSizeMin and PageSizeMax bound the size of a page in bytes.
	PageSizeMin = 128
	PageSizeMax = 32 << 10
)

// ErrFormat is what every error of a decoder is, in the sense of errors.Is:
// the bytes are not what this version of the format writes.
var ErrFormat = errors.New("table: bad format")

var valueSizes = [8]int{0, 1, 2, 3, 4, 5, 8, 0}

// masks[n] keeps the n lower bytes of a word.
var masks = [9]uint64{0, 1<<8 - 1, 1<<16 - 1, 1<<24 - 1, 1<<32 - 1, 1<<40 - 1, 1<<48 - 1, 1<<56 - 1, 1<<64 - 1}

// pageWriter packs entries into one page after the other.
type pageWriter struct {
	words    int
	room     int // of the page at hand
	buf      []byte
	at       int // end of the entries in buf
	count    int
	restarts []uint16
	before   Entry
}

func newPageWriter(words, size int) pageWriter {
	// Words are stored whole and then partly overwritten.
	return pageWriter{words: words, buf: make([]byte, size+8), at: pageHeaderSize}
}

// full reports whether the page may have no room for one entry more.
func (w *pageWriter) full() bool {
	return w.at+entrySizeMax+2*len(w.restarts)+2+pagePadding > w.room
}

// add appends an entry to a page that is not full.
func (w *pageWriter) add(e *Entry) {
	if w.count%restartInterval == 0 {
		w.restarts = append(w.restarts, uint16(w.at-pageHeaderSize))
		w.before = Entry{}
	}
	w.count++
	shared := 0
	for shared < w.words-1 && e.Key[shared] == w.before.Key[shared] {
		shared++
	}
	difference := e.Key[shared] - w.before.Key[shared]
	size := max(1, byteLength(difference))
	control := byte(shared | (size-1)<<2)

	start := w.at
	w.at++
	if shared+1 < w.words {
		a := byteLength(e.Key[shared+1])
		b := 0
		if shared+2 < w.words {
			b = byteLength(e.Key[shared+2])
		}
		w.buf[w.at] = byte(a | b<<4)
		w.at++
		w.put(difference, size)
		w.put(e.Key[shared+1], a)
		if b > 0 {
			w.put(e.Key[shared+2], b)
		}
	} else {
		w.put(difference, size)
	}
	w.before.Key = e.Key
	if e.Value == Tombstone {
		w.buf[start] = control | valueCodeTombstone<<5
		return
	}
	value := zigzag(e.Value - w.before.Value)
	w.before.Value = e.Value
	code := byteLength(value)
	if code >= valueCodeWide {
		code = valueCodeWide
	}
	w.put(value, valueSizes[code])
	w.buf[start] = control | byte(code)<<5
}

func (w *pageWriter) put(v uint64, size int) {
	binary.LittleEndian.PutUint64(w.buf[w.at:], v)
	w.at += size
}

// finish returns the page's bytes, valid until the next add, and begins a new
// page.
func (w *pageWriter) finish() []byte {
	binary.LittleEndian.PutUint16(w.buf, uint16(w.count))
	binary.LittleEndian.PutUint16(w.buf[2:], uint16(w.at-pageHeaderSize))
	for _, offset := range w.restarts {
		binary.LittleEndian.PutUint16(w.buf[w.at:], offset)
		w.at += 2
	}
	clear(w.buf[w.at : w.at+pagePadding])
	page := w.buf[:w.at+pagePadding]
	w.at, w.count, w.restarts = pageHeaderSize, 0, w.restarts[:0]
	return page
}

// Page is an encoded page, to be searched or decoded. It refers to the bytes
// it was opened from.
type Page struct {
	words    int
	count    int
	data     []byte // entries, restarts and padding
	restarts int    // offset in data: end of the entries
}

// OpenPage checks the frame of an encoded page of keys of that many words. The
// error wraps ErrFormat.
func OpenPage(b []byte, words int) (Page, error) {
	if len(b) < pageHeaderSize+pagePadding {
		return Page{}, fmt.Errorf("%w: page of %d bytes", ErrFormat, len(b))
	}
	p := Page{words: words, count: int(binary.LittleEndian.Uint16(b)), data: b[pageHeaderSize:]}
	p.restarts = int(binary.LittleEndian.Uint16(b[2:]))
	if p.count == 0 || len(p.data) != p.restarts+2*p.restartCount()+pagePadding {
		return Page{}, fmt.Errorf("%w: page of %d bytes has %d entries in %d", ErrFormat, len(b), p.count, p.restarts)
	}
	return p, nil
}

func (p *Page) restartCount() int { return (p.count + restartInterval - 1) / restartInterval }

// restart returns the offset of the n-th restart.
func (p *Page) restart(n int) int {
	return int(binary.LittleEndian.Uint16(p.data[p.restarts+2*n:]))
}

// cursor is a place in a page: the offset of the next entry, the key of the
// one before, and the value that the next one leans on.
type cursor struct {
	at    int
	key   Key
	value uint64
}

// step decodes the entry at the cursor and moves the cursor behind it. first
// says that it is a restart. It reports false if there is no valid entry.
func (p *Page) step(c *cursor, first bool) (value uint64, ok bool) {
	if first {
		c.key, c.value = Key{}, 0
	}
	data, at := p.data, c.at
	control := data[at]
	shared, size := int(control&3), int(control>>2&7)+1
	if shared >= p.words {
		return 0, false
	}
	at++
	a, b := 0, 0
	if shared+1 < p.words {
		a, b = int(data[at]&15), int(data[at]>>4)
		at++
	}
	code := control >> 5
	v := valueSizes[code&7]
	// The whole entry lies before the restarts, so that each load has 8 bytes.
	if a > 8 || b > 8 || b != 0 && shared+2 >= p.words || at+size+a+b+v > p.restarts {
		return 0, false
	}
	difference := binary.LittleEndian.Uint64(data[at:]) & masks[size]
	at += size
	word := c.key[shared] + difference
	if word <= c.key[shared] && !(first && difference == 0) {
		return 0, false // keys ascend
	}
	c.key[shared] = word
	switch shared {
	case 0:
		c.key[1] = binary.LittleEndian.Uint64(data[at:]) & masks[a]
		c.key[2] = binary.LittleEndian.Uint64(data[at+a:]) & masks[b]
	case 1:
		c.key[2] = binary.LittleEndian.Uint64(data[at:]) & masks[a]
	}
	at += a + b
	c.at = at + v
	if code == valueCodeTombstone {
		return Tombstone, true
	}
	c.value += unzigzag(binary.LittleEndian.Uint64(data[at:]) & masks[v])
	return c.value, c.value != Tombstone
}

// Append decodes all entries and appends them to dst. The error wraps
// ErrFormat.
func (p *Page) Append(dst []Entry) ([]Entry, error) {
	start := len(dst)
	dst = slices.Grow(dst, p.count)[:start+p.count]
	at := 0
	for n := range p.restartCount() {
		first := start + n*restartInterval
		run := dst[first:min(first+restartInterval, len(dst))]
		if at != p.restart(n) {
			return dst[:first], p.broken(at)
		}
		if at = p.decodeRun(at, run); at < 0 || n > 0 && !dst[first-1].Key.Less(run[0].Key) {
			return dst[:first], p.broken(p.restart(n))
		}
	}
	if at != p.restarts {
		return dst[:start], p.broken(at)
	}
	return dst, nil
}

// AppendRange appends to dst the entries from first to last, and up to 62 around
// them. It decodes hardly more than these. The error wraps ErrFormat.
func (p *Page) AppendRange(dst []Entry, first, last Key) ([]Entry, error) {
	n, err := p.restartBefore(first)
	if err != nil {
		return dst, err
	}
	for at := p.restart(n); n < p.restartCount(); n++ {
		start := len(dst)
		size := min(restartInterval, p.count-n*restartInterval)
		dst = slices.Grow(dst, size)
		run := dst[start : start+size]
		if at != p.restart(n) {
			return dst, p.broken(at)
		}
		if at = p.decodeRun(at, run); at < 0 || start > 0 && !dst[start-1].Key.Less(run[0].Key) {
			return dst, p.broken(p.restart(n))
		}
		if last.Less(run[0].Key) {
			break
		}
		dst = dst[:start+size]
	}
	return dst, nil
}

// decodeRun decodes a restart and the entries that lean on it, as step does
// one by one, and returns the offset behind them, or -1 if they are not valid.
// Merging spends most of its time here: the words of the key are variables of
// their own, because an array would live in memory, where storing a word and
// loading the key as a whole delay one another.
func (p *Page) decodeRun(at int, run []Entry) int {
	data, end, words := p.data, p.restarts, p.words
	var k0, k1, k2, last uint64
	for i := range run {
		if at >= end {
			return -1
		}
		control := data[at]
		shared, size := int(control&3), int(control>>2&7)+1
		at++
		a, b := 0, 0
		if shared+1 < words {
			a, b = int(data[at]&15), int(data[at]>>4)
			at++
		}
		code := control >> 5
		v := valueSizes[code&7]
		if shared >= words || a > 8 || b > 8 || b != 0 && shared+2 >= words || at+size+a+b+v > end {
			return -1
		}
		difference := binary.LittleEndian.Uint64(data[at:]) & masks[size]
		at += size
		var word uint64
		switch shared {
		case 0:
			k0 += difference
			word = k0
			k1 = binary.LittleEndian.Uint64(data[at:]) & masks[a]
			k2 = binary.LittleEndian.Uint64(data[at+a:]) & masks[b]
		case 1:
			k1 += difference
			word = k1
			k2 = binary.LittleEndian.Uint64(data[at:]) & masks[a]
		default:
			k2 += difference
			word = k2
		}
		if difference == 0 && i > 0 || word < difference {
			return -1 // keys ascend
		}
		at += a + b
		value := last + unzigzag(binary.LittleEndian.Uint64(data[at:])&masks[v])
		at += v
		if code == valueCodeTombstone {
			value = Tombstone
		} else if last = value; value == Tombstone {
			return -1
		}
		e := &run[i]
		e.Key[0], e.Key[1], e.Key[2], e.Value = k0, k1, k2, value
	}
	return at
}

// Find returns the value of a key, which may be Tombstone. It decodes at most
// 32 entries. The error wraps ErrFormat.
func (p *Page) Find(key Key) (value uint64, found bool, err error) {
	low, err := p.restartBefore(key)
	if err != nil {
		return 0, false, err
	}
	var c cursor
	c.at = p.restart(low)
	for i := low * restartInterval; i < min(p.count, (low+1)*restartInterval); i++ {
		if c.at >= p.restarts {
			return 0, false, p.broken(c.at)
		}
		value, ok := p.step(&c, i%restartInterval == 0)
		if !ok {
			return 0, false, p.broken(c.at)
		}
		if !c.key.Less(key) {
			return value, c.key == key, nil
		}
	}
	return 0, false, nil
}

// restartBefore returns the number of the last restart at or before a key, or 0.
func (p *Page) restartBefore(key Key) (int, error) {
	low, high := 0, p.restartCount()
	for high-low > 1 {
		middle := (low + high) / 2
		c := cursor{at: p.restart(middle)}
		if c.at >= p.restarts {
			return 0, p.broken(c.at)
		}
		if _, ok := p.step(&c, true); !ok {
			return 0, p.broken(c.at)
		}
		if key.Less(c.key) {
			high = middle
		} else {
			low = middle
		}
	}
	return low, nil
}

func (p *Page) broken(at int) error {
	return fmt.Errorf("%w: page has no valid entry at %d", ErrFormat, at+pageHeaderSize)
}

// byteLength returns how many bytes hold v, none for 0.
func byteLength(v uint64) int { return (bits.Len64(v) + 7) / 8 }

// zigzag maps small differences of either sign to small numbers.
func zigzag(v uint64) uint64 { return v<<1 ^ uint64(int64(v)>>63) }

func unzigzag(v uint64) uint64 { return v>>1 ^ -(v & 1) }
