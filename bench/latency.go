package bench

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Latencies are percentiles of the times that requests took. Count 0 means
// that there were none.
type Latencies struct {
	Count int64
	P50   time.Duration
	P90   time.Duration
	P99   time.Duration
	P999  time.Duration // of a thousand one is slower
	P9999 time.Duration // of ten thousand
	P100  time.Duration // the slowest
}

// Range and precision of a histogram: a microsecond to ten minutes, to three
// digits.
const (
	latencyMin    = time.Microsecond
	latencyMax    = 10 * time.Minute
	latencyDigits = 3
)

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(int64(latencyMin), int64(latencyMax), latencyDigits)
}

// record notes one latency; one beyond the histogram's range counts as its end.
func record(h *hdrhistogram.Histogram, latency time.Duration) {
	if err := h.RecordValue(int64(min(latency, latencyMax))); err != nil {
		panic("bench: latency within the range was refused: " + err.Error())
	}
}

func newLatencies(h *hdrhistogram.Histogram) Latencies {
	return Latencies{
		Count: h.TotalCount(),
		P50:   time.Duration(h.ValueAtQuantile(50)),
		P90:   time.Duration(h.ValueAtQuantile(90)),
		P99:   time.Duration(h.ValueAtQuantile(99)),
		P999:  time.Duration(h.ValueAtQuantile(99.9)),
		P9999: time.Duration(h.ValueAtQuantile(99.99)),
		P100:  time.Duration(h.Max()),
	}
}
