package rowlog

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// Budget: 10 ns a row of 75 bytes beyond its encoding, of which the hashes of
// the parts are 5; the grid's checksum and copy of each block come on top.
func BenchmarkPush(b *testing.B) {
	for _, flush := range []bool{false, true} {
		b.Run(fmt.Sprintf("flush=%v", flush), func(b *testing.B) {
			disk, l := newRAMLog(b, 0, 0, false)
			disk.forgets = true
			fill(disk, l, 10_000, 75)
			stamp, mark := uint64(10_000), l.Mark()
			for b.Loop() {
				stamp++
				pushNumbered(l, 75, stamp)
				switch {
				case stamp%8192 != 0:
				case !flush:
					l.Truncate(mark)
				default:
					l.Flush()
					disk.run()
				}
			}
			b.SetBytes(75)
		})
	}
}

// Budget: 60 ns a row in memory or in the cache, 500 ns one that is read, the
// copy and the hash of its part included.
func BenchmarkFetch(b *testing.B) {
	const rows, batch = 1_000_000, 8189
	for _, place := range []string{"recent", "cached", "read"} {
		b.Run(place, func(b *testing.B) {
			recentSize := 0
			if place == "recent" {
				recentSize = 1 << 28
			}
			disk, l := newRAMLog(b, 1<<27, recentSize, place == "cached")
			positions := fill(disk, l, rows, 75)
			rng := rand.New(rand.NewPCG(1, 1))
			sum := uint64(0)
			fetch := func(wanted []Position) {
				done := false
				l.Fetch(wanted, func(i int, row []byte) { sum += stampOf(row) }, func(err error) { done = err == nil })
				disk.run()
				if !done {
					b.Fatal("not fetched")
				}
			}
			fetch(positions) // all is cached now, if there is a cache
			wanted := make([]Position, batch)
			for b.Loop() {
				for i := range wanted {
					wanted[i] = positions[rng.IntN(rows)]
				}
				fetch(wanted)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batch, "ns/row")
		})
	}
}

// Budget: 1 GB/s at least, on a disk that is no slower.
func BenchmarkScan(b *testing.B) {
	const rows, size = 2_000_000, 75
	disk, l := newRAMLog(b, 1<<28, 0, false)
	fill(disk, l, rows, size)
	for _, descending := range []bool{false, true} {
		b.Run(fmt.Sprintf("descending=%v", descending), func(b *testing.B) {
			for b.Loop() {
				n := 0
				l.Scan(0, l.End(), descending, func(_ Position, row []byte) bool { n++; return true }, func(err error) {})
				disk.run()
				if n != rows {
					b.Fatalf("%d rows", n)
				}
			}
			b.SetBytes(rows * size)
		})
	}
}
