package main

import (
	"github.com/spf13/cobra"

	"github.com/ledgerd/ledgerd/ledger"
)

var transferKind = &kind[ledger.Transfer]{plural: "transfers", columns: transferColumns, record: newTransferRecord}

func newTransfers(c *common) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "transfers",
		Short:   "Create and show transfers",
		Long:    `Create transfers, look them up by id, and list those that fit a filter.`,
		Example: `  ledgerctl transfers list --account=1`,
	}
	cmd.AddCommand(newTransfersCreate(c), newTransfersGet(c), newTransfersList(c))
	return cmd
}
