package forest

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"github.com/ledgerd/ledgerd/internal/multibatch"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/ledger"
)

// TestImportedTimes imports records at times that others have, when all that
// could tell of it is on the disk.
func TestImportedTimes(t *testing.T) {
	c := newColdLedger(2, coldOptions())
	now := uint64(1_000_000_000_000)
	do := func(operation ledger.Operation, at uint64, body []byte) uint64 {
		now = at
		reply := c.execute(operation, at, body)
		if len(reply) == 0 {
			return 0
		}
		return binary.LittleEndian.Uint64(reply) >> 32 // the status, after the index
	}
	account := func(id, at uint64, flags ledger.AccountFlags) []byte {
		a := ledger.Account{ID: u128.From64(id), Ledger: 1, Code: 1, Flags: flags, Timestamp: at}
		return a.Append(nil)
	}
	transfer := func(id, at uint64, flags ledger.TransferFlags, timeout uint32) []byte {
		x := ledger.Transfer{
			ID: u128.From64(id), DebitAccountID: u128.From64(1), CreditAccountID: u128.From64(2),
			Ledger: 1, Code: 1, Flags: flags, Timestamp: at, Timeout: timeout,
		}
		return x.Append(nil)
	}
	const second = 1_000_000_000
	accounts := append(account(1, 0, 0), account(2, 0, 0)...)
	do(ledger.OperationCreateAccountsUnbatched, now, accounts) // at now-1 and now
	do(ledger.OperationCreateTransfersUnbatched, now+second, transfer(1, 0, ledger.TransferPending, 1))
	expiry := now + 5*second
	do(ledger.OperationPulse, expiry, nil)
	late := now + second
	do(ledger.OperationCreateAccountsUnbatched, late, account(3, 0, 0))

	const imported, importedAccount = ledger.TransferImported, ledger.AccountImported
	const regress = uint64(ledger.TransferImportedEventTimestampMustNotRegress)
	const accountRegress = uint64(ledger.AccountImportedEventTimestampMustNotRegress)
	for i, step := range []struct {
		operation ledger.Operation
		body      []byte
		want      uint64
	}{
		{ledger.OperationCreateTransfersUnbatched, transfer(2, expiry, imported, 0), regress},
		{ledger.OperationCreateTransfersUnbatched, transfer(3, late, imported, 0), regress},
		{ledger.OperationCreateTransfersUnbatched, transfer(4, expiry-1, imported, 0), 0},
		{ledger.OperationCreateTransfersUnbatched, transfer(5, expiry+1, imported, 0), 0},
		{ledger.OperationCreateTransfersUnbatched, transfer(6, late+10, imported, 0), 0},
		{ledger.OperationCreateAccountsUnbatched, account(4, late+10, importedAccount), accountRegress},
		{ledger.OperationCreateAccountsUnbatched, account(5, late+11, importedAccount), 0},
		{ledger.OperationCreateTransfersUnbatched, transfer(7, late+11, imported, 0), regress},
		{ledger.OperationCreateTransfersUnbatched, transfer(8, late+12, imported, 0), 0},
	} {
		if got := do(step.operation, now+second, step.body); got != step.want {
			t.Errorf("step %d: status %d, want %d", i, got, step.want)
		}
	}
	if err := c.verify(); err != nil {
		t.Error(err)
	}
}

// TestResolveAllocatesNothing: neither a batch of new transfers of cached
// accounts, nor lookups and repetitions that are in memory.
func TestResolveAllocatesNothing(t *testing.T) {
	f, body := warmForest(t)
	timestamp := uint64(1 << 50)
	r := f.resolver
	finished := 0
	done := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
		finished++
	}
	repeated := bytes.Clone(body)
	for i := range 50 { // ids of the batch before
		id := u128.FromBytes(repeated[i*ledger.TransferSize:])
		u128.From64(id.Lo - benchBatch).PutBytes(repeated[i*ledger.TransferSize:])
	}
	lookups := multibatch.AppendTrailer(idsOf(5, 6, 7), u128.Size, []uint16{3})
	for _, c := range []struct {
		name      string
		operation ledger.Operation
		body      []byte
		stashed   int
	}{
		{"new transfers", ledger.OperationCreateTransfers, body, 0},
		{"some repeated", ledger.OperationCreateTransfers, repeated, 50},
		{"lookup of transfers", ledger.OperationLookupTransfers, lookups, 3},
		{"lookup of accounts", ledger.OperationLookupAccounts, lookups, 0},
	} {
		finished = 0
		const runs = 5
		allocs := testing.AllocsPerRun(runs, func() {
			f.tables.begin()
			r.resolve(c.operation, timestamp, c.body, done)
		})
		if allocs != 0 || finished != runs+1 || len(f.tables.stash.entries) != c.stashed {
			t.Errorf("%s: %v allocations, %d done, %d stashed", c.name, allocs, finished, len(f.tables.stash.entries))
		}
	}
}

// BenchmarkResolve measures ns per transfer of a plain batch, of the fastest of
// all batches: at most 120.
func BenchmarkResolve(b *testing.B) {
	f, body := warmForest(b)
	done := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	least := time.Hour
	for b.Loop() {
		start := time.Now()
		f.tables.begin()
		f.resolver.resolve(ledger.OperationCreateTransfers, 1<<50, body, done)
		least = min(least, time.Since(start))
	}
	b.ReportMetric(float64(least.Nanoseconds())/benchBatch, "min-ns/transfer")
}

// warmForest returns a forest with 10,000 accounts and some batches of transfers,
// and a batch that was not executed.
func warmForest(t testing.TB) (f *Forest, body []byte) {
	l := newWorkload(10_000)
	g := newDiscardGrid()
	f = New(g, g, Options{})
	timestamp := uint64(1)
	createAccounts(f, 10_000, &timestamp)
	for range 20 {
		timestamp += benchBatch
		execute(f, ledger.OperationCreateTransfers, timestamp, l.batch(benchBatch), nil)
		g.run()
	}
	f.indexer.run(func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	})
	g.run()
	return f, l.batch(benchBatch)
}
