// Ledgerctl works on a ledger from the command line: it creates and shows
// accounts and transfers, measures speed, and looks into data files.
//
// One file per subcommand, each with its test. It works against any server
// that package client works against.
//
// Exit codes: 0 done, 1 failed or an event was refused, 2 a mistake in the
// command line.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/ledgerd/ledgerd/client"
	"github.com/ledgerd/ledgerd/internal/command"
	"github.com/ledgerd/ledgerd/ledger"
)

// environmentPrefix begins the names of the flags' environment twins.
const environmentPrefix = "LEDGERCTL"

func main() { os.Exit(command.Main(newRoot(), environmentPrefix)) }

// common is the flags that all subcommands share.
type common struct {
	cluster        ledger.Uint128
	addresses      string
	connectTimeout time.Duration
	json, table    bool
}

// newRoot returns the tree of all commands.
func newRoot() *cobra.Command {
	c := new(common)
	root := &cobra.Command{
		Use:   "ledgerctl",
		Short: "Work on a ledger from the command line",
		Long: `ledgerctl creates and shows accounts and transfers, measures speed, and looks
into data files.

Results are tables on a terminal and JSON, one object a line, elsewhere. In JSON,
128-bit and 64-bit numbers are strings; in input they may be numbers too.

Every flag can be given as an environment variable too, named in brackets.
Exit codes: 0 done, 1 failed or an event was refused, 2 a mistake in the command
line.`,
		Example: `  ledgerctl accounts create --id=1 --ledger=1 --code=1
  ledgerctl transfers list --account=1 --addresses=3000
  ledgerctl benchmark`,
	}
	flags := root.PersistentFlags()
	flags.TextVar(&c.cluster, "cluster", ledger.Uint128{}, "number of the cluster")
	flags.StringVar(&c.addresses, "addresses", "3000", "addresses of all replicas, separated by commas")
	flags.DurationVar(&c.connectTimeout, "connect-timeout", 10*time.Second, "how long to wait for the cluster to answer")
	flags.BoolVar(&c.json, "json", false, "print JSON, also on a terminal")
	flags.BoolVar(&c.table, "table", false, "print tables, also elsewhere")
	root.MarkFlagsMutuallyExclusive("json", "table")
	root.AddCommand(newAccounts(c), newTransfers(c), newBenchmark(c), newBenchmarkServer(), newInspect(c))
	return root
}

// connect opens a session with the cluster.
func (c *common) connect(ctx context.Context) (*client.Client, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.connectTimeout,
		fmt.Errorf("no answer in %v", c.connectTimeout))
	defer cancel()
	return client.Connect(ctx, client.Config{Cluster: c.cluster, Addresses: []string{c.addresses}})
}

// tabular reports whether cmd is to print tables.
func (c *common) tabular(cmd *cobra.Command) bool {
	return c.table || !c.json && command.IsTerminal(cmd.OutOrStdout())
}
