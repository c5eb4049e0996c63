package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ledgerd/ledgerd/internal/command"
	"github.com/ledgerd/ledgerd/internal/server"
	"github.com/ledgerd/ledgerd/internal/u128"
)

func newStart() *cobra.Command {
	var config server.Config
	var identity server.Identity
	var addresses string
	var limitRequest command.Size
	var caches caches
	var logging logging
	cmd := &cobra.Command{
		Use:   "start --addresses=ADDRESSES FILE",
		Short: "Serve the ledger in a data file",
		Long: `Serve the ledger in a data file until SIGINT or SIGTERM.

Addresses are those of all replicas, and of standbys if there are any, in the
order of their indexes, separated by commas: "3000", "127.0.0.1:3000",
"[::1]:3000" or "db1.example:3000". A missing host is 127.0.0.1, a missing port
is 3001. Each replica listens at its own address, for clients and for the other
replicas, which all get the same list; in a replica's own list its address may be
that of all interfaces, "0.0.0.0:3000".

Port 0, for a cluster of one, lets the system choose: the port is then the only
line on standard output. Logs go to standard error.

The ledger is on disk; what is in memory are the newest records and two caches.
Give --cache-accounts what the accounts in use take, about 200 bytes each, and
--cache-grid what else there is: it holds whatever queries and lookups read.`,
		Example: `  ledgerd start --addresses=3000 0_0.ledger
  ledgerd start --addresses=0.0.0.0:3000 --log-format=json 0_0.ledger
  ledgerd start --addresses=3000 --cache-grid=2GiB --cache-accounts=512MiB 0_0.ledger
  ledgerd start --addresses=db0:3000,db1:3000,db2:3000 --cluster=7 --replica=2 7_2.ledger`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			config.Path = args[0]
			config.RequestSizeMax = int(limitRequest)
			if err = caches.apply(&config); err != nil {
				return err
			}
			if cmd.Flags().Changed("cluster") {
				config.Identity = &identity
			}
			if config.Addresses, err = parseAddresses(addresses); err != nil {
				return err
			}
			if config.Logger, err = logging.logger(cmd.ErrOrStderr()); err != nil {
				return err
			}
			return start(cmd.Context(), cmd.OutOrStdout(), config)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&addresses, "addresses", "", "addresses of all replicas, then of standbys, separated by commas")
	flags.BoolVar(&config.Development, "development", false,
		"use less memory, and do without direct I/O where the file system lacks it: not for production")
	flags.Var(&limitRequest, "limit-request", "largest request to accept (default 1MiB, with --development 32KiB)")
	flags.TextVar(&identity.Cluster, "cluster", u128.Uint128{}, "refuse the file unless it is of this cluster")
	flags.Uint8Var(&identity.Replica, "replica", 0, "refuse the file unless it is of this replica")
	cmd.MarkFlagsRequiredTogether("cluster", "replica")
	caches.addTo(cmd)
	logging.addTo(cmd)
	require(cmd, "addresses")
	return cmd
}

// start serves until ctx ends, and prints the port if the system has chosen it.
func start(ctx context.Context, out io.Writer, config server.Config) error {
	command.TuneForServing()
	replica, err := server.Start(config)
	if err != nil {
		return err
	}
	if chosenBySystem(config.Addresses) {
		_, port, _ := net.SplitHostPort(replica.Addr().String())
		fmt.Fprintln(out, port)
	}
	if err := serve(ctx, replica); err != nil {
		return err
	}
	config.Logger.Info("stopped")
	return nil
}

// parseAddresses reads the addresses of all replicas.
func parseAddresses(text string) ([]string, error) {
	addresses, err := command.ParseAddresses(text)
	if err != nil {
		return nil, command.Usagef("--addresses: %w", err)
	}
	if len(addresses) > 1 && chosenBySystem(addresses) {
		return nil, command.Usagef("--addresses: port 0 is for a cluster of one: the other replicas have to know it")
	}
	return addresses, nil
}

// chosenBySystem reports whether a port is left to the system.
func chosenBySystem(addresses []string) bool {
	for _, address := range addresses {
		if strings.HasSuffix(address, ":0") {
			return true
		}
	}
	return false
}

// serve returns when the replica has failed, or when ctx has ended and the
// replica has been closed.
func serve(ctx context.Context, replica *server.Server) error {
	failed := make(chan error, 1)
	go func() { failed <- replica.Wait() }()
	select {
	case err := <-failed:
		return errors.Join(err, replica.Close())
	case <-ctx.Done():
		return replica.Close()
	}
}

// caches is the flags that say how much memory to use.
type caches struct{ grid, accounts command.Size }

func (c *caches) addTo(cmd *cobra.Command) {
	cmd.Flags().Var(&c.grid, "cache-grid", "memory for what is read of the disk (default 128MiB, with --development 16MiB)")
	cmd.Flags().Var(&c.accounts, "cache-accounts", "memory for accounts (default 256MiB, with --development 16MiB)")
}

// apply puts what was given into config.
func (c *caches) apply(config *server.Config) error {
	least := command.Size(server.CacheSizeMin)
	for _, cache := range []struct {
		flag string
		size *command.Size
	}{{"cache-grid", &c.grid}, {"cache-accounts", &c.accounts}} {
		if *cache.size != 0 && *cache.size < least {
			return command.Usagef("--%s: %v is too small: give at least %v, or leave it away for the default",
				cache.flag, cache.size, &least)
		}
	}
	config.CacheGrid, config.CacheAccounts = int64(c.grid), int64(c.accounts)
	return nil
}

// logging is the flags that say how to log.
type logging struct {
	level  slog.Level
	format string
}

func (l *logging) addTo(cmd *cobra.Command) {
	cmd.Flags().TextVar(&l.level, "log-level", slog.LevelInfo, "least level to log: DEBUG, INFO, WARN or ERROR")
	cmd.Flags().StringVar(&l.format, "log-format", "text", "form of the logs: text or json")
}

func (l *logging) logger(w io.Writer) (*slog.Logger, error) {
	options := &slog.HandlerOptions{Level: l.level}
	switch l.format {
	case "text":
		return slog.New(slog.NewTextHandler(w, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	}
	return nil, command.Usagef("--log-format: %q is neither text nor json", l.format)
}
