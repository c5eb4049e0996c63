package lsm

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/vsr/grid"
)

// traffic is what the trees of a ledger get, entry by entry.
type traffic struct {
	name   string
	filter bool
	key    func(rng *rand.Rand, n int) Key
}

var traffics = []traffic{
	{"ids in time order", true, func() func(*rand.Rand, int) Key {
		var low uint64
		return func(rng *rand.Rand, n int) Key {
			if n%1000 == 0 {
				low = rng.Uint64() >> 1
			}
			low++
			return Key{uint64(1_700_000_000_000+n/1000) << 16, low}
		}
	}()},
	{"random ids", true, func(rng *rand.Rand, _ int) Key { return Key{rng.Uint64(), rng.Uint64()} }},
	{"accounts", false, func(rng *rand.Rand, n int) Key { return Key{rng.Uint64N(10_000), 1<<33 + 128*uint64(n/2)} }},
	{"million accounts", false, func(rng *rand.Rand, n int) Key { return Key{rng.Uint64N(1_000_000), 1<<33 + 128*uint64(n/2)} }},
	{"three values", false, func(rng *rand.Rand, n int) Key { return Key{rng.Uint64N(3), 1<<33 + 128*uint64(n)} }},
	{"rare values", false, func(rng *rand.Rand, n int) Key { return Key{rng.Uint64(), 1<<33 + 128*uint64(n)} }},
}

func (tr traffic) entries(n int) []Entry {
	rng := rand.New(rand.NewPCG(1, 2))
	entries := make([]Entry, n)
	for i := range entries {
		entries[i] = Entry{Key: tr.key(rng, i), Value: 1<<33 + 128*uint64(i)}
		if !tr.filter {
			entries[i].Value = uint64(i & 1)
		}
	}
	return entries
}

// meter reports the processor time of an entry, which says more than the time
// on the wall where other things run.
type meter struct{ start time.Duration }

func newMeter() meter { return meter{processorTime()} }

func processorTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func (m meter) report(b *testing.B, n int) {
	b.ReportMetric(float64((processorTime()-m.start).Nanoseconds())/float64(b.N)/float64(n), "cpu-ns/entry")
}

func BenchmarkMemtableAdd(b *testing.B) {
	for _, tr := range traffics {
		b.Run(tr.name, func(b *testing.B) {
			entries := tr.entries(MemtableEntriesDefault)
			m := newMemtable(len(entries), tr.filter)
			meter := newMeter()
			for b.Loop() {
				m.reset()
				for i := range entries {
					e := &entries[i]
					m.add(e.Key[0], e.Key[1], e.Key[2], e.Value)
					if tr.filter && i%8190 == 0 {
						m.hashNew()
					}
				}
			}
			meter.report(b, len(entries))
		})
	}
}

func BenchmarkMemtableSort(b *testing.B) {
	for _, tr := range traffics {
		b.Run(tr.name, func(b *testing.B) {
			entries := tr.entries(MemtableEntriesDefault)
			var s sorter
			var order []uint32
			meter := newMeter()
			for b.Loop() {
				order = s.sort(entries, 0, order[:0])
			}
			meter.report(b, len(entries))
		})
	}
}

// BenchmarkMerge merges one table into the eight below it, as in a leveled tree,
// and eight runs into one, as in a tiered tree.
func BenchmarkMerge(b *testing.B) {
	for _, tr := range traffics {
		entries := tr.entries(9 << 14)
		b.Run(tr.name, func(b *testing.B) {
			benchmarkMerge(b, tr.filter, entries[:len(entries)/9], entries[len(entries)/9:])
		})
		if !tr.filter {
			b.Run("tiers of "+tr.name, func(b *testing.B) {
				benchmarkMerge(b, false, slices.Collect(slices.Chunk(entries, 9<<11))...)
			})
		}
	}
}

