package main

import (
	"github.com/spf13/cobra"

	"github.com/ledgerd/ledgerd/client"
	"github.com/ledgerd/ledgerd/ledger"
)

func newTransfersGet(c *common) *cobra.Command {
	return &cobra.Command{
		Use:   "get ID...",
		Short: "Show transfers by their ids",
		Long:  `Show the transfers with the ids given, and fail if one does not exist.`,
		Example: `  ledgerctl transfers get 7
  ledgerctl transfers get 7 0xff --json`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return transferKind.get(c, cmd, args, (*client.Client).LookupTransfers,
				func(t *ledger.Transfer) ledger.Uint128 { return t.ID })
		},
	}
}
