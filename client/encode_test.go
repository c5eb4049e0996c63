package client

import (
	"testing"

	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/wire"
)

func TestEncodeAllocatesNothing(t *testing.T) {
	p := &pending[ledger.Transfer, ledger.CreateTransferResult]{
		operation: &createTransfers,
		events:    make([]ledger.Transfer, 100),
	}
	dst := make([]byte, len(p.events)*ledger.TransferSize)
	if n := testing.AllocsPerRun(10, func() { p.Encode(dst) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestParseAddresses(t *testing.T) {
	for _, tt := range []struct {
		in   []string
		want string // joined by spaces; an error if empty
	}{
		{[]string{"3000"}, "127.0.0.1:3000"},
		{[]string{"3000,3001, 3002"}, "127.0.0.1:3000 127.0.0.1:3001 127.0.0.1:3002"},
		{[]string{"3000", "db:3001"}, "127.0.0.1:3000 db:3001"},
		{[]string{"db"}, "db:3001"},
		{[]string{"10.0.0.1"}, "10.0.0.1:3001"},
		{[]string{":3000"}, "127.0.0.1:3000"},
		{[]string{"::1"}, "[::1]:3001"},
		{[]string{"[::1]"}, "[::1]:3001"},
		{[]string{"[::1]:3000"}, "[::1]:3000"},
		{nil, ""},
		{[]string{""}, ""},
		{[]string{"3000,"}, ""},
		{[]string{"0"}, ""},
		{[]string{"65536"}, ""},
		{[]string{"db:"}, ""},
		{[]string{"db:port"}, ""},
		{[]string{"a:b:c"}, ""},
		{[]string{"1,2,3,4,5,6,7"}, ""},
	} {
		got, err := parseAddresses(tt.in)
		joined := ""
		for i, a := range got {
			if i > 0 {
				joined += " "
			}
			joined += a
		}
		if joined != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("parseAddresses(%q) = %q, %v, want %q", tt.in, joined, err, tt.want)
		}
	}
}

// BenchmarkEncode measures what a request of 8,189 transfers costs until it
// can be written: encoding them into the message, and both checksums.
func BenchmarkEncode(b *testing.B) {
	var pool buffer.Pool
	p := &pending[ledger.Transfer, ledger.CreateTransferResult]{
		operation: &createTransfers,
		events:    make([]ledger.Transfer, 8189),
	}
	message := pool.Acquire(wire.MessageSizeMax)
	request := wire.Request{
		Frame:     wire.Frame{Size: wire.MessageSizeMax, Release: release},
		Client:    newClientID(),
		Session:   1,
		Request:   1,
		Operation: createTransfers.kind.Operation,
	}
	b.SetBytes(wire.MessageSizeMax)
	b.ReportAllocs()
	for b.Loop() {
		p.Encode(message.Bytes[wire.HeaderSize : wire.MessageSizeMax-ledger.TransferSize])
		request.Encode(message.Bytes)
		wire.Seal(message.Bytes)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/8189, "ns/transfer")
}
