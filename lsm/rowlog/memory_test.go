package rowlog

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/vsr/grid"
)

// ram is a data file in memory, without faults. It allocates nothing for a
// request.
type ram struct {
	bytes   []byte
	waiting []*blockio.Request
	forgets bool // what is written
	reads   int  // until now
}

func (r *ram) Submit(q *blockio.Request) { r.waiting = append(r.waiting, q) }

// run completes what waits, and what that leads to.
func (r *ram) run() {
	for n := 0; n < len(r.waiting); n++ {
		q := r.waiting[n]
		switch {
		case q.Kind == blockio.Read:
			copy(q.Buf, r.bytes[q.Offset:])
			r.reads++
		case !r.forgets:
			copy(r.bytes[q.Offset:], q.Buf)
		}
		q.Done(q)
	}
	r.waiting = r.waiting[:0]
}

// newRAMLog returns a log on a real grid of ordinary blocks in memory, with
// room for size bytes. The cache is large enough for all, or absent.
func newRAMLog(t testing.TB, size, recentSize int, cached bool) (*ram, *Log) {
	cacheSize := 0
	if cached {
		cacheSize = 2 * size
	}
	disk := &ram{bytes: make([]byte, size)}
	g := grid.New(disk, grid.Config{
		BlockSize: grid.BlockSizeDefault, CacheSize: cacheSize, Fault: func(err error) { t.Fatal(err) },
	})
	return disk, New(g, Config{Name: "test", Kind: 1, DirectoryKind: 2, RowMax: 400, RecentSize: recentSize})
}

// fill pushes rows of a size, with their number as the stamp, and returns their
// positions.
func fill(disk *ram, l *Log, rows, size int) []Position {
	positions := make([]Position, rows)
	for i := range positions {
		positions[i] = pushNumbered(l, size, uint64(i))
		if i%8190 == 0 {
			l.Flush()
			disk.run()
		}
	}
	l.Flush()
	disk.run()
	return positions
}

func pushNumbered(l *Log, size int, stamp uint64) Position {
	row := l.Tail()
	binary.LittleEndian.PutUint16(row, uint16(size))
	binary.LittleEndian.PutUint64(row[8:], stamp)
	return l.Push(size)
}

// A batch of rows costs a read for each of their parts, a long scan one for each
// block.
func TestReadsAreFew(t *testing.T) {
	disk, l := newRAMLog(t, 1<<26, 0, false)
	positions := fill(disk, l, 200_000, 75)
	rng := rand.New(rand.NewPCG(1, 1))
	rng.Shuffle(len(positions), func(i, j int) { positions[i], positions[j] = positions[j], positions[i] })
	done := func(err error) {
		if err != nil {
			t.Error(err)
		}
	}
	disk.reads = 0
	l.Fetch(positions[:150_000], func(int, []byte) {}, done)
	disk.run()
	if parts := l.flushed * l.parts; disk.reads != parts {
		t.Errorf("%d reads for %d parts", disk.reads, parts)
	}
	for _, descending := range []bool{false, true} {
		disk.reads = 0
		l.Scan(0, l.End(), descending, func(Position, []byte) bool { return true }, done)
		disk.run()
		if disk.reads > l.flushed+scanWholeBlocks {
			t.Errorf("%d reads for %d blocks", disk.reads, l.flushed)
		}
		disk.reads = 0
		l.Scan(0, l.base, descending, func(Position, []byte) bool { return false }, done)
		disk.run()
		if disk.reads > scanAheadFirst {
			t.Errorf("%d reads for a row", disk.reads)
		}
	}
}
