// Package stages is for benchmarks of what one stage of a transfer's way costs
// the processor. It is for tests only.
package stages

import (
	"runtime"
	"testing"
	"time"
)

// Batch is how many transfers the largest request has: what a stage costs is
// given for one of so many.
const Batch = 8189

// Meter adds up the processor time of stages, all in one goroutine. Where the
// system does not tell what a thread has used, it is the time on the wall.
type Meter struct {
	b     *testing.B
	used  map[string]time.Duration
	asked time.Duration // what it takes to ask
}

// NewMeter returns a meter for a benchmark, and keeps its goroutine on one thread
// until the benchmark ends.
func NewMeter(b *testing.B) *Meter {
	runtime.LockOSThread()
	b.Cleanup(runtime.UnlockOSThread)
	m := &Meter{b: b, used: map[string]time.Duration{}}
	const times = 10_000
	from := m.Now()
	for range times {
		m.Now()
	}
	m.asked = (m.Now() - from) / times
	return m
}

// Now is the processor time that the thread has used so far.
func (m *Meter) Now() time.Duration { return threadTime() }

// Add says that a stage has taken from one Now to another.
func (m *Meter) Add(stage string, from, to time.Duration) { m.used[stage] += to - from - m.asked }

// Measure adds what a function takes to a stage.
func (m *Meter) Measure(stage string, do func()) {
	from := m.Now()
	do()
	m.Add(stage, from, m.Now())
}

// Report reports nanoseconds for each of so many transfers, stage by stage, and
// not the time of the benchmark as a whole.
func (m *Meter) Report(transfers int) { m.ReportPer(transfers, "transfer") }

// ReportPer is Report for a number of something else.
func (m *Meter) ReportPer(count int, unit string) {
	m.b.ReportMetric(0, "ns/op") // says nothing
	for name, used := range m.used {
		m.b.ReportMetric(float64(used.Nanoseconds())/float64(count), name+"-ns/"+unit)
	}
}