func benchmarkMerge(b *testing.B, filter bool, runs ...[]Entry) {
	n := 0
	shape := Config{Words: 2, Filter: filter, PageSize: PageSizeDefault, MemtableEntries: 9 << 14}.tables(256<<10 - 64)
	var sources []sourcePart
	for _, run := range runs {
		n += len(run)
		w := work{tools: newTools(shape), memtable: run}
		w.do()
		sources = append(sources, sourcePart{pages: pagesOf(w.images)})
	}
	var free [][]byte
	tools := newTools(shape)
	meter := newMeter()
	for b.Loop() {
		w := work{tools: tools, free: free}
		for _, p := range sources {
			w.sources = append(w.sources, source{parts: []sourcePart{p}})
		}
		w.do()
		free = w.free
		for _, image := range w.images {
			free = append(append(free, image.Blocks...), image.Tail)
		}
	}
	meter.report(b, n)
}

// BenchmarkLookupAbsent looks up batches of ids that are not in a tree of ten
// tables, all of them in the range of each.
func BenchmarkLookupAbsent(b *testing.B) {
	t := New(&fakeGrid{}, nil, benchConfig(true))
	rng := rand.New(rand.NewPCG(1, 2))
	var v version
	for range 10 {
		w := work{tools: newTools(t.tables)}
		for range MemtableEntriesDefault {
			w.memtable = append(w.memtable, Entry{Key: Key{rng.Uint64(), rng.Uint64()}})
		}
		w.do()
		var r run
		for _, image := range w.images {
			r = append(r, whole(&sortedTable{first: image.Index.First(), last: image.Index.Last, index: image.Index, image: image, entries: 1}))
		}
		v.levels[0] = append(v.levels[0], r)
	}
	t.adoptVersion(v)
	keys := make([]Key, 8190)
	for i := range keys {
		keys[i] = Key{rng.Uint64(), rng.Uint64()}
	}
	values := make([]uint64, len(keys))
	done := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	meter := newMeter()
	for b.Loop() {
		t.Lookup(keys, values, done)
	}
	meter.report(b, len(keys))
}

// fakeGrid serves a tree whose tables are all in memory.
type fakeGrid struct{ block.Grid }

func (fakeGrid) PayloadSize() int { return 256<<10 - grid.HeaderSize }

func benchConfig(filter bool) Config {
	return Config{
		Name: "bench", Kind: 9, Words: 2, Filter: filter, Tiered: !filter, PageSize: PageSizeDefault,
		MemtableEntries: MemtableEntriesDefault, BeatEntries: 16380,
	}
}

// yard is a tree on a disk in memory, with one worker of its own.
type yard struct {
	grid    *grid.Grid
	tree    *Tree
	chunks  [][]byte // of 1 MiB
	queue   []*blockio.Request
	jobs    chan hired
	done    chan func()
	hired   int
	written int64
	reads   int
	rounds  int // of requests that were in flight together
	waited  time.Duration
	worst   time.Duration
}

func newYard(config Config) *yard {
	y := &yard{jobs: make(chan hired, 100), done: make(chan func(), 100)}
	y.grid = grid.New(y, grid.Config{BlockSize: 256 << 10, CacheSize: grid.CacheSizeMin, Fault: func(err error) { panic(err) }})
	y.tree = New(y.grid, y, config)
	go func() {
		for h := range y.jobs {
			h.job()
			y.done <- h.done
		}
	}()
	return y
}

func (y *yard) Go(job, done func()) {
	y.hired++
	y.jobs <- hired{job, done}
}

func (y *yard) Submit(r *blockio.Request) { y.queue = append(y.queue, r) }

// step completes all requests, and one job if there is one.
func (y *yard) step(wait bool) {
	y.complete()
	if wait {
		(<-y.done)()
		y.hired--
		return
	}
	select {
	case done := <-y.done:
		done()
		y.hired--
	default:
	}
}

