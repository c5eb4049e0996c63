package lsm

import (
	"math/bits"
	"slices"
	"sort"
)

// memtable holds the newest entries of a tree in the order of their insertion.
// Entries are only appended, never moved, so that whoever has seen n of them
// may go on reading these, also from another goroutine.
//
// Invariants:
//  1. The first sorted entries are in runs, each in key order, equal keys in
//     the order of insertion; an entry of a later run is newer.
//  2. The hash table, if there is one, has the newest of the first hashed
//     entries of each key, and at least half of its slots are empty.
type memtable struct {
	entries []Entry  // up to its capacity
	mark    uint64   // of the Beat after which it begins
	slots   []uint64 // 0, or lower half of the hash << 32 | number + 1
	shift   uint     // of a hash to its slot
	hashed  int
	most    uint32 // number of the hashed entry with the greatest key, plus 1; 0 is none
	touched uint64 // means nothing: keeps loads alive that only warm the cache

	runs   [][]uint32 // numbers of entries
	sorted int
	sorter sorter
}

// newMemtable returns an empty memtable for size entries. With hash, find is a
// matter of one or two accesses to memory.
func newMemtable(size int, hash bool) *memtable {
	m := &memtable{entries: make([]Entry, 0, size)}
	if hash {
		log := uint(bits.Len(uint(2*size - 1)))
		m.slots, m.shift = make([]uint64, 1<<log), 64-log
	}
	return m
}

func (m *memtable) reset() {
	m.entries = m.entries[:0]
	clear(m.slots)
	m.hashed, m.most = 0, 0
	m.runs, m.sorted = nil, 0
}

// add appends an entry. It panics if there is no room. The key comes in words
// and is stored in words: a key that was just put together in memory, word by
// word, would be copied in wider pieces, for which the processor has to wait
// until the words have left its store buffer. That costs 15 ns.
func (m *memtable) add(a, b, c, value uint64) {
	n := len(m.entries)
	if n == cap(m.entries) {
		panic("lsm: more entries in a beat than the tree was configured for")
	}
	m.entries = m.entries[:n+1]
	e := &m.entries[n]
	e.Key[0], e.Key[1], e.Key[2], e.Value = a, b, c, value
}

// hashBatch is how many slots are touched before the first of them is needed,
// so that the processor waits for memory once for all of them.
const hashBatch = 32

// hashNew brings the hash table up to date.
func (m *memtable) hashNew() {
	for m.hashed < len(m.entries) {
		batch := m.entries[m.hashed:min(m.hashed+hashBatch, len(m.entries))]
		var hashes [hashBatch]uint64
		for i := range batch {
			hashes[i] = batch[i].Key.Hash()
			m.touched += m.slots[hashes[i]>>m.shift]
		}
		for i := range batch {
			m.hashed++
			if m.liesBehind(&batch[i].Key) {
				m.most = uint32(m.hashed)
			}
			at := m.slot(&batch[i].Key, hashes[i])
			m.slots[at] = hashes[i]<<32 | uint64(m.hashed)
		}
	}
}

// slot returns where the hash table has a key, or would have it.
func (m *memtable) slot(key *Key, hash uint64) int {
	at := int(hash >> m.shift)
	for {
		n := m.slots[at]
		if n == 0 || uint32(n>>32) == uint32(hash) && m.entries[uint32(n)-1].Key == *key {
			return at
		}
		at = (at + 1) & (len(m.slots) - 1)
	}
}

// liesBehind reports whether a key is greater than all hashed ones.
func (m *memtable) liesBehind(key *Key) bool {
	return m.most == 0 || m.entries[m.most-1].Key.Less(*key)
}

// touch tells the processor that find will be asked for a hash.
func (m *memtable) touch(hash uint64) uint64 {
	if m.slots == nil {
		return 0
	}
	return m.slots[hash>>m.shift]
}

// find returns the newest entry of a key with that hash, after hashNew or
// sortNew.
func (m *memtable) find(key *Key, hash uint64) (value uint64, found bool) {
	if m.slots != nil {
		n := m.slots[m.slot(key, hash)]
		if n == 0 {
			return 0, false
		}
		return m.entries[uint32(n)-1].Value, true
	}
	for i := len(m.runs) - 1; i >= 0; i-- {
		run := m.runs[i]
		// The last one of equal keys is the newest.
		at := sort.Search(len(run), func(i int) bool { return key.Less(m.entries[run[i]].Key) })
		if at > 0 && m.entries[run[at-1]].Key == *key {
			return m.entries[run[at-1]].Value, true
		}
	}
	return 0, false
}

// index brings up to date what find needs.
func (m *memtable) index() {
	if m.slots != nil {
		m.hashNew()
	} else {
		m.sortNew()
	}
}

// sortNew makes the unsorted entries a run. Runs of which one is less than
// twice as long as the next become one, so that there are few, and an entry
// takes part in few such unions.
func (m *memtable) sortNew() {
	if m.sorted == len(m.entries) {
		return
	}
	run := m.sorter.sort(m.entries, m.sorted, make([]uint32, 0, len(m.entries)-m.sorted))
	m.sorted = len(m.entries)
	// A new slice: a scan may hold the old one.
	runs := slices.Clone(m.runs)
	for n := len(runs); n > 0 && len(runs[n-1]) < 2*len(run); n = len(runs) {
		run = m.unite(runs[n-1], run)
		runs = runs[:n-1]
	}
	m.runs = append(runs, run)
}

// unite returns one run of two. Where keys are equal, the older one is first.
func (m *memtable) unite(older, newer []uint32) []uint32 {
	run := make([]uint32, 0, len(older)+len(newer))
	for len(older) > 0 && len(newer) > 0 {
		if m.entries[newer[0]].Key.Less(m.entries[older[0]].Key) {
			run, newer = append(run, newer[0]), newer[1:]
		} else {
			run, older = append(run, older[0]), older[1:]
		}
	}
	return append(append(run, older...), newer...)
}
