package client_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/ledgerd/ledgerd/ledger"
)

// BenchmarkRoundTrip has one caller and a server that does nothing.
func BenchmarkRoundTrip(b *testing.B) {
	for _, n := range []int{1, 8189} {
		b.Run(fmt.Sprintf("transfers=%d", n), func(b *testing.B) {
			server, c := connected(b)
			server.set(func(s *fakeServer) { s.ledger.null = true })
			transfers := make([]ledger.Transfer, n)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.CreateTransfers(context.Background(), transfers); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "transfers/s")
		})
	}
}

// BenchmarkCallers has many callers of single transfers, which are packed.
func BenchmarkCallers(b *testing.B) {
	server, c := connected(b)
	server.set(func(s *fakeServer) { s.ledger.null = true })
	b.SetParallelism(128)
	b.RunParallel(func(pb *testing.PB) {
		transfers := make([]ledger.Transfer, 1)
		for pb.Next() {
			if _, err := c.CreateTransfers(context.Background(), transfers); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "transfers/s")
}
