package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ledgerd/ledgerd/bench"
)

// listSizes are the sizes of a ledger at which its speed is listed.
var listSizes = []int{1_000_000, 10_000_000, 100_000_000}

// runList prints the results in the files as a table in Markdown.
func (b *benchmark) runList(cmd *cobra.Command, paths []string) error {
	var reports []*report
	for _, path := range paths {
		r, err := readReport(path)
		if err != nil {
			return err
		}
		reports = append(reports, r)
	}
	return writeList(cmd.OutOrStdout(), reports)
}

// writeList writes a line for each report: of several runs, medians, with the least
// and the most of the speed.
func writeList(w io.Writer, reports []*report) error {
	header := []string{"workload", "accounts", "transfers", "a second", "of the yardstick",
		"batch p50 / p99 / p100, ms", "memory", "file"}
	for _, size := range listSizes {
		header = append(header, "at "+short(float64(size)))
	}
	lines := [][]string{header, strings.Fields("--- " + strings.Repeat("---: ", len(header)-1))}
	for _, r := range reports {
		lines = append(lines, r.listed())
	}
	for _, line := range lines {
		if _, err := fmt.Fprintf(w, "| %s |\n", strings.Join(line, " | ")); err != nil {
			return err
		}
	}
	return nil
}

// listed returns the cells of a report. What was not measured is empty.
func (r *report) listed() []string {
	medians := r.medians()
	cell := func(measure, unit string) string {
		if value, ok := find(medians, measure); ok {
			return number(value, unit)
		}
		return ""
	}
	speed := cell("transfers a second", "")
	for _, s := range r.Spread {
		if s.Measure == "transfers a second" {
			speed += fmt.Sprintf(" (%s – %s)", number(s.Minimum, s.Unit), number(s.Maximum, s.Unit))
		}
	}
	accounts := short(float64(r.Workload.Accounts))
	if r.CacheAccounts != 0 {
		accounts += fmt.Sprintf(" (cache %s)", cacheSize(r.CacheAccounts))
	}
	cells := []string{
		r.Workload.Name, accounts, short(float64(r.Workload.Transfers)), speed, cell("share of the yardstick", "%"),
		cell("batch p50", "") + " / " + cell("batch p99", "") + " / " + cell("batch p100", ""),
		cell("server memory, peak", "MB"), cell("data file", "MB"),
	}
	for _, size := range listSizes {
		cells = append(cells, r.speedAt(size))
	}
	return cells
}

// speedAt returns the speed over the second half of the first so many transfers, or
// nothing if the run had fewer.
func (r *report) speedAt(size int) string {
	if r.Timeline == nil || size > r.Workload.Transfers {
		return ""
	}
	var t bench.Timeline
	for _, transfers := range r.Timeline.Transfers {
		t = append(t, bench.Slice{Transfers: transfers})
	}
	share := float64(size) / float64(r.Workload.Transfers)
	return number(t.Rate(share/2, share), "")
}
