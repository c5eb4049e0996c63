package server

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/io/disk"
	"github.com/ledgerd/ledgerd/vsr/grid"
)

// BenchmarkReadParts is what the largest request may have to wait for, and a
// smaller one: parts of one sector at random places of a real file, through
// grid, disk and inbox. Budget: 100 parts in 1.2 ms, 10 us a part in thousands.
func BenchmarkReadParts(b *testing.B) {
	const (
		blocks   = 2000
		partSize = 4096               // the first sector of a block has less room
		sum      = 0xac869b6f32d8bbdb // of so many zeros
	)
	l := newLoop(slog.New(slog.DiscardHandler))
	path := filepath.Join(b.TempDir(), "data")
	if err := disk.Create(path, partSize); err != nil {
		b.Fatal(err)
	}
	d, err := disk.Open(path, disk.Options{Complete: l.complete, AllowBuffered: true})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	g := grid.New(d, grid.Config{BlockSize: grid.BlockSizeDefault, CacheSize: 16 << 20, Fault: func(err error) { b.Fatal(err) }})
	var refs []block.Ref
	for range blocks {
		g.Write(g.Acquire(), 1, func([]byte) int { return g.PayloadSize() }, func(ref block.Ref) { refs = append(refs, ref) })
	}
	for len(refs) < blocks {
		l.handle(<-l.inbox)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for _, parts := range []int{100, 8189} {
		b.Run(fmt.Sprint(parts), func(b *testing.B) {
			left := 0
			done := func(_ []byte, err error) {
				if left--; err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				left = parts
				for range parts {
					offset := (1+random.IntN(62))*partSize - grid.HeaderSize
					g.ReadPart(refs[random.IntN(blocks)], offset, partSize, sum, done)
				}
				for left > 0 {
					l.handle(<-l.inbox)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*parts), "us/part")
		})
	}
}
