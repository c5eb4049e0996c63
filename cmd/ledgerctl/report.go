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
	Timeline           *timelineReport  `json:"timeline,omitempty"`
	Queries            []queryReport    `json:"queries,omitempty"`
	RestartSeconds     float64          `json:"restart_seconds,omitempty"`
	ServerResidentMax  int64            `json:"server_resident_max_bytes,omitempty"`
	ServerCPUSeconds   float64          `json:"server_cpu_seconds,omitempty"`
	DriverCPUSeconds   float64          `json:"driver_cpu_seconds,omitempty"`
	DataFileBytes      int64            `json:"data_file_bytes,omitempty"`
	Yardstick          *yardstickReport `json:"yardstick,omitempty"`
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
	return percentiles{l.Count, milliseconds(l.P50), milliseconds(l.P90), milliseconds(l.P99), milliseconds(l.P100)}
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

// addServer takes note of what one process of the server has cost.
func (r *report) addServer(cost bench.Process) {
	r.ServerResidentMax = max(r.ServerResidentMax, cost.ResidentMax)
	r.ServerCPUSeconds += cost.CPU.Seconds()
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
	if t := r.Timeline; t != nil {
		rows = append(rows, []string{"first tenth, last, worst 0.1 s", fmt.Sprintf("%.0f  %.0f  %.0f", t.FirstTenth, t.LastTenth, t.Lowest)})
	}
	if r.RestartSeconds != 0 {
		rows = append(rows, []string{"restart", fmt.Sprintf("%.2f s", r.RestartSeconds)})
	}
	for _, query := range r.Queries {
		rows = append(rows, []string{query.Question, query.Latency.String()})
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
