package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ledgerd/ledgerd/internal/command"
	"github.com/ledgerd/ledgerd/internal/server"
)

func newRecover() *cobra.Command {
	var config server.FormatConfig
	var addresses string
	cmd := &cobra.Command{
		Use:   "recover --cluster=N --addresses=ADDRESSES --replica=I --replica-count=N FILE",
		Short: "Make the data file of a replica that has lost its own",
		Long: `Make the data file of a replica that has lost its own, for good. A file that
exists is never overwritten. Then start the replica as ever: it learns from the
others what it had promised them, fetches what it lacks, and only then counts.

Never use format for that: a replica which has forgotten what it had
acknowledged can make the cluster lose it.

Of 2 replicas the other one has to answer, of 3 and 4 all the others, of 5 and 6
all but one. They need not be up at the same time, nor now. A cluster of one has
nobody to recover from: restore a backup.`,
		Example: `  ledgerd recover --cluster=7 --addresses=db0:3000,db1:3000,db2:3000 --replica=2 --replica-count=3 7_2.ledger
  ledgerd start --addresses=db0:3000,db1:3000,db2:3000 7_2.ledger`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			parsed, err := command.ParseAddresses(addresses)
			if err == nil && len(parsed) != int(config.ReplicaCount) {
				err = fmt.Errorf("%d given for %d replicas; give those of all, in the order of their indexes",
					len(parsed), config.ReplicaCount)
			}
			if err != nil {
				return command.Usagef("--addresses: %w", err)
			}
			if err := server.Recover(args[0], config); err != nil {
				return err
			}
			reachable, needed := server.Witnesses(parsed, config.Replica)
			_, err = fmt.Fprintf(cmd.OutOrStdout(), `made %s: cluster %v, replica %d of %d
%d of the other replicas can be reached now; %d have to answer before this one counts again
`, args[0], config.Cluster, config.Replica, config.ReplicaCount, reachable, needed)
			return err
		},
	}
	addFormatFlags(cmd, &config)
	cmd.Flags().StringVar(&addresses, "addresses", "", "addresses of all replicas, separated by commas")
	require(cmd, "addresses")
	return cmd
}
