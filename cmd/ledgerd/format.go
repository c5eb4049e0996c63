package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ledgerd/ledgerd/internal/server"
	"github.com/ledgerd/ledgerd/internal/u128"
)

func newFormat() *cobra.Command {
	var config server.FormatConfig
	cmd := &cobra.Command{
		Use:   "format --cluster=N --replica=I --replica-count=N FILE",
		Short: "Make the data file of a new replica",
		Long: `Make the data file of a new replica. A file that exists is never overwritten.

A cluster has 1 to 6 replicas, each with a data file of its own: on machines of
their own, so that they do not fail together. Three go on serving when any one
of them is lost, five or six when any two are.

A standby has a copy of everything, and no voice: the cluster neither waits for
it nor counts on it.

The cluster's number keeps clients and replicas of different clusters apart:
choose one at random for production, 0 is for tests.`,
		Example: `  ledgerd format --cluster=0 --replica=0 --replica-count=1 0_0.ledger
  ledgerd format --cluster=0 --replica=0 --replica-count=1 --development small.ledger
  ledgerd format --cluster=7 --replica=2 --replica-count=3 7_2.ledger
  ledgerd format --cluster=7 --standby --replica=3 --replica-count=3 7_3.ledger`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := server.Format(args[0], config); err != nil {
				return err
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "formatted %s: cluster %v, replica %d of %d\n",
				args[0], config.Cluster, config.Replica, config.ReplicaCount)
			return err
		},
	}
	addFormatFlags(cmd, &config)
	cmd.Flags().BoolVar(&config.Standby, "standby", false, "make a file for a standby, whose index follows those of the replicas")
	return cmd
}

// addFormatFlags adds the flags that say whose data file is made.
func addFormatFlags(cmd *cobra.Command, config *server.FormatConfig) {
	flags := cmd.Flags()
	flags.TextVar(&config.Cluster, "cluster", u128.Uint128{}, "number of the cluster, in 0 .. 2^128-1")
	flags.Uint8Var(&config.Replica, "replica", 0, "index of this replica, from 0")
	flags.Uint8Var(&config.ReplicaCount, "replica-count", 0, "number of replicas in the cluster")
	flags.BoolVar(&config.Development, "development", false, "make a small file, for a replica started with --development")
	for _, name := range []string{"cluster", "replica", "replica-count"} {
		require(cmd, name)
	}
}

// require marks a flag that the command cannot do without.
func require(cmd *cobra.Command, flag string) {
	if err := cmd.MarkFlagRequired(flag); err != nil {
		panic(err) // the flag was not defined
	}
}
