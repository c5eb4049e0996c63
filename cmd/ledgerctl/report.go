package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/ledgerd/ledgerd/bench"
	"github.com/ledgerd/ledgerd/internal/command"
)

// report is what a benchmark found, with units in the names. What could not be
// measured is left out. Of several runs it is the one whose speed is the median,
// and Spread tells of the others.
type report struct {
	Date               time.Time        `json:"date"`
	Commit             string           `json:"commit,omitempty"`
	Workload           bench.Workload   `json:"workload"`
	CacheGrid          int64            `json:"cache_grid_bytes,omitempty"` // of the benchmark's own server; 0 is its default
	CacheAccounts      int64            `json:"cache_accounts_bytes,omitempty"`
	ElapsedSeconds     float64          `json:"elapsed_seconds"`
	TransfersPerSecond float64          `json:"transfers_per_second"`
	Batches            percentiles      `json:"batch_milliseconds"`
	Timeline           *timelineReport  `json:"timeline,omitempty"`
	Queries            []queryReport    `json:"queries,omitempty"`
	RestartSeconds     float64          `json:"restart_seconds,omitempty"`
	ServerResidentMax  int64            `json:"server_resident_max_bytes,omitempty"` // of the whole run
	ServerCPUSeconds   float64          `json:"server_cpu_seconds,omitempty"`        // this and the rest: of the transfers
	ServerWritten      int64            `json:"server_written_bytes,omitempty"`
	DriverCPUSeconds   float64          `json:"driver_cpu_seconds,omitempty"`
	DataFileBytes      int64            `json:"data_file_bytes,omitempty"`
	Stages             []stageReport    `json:"server_stages,omitempty"` // of its processor time
	Yardstick          *yardstickReport `json:"yardstick,omitempty"`
	Spread             []spread         `json:"spread,omitempty"`
}

// timelineReport tells how even the speed was.
type timelineReport struct {
	FirstTenth   float64   `json:"first_tenth_transfers_per_second"`
	LastTenth    float64   `json:"last_tenth_transfers_per_second"`
	Lowest       float64   `json:"lowest_slice_transfers_per_second"`
	SliceSeconds float64   `json:"slice_seconds"`
	Transfers    []int     `json:"transfers"`            // of each slice
	Slowest      []float64 `json:"slowest_milliseconds"` // batch of each slice
}

type queryReport struct {
	Question string      `json:"question"`
	Latency  percentiles `json:"milliseconds"`
}

