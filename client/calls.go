package client

import (
	"context"

	"github.com/ledgerd/ledgerd/ledger"
)

// CreateAccounts creates accounts and returns one result for each, in order.
// The slice is only read, and not after the call returns.
func (c *Client) CreateAccounts(ctx context.Context, accounts []ledger.Account) ([]ledger.CreateAccountResult, error) {
	return createAccounts.many(ctx, c, accounts)
}

// CreateTransfers creates transfers and returns one result for each, in order.
// The slice is only read, and not after the call returns. A chain of linked
// transfers must end within the call.
func (c *Client) CreateTransfers(ctx context.Context, transfers []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	return createTransfers.many(ctx, c, transfers)
}

// LookupAccounts returns the accounts with the given ids, in the order of the
// ids; those that do not exist are left out.
func (c *Client) LookupAccounts(ctx context.Context, ids []ledger.Uint128) ([]ledger.Account, error) {
	return lookupAccounts.many(ctx, c, ids)
}

// LookupTransfers returns the transfers with the given ids, in the order of
// the ids; those that do not exist are left out.
func (c *Client) LookupTransfers(ctx context.Context, ids []ledger.Uint128) ([]ledger.Transfer, error) {
	return lookupTransfers.many(ctx, c, ids)
}

// GetAccountTransfers returns the transfers of one account that match the
// filter, by timestamp. There are at most filter.Limit, and at most 8,189: to
// go on, set TimestampMin beyond the last one. An invalid filter matches
// nothing (PROTOCOL.md section 15.5).
func (c *Client) GetAccountTransfers(ctx context.Context, filter ledger.AccountFilter) ([]ledger.Transfer, error) {
	return getAccountTransfers.query(ctx, c, filter, filter.Limit)
}

// GetAccountBalances returns the balances of one account right after each of
// its transfers that match the filter. The account must have AccountHistory.
// Limits are those of GetAccountTransfers.
func (c *Client) GetAccountBalances(ctx context.Context, filter ledger.AccountFilter) ([]ledger.AccountBalance, error) {
	return getAccountBalances.query(ctx, c, filter, filter.Limit)
}

// QueryAccounts returns the accounts that match the filter, by timestamp.
// Limits are those of GetAccountTransfers.
func (c *Client) QueryAccounts(ctx context.Context, filter ledger.QueryFilter) ([]ledger.Account, error) {
	return queryAccounts.query(ctx, c, filter, filter.Limit)
}

// QueryTransfers returns the transfers that match the filter, by timestamp.
// Limits are those of GetAccountTransfers.
func (c *Client) QueryTransfers(ctx context.Context, filter ledger.QueryFilter) ([]ledger.Transfer, error) {
	return queryTransfers.query(ctx, c, filter, filter.Limit)
}

// GetChangeEvents returns what happened to transfers and to the accounts they
// touch, by timestamp: at most filter.Limit events, and at most 2,730. To
// follow the stream, set TimestampMin beyond the last event.
func (c *Client) GetChangeEvents(ctx context.Context, filter ledger.ChangeEventsFilter) ([]ledger.ChangeEvent, error) {
	return getChangeEvents.query(ctx, c, filter, filter.Limit)
}
