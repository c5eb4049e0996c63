package lsm

import (
	"cmp"
	"math"
	"slices"

	"github.com/ledgerd/ledgerd/lsm/table"
)

// lookupReadsMax is how many pages one Lookup reads at a time.
const lookupReadsMax = 128

// lookup is a batch of keys on its way through the runs of a tree, from the
// newest to the oldest. All keys pass one run before the next. What must be read
// is put down on the way, of all runs that may have a key, and read in the end,
// all of it in flight together: of values of one key the newest counts.
type lookup struct {
	tree    *Tree
	version *version
	keys    []Key
	values  []uint64
	done    func(error)

	hashes      []uint64 // of keys, if there are filters
	unresolved  []int32  // numbers of keys
	first, last Key      // of the unresolved, when the first run was reached
	stage       int      // number of the run: those of level 0, then the levels
	pages       []wanted // that must be read; in the end sorted by page
	sources     []int32  // of keys, if there are pages: number of the run in whose page it was found
	next        int      // of pages
	inFlight    int
	err         error
	touched     uint64 // means nothing; see memtable.touch
}

// wanted is a key that may be in a page.
type wanted struct {
	run, part, page int32
	key             int32
}

// noSource is the source of what no page had: a run older than all.
const noSource = math.MaxInt32

// Lookup sets each of values to the value of the key of the same number, or to
// Absent. Both slices are the tree's until done is called, often before Lookup
// returns: nothing but pages of tables is ever waited for. Later changes of the
// tree make no difference.
func (t *Tree) Lookup(keys []Key, values []uint64, done func(error)) {
	if len(keys) != len(values) {
		panic("lsm: Lookup of keys without room for their values")
	}
	l := t.idleLookup()
	l.keys, l.values, l.done = keys, values, done
	l.findInMemory()
	t.reads++
	l.version = t.version
	l.run()
}

// findInMemory looks the keys up in the memtables. What is in neither stays
// unresolved.
func (l *lookup) findInMemory() {
	t := l.tree
	t.active.index()
	if t.frozen != nil {
		t.frozen.index()
	}
	l.hashes = slices.Grow(l.hashes[:0], len(l.keys))[:len(l.keys)]
	for first := 0; first < len(l.keys); first += hashBatch {
		keys := l.keys[first:min(first+hashBatch, len(l.keys))]
		hashes := l.hashes[first:][:len(keys)]
		// New ids that ascend with time lie behind all others here too: then there
		// is no need to wait for memory.
		behind := t.config.Filter
		if t.config.Filter {
			for i := range keys {
				hashes[i] = keys[i].Hash()
				behind = behind && t.liesBehind(&keys[i])
			}
		}
		if t.config.Filter && !behind {
			l.touch(hashes)
		}
		for i := range keys {
			value, found := uint64(Absent), false
			if !behind {
				value, found = t.findInMemory(&keys[i], hashes[i])
			}
			if !found {
				l.unresolved = append(l.unresolved, int32(first+i))
			}
			l.values[first+i] = value
		}
	}
	l.bound()
}

// bound finds the least and the greatest of the unresolved keys. It copies none on
// the way: that would take longer than to compare them.
func (l *lookup) bound() {
	l.first, l.last = table.KeyMax, table.KeyMin
	if len(l.unresolved) == 0 {
		return
	}
	first, last := l.unresolved[0], l.unresolved[0]
	for _, k := range l.unresolved {
		switch key := &l.keys[k]; {
		case key.Less(l.keys[first]):
			first = k
		case l.keys[last].Less(*key):
			last = k
		}
	}
	l.first, l.last = l.keys[first], l.keys[last]
}

// touch tells the processor that the memtables will be asked for hashes.
func (l *lookup) touch(hashes []uint64) {
	t := l.tree
	for _, hash := range hashes {
		l.touched += t.active.touch(hash)
		if t.frozen != nil {
			l.touched += t.frozen.touch(hash)
		}
	}
}

// liesBehind reports whether a key is greater than all in the memtables, which have
// hash tables and are indexed.
func (t *Tree) liesBehind(key *Key) bool {
	return t.active.liesBehind(key) && (t.frozen == nil || t.frozen.liesBehind(key))
}

// findInMemory returns what the memtables, which are indexed, have for a key with
// that hash, or Absent.
func (t *Tree) findInMemory(key *Key, hash uint64) (value uint64, found bool) {
	value, found = t.active.find(key, hash)
	if !found && t.frozen != nil {
		value, found = t.frozen.find(key, hash)
	}
	if !found {
		value = Absent
	}
	return value, found
}

// idleLookup returns an empty lookup, mostly one that was used before.
func (t *Tree) idleLookup() *lookup {
	n := len(t.lookups)
	if n == 0 {
		return &lookup{tree: t}
	}
	l := t.lookups[n-1]
	t.lookups = t.lookups[:n-1]
	return l
}

// run goes on until it has to wait.
func (l *lookup) run() {
	if n := len(l.version.order); l.stage < n && l.err == nil {
		if !l.pass() {
			return
		}
		l.stage = n
		slices.SortFunc(l.pages, func(a, b wanted) int {
			return cmp.Or(cmp.Compare(a.run, b.run), cmp.Compare(a.part, b.part), cmp.Compare(a.page, b.page), cmp.Compare(a.key, b.key))
		})
	}
	l.readPages()
	if l.inFlight == 0 {
		l.finish()
	}
}

