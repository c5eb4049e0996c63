package lsm

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/lsm/table"
)

// A checkpoint of a tree is one stream: the manifest, which names all tables,
// and the entries that are still in memory. It is written whole. With tables of
// two to a million entries of 112 bytes each that is less than a megabyte up to
// some thousand million entries; beyond that, changes should be logged instead.
//
//	offset  size  field
//	     0     2  version: 1
//	     2     1  words of a key, w
//	     3     1  bit 0: filter, bit 1: set
//	     4     4  entries of a memtable at most
//	     8     4  entries of a beat at most
//	    12     4  page size in bytes
//	    16     8  merging credit, signed
//	    24     4  runs of level 0 that are being merged
//	    28     4  runs of level 0
//	    32     4  entries in the memtable
//	    36     4  reserved, 0
//	    40   192  for each of 8 levels, the key at which its next merge begins
//	   232        each run of level 0, the newest first, then levels 1 .. 7:
//	           4  number of parts
//	         112  for each part
//	               24  reference of the table's root
//	               24  first key of the table
//	               24  last key
//	               24  key from which on it has not been merged down
//	                4  entries of the table
//	                4  tombstones among them
//	                4  entries left
//	                4  reserved, 0
//	          then the memtable, in the order of insertion:
//	      8w + 8  for each entry, key and value; ffffffffffffffff is a removal
const (
	manifestVersion    = 1
	manifestHeaderSize = 40 + levelsMax*keySize
	keySize            = 8 * table.WordsMax
	partSize           = block.RefSize + 3*keySize + 16
)

// ErrManifest is what errors of a manifest are, in the sense of errors.Is: its
// bytes are not what this version, with this Config, writes.
var ErrManifest = errors.New("bad manifest")

// Checkpoint writes all that is not on the grid yet. done is called with the
// reference by which Open finds the tree; what it names is complete but not yet
// stable, as with all writes to the grid. It follows a Beat, and until done
// nothing may be put or removed. What is on its way is finished first, so that
// a tree that goes on and one that is opened do the same from here on.
func (t *Tree) Checkpoint(done func(root block.Ref, err error)) {
	if t.seen != len(t.active.entries) {
		panic("lsm: Checkpoint without a Beat after the last entry")
	}
	writing, written := false, false
	step := func() bool {
		if t.flush != nil {
			if !t.admissible(t.flush) {
				return false
			}
			t.admitFlush()
		}
		if t.merge != nil {
			if !t.admissible(t.merge) {
				return false
			}
			t.credit -= t.admitMerge()
		}
		if t.writing > 0 || written {
			return written
		}
		if !writing {
			writing = true
			if !t.stream.IsZero() {
				t.grid.ReleaseStream(t.stream)
			}
			t.grid.WriteStream(t.config.Kind, t.encode(), func(head block.Ref) {
				t.stream, written = head, true
				t.poke()
			})
		}
		return false
	}
	t.begin(step, func(err error) { done(t.stream, err) })
}

// Open restores the tree of a checkpoint; the zero reference is an empty one.
// It reads no tables. The tree must be new.
func (t *Tree) Open(root block.Ref, done func(error)) {
	if root.IsZero() {
		done(nil)
		return
	}
	opened := false
	t.begin(func() bool { return opened }, done)
	t.grid.ReadStream(root, func(content []byte, err error) {
		if err == nil {
			err = t.decode(content)
		}
		if err != nil {
			t.fail(fmt.Errorf("manifest at %v: %w", root.Address, err))
			return
		}
		t.stream, opened = root, true
		t.poke()
	})
}

// shape is what a manifest and a Config must agree on.
func (t *Tree) shape() [16]byte {
	var b [16]byte
	binary.LittleEndian.PutUint16(b[0:], manifestVersion)
	b[2] = byte(t.config.Words)
	if t.config.Filter {
		b[3] |= 1
	}
	if t.config.Set {
		b[3] |= 2
	}
	binary.LittleEndian.PutUint32(b[4:], uint32(t.config.MemtableEntries))
	binary.LittleEndian.PutUint32(b[8:], uint32(t.config.BeatEntries))
	binary.LittleEndian.PutUint32(b[12:], uint32(t.config.PageSize))
	return b
}

