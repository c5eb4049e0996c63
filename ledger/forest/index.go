package forest

import (
	"math/bits"

	"github.com/ledgerd/ledgerd/ledger"
)

// index maps the hashes of ids to values: an extendible hash table. It holds
// no keys; who looks something up compares the key of each candidate.
//
// The top bits of a hash choose a segment, the low bits a bucket of it: 8
// entries in two cache lines, which the processor fetches together. If they are
// taken the search goes on in the next bucket. A segment that is three quarters
// full is split in two by the next top bit, so that growth never touches more
// than one segment at a time: about 30 us, however large the index.
//
// Invariants:
//  1. The directory has 2^depth elements.
//  2. A segment of depth d fills 2^(depth-d) adjacent elements of it.
//  3. At least a quarter of each segment's entries is empty.
//  4. An entry is found from its home bucket on without passing an empty one.
type index struct {
	directory []segmentRef
	depth     uint
	segments  []segment // by number

	// overflow has what no longer fits a segment that cannot be split any
	// more: its ids were made up for the purpose. It is never walked.
	overflow map[uint64][]uint64
}

const (
	bucketEntries  = 8
	segmentEntries = 4096 // 64 KiB
	segmentUsedMax = segmentEntries / 4 * 3
	// directoryDepthMax bounds the directory to 16 MiB, enough for a thousand
	// million ids, also when someone chooses ids of which the hashes share
	// their top bits.
	directoryDepthMax = 20
)

// segmentRef is an element of the directory. It has the entries at hand, so
// that a lookup waits for nothing else.
type segmentRef struct {
	entries *entries
	number  int
}

type entries [segmentEntries]entry

// entry is empty if its value is 0.
type entry struct {
	hash  uint64
	value uint64
}

type segment struct {
	used  int
	depth uint
}

func newIndex() index {
	return index{
		directory: []segmentRef{{entries: new(entries)}},
		segments:  make([]segment, 1),
		overflow:  make(map[uint64][]uint64),
	}
}

// hashOf mixes an id so well that any bits of the result are as good as any
// others, for counted and for random ids.
func hashOf(id ledger.Uint128) uint64 {
	hi, lo := bits.Mul64(id.Lo^0x9e3779b97f4a7c15, id.Hi^0xd1b54a32d192ed03)
	hi, lo = bits.Mul64(hi^lo^id.Lo, 0x8cb92ba72f3d8dd7)
	return hi ^ lo
}

func (x *index) refOf(hash uint64) segmentRef { return x.directory[hash>>(64-x.depth)] }

// home returns the number of the first entry of the bucket of a hash.
func home(hash uint64) int {
	return int(hash) & (segmentEntries - 1) &^ (bucketEntries - 1)
}

// probe walks the candidates for a hash.
type probe struct {
	entries  *entries
	hash     uint64
	at       int
	overflow []uint64
}

// probe begins a walk. The index must not change before its end.
func (x *index) probe(hash uint64) probe {
	p := probe{entries: x.refOf(hash).entries, hash: hash, at: home(hash)}
	if len(x.overflow) != 0 {
		p.overflow = x.overflow[hash]
	}
	return p
}

// next returns the next value stored under the hash, 0 at the end.
func (p *probe) next() uint64 {
	for {
		e := &p.entries[p.at&(segmentEntries-1)]
		if e.value == 0 {
			break
		}
		p.at++
		if e.hash == p.hash {
			return e.value
		}
	}
	if len(p.overflow) == 0 {
		return 0
	}
	value := p.overflow[0]
	p.overflow = p.overflow[1:]
	return value
}

// touch brings both cache lines of the bucket of a hash into the processor's
// cache. What it returns has no meaning.
func (x *index) touch(hash uint64) uint64 {
	e, at := x.refOf(hash).entries, home(hash)
	return e[at].value + e[at+bucketEntries/2].value
}

