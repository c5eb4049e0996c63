package bus

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/ledgerd/ledgerd/internal/stages"
	"github.com/ledgerd/ledgerd/wire"
)

// BenchmarkStage is what a request of the largest size costs the server's side of a
// connection: to receive it, with both checksums, and to send its reply.
func BenchmarkStage(b *testing.B) {
	bus := startBus(b, defaultPatience, nil)
	ours, theirs := socketPair(b)
	connection := newConnection(bus.Bus, ours)
	connection.receiver.cluster = testCluster
	request := request(clientC, 1, wire.MessageSizeMax)
	reply := bus.pool.Acquire(wire.HeaderSize + 16*stages.Batch)
	defer reply.Release()

	received := make(chan error, 1)
	meter := stages.NewMeter(b)
	for b.Loop() {
		go func() {
			_, err := theirs.Write(request)
			_, err2 := io.CopyN(io.Discard, theirs, int64(len(reply.Bytes)))
			received <- errors.Join(err, err2)
		}()
		meter.Measure("receive", func() {
			message, _, err := connection.receiver.next()
			if err != nil {
				b.Fatal(err)
			}
			message.Release()
			connection.receiver.done()
		})
		batch := append(connection.batch[:0], reply)
		meter.Measure("reply", func() {
			if err := connection.send(batch); err != nil {
				b.Fatal(err)
			}
		})
		if err := <-received; err != nil {
			b.Fatal(err)
		}
	}
	meter.Report(b.N * stages.Batch)
}

// socketPair returns both ends of a connection over loopback.
func socketPair(b *testing.B) (one, other net.Conn) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer listener.Close()
	if other, err = net.DialTimeout("tcp", listener.Addr().String(), time.Second); err != nil {
		b.Fatal(err)
	}
	if one, err = listener.Accept(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { one.Close(); other.Close() })
	return one, other
}
