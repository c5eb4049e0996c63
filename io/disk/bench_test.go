package disk

import (
	"testing"

	"github.com/ledgerd/ledgerd/internal/blockio"
)

// BenchmarkIO keeps depth requests under way, each at a random-looking place
// of a file that was written before.
func BenchmarkIO(b *testing.B) {
	for _, test := range []struct {
		name    string
		kind    blockio.Kind
		size    int
		durable bool
		depth   int
	}{
		{"write-durable/4KiB/1", blockio.Write, 4 << 10, true, 1},
		{"write-durable/4KiB/8", blockio.Write, 4 << 10, true, 8},
		{"write-durable/1MiB/1", blockio.Write, 1 << 20, true, 1},
		{"write-durable/1MiB/4", blockio.Write, 1 << 20, true, 4},
		{"write/4KiB/1", blockio.Write, 4 << 10, false, 1},
		{"write/256KiB/8", blockio.Write, 256 << 10, false, 8},
		{"read/4KiB/1", blockio.Read, 4 << 10, false, 1},
		{"read/4KiB/8", blockio.Read, 4 << 10, false, 8},
		{"read/256KiB/8", blockio.Read, 256 << 10, false, 8},
	} {
		b.Run(test.name, func(b *testing.B) {
			const fileSize = 64 << 20
			l := openLoop(b, created(b, fileSize))
			left, place := b.N, 0
			next := func(r *blockio.Request) {
				if r.Err != nil {
					b.Error(r.Err)
				}
				if left == 0 {
					return
				}
				left--
				place = (place + 7919) % (fileSize / test.size)
				r.Offset = int64(place) * int64(test.size)
				l.Submit(r)
			}
			b.SetBytes(int64(test.size))
			b.ReportAllocs()
			b.ResetTimer()
			for range test.depth {
				next(&blockio.Request{Kind: test.kind, Buf: filled(test.size, 1), Durable: test.durable, Done: next})
			}
			l.Run()
		})
	}
}

// BenchmarkHandOver is what a request costs beyond its system call: from
// Submit to a worker and back to the loop.
func BenchmarkHandOver(b *testing.B) {
	l := startFaulty(&faultyFile{})
	defer l.Close()
	r := &blockio.Request{Kind: blockio.Sync, Done: func(*blockio.Request) {}}
	b.ReportAllocs()
	for b.Loop() {
		l.Submit(r)
		l.Run()
	}
}
