package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ledgerd/ledgerd/client"
	"github.com/ledgerd/ledgerd/ledger"
)

func newAccountsList(c *common) *cobra.Command {
	var f filter
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Show the accounts that fit a filter",
		Long:  `Show the accounts that fit all conditions given, in the order they were made.`,
		Example: `  ledgerctl accounts list --ledger=1 --limit=1000
  ledgerctl accounts list --reversed --timestamp-max=2026-01-31T12:00:00Z`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ask := func(ctx context.Context, session *client.Client, low, high uint64, limit uint32) ([]ledger.Account, error) {
				return session.QueryAccounts(ctx, f.queryFilter(low, high, limit))
			}
			return accountKind.list(c, cmd, &f, ask, func(a *ledger.Account) uint64 { return a.Timestamp })
		},
	}
	f.addTo(cmd)
	return cmd
}
