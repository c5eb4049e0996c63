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

// BenchmarkLimit measures what the machine can do at best: of all rounds the fastest
// counts, so that what else runs is kept out.
//
//	copy      from one place in memory to another, neither in a cache
//	random    cache lines at random places, each of them independent of the others
//	checksum  of a message in the cache
//	write     of a message, durable, at a time; and one of 4 KiB
func BenchmarkLimit(b *testing.B) {
	b.Run("copy", func(b *testing.B) {
		from, to := limitBytes(limitMemory), limitBytes(limitMemory)
		limit(b, limitMemory, "B", func() { copy(to, from) })
	})
	b.Run("random", limitRandom)
	b.Run("checksum", func(b *testing.B) {
		message := limitBytes(limitMessage)
		limit(b, limitMessage, "B", func() { checksum.Of(message) })
	})
	b.Run("write", func(b *testing.B) { limitWrite(b, limitMessage) })
	b.Run("write-4KiB", func(b *testing.B) { limitWrite(b, sectorBytes) })
}

// limitBytes returns bytes that were written: only then is there memory behind them.
func limitBytes(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

// limit reports the fastest round, and what of it falls to each of count.
func limit(b *testing.B, count int, unit string, round func()) {
	best := time.Duration(1<<63 - 1)
	for b.Loop() {
		start := time.Now()
		round()
		best = min(best, time.Since(start))
	}
	b.ReportMetric(0, "ns/op") // the mean says nothing
	b.ReportMetric(float64(best.Nanoseconds())/float64(count), "ns/"+unit)
	b.ReportMetric(float64(best.Microseconds()), "us/round")
}

func limitRandom(b *testing.B) {
	const line, lines = 8, 1 << 14 // words, and how many lines are read in a round
	memory := make([]uint64, limitMemory/8)
	for i := range memory {
		memory[i] = uint64(i)
	}
	random := rand.New(rand.NewPCG(1, 2))
	places := make([]int, lines<<6)
	for i := range places {
		places[i] = random.IntN(len(memory)/line) * line
	}
	sum, at := uint64(0), 0
	limit(b, lines, "line", func() {
		for _, place := range places[at : at+lines] {
			sum += memory[place]
		}
		at = (at + lines) % len(places)
	})
	if sum == 1 {
		b.Log("the sum is needed, so that it is made")
	}
}

func limitWrite(b *testing.B, size int) {
	file, err := openYardstickFile(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer file.close()
	var spent time.Duration
	limit(b, size, "B", func() {
		file.used = size
		if err := file.flush(&spent); err != nil {
			b.Fatal(err)
		}
	})
}
