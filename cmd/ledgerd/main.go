// Ledgerd runs one replica of a ledger database that TigerBeetle's clients can
// use unchanged.
//
// This package turns arguments into calls of internal/server and holds no logic
// of its own: one file per subcommand, each with its test.
//
// Exit codes: 0 done, 1 an operating failure, 2 a mistake in the command line.
package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/ledgerd/ledgerd/internal/command"
)

// environmentPrefix begins the names of the flags' environment twins.
const environmentPrefix = "LEDGERD"

func main() { os.Exit(command.Main(newRoot(), environmentPrefix)) }

// newRoot returns the tree of all commands.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "ledgerd",
		Short: "A ledger database that TigerBeetle's clients can use unchanged",
		Long: `ledgerd is a double-entry ledger database. It keeps accounts and transfers in
one data file, and speaks the client protocol of TigerBeetle.

Every flag can be given as an environment variable too, named in brackets.
Exit codes: 0 done, 1 failed, 2 a mistake in the command line.`,
		Example: `  ledgerd demo
  ledgerd format --cluster=0 --replica=0 --replica-count=1 0_0.ledger
  ledgerd start --addresses=3000 0_0.ledger
  ledgerd start --addresses=db0:3000,db1:3000,db2:3000 7_2.ledger`,
	}
	root.AddCommand(newFormat(), newStart(), newRecover(), newDemo(), newVersion())
	return root
}