// percentiles are in milliseconds.
type percentiles struct {
	Count int64   `json:"count"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P99   float64 `json:"p99"`
	P999  float64 `json:"p999"`
	P9999 float64 `json:"p9999"`
	P100  float64 `json:"p100"`
}

type yardstickReport struct {
	TransfersPerSecond float64 `json:"transfers_per_second"`
	TableSeconds       float64 `json:"table_seconds"`
	DiskSeconds        float64 `json:"disk_seconds"`
	Direct             bool    `json:"direct_writes"`
	Share              float64 `json:"share"` // the server's speed by the yardstick's
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func newPercentiles(l bench.Latencies) percentiles {
	return percentiles{
		l.Count, milliseconds(l.P50), milliseconds(l.P90), milliseconds(l.P99),
		milliseconds(l.P999), milliseconds(l.P9999), milliseconds(l.P100),
	}
}

func (r *report) setResult(result bench.Result) {
	r.ElapsedSeconds = result.Elapsed.Seconds()
	r.TransfersPerSecond = float64(r.Workload.Transfers) / r.ElapsedSeconds
	r.Batches = newPercentiles(result.Batches)
	r.setTimeline(result.Timeline)
	for question, latencies := range result.Queries {
		if latencies.Count != 0 {
			r.Queries = append(r.Queries, queryReport{bench.Question(question).String(), newPercentiles(latencies)})
		}
	}
}

func (r *report) setTimeline(t bench.Timeline) {
	x := &timelineReport{
		FirstTenth: t.Rate(0, 0.1), LastTenth: t.Rate(0.9, 1), Lowest: t.Lowest(),
		SliceSeconds: bench.TimelineSlice.Seconds(),
	}
	for _, slice := range t {
		x.Transfers = append(x.Transfers, slice.Transfers)
		x.Slowest = append(x.Slowest, milliseconds(slice.Slowest))
	}
	r.Timeline = x
}

// addResident takes note of the memory that one process of the server has had.
func (r *report) addResident(bytes int64) { r.ServerResidentMax = max(r.ServerResidentMax, bytes) }

func (r *report) setYardstick(y bench.Yardstick) {
	r.Yardstick = &yardstickReport{
		TransfersPerSecond: y.TransfersPerSecond(),
		TableSeconds:       y.Table.Seconds(),
		DiskSeconds:        y.Disk.Seconds(),
		Direct:             y.Direct,
		Share:              r.TransfersPerSecond / y.TransfersPerSecond(),
	}
}

// A figure is one number of a report, as tables show it.
type figure struct {
	Measure string  `json:"measure"`
	Unit    string  `json:"unit,omitempty"`
	Value   float64 `json:"value"`
}

// figures returns the numbers of the report's own run, in the order of tables.
func (r *report) figures() []figure {
	const megabyte = 1e6
	all := []figure{
		{"elapsed", "s", r.ElapsedSeconds},
		{"transfers a second", "", r.TransfersPerSecond},
		{"batch p50", "ms", r.Batches.P50},
		{"batch p90", "ms", r.Batches.P90},
		{"batch p99", "ms", r.Batches.P99},
		{"batch p99.9", "ms", r.Batches.P999},
		{"batch p99.99", "ms", r.Batches.P9999},
		{"batch p100", "ms", r.Batches.P100},
	}
	if t := r.Timeline; t != nil {
		all = append(all,
			figure{"first tenth, a second", "", t.FirstTenth},
			figure{"last tenth, a second", "", t.LastTenth},
			figure{"worst 0.1 s, a second", "", t.Lowest})
	}
	if r.RestartSeconds != 0 {
		all = append(all, figure{"restart", "s", r.RestartSeconds})
	}
	for _, query := range r.Queries {
		all = append(all,
			figure{query.Question + " p50", "ms", query.Latency.P50},
			figure{query.Question + " p99", "ms", query.Latency.P99},
			figure{query.Question + " p100", "ms", query.Latency.P100})
	}
	if r.ServerResidentMax != 0 {
		all = append(all,
			figure{"server memory, peak", "MB", float64(r.ServerResidentMax) / megabyte},
			figure{"server processor time", "s", r.ServerCPUSeconds})
	}
	for _, stage := range r.Stages {
		all = append(all, figure{"server, " + stage.Stage, "ns", stage.Nanoseconds})
	}
	if r.ServerWritten != 0 {
		all = append(all, figure{"server wrote", "MB", float64(r.ServerWritten) / megabyte})
	}
	if r.ServerWritten != 0 && r.Workload.Transfers != 0 {
		all = append(all, figure{"written a transfer", "B", float64(r.ServerWritten) / float64(r.Workload.Transfers)})
	}
	if r.DriverCPUSeconds != 0 {
		all = append(all, figure{"driver processor time", "s", r.DriverCPUSeconds})
	}
	if r.DataFileBytes != 0 {
		all = append(all, figure{"data file", "MB", float64(r.DataFileBytes) / megabyte})
	}
	if y := r.Yardstick; y != nil {
		all = append(all,
			figure{"yardstick, a second", "", y.TransfersPerSecond},
			figure{"share of the yardstick", "%", 100 * y.Share})
	}
	return all
}

func (r *report) writeJSON(w io.Writer) error { return json.NewEncoder(w).Encode(r) }

func (r *report) writeTable(w io.Writer) error {
	load := "as fast as answered"
	if r.Workload.Rate != 0 {
		load = fmt.Sprintf("%d transfers a second fall due", r.Workload.Rate)
	}
	rows := [][]string{
		{"workload", r.Workload.Name},
		{"accounts", fmt.Sprintf("%d, %s", r.Workload.Accounts, r.Workload.Distribution)},
		{"transfers, warm-up", fmt.Sprintf("%d, %d", r.Workload.Transfers, r.Workload.WarmUp)},
		{"clients × batch", fmt.Sprintf("%d × %d", r.Workload.Clients, r.Workload.Batch)},
		{"load", load},
		{"replicas", fmt.Sprintf("%d, %d of them down", r.Workload.Replicas, r.Workload.ReplicasDown)},
		{"ids, phase", fmt.Sprintf("%s, %s", r.Workload.IDOrder, r.Workload.Phase)},
	}
	if r.CacheGrid != 0 || r.CacheAccounts != 0 {
		rows = append(rows, []string{"caches of grid, accounts", fmt.Sprintf("%s, %s", cacheSize(r.CacheGrid), cacheSize(r.CacheAccounts))})
	}
	header := []string{"measure", "value"}
	if r.Spread != nil {
		header = []string{"measure", "median", "minimum", "maximum"}
		rows = append(rows, []string{"runs", fmt.Sprint(len(r.Spread[0].Runs))})
		for _, s := range r.Spread {
			rows = append(rows, []string{s.Measure, number(s.Median, s.Unit), number(s.Minimum, s.Unit), number(s.Maximum, s.Unit)})
		}
	} else {
		for _, f := range r.figures() {
			rows = append(rows, []string{f.Measure, number(f.Value, f.Unit)})
		}
	}
	if y := r.Yardstick; y != nil && !y.Direct {
		rows = append(rows, []string{"yardstick's writes", "buffered: the file system takes no direct ones"})
	}
	rows = append(rows, []string{"balances", "right"}) // a run that finds them wrong has no report
	for i := range rows {
		rows[i] = append(rows[i], make([]string, len(header)-len(rows[i]))...)
	}
	return command.WriteTable(w, header, rows)
}

// cacheSize names the size of a cache as it is given in a flag.
func cacheSize(bytes int64) string {
	if bytes == 0 {
		return "default"
	}
	size := command.Size(bytes)
	return size.String()
}

// number returns a value with its unit and three digits or more.
func number(value float64, unit string) string {
	digits := 0
	switch {
	case value == 0:
	case value < 10:
		digits = 2
	case value < 100:
		digits = 1
	}
	text := strconv.FormatFloat(value, 'f', digits, 64)
	if unit != "" {
		text += " " + unit
	}
	return text
}
