package main

import (
	"encoding/json"
	"io"
	"strconv"

	"github.com/ledgerd/ledgerd/internal/command"
)

// comparison is one figure of two reports. What one of them lacks is left out.
type comparison struct {
	Measure string   `json:"measure"`
	Unit    string   `json:"unit,omitempty"`
	A       float64  `json:"a"`
	B       float64  `json:"b"`
	Ratio   *float64 `json:"b_by_a,omitempty"` // none where A is 0
}

func compare(a, b *report) []comparison {
	var all []comparison
	others := b.medians()
	for _, f := range a.medians() {
		value, ok := find(others, f.Measure)
		if !ok {
			continue
		}
		c := comparison{Measure: f.Measure, Unit: f.Unit, A: f.Value, B: value}
		if f.Value != 0 {
			ratio := value / f.Value
			c.Ratio = &ratio
		}
		all = append(all, c)
	}
	return all
}

// writeComparison compares two reports in a table, under what they differ in.
func writeComparison(w io.Writer, a, b *report) error {
	rows := [][]string{
		{"date", a.Date.Format("2006-01-02"), b.Date.Format("2006-01-02"), ""},
		{"commit", a.Commit, b.Commit, ""},
		{"workload", a.Workload.Name, b.Workload.Name, ""},
	}
	if a.Workload != b.Workload {
		rows[2][3] = "differs"
	}
	for _, c := range compare(a, b) {
		ratio := ""
		if c.Ratio != nil {
			ratio = strconv.FormatFloat(*c.Ratio, 'f', 2, 64)
		}
		rows = append(rows, []string{c.Measure, number(c.A, c.Unit), number(c.B, c.Unit), ratio})
	}
	return command.WriteTable(w, []string{"measure", "A", "B", "B / A"}, rows, "A", "B", "B / A")
}

// writeComparisonJSON writes one figure a line.
func writeComparisonJSON(w io.Writer, a, b *report) error {
	encoder := json.NewEncoder(w)
	for _, c := range compare(a, b) {
		if err := encoder.Encode(c); err != nil {
			return err
		}
	}
	return nil
}
