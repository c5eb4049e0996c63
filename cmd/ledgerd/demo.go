package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ledgerd/ledgerd/client"
	"github.com/ledgerd/ledgerd/internal/command"
	"github.com/ledgerd/ledgerd/internal/server"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/ledger"
)

func newDemo() *cobra.Command {
	var addresses string
	var once bool
	cmd := &cobra.Command{
		Use:   "demo [FILE]",
		Short: "Serve a small ledger, and show a transfer being made",
		Long: `Serve a small ledger of cluster 0 on this machine until Ctrl-C, make a transfer
in it, and show how to connect.

The ledger is in FILE, which is made if it does not exist, or else in a temporary
file that is gone at the end.`,
		Example: `  ledgerd demo
  ledgerd demo --addresses=3000 demo.ledger
  ledgerd demo --once`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			list, err := command.ParseAddresses(addresses)
			if err != nil {
				return command.Usagef("--addresses: %w", err)
			}
			if len(args) == 1 {
				return demo(cmd.Context(), cmd.OutOrStdout(), args[0], list, once)
			}
			folder, err := os.MkdirTemp("", "ledgerd-demo-")
			if err != nil {
				return err
			}
			err = demo(cmd.Context(), cmd.OutOrStdout(), filepath.Join(folder, "demo.ledger"), list, once)
			return errors.Join(err, os.RemoveAll(folder))
		},
	}
	cmd.Flags().StringVar(&addresses, "addresses", "127.0.0.1:0", "address to serve at; port 0 lets the system choose")
	cmd.Flags().BoolVar(&once, "once", false, "exit after the transfer instead of serving on")
	return cmd
}

// demo formats path if there is no such file, serves it, and shows what a
// newcomer wants to see.
func demo(ctx context.Context, out io.Writer, path string, addresses []string, once bool) error {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := server.Format(path, server.FormatConfig{ReplicaCount: 1, Development: true}); err != nil {
			return err
		}
	}
	replica, err := server.Start(server.Config{
		Path: path, Addresses: addresses, Development: true, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	address := replica.Addr().String()
	fmt.Fprintf(out, "ledgerd serves cluster 0 at %s, from %s\n\n", address, path)
	if err := makeTransfer(ctx, out, address); err != nil {
		return errors.Join(err, replica.Close())
	}
	fmt.Fprint(out, strings.ReplaceAll(snippets, "ADDRESS", address))
	if once {
		return replica.Close()
	}
	fmt.Fprintln(out, "Press Ctrl-C to stop.")
	return serve(ctx, replica)
}

// The accounts between which the demo moves money.
var buyer, seller = u128.From64(1), u128.From64(2)

// makeTransfer moves 100 from buyer to seller, both of which it creates if
// need be, and prints the balances.
func makeTransfer(ctx context.Context, out io.Writer, address string) error {
	c, err := client.Connect(ctx, client.Config{Addresses: []string{address}})
	if err != nil {
		return err
	}
	defer c.Close()

	created, err := c.CreateAccounts(ctx, []ledger.Account{
		{ID: buyer, Ledger: 1, Code: 1},
		{ID: seller, Ledger: 1, Code: 1},
	})
	if err != nil {
		return err
	}
	for _, result := range created {
		if result.Status != ledger.AccountCreated && result.Status != ledger.AccountExists {
			return fmt.Errorf("create accounts: %v", result.Status)
		}
	}
	made, err := c.CreateTransfers(ctx, []ledger.Transfer{
		{ID: client.ID(), DebitAccountID: buyer, CreditAccountID: seller, Amount: u128.From64(100), Ledger: 1, Code: 1},
	})
	if err != nil {
		return err
	}
	if made[0].Status != ledger.TransferCreated {
		return fmt.Errorf("create a transfer: %v", made[0].Status)
	}
	accounts, err := c.LookupAccounts(ctx, []ledger.Uint128{buyer, seller})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "A transfer of 100 from account %v to account %v was made:\n", buyer, seller)
	var rows [][]string
	for _, account := range accounts {
		rows = append(rows, []string{account.ID.String(), account.DebitsPosted.String(), account.CreditsPosted.String()})
	}
	return command.WriteTable(out, []string{"account", "debits posted", "credits posted"}, rows,
		"account", "debits posted", "credits posted")
}

// snippets print the two accounts; ADDRESS is filled in.
const snippets = `
Go      c, err := client.Connect(ctx, client.Config{Addresses: []string{"ADDRESS"}})
        accounts, err := c.LookupAccounts(ctx, []ledger.Uint128{{Lo: 1}, {Lo: 2}})
        fmt.Println(accounts, err)

Python  import tigerbeetle as tb
        client = tb.ClientSync(cluster_id=0, replica_addresses="ADDRESS")
        print(client.lookup_accounts([1, 2]))

Node    const { createClient } = require("tigerbeetle-node");
        const client = createClient({ cluster_id: 0n, replica_addresses: ["ADDRESS"] });
        client.lookupAccounts([1n, 2n]).then(console.log);

`
