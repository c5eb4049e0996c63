package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ledgerd/ledgerd/client"
	"github.com/ledgerd/ledgerd/internal/command"
	"github.com/ledgerd/ledgerd/ledger"
)

func newTransfersList(c *common) *cobra.Command {
	var f filter
	var account ledger.Uint128
	var debits, credits bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Show the transfers of an account, or those that fit a filter",
		Long: `Show the transfers that fit all conditions given, in the order they were made:
with --account those of one account, which are found fastest, else all.`,
		Example: `  ledgerctl transfers list --account=1 --reversed --limit=10
  ledgerctl transfers list --account=1 --debits
  ledgerctl transfers list --ledger=1 --code=7 --timestamp-min=2026-01-31T12:00:00Z`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ask := func(ctx context.Context, session *client.Client, low, high uint64, limit uint32) ([]ledger.Transfer, error) {
				return session.QueryTransfers(ctx, f.queryFilter(low, high, limit))
			}
			switch {
			case !account.IsZero() && f.Ledger != 0:
				return command.Usagef("--ledger is of no use with --account: an account is in one ledger")
			case account.IsZero() && (debits || credits):
				return command.Usagef("--debits and --credits need --account")
			case !account.IsZero():
				ask = func(ctx context.Context, session *client.Client, low, high uint64, limit uint32) ([]ledger.Transfer, error) {
					return session.GetAccountTransfers(ctx, f.accountFilter(account, debits, credits, low, high, limit))
				}
			}
			return transferKind.list(c, cmd, &f, ask, func(t *ledger.Transfer) uint64 { return t.Timestamp })
		},
	}
	f.addTo(cmd)
	cmd.Flags().TextVar(&account, "account", ledger.Uint128{}, "only those of this account")
	cmd.Flags().BoolVar(&debits, "debits", false, "only those that debit the account")
	cmd.Flags().BoolVar(&credits, "credits", false, "only those that credit the account")
	return cmd
}

// accountFilter returns f for one page of an account's transfers: its debits,
// its credits, or both if neither is asked for alone.
func (f *filter) accountFilter(account ledger.Uint128, debits, credits bool, low, high uint64, limit uint32) ledger.AccountFilter {
	page := ledger.AccountFilter{
		AccountID: account, UserData128: f.UserData128, UserData64: f.UserData64, UserData32: f.UserData32,
		Code: f.Code, TimestampMin: low, TimestampMax: high, Limit: limit,
	}
	if debits || !credits {
		page.Flags |= ledger.AccountFilterDebits
	}
	if credits || !debits {
		page.Flags |= ledger.AccountFilterCredits
	}
	if f.reversed {
		page.Flags |= ledger.AccountFilterReversed
	}
	return page
}
