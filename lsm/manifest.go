package lsm

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/lsm/table"
)

// The state of a tree names all its tables, and says what is on its way: the
// memtables, by the number of their entries and where in the owner's log these
// begin, and the merge at hand, by the level, from which the rest follows.
// Entries in memory are not in it. With tables of one or two hundred thousand
// entries it is less than a megabyte up to some thousand million entries;
// beyond that, changes should be logged instead.
//
//	offset  size  field
//	     0     2  version: 3
//	     2     1  words of a key
//	     3     1  bit 0: filter, bit 1: set, bit 2: tiered
//	     4     4  entries of a memtable at most
//	     8     4  entries of a beat at most
//	    12     4  page size in bytes
//	    16     8  how far the oldest mark may be behind that of the last Beat
//	    24     8  merging credit, signed
//	    32     8  mark of the last Beat
//	    40     8  mark at which the frozen memtable begins, 0 if there is none
//	    48     8  mark at which the active memtable begins
//	    56     4  entries of the frozen memtable, 0 if there is none
//	    60     4  entries of the active memtable
//	    64     4  those of them that were there at the last Beat
//	    68     1  whether tombstones of the frozen memtable are dropped, 0 or 1
//	    69     1  level that is being merged, plus 1; 0 for none
//	    70     2  reserved, 0
//	    72    32  for each of 8 levels, how many of its oldest runs are being
//	              merged together
//	   104   192  for each of 8 levels, the key at which its next merge begins
//	   296        for each of 8 levels:
//	           4  number of runs
//	              for each run, the newest first:
//	           4  number of parts
//	         128  for each part
//	               24  reference of the table's root
//	               24  first key of the table
//	               24  last key
//	               24  key from which on it has not been merged down
//	                8  least last word of its keys
//	                8  greatest last word
//	                4  entries of the table
//	                4  tombstones among them
//	                4  entries left
//	                4  blocks of the table
const (
	manifestVersion = 3
	shapeSize       = 24
	keySize         = 8 * table.WordsMax
	partSize        = block.RefSize + 3*keySize + 32
)

// ErrManifest is what errors of a state are, in the sense of errors.Is: its
// bytes are not what this version, with this Config, writes.
var ErrManifest = errors.New("bad manifest")

// shape is what a manifest and a Config must agree on.
func (t *Tree) shape() [shapeSize]byte {
	var b [shapeSize]byte
	binary.LittleEndian.PutUint16(b[0:], manifestVersion)
	b[2] = byte(t.config.Words)
	for bit, is := range [...]bool{t.config.Filter, t.config.Set, t.config.Tiered} {
		b[3] |= flag(is) << bit
	}
	binary.LittleEndian.PutUint32(b[4:], uint32(t.config.MemtableEntries))
	binary.LittleEndian.PutUint32(b[8:], uint32(t.config.BeatEntries))
	binary.LittleEndian.PutUint32(b[12:], uint32(t.config.PageSize))
	binary.LittleEndian.PutUint64(b[16:], t.config.MarkSpan)
	return b
}

func flag(is bool) byte {
	if is {
		return 1
	}
	return 0
}

