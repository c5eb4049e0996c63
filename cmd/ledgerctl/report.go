package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/ledgerd/ledgerd/bench"
	"github.com/ledgerd/ledgerd/internal/command"
)

// report is what a benchmark found, with units in the names. What could not be
// measured is left out.
type report struct {
	Workload           bench.Workload   `json:"workload"`
	ElapsedSeconds     float64          `json:"elapsed_seconds"`
	TransfersPerSecond float64          `json:"transfers_per_second"`
	Batches            percentiles      `json:"batch_milliseconds"`
	Queries            *percentiles     `json:"query_milliseconds,omitempty"`
	ServerResidentMax  int64            `json:"server_resident_max_bytes,omitempty"`
	ServerCPUSeconds   float64          `json:"server_cpu_seconds,omitempty"`
	DriverCPUSeconds   float64          `json:"driver_cpu_seconds,omitempty"`
	DataFileBytes      int64            `json:"data_file_bytes,omitempty"`
	Yardstick          *yardstickReport `json:"yardstick,omitempty"`
}

// percentiles are in milliseconds.
type percentiles struct {
	Count int64   `json:"count"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P99   float64 `json:"p99"`
	P100  float64 `json:"p100"`
}

type yardstickReport struct {
	TransfersPerSecond float64 `json:"transfers_per_second"`
	TableSeconds       float64 `json:"table_seconds"`
	DiskSeconds        float64 `json:"disk_seconds"`
	Direct             bool    `json:"direct_writes"`
	Share              float64 `json:"share"` // the server's speed by the yardstick's
}

func newPercentiles(l bench.Latencies) percentiles {
	milliseconds := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	return percentiles{l.Count, milliseconds(l.P50), milliseconds(l.P90), milliseconds(l.P99), milliseconds(l.P100)}
}

func (r *report) setResult(result bench.Result) {
	r.ElapsedSeconds = result.Elapsed.Seconds()
	r.TransfersPerSecond = float64(r.Workload.Transfers) / r.ElapsedSeconds
	r.Batches = newPercentiles(result.Batches)
	if result.Queries.Count != 0 {
		queries := newPercentiles(result.Queries)
		r.Queries = &queries
	}
}

func (r *report) setServer(cost bench.Process) {
	r.ServerResidentMax = cost.ResidentMax
	r.ServerCPUSeconds = cost.CPU.Seconds()
}

func (r *report) setDriver(cpu time.Duration) { r.DriverCPUSeconds = cpu.Seconds() }

func (r *report) setDataFile(bytes int64) { r.DataFileBytes = bytes }

func (r *report) setYardstick(y bench.Yardstick) {
	r.Yardstick = &yardstickReport{
		TransfersPerSecond: y.TransfersPerSecond(),
		TableSeconds:       y.Table.Seconds(),
		DiskSeconds:        y.Disk.Seconds(),
		Direct:             y.Direct,
		Share:              r.TransfersPerSecond / y.TransfersPerSecond(),
	}
}

func (r *report) writeJSON(w io.Writer) error { return json.NewEncoder(w).Encode(r) }

func (r *report) writeTable(w io.Writer) error {
	const megabyte = 1e6
	rows := [][]string{
		{"workload", r.Workload.Name},
		{"accounts", fmt.Sprint(r.Workload.Accounts)},
		{"transfers", fmt.Sprint(r.Workload.Transfers)},
		{"clients × batch", fmt.Sprintf("%d × %d", r.Workload.Clients, r.Workload.Batch)},
		{"ids, phase", fmt.Sprintf("%s, %s", r.Workload.IDOrder, r.Workload.Phase)},
		{"elapsed", fmt.Sprintf("%.2f s", r.ElapsedSeconds)},
		{"transfers a second", fmt.Sprintf("%.0f", r.TransfersPerSecond)},
		{"batch p50 p90 p99 p100", r.Batches.String()},
	}
	if r.Queries != nil {
		rows = append(rows, []string{"query p50 p90 p99 p100", r.Queries.String()})
	}
	if r.ServerResidentMax != 0 {
		rows = append(rows,
			[]string{"server memory, peak", fmt.Sprintf("%.0f MB", float64(r.ServerResidentMax)/megabyte)},
			[]string{"server processor time", fmt.Sprintf("%.2f s", r.ServerCPUSeconds)})
	}
	if r.DriverCPUSeconds != 0 {
		rows = append(rows, []string{"driver processor time", fmt.Sprintf("%.2f s", r.DriverCPUSeconds)})
	}
	if r.DataFileBytes != 0 {
		rows = append(rows, []string{"data file", fmt.Sprintf("%.0f MB", float64(r.DataFileBytes)/megabyte)})
	}
	if y := r.Yardstick; y != nil {
		writes := "direct writes"
		if !y.Direct {
			writes = "buffered writes"
		}
		rows = append(rows,
			[]string{"yardstick", fmt.Sprintf("%.0f a second: table %.2f s, %s %.2f s",
				y.TransfersPerSecond, y.TableSeconds, writes, y.DiskSeconds)},
			[]string{"share of the yardstick", fmt.Sprintf("%.0f %%", 100*y.Share)})
	}
	rows = append(rows, []string{"balances", "right"}) // a run that finds them wrong has no report
	return command.WriteTable(w, []string{"measure", "value"}, rows)
}

// String shows all but the count.
func (p *percentiles) String() string {
	return fmt.Sprintf("%.2f  %.2f  %.2f  %.2f ms", p.P50, p.P90, p.P99, p.P100)
}
