package gen

import (
	"math/rand/v2"
	"slices"

	"github.com/ledgerd/ledgerd/ledger"
)

// bulkAccounts is how many accounts the transfers of WithBulk are between.
const bulkAccounts = 8

// WithBulk returns requests and, after every third of them, one more that creates
// so many transfers at once, between accounts of their own. They are simple, so
// that nearly all succeed: what Generator makes up is rich, but too little for a
// store to have something to merge. The same seed gives the same requests.
func WithBulk(requests []Request, seed uint64, transfers int) []Request {
	random := rand.New(rand.NewPCG(seed, 1))
	var all []Request
	for i, request := range requests {
		all = append(all, request)
		switch {
		case i == 0:
			all = append(all, Request{request.Now, ledger.OperationCreateAccountsUnbatched, bulkOfAccounts()})
		case i%3 == 0:
			body := bulkOfTransfers(random, transfers)
			all = append(all, Request{request.Now, ledger.OperationCreateTransfersUnbatched, body})
		}
	}
	return slices.Clip(all)
}

// bulkID returns an id that Generator does not use.
func bulkID(n uint64) ledger.Uint128 { return ledger.Uint128{Lo: n, Hi: 7} }

func bulkOfAccounts() (body []byte) {
	for n := range uint64(bulkAccounts) {
		account := ledger.Account{ID: bulkID(n), UserData64: n % 3, Ledger: 1, Code: 1, Flags: ledger.AccountHistory}
		body = account.Append(body)
	}
	return body
}

func bulkOfTransfers(random *rand.Rand, count int) (body []byte) {
	for range count {
		debit := random.Uint64N(bulkAccounts)
		transfer := ledger.Transfer{
			ID:             bulkID(random.Uint64()),
			DebitAccountID: bulkID(debit), CreditAccountID: bulkID((debit + 1) % bulkAccounts),
			Amount:     number(random.Uint64N(1000)),
			UserData64: random.Uint64N(4), UserData32: random.Uint32N(4), Ledger: 1, Code: 1 + uint16(random.UintN(3)),
		}
		if random.IntN(16) == 0 {
			transfer.Flags, transfer.Timeout = ledger.TransferPending, random.Uint32N(3)
		}
		body = transfer.Append(body)
	}
	return body
}
