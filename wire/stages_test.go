package wire

import (
	"testing"

	"github.com/ledgerd/ledgerd/internal/stages"
)

// BenchmarkStage is what the checksums of a request of the largest size cost: those
// of the request, which are verified, those of the prepare that it becomes, and
// those of the reply.
func BenchmarkStage(b *testing.B) {
	message := func(size uint32) []byte {
		h := requestExample()
		h.Size = size
		b := make([]byte, size)
		h.Encode(b)
		Seal(b)
		return b
	}
	request, reply := message(MessageSizeMax), message(HeaderSize+16*stages.Batch)
	meter := stages.NewMeter(b)
	for b.Loop() {
		meter.Measure("verify", func() {
			if _, err := VerifyHeader(request); err != nil {
				b.Fatal(err)
			}
			if err := VerifyBody(request); err != nil {
				b.Fatal(err)
			}
		})
		meter.Measure("seal", func() { Seal(request) })
		meter.Measure("seal-reply", func() { Seal(reply) })
	}
	meter.Report(b.N * stages.Batch)
}
