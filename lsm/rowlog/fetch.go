package rowlog

import (
	"slices"

	"github.com/ledgerd/ledgerd/internal/u128"
)

const (
	// fetchReadsMax is how many parts one Fetch reads at a time.
	fetchReadsMax = 256
	// fetchBatch is how many rows in memory are touched before one is visited.
	fetchBatch = 16
	// fetchMax is how many positions one Fetch may have.
	fetchMax       = 1 << fetchIndexBits
	fetchIndexBits = 24
)

// fetch is a batch of rows on their way, by their positions or by their keys.
type fetch struct {
	log       *Log
	positions []Position
	visit     func(i int, row []byte)
	keys      []u128.Uint128
	found     func(i int, at Position, row []byte) // if there are keys
	done      func(error)

	missing  []uint64 // place of the part << fetchIndexBits | number of the position or key; sorted
	next     int      // of missing
	idle     []*fetchRead
	inFlight int
	err      error
	touched  byte // means nothing
}

// fetchRead is the read of one part, in which group is. It is used again.
type fetchRead struct {
	fetch *fetch
	group []uint64 // of missing
	came  func(part []byte, err error)
}

// Fetch calls visit for each position, in any order, with its number and its
// row, which is good until visit returns. It may do so before it returns: rows
// in memory come first. The other parts are read, each once, all at a time.
// Then it calls done, perhaps before it returns; after an error, not all were
// visited. The positions belong to the log until done is called.
func (l *Log) Fetch(positions []Position, visit func(i int, row []byte), done func(error)) {
	if len(positions) > fetchMax {
		panic("rowlog: Fetch of too many rows")
	}
	f := l.idleFetch()
	f.positions, f.visit, f.done = positions, visit, done
	for first := 0; first < len(positions); first += fetchBatch {
		f.visitInMemory(first, min(first+fetchBatch, len(positions)))
	}
	slices.Sort(f.missing)
	f.run()
}

// visitInMemory visits those of a few positions whose rows are in memory, and
// puts down the others. It touches all of the rows before it visits the first,
// so that the processor waits for them at the same time.
func (f *fetch) visitInMemory(first, end int) {
	l := f.log
	var rests [fetchBatch][]byte
	for i, p := range f.positions[first:end] {
		place := l.place(p)
		part, ok := l.part(place)
		if !ok {
			f.missing = append(f.missing, uint64(place)<<fetchIndexBits|uint64(first+i))
			continue
		}
		rests[i] = l.rest(p, part, place)
		f.touched += rests[i][0]
	}
	for i, rest := range rests[:end-first] {
		if rest != nil {
			f.visit(first+i, l.cut(rest))
		}
	}
}

// idleFetch returns an empty fetch, mostly one that was used before.
func (l *Log) idleFetch() *fetch {
	if n := len(l.fetches); n > 0 {
		f := l.fetches[n-1]
		l.fetches = l.fetches[:n-1]
		return f
	}
	return &fetch{log: l}
}

func (f *fetch) idleRead() *fetchRead {
	if n := len(f.idle); n > 0 {
		r := f.idle[n-1]
		f.idle = f.idle[:n-1]
		return r
	}
	r := &fetchRead{fetch: f}
	r.came = r.complete
	return r
}

// run begins as many reads as may be in flight, and ends when none is.
func (f *fetch) run() {
	for f.err == nil && f.next < len(f.missing) && f.inFlight < fetchReadsMax {
		first, place := f.next, f.missing[f.next]>>fetchIndexBits
		for f.next < len(f.missing) && f.missing[f.next]>>fetchIndexBits == place {
			f.next++
		}
		r := f.idleRead()
		r.group = f.missing[first:f.next]
		f.inFlight++
		f.log.readPart(int(place), r.came)
	}
	if f.inFlight > 0 {
		return
	}
	l, done, err := f.log, f.done, f.err
	*f = fetch{log: l, missing: f.missing[:0], idle: f.idle}
	l.fetches = append(l.fetches, f)
	done(err)
}

func (r *fetchRead) complete(part []byte, err error) {
	f := r.fetch
	if err != nil && f.err == nil {
		f.err = f.log.wrap(err)
	}
	for _, m := range r.group {
		if f.err != nil {
			break
		}
		i, place := int(m%fetchMax), int(m>>fetchIndexBits)
		if f.found != nil {
			f.log.luck.learn(f.search(part, place, i))
		} else {
			f.visit(i, f.log.cut(f.log.rest(f.positions[i], part, place)))
		}
	}
	f.inFlight--
	f.idle = append(f.idle, r)
	f.run()
}
