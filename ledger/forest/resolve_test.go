package forest

import (
	"encoding/binary"
	"testing"

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
