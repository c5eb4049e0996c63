package node

import (
	"testing"

	"github.com/ledgerd/ledgerd/internal/stages"
)

// BenchmarkStage sends batches through a whole replica on a disk in memory, which
// copies: what the loop does for a transfer is replica, and what workers do beside it
// is merge.
func BenchmarkStage(b *testing.B) {
	l := newTeller(b, 10_000)
	meter := stages.NewMeter(b)
	l.hire = func(work func()) {
		from := meter.Now()
		work()
		to := meter.Now()
		meter.Add("merge", from, to)
		meter.Add("replica", to, from) // not the loop's
	}
	transfers := 0
	for ; transfers < b.N; transfers += tellerBatch {
		l.fill()
		meter.Measure("replica", l.send)
	}
	meter.Report(transfers)
}
