package disk

import (
	"testing"
	"time"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/internal/stages"
)

// BenchmarkStage is what a thread of the pool does to write a request of the largest
// size: as a record of the journal, durably, and as blocks of the grid. What the
// device takes for it beside the processor is given as wait.
func BenchmarkStage(b *testing.B) {
	const fileSize, recordSize, blockSize = 64 << 20, 1 << 20, 256 << 10
	l := openLoop(b, created(b, fileSize))
	request := blockio.Request{Kind: blockio.Write, Buf: filled(recordSize, 1)}
	write := func(size int, durable bool) {
		request.Durable, request.Buf = durable, request.Buf[:size]
		if err := l.carryOut(&request); err != nil {
			b.Fatal(err)
		}
		request.Offset = (request.Offset + int64(size)) % fileSize
	}
	for range fileSize / recordSize {
		write(recordSize, false)
	}
	meter := stages.NewMeter(b)
	var records, blocks time.Duration // on the wall
	b.ResetTimer()
	for range b.N {
		began := time.Now()
		meter.Measure("record", func() { write(recordSize, true) })
		records += time.Since(began)
		began = time.Now()
		meter.Measure("blocks", func() {
			for range recordSize / blockSize {
				write(blockSize, false)
			}
		})
		blocks += time.Since(began)
		request.Buf = request.Buf[:recordSize]
	}
	meter.Report(b.N * stages.Batch)
	for _, wait := range []struct {
		name string
		took time.Duration
	}{{"record", records}, {"blocks", blocks}} {
		b.ReportMetric(float64(recordSize)*float64(b.N)/1e6/wait.took.Seconds(), wait.name+"-MB/s")
	}
}
