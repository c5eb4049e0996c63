package journal

import (
	"testing"

	"github.com/ledgerd/ledgerd/internal/stages"
	"github.com/ledgerd/ledgerd/wire"
)

// BenchmarkStage is what the journal does for a prepare of the largest size, beside
// what the disk does.
func BenchmarkStage(b *testing.B) {
	a := newAppender(b, wire.MessageSizeMax)
	const prepares = 100 // one takes less than can be measured
	meter := stages.NewMeter(b)
	for b.Loop() {
		meter.Measure("journal", func() {
			for range prepares {
				a.append()
			}
		})
	}
	meter.Report(b.N * prepares * stages.Batch)
}
