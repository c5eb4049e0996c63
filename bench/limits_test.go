package bench

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ledgerd/ledgerd/internal/checksum"
)

// The sizes of what BenchmarkLimit uses: a message, and more than any cache holds.
const (
	limitMessage = 1 << 20
	limitMemory  = 256 << 20
)

// BenchmarkLimit measures what the machine can do at best, one thread at a time:
//
//	copy      from one place in memory to another, neither in a cache
//	random    cache lines at random places, each of them independent of the others
//	checksum  of a message in the cache
//	write     of a message, durable, at a time; and how long one of 4 KiB takes
func BenchmarkLimit(b *testing.B) {
	b.Run("copy", func(b *testing.B) {
		from, to := make([]byte, limitMemory), make([]byte, limitMemory)
		copy(to, from) // now there is memory behind both
		b.SetBytes(limitMemory)
		for b.Loop() {
			copy(to, from)
		}
	})
	b.Run("random", limitRandom)
	b.Run("checksum", func(b *testing.B) {
		message := make([]byte, limitMessage)
		b.SetBytes(limitMessage)
		for b.Loop() {
			checksum.Of(message)
		}
	})
	b.Run("write", func(b *testing.B) { limitWrite(b, limitMessage) })
	b.Run("write-4KiB", func(b *testing.B) { limitWrite(b, sectorBytes) })
}

func limitRandom(b *testing.B) {
	const line, lines = 8, 1 << 16 // words, and how many lines are read in an op
	memory := make([]uint64, limitMemory/8)
	for i := range memory {
		memory[i] = uint64(i)
	}
	random := rand.New(rand.NewPCG(1, 2))
	places := make([]int, lines)
	sum := uint64(0)
	var took time.Duration
	for b.Loop() {
		for i := range places {
			places[i] = random.IntN(len(memory)/line) * line
		}
		start := time.Now()
		for _, place := range places {
			sum += memory[place]
		}
		took += time.Since(start)
	}
	if sum == 1 {
		b.Log("the sum is needed, so that it is made")
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(took.Nanoseconds())/float64(b.N)/lines, "ns/line")
}

func limitWrite(b *testing.B, size int) {
	file, err := openYardstickFile(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer file.close()
	b.SetBytes(int64(size))
	var spent time.Duration
	for b.Loop() {
		file.used = size
		if err := file.flush(&spent); err != nil {
			b.Fatal(err)
		}
	}
}
