package main

import (
	"cmp"
	"slices"
)

// spread is how a figure differs between the runs of a benchmark.
type spread struct {
	Measure string    `json:"measure"`
	Unit    string    `json:"unit,omitempty"`
	Median  float64   `json:"median"`
	Minimum float64   `json:"minimum"`
	Maximum float64   `json:"maximum"`
	Runs    []float64 `json:"runs"` // in the order in which they were made
}

// middle is the index of the median of n sorted values; the lower one of two.
func middle(n int) int { return (n - 1) / 2 }

// summarize returns the report of the run whose speed is the median, with the
// spread of each figure if there are several runs. There is at least one.
func summarize(runs []*report) *report {
	order := slices.Clone(runs)
	slices.SortStableFunc(order, func(a, b *report) int { return cmp.Compare(a.TransfersPerSecond, b.TransfersPerSecond) })
	median := order[middle(len(order))]
	if len(runs) == 1 {
		return median
	}
	median.Spread = nil
	for _, f := range median.figures() {
		s := spread{Measure: f.Measure, Unit: f.Unit}
		for _, run := range runs {
			if value, ok := find(run.figures(), f.Measure); ok {
				s.Runs = append(s.Runs, value)
			}
		}
		sorted := slices.Sorted(slices.Values(s.Runs))
		s.Minimum, s.Median, s.Maximum = sorted[0], sorted[middle(len(sorted))], sorted[len(sorted)-1]
		median.Spread = append(median.Spread, s)
	}
	return median
}

// find returns the value of a measure.
func find(figures []figure, measure string) (value float64, ok bool) {
	i := slices.IndexFunc(figures, func(f figure) bool { return f.Measure == measure })
	if i < 0 {
		return 0, false
	}
	return figures[i].Value, true
}

// medians returns the figures of the report: of several runs, the median of
// each.
func (r *report) medians() []figure {
	if r.Spread == nil {
		return r.figures()
	}
	var medians []figure
	for _, s := range r.Spread {
		medians = append(medians, figure{s.Measure, s.Unit, s.Median})
	}
	return medians
}
