package disk

import (
	"math/rand/v2"
	"testing"
	"time"

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
		{"read/4KiB/32", blockio.Read, 4 << 10, false, 32},
		{"read/4KiB/128", blockio.Read, 4 << 10, false, 128},
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

// BenchmarkBatch asks for 100 sectors at once, as a request's prefetch does, and
// waits for all of them. Budget: 1.2 ms, of which 0.3 ms to submit.
func BenchmarkBatch(b *testing.B) {
	const reads, fileSize = 100, 256 << 20
	l := openLoop(b, created(b, fileSize))
	requests := make([]blockio.Request, reads)
	for i := range requests {
		requests[i] = blockio.Request{Kind: blockio.Read, Buf: filled(sector, 1), Done: func(*blockio.Request) {}}
	}
	random := rand.New(rand.NewPCG(1, 2))
	var submitting time.Duration
	for b.Loop() {
		for i := range requests {
			requests[i].Offset = random.Int64N(fileSize/sector) * sector
		}
		started := time.Now()
		for i := range requests {
			l.Submit(&requests[i])
		}
		submitting += time.Since(started)
		l.Run()
	}
	b.ReportMetric(float64(submitting.Nanoseconds())/float64(b.N), "ns-submit/op")
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
