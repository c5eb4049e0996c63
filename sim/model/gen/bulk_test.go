package gen

import (
	"testing"

	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/sim/model"
)

// TestWithBulk demands that most of the transfers are created.
func TestWithBulk(t *testing.T) {
	const start, transfers = 1_700_000_000_000_000_000, 40
	requests := WithBulk(Record(1, start, 60, model.New()), 1, Bulk{Accounts: transfers, Events: transfers})
	oracle := model.New()
	asked, failed := 0, 0
	for i, request := range requests {
		if request.Operation != ledger.OperationCreateTransfersUnbatched || len(request.Body) != transfers*ledger.TransferSize {
			if i != 1 { // the accounts
				continue
			}
		}
		reply := oracle.Commit(byte(request.Operation), start+uint64(1+i)*1_000_000, request.Body, nil)
		asked, failed = asked+len(request.Body)/ledger.TransferSize, failed+len(reply)/8
	}
	if asked < 600 || failed > 0 {
		t.Errorf("of %d records asked for, %d were not created", asked, failed)
	}
}