// insert adds a value, which is not 0.
func (x *index) insert(hash, value uint64) {
	ref := x.refOf(hash)
	s := &x.segments[ref.number]
	for s.used >= segmentUsedMax {
		if s.depth == directoryDepthMax {
			x.overflow[hash] = append(x.overflow[hash], value)
			return
		}
		x.split(hash)
		ref = x.refOf(hash)
		s = &x.segments[ref.number]
	}
	s.used++
	ref.entries.place(entry{hash, value})
}

// place puts an entry where it will be found.
func (e *entries) place(n entry) {
	at := home(n.hash)
	for e[at&(segmentEntries-1)].value != 0 {
		at++
	}
	e[at&(segmentEntries-1)] = n
}

// remove takes away what insert added.
func (x *index) remove(hash, value uint64) {
	ref := x.refOf(hash)
	e, at := ref.entries, home(hash)
	for e[at] != (entry{hash, value}) {
		if e[at].value == 0 {
			x.removeOverflow(hash, value)
			return
		}
		at = (at + 1) % segmentEntries
	}
	x.segments[ref.number].used--
	// Close the gap: move back whatever would not be found across it.
	gap := at
	for {
		at = (at + 1) % segmentEntries
		if e[at].value == 0 {
			break
		}
		if distance(home(e[at].hash), at) >= distance(gap, at) {
			e[gap] = e[at]
			gap = at
		}
	}
	e[gap] = entry{}
}

// distance returns how far a search goes from one entry to another.
func distance(from, to int) int { return (to - from) & (segmentEntries - 1) }

func (x *index) removeOverflow(hash, value uint64) {
	values := x.overflow[hash]
	for i := range values {
		if values[i] == value {
			x.overflow[hash] = append(values[:i], values[i+1:]...)
			if len(values) == 1 {
				delete(x.overflow, hash)
			}
			return
		}
	}
	panic("forest: removal of an entry that is not in the index")
}

// split divides the segment of a hash by the next top bit of the hashes in it.
func (x *index) split(hash uint64) {
	ref := x.refOf(hash)
	if x.segments[ref.number].depth == x.depth {
		x.doubleDirectory()
	}
	old := *ref.entries
	clear(ref.entries[:])
	s := &x.segments[ref.number]
	halves := [2]segmentRef{ref, {new(entries), len(x.segments)}}
	used := divide(&old, halves[0].entries, halves[1].entries, 63-s.depth)

	// The segment's elements of the directory share its top bits: the upper
	// half of them becomes that of the new segment.
	s.depth++
	s.used = used[0]
	span := 1 << (x.depth - s.depth)
	first := int(hash>>(64-x.depth)) &^ (2*span - 1)
	for i := range span {
		x.directory[first+span+i] = halves[1]
	}
	x.segments = append(x.segments, segment{used: used[1], depth: s.depth})
}

// divide places entries by one bit of their hashes in one of two empty arrays,
// and returns how many came to each.
func divide(from *entries, zero, one *entries, bit uint) (used [2]int) {
	to := [2]*entries{zero, one}
	// Buckets mostly have room, and are filled from their start; so that
	// their fill is counted, not searched.
	var filled [2][segmentEntries / bucketEntries]uint8
	var late [segmentUsedMax]entry
	lates := 0
	for i := range from {
		e := from[i]
		if e.value == 0 {
			continue
		}
		half := e.hash >> bit & 1
		used[half]++
		at := home(e.hash)
		n := &filled[half][at/bucketEntries]
		if *n == bucketEntries {
			late[lates] = e
			lates++
			continue
		}
		to[half][at+int(*n)] = e
		*n++
	}
	for _, e := range late[:lates] {
		to[e.hash>>bit&1].place(e)
	}
	return used
}

func (x *index) doubleDirectory() {
	directory := make([]segmentRef, 2*len(x.directory))
	for i, s := range x.directory {
		directory[2*i], directory[2*i+1] = s, s
	}
	x.directory = directory
	x.depth++
}
