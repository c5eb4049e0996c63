package gen

import (
	"math/rand/v2"
	"slices"

	"github.com/ledgerd/ledgerd/ledger"
)

// Bulk is what WithBulk adds: so many accounts at first, and then transfers between
// them, with so many events in each request.
type Bulk struct{ Accounts, Events int }

// WithBulk returns requests and, after every third of them, one more that creates
// many accounts or transfers at once. They are simple, so that nearly all succeed:
// what Generator makes up is rich, but too little for a store to have something to
// merge. The same seed gives the same requests.
func WithBulk(requests []Request, seed uint64, bulk Bulk) []Request {
	random := rand.New(rand.NewPCG(seed, 1))
	var all []Request
	created := 0
	for i, request := range requests {
		all = append(all, request)
		if i%3 != 0 {
			continue
		}
		more := Request{request.Now, ledger.OperationCreateTransfersUnbatched, nil}
		if count := min(bulk.Accounts-created, bulk.Events); count > 0 {
			more.Operation, more.Body = ledger.OperationCreateAccountsUnbatched, bulkOfAccounts(created, count)
			created += count
		} else {
			more.Body = bulkOfTransfers(random, bulk)
		}
		all = append(all, more)
	}
	return slices.Clip(all)
}

// bulkID returns an id that Generator does not use.
func bulkID(n uint64) ledger.Uint128 { return ledger.Uint128{Lo: n, Hi: 7} }

func bulkOfAccounts(first, count int) (body []byte) {
	for n := uint64(first); n < uint64(first+count); n++ {
		account := ledger.Account{ID: bulkID(n), UserData64: n % 3, Ledger: 1, Code: 1, Flags: ledger.AccountHistory}
		body = account.Append(body)
	}
	return body
}

func bulkOfTransfers(random *rand.Rand, bulk Bulk) (body []byte) {
	accounts := uint64(bulk.Accounts)
	for range bulk.Events {
		debit := random.Uint64N(accounts)
		transfer := ledger.Transfer{
			ID:             bulkID(random.Uint64()),
			DebitAccountID: bulkID(debit), CreditAccountID: bulkID((debit + 1) % accounts),
			Amount:     number(random.Uint64N(1000)),
			UserData64: random.Uint64N(4), UserData32: random.Uint32N(4), Ledger: 1, Code: 1 + uint16(random.UintN(3)),
		}
		if random.IntN(3) == 0 {
			transfer.Flags, transfer.Timeout = ledger.TransferPending, random.Uint32N(3)
		}
		body = transfer.Append(body)
	}
	return body
}
