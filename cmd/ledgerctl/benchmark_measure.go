package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/ledgerd/ledgerd/bench"
	"github.com/ledgerd/ledgerd/client"
	"github.com/ledgerd/ledgerd/internal/command"
)

// measurement is one run of a benchmark.
type measurement struct {
	*benchmark
	cmd    *cobra.Command
	label  string // before what is said of progress
	folder string // of temporary files
	report *report
	server *benchmarkCluster // nil unless of the benchmark's own

	driverBegan, serverBegan bench.Process // what they had cost when the clock started
}

// measure runs the workload once, in a folder that is gone afterwards.
func (b *benchmark) measure(cmd *cobra.Command, w bench.Workload, label string) (r *report, err error) {
	folder, err := os.MkdirTemp(b.directory, "ledgerctl-benchmark-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()

	r = &report{Date: time.Now().UTC().Truncate(time.Second), Commit: commit(), Workload: w,
		CacheGrid: int64(b.caches.grid), CacheAccounts: int64(b.caches.accounts)}
	m := &measurement{benchmark: b, cmd: cmd, label: label, folder: folder, report: r}
	if cmd.Flags().Changed("addresses") {
		err = m.measureServer(nil)
	} else {
		err = m.measureOwnServer()
	}
	if err != nil {
		return nil, err
	}
	if b.yardstick {
		progress, done := b.progress(cmd, w.Transfers, label+"yardstick")
		y, err := bench.MeasureYardstick(cmd.Context(), w, folder, progress)
		done()
		if err != nil {
			return nil, err
		}
		r.setYardstick(y)
	}
	return r, nil
}

// measureOwnServer measures a server that lives no longer than this call.
func (m *measurement) measureOwnServer() (err error) {
	if m.server, err = newBenchmarkCluster(m.folder, m.report.Workload.Replicas); err != nil {
		return err
	}
	m.addresses = m.server.addresses
	if err := m.startServer(); err != nil {
		return err
	}
	var between func(context.Context) error
	if m.restart {
		between = m.restartServer
	}
	err = errors.Join(m.measureServer(between), m.stopServer())
	if err == nil && m.profile != "" {
		m.report.Stages, err = readStages(m.profile, m.report.Workload.Transfers)
	}
	return err
}

func (m *measurement) startServer() error {
	w := &m.report.Workload
	return m.server.start(w.Replicas-w.ReplicasDown, m.caches, m.profile)
}

// stopServer stops the server, and before takes note of the memory it had.
func (m *measurement) stopServer() error {
	if cost, err := m.server.cost(); err == nil {
		m.report.addResident(cost.ResidentMax)
	}
	return m.server.stop()
}

// restartServer is a bench.Config.Between.
func (m *measurement) restartServer(context.Context) error {
	if err := m.stopServer(); err != nil {
		return err
	}
	start := time.Now()
	if err := m.startServer(); err != nil {
		return err
	}
	m.report.RestartSeconds = time.Since(start).Seconds()
	return nil
}

// measureServer runs the workload against the server at the addresses.
func (m *measurement) measureServer(between func(context.Context) error) error {
	w := m.report.Workload
	progress, done := m.progress(m.cmd, w.WarmUp+w.Transfers, m.label+"transfers")
	defer done()
	result, err := bench.Run(m.cmd.Context(), bench.Config{
		Workload: w,
		Connect:  func(ctx context.Context) (bench.Ledger, error) { return m.connect(ctx) },
		Progress: progress,
		Began:    m.began,
		Ended:    m.ended,
		Between:  between,
	})
	if err != nil {
		if errors.Is(err, client.ErrTooMuchData) {
			return fmt.Errorf("%w: try a smaller --transfer-batch-size", err)
		}
		return err
	}
	m.report.setResult(result)
	return nil
}

// began and ended are those of bench.Config: between them lie the transfers
// that count. Where the system does not tell what processes cost, the report
// does not either.
func (m *measurement) began() {
	m.driverBegan, _ = bench.ReadProcess(os.Getpid())
	if m.server != nil {
		m.serverBegan, _ = m.server.cost()
	}
	m.markProfile()
}

// markProfile begins or ends the server's profile. A server that is gone is noticed
// by the next request.
func (m *measurement) markProfile() {
	if m.profile != "" {
		_ = m.server.mark()
	}
}

func (m *measurement) ended() {
	defer m.markProfile()
	if driver, err := bench.ReadProcess(os.Getpid()); err == nil {
		m.report.DriverCPUSeconds = driver.Since(m.driverBegan).CPU.Seconds()
	}
	if m.server == nil {
		return
	}
	if server, err := m.server.cost(); err == nil {
		cost := server.Since(m.serverBegan)
		m.report.ServerCPUSeconds = cost.CPU.Seconds()
		m.report.ServerWritten = cost.Written
	}
	if file, err := os.Stat(m.server.paths[0]); err == nil {
		m.report.DataFileBytes = file.Size()
	}
}

// progress returns a bench.Config.Progress that draws on a terminal, and a
// function that wipes the drawing.
func (b *benchmark) progress(cmd *cobra.Command, transfers int, what string) (progress func(int), done func()) {
	if !command.IsTerminal(cmd.ErrOrStderr()) {
		return nil, func() {}
	}
	bar := newBar(cmd.ErrOrStderr(), transfers, what)
	return func(transfers int) { bar.Add(transfers) }, func() { bar.Clear() } // only drawing can fail
}