func (y *yard) perform(r *blockio.Request) {
	offset, buf := r.Offset, r.Buf
	if r.Kind == blockio.Write {
		y.written += int64(len(buf))
	} else {
		y.reads++
	}
	for len(buf) > 0 {
		for int(offset>>20) >= len(y.chunks) {
			y.chunks = append(y.chunks, make([]byte, 1<<20))
		}
		chunk := y.chunks[offset>>20][offset&(1<<20-1):]
		n := min(len(buf), len(chunk))
		if r.Kind == blockio.Write {
			copy(chunk, buf[:n])
		} else {
			copy(buf[:n], chunk)
		}
		offset, buf = offset+int64(n), buf[n:]
	}
}

func (y *yard) wait(done *bool) {
	start := time.Now()
	for !*done {
		y.step(len(y.queue) == 0 && y.hired > 0)
	}
	y.waited += time.Since(start)
	y.worst = max(y.worst, time.Since(start))
}

func (y *yard) checkpoint() {
	done := false
	y.tree.Checkpoint(func(err error) { done = err == nil })
	y.wait(&done)
	done = false
	y.grid.Checkpoint(func(grid.State) { done = true })
	y.wait(&done)
	y.grid.CheckpointDurable()
}

// BenchmarkTree inserts entries in beats of 8190 with a checkpoint after each
// 40, one worker, and a disk in memory, and reports what an entry costs. With
// LSM_ENTRIES it inserts so many.
func BenchmarkTree(b *testing.B) {
	n := entriesOfBenchmarks()
	for _, tr := range traffics {
		b.Run(tr.name, func(b *testing.B) {
			meter := newMeter()
			for b.Loop() {
				benchmarkTree(b, tr, n)
			}
			meter.report(b, n)
		})
	}
}

func entriesOfBenchmarks() int {
	n := 1 << 20
	if text := os.Getenv("LSM_ENTRIES"); text != "" {
		n, _ = strconv.Atoi(text)
	}
	return n
}

func benchmarkTree(b *testing.B, tr traffic, n int) {
	y := newYard(benchConfig(tr.filter))
	defer close(y.jobs)
	rng := rand.New(rand.NewPCG(1, 2))
	var put, lookup time.Duration
	keys, values := make([]Key, 8190), make([]uint64, 8190)
	for i := 0; i < n; i += len(keys) {
		for k := range keys {
			keys[k] = tr.key(rng, i+k)
		}
		start := time.Now()
		done := !tr.filter
		if tr.filter {
			y.tree.Lookup(keys, values, func(err error) { done = err == nil })
		}
		for !done {
			y.step(false)
		}
		lookup += time.Since(start)
		start = time.Now()
		for k := range keys {
			y.tree.Put(keys[k], uint64(i+k))
		}
		put += time.Since(start)
		done = false
		y.tree.Beat(uint64(i), func(err error) { done = err == nil })
		y.wait(&done)
		y.step(false)
		if i/len(keys)%40 == 39 {
			y.checkpoint()
		}
	}
	y.checkpoint()
	y.checkpoint()
	b.ReportMetric(float64(put.Nanoseconds())/float64(n), "put-ns/entry")
	if tr.filter {
		b.ReportMetric(float64(lookup.Nanoseconds())/float64(n), "absent-ns/key")
	}
	b.ReportMetric(float64(y.waited.Nanoseconds())/float64(n), "wait-ns/entry")
	b.ReportMetric(float64(y.worst.Microseconds())/1000, "worst-wait-ms")
	b.ReportMetric(float64(y.grid.BlocksInUse())*256*1024/float64(n), "B/entry")
	b.ReportMetric(float64(y.written)/float64(n), "written-B/entry")
	y.logLevels(b)
}

func (y *yard) logLevels(b *testing.B) {
	levels := ""
	for i, runs := range y.tree.version.levels {
		for _, r := range runs {
			levels += fmt.Sprintf(" %d:%d/%d", i, r.entries(), len(r))
		}
	}
	b.Logf("level:entries/tables%s, %d moved", levels, y.tree.moved)
}