func (t *Tree) encode() []byte {
	shape := t.shape()
	b := append([]byte(nil), shape[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(t.credit))
	for _, n := range [...]int{t.sweep, len(t.version.runs), len(t.active.entries), 0} {
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
	}
	for i := range t.cursors {
		b = appendKey(b, t.cursors[i], table.WordsMax)
	}
	for _, r := range t.version.runs {
		b = appendRun(b, r)
	}
	for _, r := range t.version.levels[1:] {
		b = appendRun(b, r)
	}
	for i := range t.active.entries {
		e := &t.active.entries[i]
		b = appendKey(b, e.Key, t.config.Words)
		b = binary.LittleEndian.AppendUint64(b, e.Value)
	}
	return b
}

func appendKey(b []byte, key Key, words int) []byte {
	for _, word := range key[:words] {
		b = binary.LittleEndian.AppendUint64(b, word)
	}
	return b
}

func appendRun(b []byte, r run) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(r)))
	for _, p := range r {
		var ref [block.RefSize]byte
		p.root.Put(ref[:])
		b = append(b, ref[:]...)
		for _, key := range [...]Key{p.first, p.last, p.from} {
			b = appendKey(b, key, table.WordsMax)
		}
		for _, n := range [...]int{p.sortedTable.entries, p.tombstones, p.entries, 0} {
			b = binary.LittleEndian.AppendUint32(b, uint32(n))
		}
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

// count takes a number that must be between 0 and limit.
func (s *scanner) count(limit int) int {
	n := binary.LittleEndian.Uint32(s.take(4))
	if uint64(n) > uint64(limit) {
		s.bad = true
		return 0
	}
	return int(n)
}

func (s *scanner) key(words int) (key Key) {
	for i := range words {
		key[i] = s.uint64()
	}
	return key
}

func (t *Tree) decode(content []byte) error {
	s := &scanner{b: content}
	if shape := [16]byte(s.take(16)); shape != t.shape() {
		return fmt.Errorf("%w: it is of a tree of shape %x, this is one of %x", ErrManifest, shape, t.shape())
	}
	t.credit = int(int64(s.uint64()))
	t.sweep = s.count(runsMax)
	runs := s.count(runsMax)
	entries := s.count(t.config.MemtableEntries)
	s.count(0)
	for i := range t.cursors {
		t.cursors[i] = s.key(table.WordsMax)
	}
	v := new(version)
	for range runs {
		v.runs = append(v.runs, s.run())
	}
	for i := 1; i < levelsMax; i++ {
		v.levels[i] = s.run()
	}
	for range entries {
		t.active.add(Entry{Key: s.key(t.config.Words), Value: s.uint64()})
		if s.bad {
			break
		}
	}
	t.seen = len(t.active.entries)
	if s.bad || len(s.b) != 0 || t.sweep > runs {
		return fmt.Errorf("%w: of %d bytes", ErrManifest, len(content))
	}
	t.version = v
	return nil
}

// run takes the parts of a run, which must ascend.
func (s *scanner) run() run {
	r := make(run, s.count(len(s.b)/partSize))
	for i := range r {
		table := &sortedTable{root: block.RefFrom(s.take(block.RefSize))}
		table.first, table.last = s.key(len(Key{})), s.key(len(Key{}))
		p := part{sortedTable: table, from: s.key(len(Key{})), last: table.last}
		table.entries = s.count(1<<31 - 1)
		table.tombstones = s.count(table.entries)
		p.entries = s.count(table.entries)
		s.count(0)
		if p.from.Less(p.first) || p.last.Less(p.from) || p.entries == 0 || table.root.IsZero() ||
			i > 0 && !r[i-1].last.Less(p.from) {
			s.bad = true
		}
		r[i] = p
	}
	return r
}
