package main

import (
	"github.com/spf13/cobra"

	"github.com/ledgerd/ledgerd/client"
	"github.com/ledgerd/ledgerd/ledger"
)

func newAccountsGet(c *common) *cobra.Command {
	return &cobra.Command{
		Use:   "get ID...",
		Short: "Show accounts by their ids",
		Long:  `Show the accounts with the ids given, and fail if one does not exist.`,
		Example: `  ledgerctl accounts get 1
  ledgerctl accounts get 1 0xff --json`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return accountKind.get(c, cmd, args, (*client.Client).LookupAccounts,
				func(a *ledger.Account) ledger.Uint128 { return a.ID })
		},
	}
}
