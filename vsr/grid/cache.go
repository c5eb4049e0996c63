package grid

import (
	"encoding/binary"

	"github.com/ledgerd/ledgerd/internal/block"
)

const (
	// segmentSizeMax is the size of a segment of a large cache, in bytes.
	segmentSizeMax = 1 << 20
	// segmentsMin is how many segments the smallest cache has. With fewer, too
	// much is dropped at a time.
	segmentsMin = 4
	// partSizeMean is what parts are expected to have at least on average, in
	// bytes: a segment of smaller ones is full before its bytes are used up.
	partSizeMean = 2048
	// partCost is the memory for a part beyond its content, in bytes: a
	// cachedPart, and two to four places of the index.
	partCost = 64
)

// partKey names a part of one block as it was written once: a block that was
// freed and written again has another checksum, so that no part of its former
// content is found any more. Such parts cost room until their turn comes.
type partKey struct {
	ref          block.Ref
	offset, size uint32
}

// hash mixes a key. The checksum is as good as random.
func (k *partKey) hash() uint64 {
	h := binary.LittleEndian.Uint64(k.ref.Checksum[:]) ^ uint64(k.offset)<<32 ^ uint64(k.size)
	return h * 0x9e3779b97f4a7c15
}

// cache keeps parts of payloads, of any size, up to a budget. It is a ring of
// segments, filled one after the other with the parts as they come. When the
// ring is full the oldest segment makes room: the parts that were asked for
// since they were last looked at move to its front, as far as they take half of
// it; the others are dropped. So there is no fragmentation, and a scan passes
// through without driving out what is in use.
//
// The zero cache holds nothing.
//
// Invariants:
//  1. index finds every part of every segment, and nothing else;
//  2. a segment has at most partsMax parts, and they do not overlap.
type cache struct {
	segments    []segment
	segmentSize int
	partsMax    int // of a segment
	current     int // the segment that is being filled

	// index is a hash table with linear probing. A place holds 1 + segment *
	// partsMax + number of the part in it; 0 is empty. At most half of the
	// places, a power of two, are taken.
	index []uint32
}

type segment struct {
	data  []byte // nil until the segment is first filled
	used  int
	parts []cachedPart
}

// cachedPart is one part, of key.size bytes.
type cachedPart struct {
	key   partKey
	start uint32 // in the segment
	hit   bool   // asked for since it came, or since it last survived
}

// newCache returns a cache that takes at most budget bytes, all included.
func newCache(budget int) cache {
	size := segmentSizeMax
	for size > 0 && budget/segmentCost(size) < segmentsMin {
		size /= 2
	}
	if size == 0 {
		return cache{}
	}
	c := cache{segmentSize: size, partsMax: size / partSizeMean}
	c.segments = make([]segment, budget/segmentCost(size))
	places := 1
	for places < 2*len(c.segments)*c.partsMax {
		places *= 2
	}
	c.index = make([]uint32, places)
	return c
}

func segmentCost(size int) int { return size + size/partSizeMean*partCost }

// find returns a part and notes that it was asked for.
func (c *cache) find(key partKey) (part []byte, ok bool) {
	if len(c.index) == 0 {
		return nil, false
	}
	id := c.index[c.place(&key)]
	if id == 0 {
		return nil, false
	}
	s, p := c.part(id)
	p.hit = true
	end := p.start + p.key.size
	return s.data[p.start:end:end], true
}

// insert keeps a copy of a part, unless it is too large for the cache or there
// already.
func (c *cache) insert(key partKey, part []byte) {
	if len(part) > c.segmentSize || c.index[c.place(&key)] != 0 {
		return
	}
	s := &c.segments[c.current]
	if s.used+len(part) > c.segmentSize || len(s.parts) == c.partsMax {
		c.current = (c.current + 1) % len(c.segments)
		s = &c.segments[c.current]
		c.makeRoom(len(part))
	}
	if s.data == nil {
		s.data = make([]byte, c.segmentSize)
		s.parts = make([]cachedPart, 0, c.partsMax)
	}
	s.parts = append(s.parts, cachedPart{key: key, start: uint32(s.used)})
	s.used += copy(s.data[s.used:], part)
	c.index[c.place(&key)] = c.id(c.current, len(s.parts)-1)
}

// makeRoom drops parts of the current segment until one of size bytes fits.
func (c *cache) makeRoom(size int) {
	s := &c.segments[c.current]
	kept, usedMax := 0, min(c.segmentSize/2, c.segmentSize-size)
	s.used = 0
	for i := range s.parts {
		p := s.parts[i]
		place := c.place(&p.key)
		if !p.hit || s.used+int(p.key.size) > usedMax || kept == c.partsMax/2 {
			c.remove(place)
			continue
		}
		// kept <= i and s.used <= p.start: what comes later is not overwritten.
		c.index[place] = c.id(c.current, kept)
		s.parts[kept] = cachedPart{key: p.key, start: uint32(s.used)}
		kept++
		s.used += copy(s.data[s.used:], s.data[p.start:p.start+p.key.size])
	}
	s.parts = s.parts[:kept]
}

func (c *cache) id(segment, number int) uint32 { return uint32(1 + segment*c.partsMax + number) }

func (c *cache) part(id uint32) (*segment, *cachedPart) {
	s := &c.segments[int(id-1)/c.partsMax]
	return s, &s.parts[int(id-1)%c.partsMax]
}

// place returns where in the index key is, or the empty place where it would be.
func (c *cache) place(key *partKey) int {
	mask := len(c.index) - 1
	for i := c.home(key); ; i = (i + 1) & mask {
		id := c.index[i]
		if id == 0 {
			return i
		}
		if _, p := c.part(id); p.key == *key {
			return i
		}
	}
}

// home returns where in the index the search for a key begins.
func (c *cache) home(key *partKey) int {
	return int(key.hash()>>32) & (len(c.index) - 1)
}

// remove empties a place of the index and closes the gap that this leaves for
// the keys behind it.
func (c *cache) remove(gap int) {
	mask := len(c.index) - 1
	for i := (gap + 1) & mask; c.index[i] != 0; i = (i + 1) & mask {
		_, p := c.part(c.index[i])
		// It may move to the gap unless its home lies behind that.
		if (i-c.home(&p.key))&mask >= (i-gap)&mask {
			c.index[gap] = c.index[i]
			gap = i
		}
	}
	c.index[gap] = 0
}
