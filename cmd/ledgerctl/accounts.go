package main

import (
	"github.com/spf13/cobra"

	"github.com/ledgerd/ledgerd/ledger"
)

var accountKind = &kind[ledger.Account]{plural: "accounts", columns: accountColumns, record: newAccountRecord}

func newAccounts(c *common) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "accounts",
		Short:   "Create and show accounts",
		Long:    `Create accounts, look them up by id, and list those that fit a filter.`,
		Example: `  ledgerctl accounts list --ledger=1`,
	}
	cmd.AddCommand(newAccountsCreate(c), newAccountsGet(c), newAccountsList(c))
	return cmd
}
