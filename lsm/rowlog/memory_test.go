package rowlog

import (
	"encoding/binary"
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
}

func (r *ram) Submit(q *blockio.Request) { r.waiting = append(r.waiting, q) }

// run completes what waits, and what that leads to.
func (r *ram) run() {
	for n := 0; n < len(r.waiting); n++ {
		q := r.waiting[n]
		switch {
		case q.Kind == blockio.Read:
			copy(q.Buf, r.bytes[q.Offset:])
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
