package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ledgerd/ledgerd/bench"
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
	runs      int
	plot      string
	profile   string
	output    string
	compare   bool
	list      bool
}

func newBenchmark(c *common) *cobra.Command {
	b := &benchmark{common: c}
	var names []string
	for _, w := range bench.Workloads() {
		names = append(names, w.Name)
	}
	cmd := &cobra.Command{
		Use:   "benchmark [--compare A.json B.json | --list RESULT.json...]",
		Short: "Measure how fast a server is",
		Long: `Send a workload to a server, report speed, latencies and what the server cost,
and check that all balances are right. Or compare two results of the
past, or list any number of them as a table in Markdown.

Without --addresses the server is started for the purpose, each replica as a
process of its own with a data file in a temporary folder, all gone afterwards. The
flags of counts, sizes and orders change what the named workload says:
  ` + strings.Join(names, ", ") + `

Processor time and bytes written are those of the transfers that count, over all
replicas; memory is the peak of a process, and the data file is the first
replica's. Of several runs, each with a
server of its own, the medians are shown with minimum and maximum.`,
		Example: `  ledgerctl benchmark
  ledgerctl benchmark --workload=single-32 --yardstick
  ledgerctl benchmark --transfer-count=1000000 --clients=4 --id-order=random
  ledgerctl benchmark --account-distribution=zipfian --phase=linked --warm-up=500000
  ledgerctl benchmark --rate=200000 --clients=8 --transfer-batch-size=100 --plot=even.svg
  ledgerctl benchmark --runs=5 --yardstick --output=bench/results
  ledgerctl benchmark --query-count=0 --profile=server.pprof
  ledgerctl benchmark --compare before.json after.json
  ledgerctl benchmark --list bench/results/*.json
  ledgerctl benchmark --addresses=3000 --transfer-count=100000`,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case b.compare:
				return b.runCompare(cmd, args)
			case b.list:
				return b.runList(cmd, args)
			}
			w, err := b.resolve(cmd, args)
			if err != nil {
				return command.Usagef("%w", err)
			}
			return b.run(cmd, w)
		},
	}
	b.addFlags(cmd, names[0])
	return cmd
}

func (b *benchmark) addFlags(cmd *cobra.Command, first string) {
	flags := cmd.Flags()
	flags.StringVar(&b.workload.Name, "workload", first, "named workload to begin with")
	flags.IntVar(&b.workload.Accounts, "account-count", 0, "accounts to create")
	flags.StringVar((*string)(&b.workload.Distribution), "account-distribution", "", "uniform, zipfian, or hot: one is debited by every transfer")
	flags.IntVar(&b.workload.WarmUp, "warm-up", 0, "transfers before the clock starts, over all clients")
	flags.IntVar(&b.workload.Expiring, "expiring", 0, "reservations made before the clock starts, which all expire within a second while it runs")
	flags.IntVar(&b.workload.Transfers, "transfer-count", 0, "transfers to create, over all clients")
	flags.IntVar(&b.workload.Batch, "transfer-batch-size", 0, "transfers in one request")
	flags.IntVar(&b.workload.Clients, "clients", 0, "clients, each with one request in flight")
	flags.IntVar(&b.workload.Rate, "rate", 0, "transfers a second that fall due, answered or not; latencies count from then. 0 is as many as are answered")
	flags.StringVar((*string)(&b.workload.IDOrder), "id-order", "", "time-ordered, sequential, reversed or random")
	flags.StringVar((*string)(&b.workload.Phase), "phase", "", "single, pending, two-phase, or linked: in chains of four")
	flags.IntVar(&b.workload.UserData, "user-data-every", 0, "of how many transfers one has a user_data_64; 0 is none")
	flags.IntVar(&b.workload.Queries, "query-count", 0, "queries of each kind after the transfers")
	flags.Uint64Var(&b.workload.Seed, "seed", 0, "seed of accounts and amounts")
	flags.IntVar(&b.workload.Replicas, "replica-count", 0, "replicas of the benchmark's own server, each a process on this machine")
	flags.IntVar(&b.workload.ReplicasDown, "replicas-down", 0, "how many of these are never started: the cluster does without")
	b.caches.addTo(cmd)
	flags.StringVar(&b.directory, "directory", os.TempDir(), "where to put temporary files; choose the disk to measure")
	flags.BoolVar(&b.restart, "restart", false, "restart the server before the queries, so that it has nothing in memory")
	flags.BoolVar(&b.yardstick, "yardstick", false, "also do the least work that any ledger must do, to compare with")
	flags.IntVar(&b.runs, "runs", 1, "how often to measure, each time with a server of its own")
	flags.StringVar(&b.plot, "plot", "", "file to draw throughput and latency over time into, as SVG")
	flags.StringVar(&b.profile, "profile", "", "file for a profile of the (first) server's processor time; the report then divides it between stages")
	flags.StringVar(&b.output, "output", "", "folder to keep the result in, as DATE-WORKLOAD-COMMIT.json")
	flags.BoolVar(&b.compare, "compare", false, "compare two results, and measure nothing")
	flags.BoolVar(&b.list, "list", false, "list results, and measure nothing")
	cmd.MarkFlagsMutuallyExclusive("compare", "list")
}