// pass passes the unresolved keys through the runs. It reports false if it has to
// wait for indexes.
func (l *lookup) pass() bool {
	for ; l.err == nil && len(l.unresolved) > 0 && l.stage < len(l.version.order); l.stage++ {
		// New ids that ascend with time lie behind all tables.
		if r := l.version.order[l.stage]; r.overlaps(l.first, l.last) && !l.collect(r) {
			return false
		}
	}
	return true
}

func (l *lookup) finish() {
	t, done, err := l.tree, l.done, l.err
	if err != nil {
		err = t.wrap(err)
	}
	*l = lookup{tree: t, hashes: l.hashes, unresolved: l.unresolved[:0], pages: l.pages[:0], sources: l.sources}
	t.lookups = append(t.lookups, l)
	t.reads--
	done(err)
}

// collect passes the unresolved keys through a run: those that it may have are
// looked up in the pages that are in memory, or put down in pages. It reports
// false if it has to wait for indexes.
func (l *lookup) collect(r run) bool {
	if !l.loadIndexes(r) {
		return false
	}
	left, fence := l.unresolved[:0], l.version.fences[l.stage]
	for first := 0; first < len(l.unresolved); first += hashBatch {
		batch := l.unresolved[first:min(first+hashBatch, len(l.unresolved))]
		var parts [hashBatch]int
		var filters [hashBatch]table.Filter
		for i, k := range batch {
			if parts[i] = l.locate(r, fence, k); parts[i] >= 0 {
				filters[i] = r[parts[i]].index.Filter
			}
		}
		// Loads that do nothing else wait for memory together.
		for i, k := range batch {
			l.touched += filters[i].Touch(l.hashes[k])
		}
		for i, k := range batch {
			n := parts[i]
			if n < 0 || !filters[i].MayContain(l.hashes[k]) || !l.ask(r, n, k) {
				left = append(left, k)
			}
		}
	}
	l.unresolved = left
	return true
}

// ask looks a key up in the page of a part that may have it, or puts it down to
// be looked up there. It reports whether the key was found.
func (l *lookup) ask(r run, n int, k int32) bool {
	s := r[n].sortedTable
	page := s.index.Find(l.keys[k])
	data, ok := l.tree.pageNow(s, page)
	if !ok {
		l.want(wanted{run: int32(l.stage), part: int32(n), page: int32(page), key: k})
		return false
	}
	value, found, err := l.tree.find(s, data, l.keys[k])
	if err != nil && l.err == nil {
		l.err = err
	}
	if found {
		l.values[k] = value // until a page that was put down, of a newer run, has it too
	}
	return found
}

// want puts a page down that must be read.
func (l *lookup) want(w wanted) {
	if len(l.pages) == 0 {
		l.sources = slices.Grow(l.sources[:0], len(l.keys))[:len(l.keys)]
		for i := range l.sources {
			l.sources[i] = noSource
		}
	}
	l.pages = append(l.pages, w)
}

// locate returns which part of a run has a key in its range, or -1.
func (l *lookup) locate(r run, fence []uint64, k int32) int {
	key := l.keys[k]
	n := r.searchFenced(fence, key)
	if n == len(r) || key.Less(r[n].from) || r[n].last.Less(key) {
		return -1
	}
	return n
}

// loadIndexes reports whether all indexes of a run are there that are needed. If
// not, it begins to read those, and those of the runs behind it.
func (l *lookup) loadIndexes(r run) bool {
	complete := true
	for i := range r {
		complete = complete && r[i].index != nil
	}
	if complete {
		return true
	}
	for stage := l.stage; stage < len(l.version.order); stage++ {
		l.loadIndexesOf(l.version.order[stage], l.version.fences[stage])
	}
	return l.inFlight == 0
}

// loadIndexesOf begins to read the indexes of a run that are needed.
func (l *lookup) loadIndexesOf(r run, fence []uint64) {
	for _, k := range l.unresolved {
		n := l.locate(r, fence, k)
		if n < 0 || r[n].index != nil || r[n].wantedBy == l {
			continue
		}
		r[n].wantedBy = l
		l.inFlight++
		l.tree.loadIndex(r[n].sortedTable, func(err error) {
			r[n].wantedBy = nil
			l.came(err)
		})
	}
}

// came takes note that a read is complete, and goes on after the last.
func (l *lookup) came(err error) {
	l.inFlight--
	if err != nil && l.err == nil {
		l.err = err
	}
	if l.inFlight == 0 {
		l.run()
	}
}

// readPages begins to read the pages that were put down, as many as may be read
// at a time.
func (l *lookup) readPages() {
	for l.err == nil && l.next < len(l.pages) && l.inFlight < lookupReadsMax {
		first := l.next
		w := l.pages[first]
		for l.next < len(l.pages) && l.pages[l.next].samePage(w) {
			l.next++
		}
		group := l.pages[first:l.next]
		s := l.version.order[w.run][w.part].sortedTable
		l.inFlight++
		l.tree.readPage(s, int(w.page), func(data []byte, err error) {
			l.inFlight--
			if err == nil {
				err = l.search(s, data, group)
			}
			if err != nil && l.err == nil {
				l.err = err
			}
			l.run()
		})
	}
}

// samePage reports whether two keys may be in the same page.
func (w wanted) samePage(other wanted) bool {
	return w.run == other.run && w.part == other.part && w.page == other.page
}

// search looks up all keys that a page may have.
func (l *lookup) search(s *sortedTable, data []byte, group []wanted) error {
	for _, w := range group {
		value, found, err := l.tree.find(s, data, l.keys[w.key])
		if err != nil {
			return err
		}
		if found && w.run < l.sources[w.key] {
			l.values[w.key], l.sources[w.key] = value, w.run
		}
	}
	return nil
}
