package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ledgerd/ledgerd/bench"
)

// sample returns a report of that speed and those latencies.
func sample(speed float64, p50 float64) *report {
	return &report{
		Date: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC), Commit: "0123456789ab",
		Workload:       bench.Workload{Name: "plain", Accounts: 10_000, Distribution: bench.DistributionHot, Transfers: 1_500_000, Batch: 100, Clients: 8, IDOrder: bench.IDRandom, Phase: bench.PhasePending},
		ElapsedSeconds: 1, TransfersPerSecond: speed, Batches: percentiles{P50: p50, P100: 10 * p50},
		ServerResidentMax: 64e6, DataFileBytes: 128e6, ServerWritten: 300e6,
	}
}

// TestSummarize has the median of each figure in another run.
func TestSummarize(t *testing.T) {
	runs := []*report{sample(300, 1), sample(100, 5), sample(200, 9), sample(500, 3), sample(400, 7)}
	got := summarize(runs)
	if got != runs[0] {
		t.Errorf("the run of median speed is that of %v", got.TransfersPerSecond)
	}
	for measure, want := range map[string][3]float64{
		"transfers a second": {100, 300, 500}, "batch p50": {1, 5, 9}, "batch p100": {10, 50, 90},
		"written a transfer": {200, 200, 200}, "server memory, peak": {64, 64, 64},
	} {
		found := false
		for _, s := range got.Spread {
			if s.Measure == measure {
				found = true
				if [3]float64{s.Minimum, s.Median, s.Maximum} != want || len(s.Runs) != 5 {
					t.Errorf("%s: %+v, want %v", measure, s, want)
				}
			}
		}
		if !found {
			t.Errorf("no %s", measure)
		}
	}
	if one := summarize(runs[2:3]); one != runs[2] || one.Spread != nil {
		t.Errorf("of one run, %+v", one)
	}
	if two := summarize([]*report{sample(2, 1), sample(1, 1)}); two.TransfersPerSecond != 1 {
		t.Errorf("of two runs, that of %v", two.TransfersPerSecond)
	}
}

func TestCompare(t *testing.T) {
	a, b := sample(200, 8), summarize([]*report{sample(400, 2), sample(300, 6), sample(500, 4)})
	a.Yardstick = &yardstickReport{TransfersPerSecond: 1000, Share: 0.2} // b has none
	a.Batches.P90 = 0
	want := map[string]float64{"transfers a second": 2, "batch p50": 0.5, "data file": 1}
	for _, c := range compare(a, b) {
		if ratio, ok := want[c.Measure]; ok && (c.Ratio == nil || *c.Ratio != ratio) {
			t.Errorf("%s: %+v, want a ratio of %v", c.Measure, c, ratio)
		}
		if c.Measure == "batch p90" && c.Ratio != nil {
			t.Errorf("a ratio to nothing: %v", *c.Ratio)
		}
		if strings.Contains(c.Measure, "yardstick") {
			t.Errorf("compares %s with nothing", c.Measure)
		}
		delete(want, c.Measure)
	}
	if len(want) != 0 {
		t.Errorf("does not compare %v", want)
	}
	var table strings.Builder
	b.Workload.Seed++
	if err := writeComparison(&table, a, b); err != nil {
		t.Fatal(err)
	}
	cells := strings.Join(strings.Fields(table.String()), " ")
	for _, row := range []string{"│ plain │ plain │ differs │", "│ 8.00 ms │ 4.00 ms │ 0.50 │", "│ 2026-03-04 │"} {
		if !strings.Contains(cells, row) {
			t.Errorf("no %q in\n%s", row, table.String())
		}
	}
}

func TestReadReport(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.json")
	for text, want := range map[string]string{"{}": "it names no workload", "x": "invalid character"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readReport(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v, want %q", text, err, want)
		}
	}
	if name := sample(1, 1).fileName(); name != "2026-03-04-050607-plain-0123456789ab.json" {
		t.Errorf("kept as %s", name)
	}
}

// TestPlot reads the drawing back: where the marks are, and how high.
func TestPlot(t *testing.T) {
	r := sample(2000, 1)
	r.Workload.Rate = 2500
	r.Timeline = &timelineReport{SliceSeconds: 0.1, Transfers: []int{400, 0, 200, 100}, Slowest: []float64{10, 0, 40, 20}}
	svg := string(drawPlot(r))
	for _, want := range []string{
		">plain: 1.5M transfers, 10k accounts (hot), 8 clients × 100, random ids, pending, 2500 a second due<",
		">2000 a second; batch p50 1.00 ms, p99 0 ms, p100 10.0 ms; 2026-03-04, commit 0123456789ab<",
		">transfers a second<", ">slowest batch, ms<", ">seconds since the clock started<", ">mean<", ">half<", ">4000<", ">0.35<",
		`points="192.5,75.0 417.5,275.0 642.5,175.0 "`, // the last slice is not whole
		`M80.0 545.0V495.0H305.0V545.0z`, `M530.0 545.0V345.0H755.0V545.0z`, `M755.0 545.0V445.0H980.0V545.0z`,
		`M80 175.0H980" stroke="#333" stroke-dasharray`, `M80 225.0H980" stroke="#333" stroke-dasharray`,
	} {
		if !strings.Contains(svg, want) {
			t.Errorf("no %s in\n%s", want, svg)
		}
	}
	for _, transfers := range [][]int{nil, {0}, {7}, {7, 7}} {
		r.Timeline = &timelineReport{SliceSeconds: 0.1, Transfers: transfers, Slowest: make([]float64, len(transfers))}
		svg, decoder := string(drawPlot(r)), xml.NewDecoder(strings.NewReader(string(drawPlot(r))))
		var err error
		for err == nil {
			_, err = decoder.Token()
		}
		if !errors.Is(err, io.EOF) || strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
			t.Errorf("%v of %v transfers: %s", err, transfers, svg)
		}
	}
}

func TestTick(t *testing.T) {
	for _, test := range []struct{ most, want float64 }{{0, 1}, {5, 1}, {5.1, 2}, {10, 2}, {11, 5}, {26, 10}, {0.3, 0.1}, {1e6, 2e5}} {
		if got := tick(test.most, 5); got < test.want*0.999 || got > test.want*1.001 {
			t.Errorf("up to %v: %v, want %v", test.most, got, test.want)
		}
	}
}

func TestNumber(t *testing.T) {
	for want, test := range map[string]struct {
		value float64
		unit  string
	}{"0": {0, ""}, "0.12 ms": {0.123, "ms"}, "12.3 s": {12.34, "s"}, "812345": {812345.4, ""}} {
		if got := number(test.value, test.unit); got != want {
			t.Errorf("%v is %q, want %q", test.value, got, want)
		}
	}
}

// TestSpeedAt is of a run of four million, whose second half was half as fast.
func TestSpeedAt(t *testing.T) {
	r := report{Timeline: &timelineReport{SliceSeconds: 0.1}}
	r.Workload.Transfers = 4_000_000
	for range 20 {
		r.Timeline.Transfers = append(r.Timeline.Transfers, 100_000)
	}
	for range 40 {
		r.Timeline.Transfers = append(r.Timeline.Transfers, 50_000)
	}
	for size, want := range map[int]string{1_000_000: "1000000", 4_000_000: "500000", 10_000_000: ""} {
		if got := r.speedAt(size); got != want {
			t.Errorf("at %d %q, want %q", size, got, want)
		}
	}
}