func (t *Tree) encode(b []byte) []byte {
	shape := t.shape()
	b = append(b, shape[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(t.credit))
	var frozen memtable
	if t.frozen != nil {
		frozen = *t.frozen
	}
	b = binary.LittleEndian.AppendUint64(b, t.mark)
	b = binary.LittleEndian.AppendUint64(b, frozen.mark)
	b = binary.LittleEndian.AppendUint64(b, t.active.mark)
	b = appendCounts(b, len(frozen.entries), len(t.active.entries), t.seen)
	b = append(b, flag(t.flush != nil && t.flush.work.bottom))
	merging := 0
	if t.merge != nil {
		merging = t.merge.level + 1
	}
	b = append(b, byte(merging), 0, 0)
	b = appendCounts(b, t.sweeps[:]...)
	for i := range t.cursors {
		b = appendKey(b, t.cursors[i])
	}
	for _, runs := range t.version.levels {
		b = appendCounts(b, len(runs))
		for _, r := range runs {
			b = appendRun(b, r)
		}
	}
	return b
}

func appendCounts(b []byte, counts ...int) []byte {
	for _, n := range counts {
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
	}
	return b
}

func appendKey(b []byte, key Key) []byte {
	for _, word := range key {
		b = binary.LittleEndian.AppendUint64(b, word)
	}
	return b
}

func appendRun(b []byte, r run) []byte {
	b = appendCounts(b, len(r))
	for _, p := range r {
		var ref [block.RefSize]byte
		p.root.Put(ref[:])
		b = append(b, ref[:]...)
		for _, key := range [...]Key{p.first, p.last, p.from} {
			b = appendKey(b, key)
		}
		b = binary.LittleEndian.AppendUint64(b, p.low)
		b = binary.LittleEndian.AppendUint64(b, p.high)
		b = appendCounts(b, p.sortedTable.entries, p.tombstones, p.entries, p.blocks)
	}
	return b
}

// scanner takes a manifest apart. After too few bytes it gives zeros, and bad
// is true.
type scanner struct {
	b   []byte
	bad bool
}

func (s *scanner) take(n int) []byte {
	if n > len(s.b) {
		s.bad, s.b = true, nil
		return make([]byte, n)
	}
	taken := s.b[:n]
	s.b = s.b[n:]
	return taken
}

func (s *scanner) uint64() uint64 { return binary.LittleEndian.Uint64(s.take(8)) }

// within returns n, which must be between 0 and limit.
func (s *scanner) within(n uint64, limit int) int {
	if n > uint64(limit) {
		s.bad = true
		return 0
	}
	return int(n)
}

func (s *scanner) count(limit int) int {
	return s.within(uint64(binary.LittleEndian.Uint32(s.take(4))), limit)
}

func (s *scanner) byte(limit int) int { return s.within(uint64(s.take(1)[0]), limit) }

func (s *scanner) key() (key Key) {
	for i := range key {
		key[i] = s.uint64()
	}
	return key
}

// resumption is what a state says of the work that is on its way.
type resumption struct {
	frozen, active int // entries that will be refilled
	bottom         bool
	level          int // being merged, or -1
	excess         int // entries refilled beyond those
}

func (t *Tree) decode(state []byte) (resumption, error) {
	s := &scanner{b: state}
	if shape := [shapeSize]byte(s.take(shapeSize)); shape != t.shape() {
		return resumption{}, fmt.Errorf("%w: it is of a tree of shape %x, this is one of %x", ErrManifest, shape, t.shape())
	}
	t.credit = int(int64(s.uint64()))
	t.mark = s.uint64()
	frozenMark := s.uint64()
	t.active.mark = s.uint64()
	var r resumption
	r.frozen = s.count(t.config.MemtableEntries)
	r.active = s.count(t.config.MemtableEntries)
	t.seen = s.count(r.active)
	r.bottom = s.byte(1) == 1
	r.level = s.byte(levelsMax-1) - 1
	s.byte(0)
	s.byte(0)
	for i := range t.sweeps {
		t.sweeps[i] = s.count(runsMax)
	}
	for i := range t.cursors {
		t.cursors[i] = s.key()
	}
	v := new(version)
	for i := range v.levels {
		v.levels[i] = make([]run, s.count(runsMax))
		for k := range v.levels[i] {
			v.levels[i][k] = s.run()
		}
		s.bad = s.bad || t.sweeps[i] > len(v.levels[i])
	}
	if r.frozen > 0 {
		t.frozen = newMemtable(t.config.MemtableEntries, t.config.Filter)
		t.frozen.mark = frozenMark
	}
	none := r.frozen == 0 && (frozenMark != 0 || r.bottom)
	ascend := frozenMark <= t.active.mark && t.active.mark <= t.mark
	if s.bad || len(s.b) != 0 || none || !ascend || !t.shapely(v) {
		return resumption{}, fmt.Errorf("%w: of %d bytes", ErrManifest, len(state))
	}
	t.adoptVersion(*v)
	return r, nil
}

// shapely reports whether a version can be one of this tree.
func (t *Tree) shapely(v *version) bool {
	for i, runs := range v.levels {
		swept := t.sweeps[i]
		if i > 0 && !t.config.Tiered && (len(runs) > 1 || swept > 0) {
			return false
		}
		if t.config.Tiered && swept > 0 && (i+1 == levelsMax || len(v.levels[i+1]) == 0) {
			return false
		}
		for k, r := range runs {
			// Only a run that a sweep has begun to make is empty.
			made := t.config.Tiered && k == 0 && i > 0 && t.sweeps[i-1] > 0 && swept < len(runs)
			if len(r) == 0 && !made {
				return false
			}
		}
	}
	return true
}

// run takes the parts of a run, which must ascend.
func (s *scanner) run() run {
	r := make(run, s.count(len(s.b)/partSize))
	for i := range r {
		table := &sortedTable{root: block.RefFrom(s.take(block.RefSize))}
		table.first, table.last = s.key(), s.key()
		p := part{sortedTable: table, from: s.key(), last: table.last}
		table.low, table.high = s.uint64(), s.uint64()
		table.entries = s.count(1<<31 - 1)
		table.tombstones = s.count(table.entries)
		p.entries = s.count(table.entries)
		table.blocks = s.count(1<<31 - 1)
		if p.from.Less(p.first) || p.last.Less(p.from) || p.entries == 0 || table.root.IsZero() ||
			table.high < table.low || table.blocks == 0 || i > 0 && !r[i-1].last.Less(p.from) {
			s.bad = true
		}
		r[i] = p
	}
	return r
}
