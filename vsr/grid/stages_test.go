package grid

import (
	"testing"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/stages"
)

// BenchmarkStage is what a block costs until it is handed to the disk, for each KiB:
// the copy into its buffer and the checksum.
func BenchmarkStage(b *testing.B) {
	disk := instantDisk{}
	g := New(&disk, Config{BlockSize: BlockSizeDefault, Fault: func(error) {}})
	a := g.Acquire()
	content := buffer.Aligned(g.PayloadSize() + HeaderSize)
	fill := func(dst []byte) int { return copy(dst, content) }
	meter := stages.NewMeter(b)
	for b.Loop() {
		g.free.unwritten.set(a)
		meter.Measure("block", func() { g.Write(a, testKind, fill, func(block.Ref) {}) })
		disk.request.Done(disk.request)
	}
	meter.ReportPer(b.N*BlockSizeDefault>>10, "KiB")
}
