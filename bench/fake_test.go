package bench

import (
	"context"
	"sync"
	"time"

	"github.com/ledgerd/ledgerd/ledger"
)

// fakeServer is the shortest ledger that can bear a workload. Its clients
// share it; spoil, if set, may falsify the results of a batch or the accounts
// looked up.
type fakeServer struct {
	lock      sync.Mutex
	accounts  map[ledger.Uint128]*ledger.Account
	transfers map[ledger.Uint128]ledger.Transfer
	largest   int // transfers in a batch
	batches   int
	open      int
	expiries  []time.Time                   // of reservations with a timeout
	chains    map[int]int                   // how many of each length were there
	delay     func(batch int) time.Duration // of a reply, if set
	spoil     func(server *fakeServer, results []ledger.CreateTransferResult) ([]ledger.CreateTransferResult, error)
}

func newFakeServer() *fakeServer {
	return &fakeServer{
		accounts:  make(map[ledger.Uint128]*ledger.Account),
		transfers: make(map[ledger.Uint128]ledger.Transfer),
		chains:    make(map[int]int),
	}
}

// connect is a Config.Connect.
func (s *fakeServer) connect(context.Context) (Ledger, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.open++
	return &fakeClient{s}, nil
}

type fakeClient struct{ *fakeServer }

func (c *fakeClient) Close() error {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.open--
	return nil
}

func (c *fakeClient) CreateAccounts(_ context.Context, accounts []ledger.Account) ([]ledger.CreateAccountResult, error) {
	c.lock.Lock()
	defer c.lock.Unlock()
	results := make([]ledger.CreateAccountResult, len(accounts))
	for i, account := range accounts {
		results[i].Status = ledger.AccountCreated
		if c.accounts[account.ID] != nil {
			results[i].Status = ledger.AccountExists
		}
		c.accounts[account.ID] = &account
	}
	return results, nil
}

func (c *fakeClient) CreateTransfers(ctx context.Context, transfers []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	c.batches++
	c.largest = max(c.largest, len(transfers))
	if c.delay != nil {
		time.Sleep(c.delay(c.batches))
	}
	results, chain := make([]ledger.CreateTransferResult, len(transfers)), 0
	for i, transfer := range transfers {
		results[i].Status = c.create(transfer)
		chain++
		if transfer.Flags&ledger.TransferLinked == 0 {
			c.chains[chain]++
			chain = 0
		} else if i == len(transfers)-1 {
			results[i].Status = ledger.TransferLinkedEventChainOpen
		}
	}
	if c.spoil != nil {
		return c.spoil(c.fakeServer, results)
	}
	return results, nil
}

func (s *fakeServer) create(t ledger.Transfer) ledger.CreateTransferStatus {
	if _, exists := s.transfers[t.ID]; exists {
		return ledger.TransferExists
	}
	if t.Flags&ledger.TransferPostPendingTransfer != 0 {
		reserved, ok := s.transfers[t.PendingID]
		if !ok || reserved.Flags != ledger.TransferPending {
			return ledger.TransferPendingTransferNotFound
		}
		reserved.Flags = ledger.TransferVoidPendingTransfer // marks it as resolved
		s.transfers[t.PendingID] = reserved
		debit, credit := s.accounts[reserved.DebitAccountID], s.accounts[reserved.CreditAccountID]
		debit.DebitsPending.Lo -= reserved.Amount.Lo
		credit.CreditsPending.Lo -= reserved.Amount.Lo
		t.DebitAccountID, t.CreditAccountID = reserved.DebitAccountID, reserved.CreditAccountID
	}
	debit, credit := s.accounts[t.DebitAccountID], s.accounts[t.CreditAccountID]
	if debit == nil || credit == nil || debit == credit {
		return ledger.TransferDebitAccountNotFound
	}
	switch {
	case t.Timeout != 0: // as if it had expired
		s.expiries = append(s.expiries, time.Now().Add(time.Duration(t.Timeout)*time.Second))
	case t.Flags&ledger.TransferPending != 0:
		debit.DebitsPending.Lo += t.Amount.Lo
		credit.CreditsPending.Lo += t.Amount.Lo
	default:
		debit.DebitsPosted.Lo += t.Amount.Lo
		credit.CreditsPosted.Lo += t.Amount.Lo
	}
	s.transfers[t.ID] = t
	return ledger.TransferCreated
}

func (c *fakeClient) LookupAccounts(_ context.Context, ids []ledger.Uint128) ([]ledger.Account, error) {
	c.lock.Lock()
	defer c.lock.Unlock()
	var found []ledger.Account
	for _, id := range ids {
		if account := c.accounts[id]; account != nil {
			found = append(found, *account)
		}
	}
	return found, nil
}

func (c *fakeClient) LookupTransfers(_ context.Context, ids []ledger.Uint128) ([]ledger.Transfer, error) {
	c.lock.Lock()
	defer c.lock.Unlock()
	var found []ledger.Transfer
	for _, id := range ids {
		if transfer, ok := c.transfers[id]; ok {
			found = append(found, transfer)
		}
	}
	return found, nil
}

func (c *fakeClient) QueryTransfers(_ context.Context, filter ledger.QueryFilter) ([]ledger.Transfer, error) {
	c.lock.Lock()
	defer c.lock.Unlock()
	var found []ledger.Transfer
	for _, transfer := range c.transfers {
		if transfer.UserData64 == filter.UserData64 {
			found = append(found, transfer)
		}
	}
	return found, nil
}

func (c *fakeClient) GetAccountTransfers(context.Context, ledger.AccountFilter) ([]ledger.Transfer, error) {
	return nil, nil
}
