package bus

import (
	"fmt"
	"io"
	"testing"

	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/wire"
)

// startEcho starts a bus that sends every message back as it is.
func startEcho(t testing.TB) *testBus {
	var b *testBus
	ready := make(chan struct{})
	b = startBus(t, defaultPatience, func(c *Config) {
		c.Deliver = func(msg *buffer.Buffer) {
			<-ready
			b.SendToClient(u128.FromBytes(msg.Bytes[160:]), msg)
			msg.Release()
		}
	})
	close(ready)
	return b
}

// echo sends msg and waits until it is back.
func (p *testPeer) echo(msg, space []byte) {
	if _, err := p.Write(msg); err != nil {
		p.t.Fatal(err)
	}
	if _, err := io.ReadFull(p, space[:len(msg)]); err != nil {
		p.t.Fatal(err)
	}
}

func TestEchoAllocatesNothing(t *testing.T) {
	p := startEcho(t).dial()
	space := make([]byte, wire.MessageSizeMax)
	for _, size := range []int{512, 1 << 20} {
		msg := request(clientC, 1, size)
		for range 20 {
			p.echo(msg, space)
		}
		if n := testing.AllocsPerRun(100, func() { p.echo(msg, space) }); n != 0 {
			t.Errorf("size %d: %v allocations", size, n)
		}
	}
}

// BenchmarkEcho is the time from a client's write to the end of its read, over
// loopback, with as many clients as named.
func BenchmarkEcho(b *testing.B) {
	for _, test := range []struct{ size, clients int }{{512, 1}, {512, 8}, {512, 32}, {1 << 20, 1}, {1 << 20, 4}} {
		b.Run(fmt.Sprintf("size=%d/clients=%d", test.size, test.clients), func(b *testing.B) {
			bus := startEcho(b)
			b.SetBytes(int64(test.size))
			b.ReportAllocs()
			b.SetParallelism((test.clients + 1) / 2)
			next := make(chan uint64, test.clients)
			for i := range test.clients {
				next <- uint64(i + 1)
			}
			b.ResetTimer()
			if test.clients == 1 {
				p, msg, space := bus.dial(), request(clientC, 1, test.size), make([]byte, test.size)
				for b.Loop() {
					p.echo(msg, space)
				}
				return
			}
			b.RunParallel(func(pb *testing.PB) {
				p, msg, space := bus.dial(), request(u128.From64(<-next), 1, test.size), make([]byte, test.size)
				for pb.Next() {
					p.echo(msg, space)
				}
			})
		})
	}
}
