package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ledgerd/ledgerd/client"
	"github.com/ledgerd/ledgerd/ledger"
)

func newTransfersCreate(c *common) *cobra.Command {
	var transfer ledger.Transfer
	var names []string
	cmd := &cobra.Command{
		Use:   "create [--debit-account=ID --credit-account=ID --amount=N --ledger=N --code=N]",
		Short: "Create one transfer by flags, or many from JSON lines on standard input",
		Long: `Create one transfer by flags, or many from standard input: one JSON object a
line, with the fields that 'transfers list --json' prints, of which those that
are zero may be left out.

Prints what became of each transfer, and fails if any was not created. Transfers
that are linked are created together or not at all.`,
		Example: `  ledgerctl transfers create --debit-account=1 --credit-account=2 --amount=100 --ledger=1 --code=1
  ledgerctl transfers create --id=7 --pending-id=6 --amount=50 --flags=post_pending_transfer
  ledgerctl transfers create < transfers.jsonl`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			source, err := events(cmd, func() (ledger.Transfer, error) {
				if !cmd.Flags().Changed("id") {
					transfer.ID = client.ID()
				}
				flags, err := transferFlagNames.parse(names)
				transfer.Flags = ledger.TransferFlags(flags)
				return transfer, err
			}, transferRecord.transfer)
			if err != nil {
				return err
			}
			session, err := c.connect(cmd.Context())
			if err != nil {
				return err
			}
			defer session.Close()
			outcomes := newCreation(c, cmd, transferKind.plural)
			linked := func(t *ledger.Transfer) bool { return t.Flags&ledger.TransferLinked != 0 }
			err = inBatches(source, linked, func(batch []ledger.Transfer) error {
				return createTransfers(cmd.Context(), session, batch, outcomes)
			})
			return outcomes.finish(err)
		},
	}
	flags := cmd.Flags()
	flags.TextVar(&transfer.ID, "id", ledger.Uint128{}, "id of the transfer (default a fresh one)")
	flags.TextVar(&transfer.DebitAccountID, "debit-account", ledger.Uint128{}, "id of the account to debit")
	flags.TextVar(&transfer.CreditAccountID, "credit-account", ledger.Uint128{}, "id of the account to credit")
	flags.TextVar(&transfer.Amount, "amount", ledger.Uint128{}, "how much to move")
	flags.TextVar(&transfer.PendingID, "pending-id", ledger.Uint128{}, "id of the pending transfer to post or void")
	flags.Uint32Var(&transfer.Timeout, "timeout", 0, "seconds until a pending transfer expires, 0 for never")
	flags.Uint32Var(&transfer.Ledger, "ledger", 0, "ledger that both accounts are in")
	flags.Uint16Var(&transfer.Code, "code", 0, "what kind of transfer it is")
	flags.StringSliceVar(&names, "flags", nil, "names of flags, separated by commas")
	flags.TextVar(&transfer.UserData128, "user-data-128", ledger.Uint128{}, "128 bits of yours")
	flags.Uint64Var(&transfer.UserData64, "user-data-64", 0, "64 bits of yours")
	flags.Uint32Var(&transfer.UserData32, "user-data-32", 0, "32 bits of yours")
	flags.Var((*moment)(&transfer.Timestamp), "timestamp", "when it was made, for an imported transfer")
	return cmd
}

func createTransfers(ctx context.Context, to *client.Client, batch []ledger.Transfer, outcomes *creation) error {
	results, err := to.CreateTransfers(ctx, batch)
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
