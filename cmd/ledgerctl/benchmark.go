package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ledgerd/ledgerd/bench"
	"github.com/ledgerd/ledgerd/client"
	"github.com/ledgerd/ledgerd/internal/command"
)

// benchmark is the flags of the command.
type benchmark struct {
	*common
	workload  bench.Workload // what differs from the named one, by flags
	caches    caches
	directory string
	yardstick bool
	restart   bool
	between   func(context.Context) error // of bench.Config
}

func newBenchmark(c *common) *cobra.Command {
	b := &benchmark{common: c}
	var names []string
	for _, w := range bench.Workloads() {
		names = append(names, w.Name)
	}
	cmd := &cobra.Command{
		Use:   "benchmark",
		Short: "Measure how fast a server is",
		Long: `Send a workload to a server, report speed, latencies and what the server cost,
and check that all balances are right.

Without --addresses the server is started for the purpose, as a process of its
own with a data file in a temporary folder, and both are gone afterwards. The
flags of counts, sizes and orders change what the named workload says:
  ` + strings.Join(names, ", "),
		Example: `  ledgerctl benchmark
  ledgerctl benchmark --workload=single-32 --yardstick
  ledgerctl benchmark --transfer-count=1000000 --clients=4 --id-order=random
  ledgerctl benchmark --addresses=3000 --transfer-count=100000`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := b.resolve(cmd)
			if err != nil {
				return command.Usagef("%w", err)
			}
			return b.run(cmd, w)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&b.workload.Name, "workload", names[0], "named workload to begin with")
	flags.IntVar(&b.workload.Accounts, "account-count", 0, "accounts to create")
	flags.IntVar(&b.workload.Transfers, "transfer-count", 0, "transfers to create, over all clients")
	flags.IntVar(&b.workload.Batch, "transfer-batch-size", 0, "transfers in one request")
	flags.IntVar(&b.workload.Clients, "clients", 0, "clients, each with one request in flight")
	flags.StringVar((*string)(&b.workload.IDOrder), "id-order", "", "time-ordered, sequential, reversed or random")
	flags.StringVar((*string)(&b.workload.Phase), "phase", "", "single, pending or two-phase")
	flags.IntVar(&b.workload.UserData, "user-data-every", 0, "of how many transfers one has a user_data_64; 0 is none")
	flags.IntVar(&b.workload.Queries, "query-count", 0, "queries of each kind after the transfers")
	flags.Uint64Var(&b.workload.Seed, "seed", 0, "seed of accounts and amounts")
	b.caches.addTo(cmd)
	flags.StringVar(&b.directory, "directory", os.TempDir(), "where to put temporary files; choose the disk to measure")
	flags.BoolVar(&b.restart, "restart", false, "restart the server before the queries, so that it has nothing in memory")
	flags.BoolVar(&b.yardstick, "yardstick", false, "also do the least work that any ledger must do, to compare with")
	return cmd
}

// resolve returns the named workload with the changes that flags ask for.
func (b *benchmark) resolve(cmd *cobra.Command) (bench.Workload, error) {
	w, err := bench.FindWorkload(b.workload.Name)
	if err != nil {
		return w, err
	}
	for name, change := range map[string]func(){
		"account-count":       func() { w.Accounts = b.workload.Accounts },
		"transfer-count":      func() { w.Transfers = b.workload.Transfers },
		"transfer-batch-size": func() { w.Batch = b.workload.Batch },
		"clients":             func() { w.Clients = b.workload.Clients },
		"id-order":            func() { w.IDOrder = b.workload.IDOrder },
		"phase":               func() { w.Phase = b.workload.Phase },
		"user-data-every":     func() { w.UserData = b.workload.UserData },
		"query-count":         func() { w.Queries = b.workload.Queries },
		"seed":                func() { w.Seed = b.workload.Seed },
	} {
		if cmd.Flags().Changed(name) {
			change()
		}
	}
	return w, w.Validate()
}

// run measures, in a folder that is gone afterwards, and prints the report.
func (b *benchmark) run(cmd *cobra.Command, w bench.Workload) (err error) {
	folder, err := os.MkdirTemp(b.directory, "ledgerctl-benchmark-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()

	r := report{Workload: w}
	if cmd.Flags().Changed("addresses") {
		if b.restart {
			return command.Usagef("--restart is for a server of the benchmark's own: leave --addresses away")
		}
		err = b.measure(cmd, &r)
	} else {
		err = b.measureOwnServer(cmd, filepath.Join(folder, "benchmark.ledger"), &r)
	}
	if err != nil {
		return err
	}
	if b.yardstick {
		progress, done := b.progress(cmd, w, "yardstick")
		y, err := bench.MeasureYardstick(cmd.Context(), w, folder, progress)
		done()
		if err != nil {
			return err
		}
		r.setYardstick(y)
	}
	if b.tabular(cmd) {
		return r.writeTable(cmd.OutOrStdout())
	}
	return r.writeJSON(cmd.OutOrStdout())
}

// measureOwnServer measures a server that lives no longer than this call.
func (b *benchmark) measureOwnServer(cmd *cobra.Command, path string, r *report) error {
	if err := formatServer(path); err != nil {
		return err
	}
	server, err := startServer(path, b.caches)
	if err != nil {
		return err
	}
	b.addresses = server.address
	if b.restart {
		b.between = func(context.Context) error {
			b.readCost(server, r)
			if err := server.stop(); err != nil {
				return err
			}
			start := time.Now()
			if server, err = startServer(path, b.caches); err != nil {
				return err
			}
			r.RestartSeconds = time.Since(start).Seconds()
			b.addresses = server.address
			return nil
		}
	}
	if err := b.measure(cmd, r); err != nil {
		return errors.Join(err, server.stop())
	}
	b.readCost(server, r)
	if err := server.stop(); err != nil {
		return err
	}
	file, err := os.Stat(path)
	if err != nil {
		return err
	}
	r.setDataFile(file.Size())
	return nil
}

// readCost adds what a server has cost to the report, if the system tells.
func (b *benchmark) readCost(server *serverProcess, r *report) {
	if cost, err := bench.ReadProcess(server.pid()); err == nil {
		r.addServer(cost)
	}
}

// measure runs the workload of r against the server at b.addresses.
func (b *benchmark) measure(cmd *cobra.Command, r *report) error {
	progress, done := b.progress(cmd, r.Workload, "transfers")
	defer done()
	before, _ := bench.ReadProcess(os.Getpid())
	result, err := bench.Run(cmd.Context(), bench.Config{
		Workload: r.Workload,
		Connect:  func(ctx context.Context) (bench.Ledger, error) { return b.connect(ctx) },
		Progress: progress,
		Between:  b.between,
	})
	if err != nil {
		if errors.Is(err, client.ErrTooMuchData) {
			return fmt.Errorf("%w: try a smaller --transfer-batch-size", err)
		}
		return err
	}
	r.setResult(result)
	if after, err := bench.ReadProcess(os.Getpid()); err == nil {
		r.setDriver(after.CPU - before.CPU)
	}
	return nil
}

// progress returns a bench.Config.Progress that draws on a terminal, and a
// function that wipes the drawing.
func (b *benchmark) progress(cmd *cobra.Command, w bench.Workload, what string) (progress func(int), done func()) {
	if !command.IsTerminal(cmd.ErrOrStderr()) {
		return nil, func() {}
	}
	bar := newBar(cmd.ErrOrStderr(), w.Transfers, what)
	return func(transfers int) { bar.Add(transfers) }, func() { bar.Clear() } // only drawing can fail
}
