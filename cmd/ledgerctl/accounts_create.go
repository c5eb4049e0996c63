package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ledgerd/ledgerd/client"
	"github.com/ledgerd/ledgerd/ledger"
)

func newAccountsCreate(c *common) *cobra.Command {
	var account ledger.Account
	var names []string
	cmd := &cobra.Command{
		Use:   "create [--id=ID --ledger=N --code=N]",
		Short: "Create one account by flags, or many from JSON lines on standard input",
		Long: `Create one account by flags, or many from standard input: one JSON object a line,
with the fields that 'accounts list --json' prints, of which those that are zero
may be left out.

Prints what became of each account, and fails if any was not created. Accounts
that are linked are created together or not at all.`,
		Example: `  ledgerctl accounts create --id=1 --ledger=1 --code=1 --flags=history
  echo '{"id": 2, "ledger": 1, "code": 1, "flags": ["linked"]}
        {"id": 3, "ledger": 1, "code": 1}' | ledgerctl accounts create`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			source, err := events(cmd, func() (ledger.Account, error) {
				flags, err := accountFlagNames.parse(names)
				account.Flags = ledger.AccountFlags(flags)
				return account, err
			}, accountRecord.account)
			if err != nil {
				return err
			}
			session, err := c.connect(cmd.Context())
			if err != nil {
				return err
			}
			defer session.Close()
			outcomes := newCreation(c, cmd, accountKind.plural)
			linked := func(a *ledger.Account) bool { return a.Flags&ledger.AccountLinked != 0 }
			err = inBatches(source, linked, func(batch []ledger.Account) error {
				return createAccounts(cmd.Context(), session, batch, outcomes)
			})
			return outcomes.finish(err)
		},
	}
	flags := cmd.Flags()
	flags.TextVar(&account.ID, "id", ledger.Uint128{}, "id of the account")
	flags.Uint32Var(&account.Ledger, "ledger", 0, "ledger that the account is in")
	flags.Uint16Var(&account.Code, "code", 0, "what kind of account it is")
	flags.StringSliceVar(&names, "flags", nil, "names of flags, separated by commas")
	flags.TextVar(&account.UserData128, "user-data-128", ledger.Uint128{}, "128 bits of yours")
	flags.Uint64Var(&account.UserData64, "user-data-64", 0, "64 bits of yours")
	flags.Uint32Var(&account.UserData32, "user-data-32", 0, "32 bits of yours")
	flags.Var((*moment)(&account.Timestamp), "timestamp", "when it was made, for an imported account")
	return cmd
}

func createAccounts(ctx context.Context, to *client.Client, batch []ledger.Account, outcomes *creation) error {
	results, err := to.CreateAccounts(ctx, batch)
	if err != nil {
		return err
	}
	for i, result := range results {
		if err := outcomes.add(batch[i].ID, result.Status.String(), result.Timestamp); err != nil {
			return err
		}
	}
	return nil
}