// resolve returns the named workload with the changes that flags ask for, or
// what is wrong with the flags.
func (b *benchmark) resolve(cmd *cobra.Command, args []string) (bench.Workload, error) {
	w, err := bench.FindWorkload(b.workload.Name)
	if err != nil {
		return w, err
	}
	for name, change := range map[string]func(){
		"account-count":        func() { w.Accounts = b.workload.Accounts },
		"account-distribution": func() { w.Distribution = b.workload.Distribution },
		"expiring":             func() { w.Expiring = b.workload.Expiring },
		"warm-up":              func() { w.WarmUp = b.workload.WarmUp },
		"transfer-count":       func() { w.Transfers = b.workload.Transfers },
		"transfer-batch-size":  func() { w.Batch = b.workload.Batch },
		"clients":              func() { w.Clients = b.workload.Clients },
		"rate":                 func() { w.Rate = b.workload.Rate },
		"id-order":             func() { w.IDOrder = b.workload.IDOrder },
		"phase":                func() { w.Phase = b.workload.Phase },
		"user-data-every":      func() { w.UserData = b.workload.UserData },
		"query-count":          func() { w.Queries = b.workload.Queries },
		"seed":                 func() { w.Seed = b.workload.Seed },
		"replica-count":        func() { w.Replicas = b.workload.Replicas },
		"replicas-down":        func() { w.ReplicasDown = b.workload.ReplicasDown },
	} {
		if cmd.Flags().Changed(name) {
			change()
		}
	}
	given := cmd.Flags().Changed("addresses")
	switch {
	case len(args) != 0:
		return w, fmt.Errorf("%q is of no use without --compare or --list", args[0])
	case b.runs < 1:
		return w, fmt.Errorf("--runs: %d is less than 1", b.runs)
	case given && b.runs > 1:
		return w, errors.New("--runs is for servers of the benchmark's own: leave --addresses away")
	case given && b.restart:
		return w, errors.New("--restart is for a server of the benchmark's own: leave --addresses away")
	case b.profile != "" && (given || b.restart || b.runs > 1 || w.Transfers == 0):
		return w, errors.New("--profile is for one run with transfers, of a server of the benchmark's own that is not restarted")
	case b.yardstick && w.Transfers == 0:
		return w, errors.New("--yardstick needs transfers")
	}
	return w, w.Validate()
}

// run measures as often as asked, prints the report, and keeps it.
func (b *benchmark) run(cmd *cobra.Command, w bench.Workload) error {
	if b.output != "" {
		if err := os.MkdirAll(b.output, 0o755); err != nil {
			return err
		}
	}
	if b.plot != "" { // a long run should not fail at its end
		if _, err := os.Stat(filepath.Dir(b.plot)); err != nil {
			return err
		}
	}
	var runs []*report
	for n := range b.runs {
		label := ""
		if b.runs > 1 {
			label = fmt.Sprintf("run %d of %d: ", n+1, b.runs)
		}
		r, err := b.measure(cmd, w, label)
		if err != nil {
			return err
		}
		runs = append(runs, r)
	}
	r := summarize(runs)
	if b.output != "" {
		if err := r.keep(b.output); err != nil {
			return err
		}
	}
	if b.plot != "" {
		if err := os.WriteFile(b.plot, drawPlot(r), 0o644); err != nil {
			return err
		}
	}
	if b.tabular(cmd) {
		return r.writeTable(cmd.OutOrStdout())
	}
	return r.writeJSON(cmd.OutOrStdout())
}

// runCompare compares two files.
func (b *benchmark) runCompare(cmd *cobra.Command, args []string) error {
	if len(args) != 2 {
		return command.Usagef("--compare needs two files, not %d", len(args))
	}
	before, err := readReport(args[0])
	if err != nil {
		return err
	}
	after, err := readReport(args[1])
	if err != nil {
		return err
	}
	if b.tabular(cmd) {
		return writeComparison(cmd.OutOrStdout(), before, after)
	}
	return writeComparisonJSON(cmd.OutOrStdout(), before, after)
}
