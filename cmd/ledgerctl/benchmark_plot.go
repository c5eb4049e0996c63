package main

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Layout of a plot, in pixels: two panels, one above the other, over the same
// time.
const (
	plotWidth, plotHeight = 1000, 600
	plotLeft, plotRight   = 80, 980
	plotSpeedTop          = 75
	plotSlowTop           = 345
	plotPanelHeight       = 200
	plotTicks             = 5 // at most about so many on the upright axes, twice as many on time's
)

// A plot is drawn into memory.
type plot struct {
	bytes.Buffer
	seconds float64 // at the right end of both panels
}

// drawPlot returns the timeline of a report as SVG: transfers a second, with
// their mean and half of it, and under it the slowest batch, slice by slice. A
// stall is a hole above and a tower below.
func drawPlot(r *report) []byte {
	t := r.Timeline
	p := &plot{seconds: max(float64(len(t.Transfers))*t.SliceSeconds, t.SliceSeconds)}
	fmt.Fprintf(p, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12" fill="#333">`+"\n", plotWidth, plotHeight)
	fmt.Fprintf(p, `<rect width="%d" height="%d" fill="white"/>`+"\n", plotWidth, plotHeight)
	p.text(plotLeft, 24, `font-size="15" font-weight="bold"`, plotTitle(r))
	p.text(plotLeft, 44, "", plotSubtitle(r))

	whole := t.Transfers[:max(len(t.Transfers)-1, min(len(t.Transfers), 1))] // the last slice is not, unless it is all
	var speeds []float64
	for _, transfers := range whole {
		speeds = append(speeds, float64(transfers)/t.SliceSeconds)
	}
	speed := p.panel(plotSpeedTop, "transfers a second", speeds, r.TransfersPerSecond)
	p.line(speed, speeds, t.SliceSeconds)
	p.level(speed, r.TransfersPerSecond, "mean")
	p.level(speed, r.TransfersPerSecond/2, "half")
	slow := p.panel(plotSlowTop, "slowest batch, ms", t.Slowest, 0)
	p.bars(slow, t.Slowest, t.SliceSeconds)
	p.text((plotLeft+plotRight)/2, plotHeight-12, `text-anchor="middle"`, "seconds since the clock started")
	p.WriteString("</svg>\n")
	return p.Bytes()
}

func plotTitle(r *report) string {
	w := r.Workload
	title := fmt.Sprintf("%s: %s transfers, %s accounts (%s), %d clients × %d, %s ids, %s",
		w.Name, short(float64(w.Transfers)), short(float64(w.Accounts)), w.Distribution, w.Clients, w.Batch, w.IDOrder, w.Phase)
	if w.Rate != 0 {
		title += fmt.Sprintf(", %s a second due", short(float64(w.Rate)))
	}
	return title
}

func plotSubtitle(r *report) string {
	which := ""
	if r.Spread != nil {
		which = fmt.Sprintf("median run of %d: ", len(r.Spread[0].Runs))
	}
	return which + fmt.Sprintf("%s a second; batch p50 %s, p99 %s, p100 %s; %s, commit %s",
		number(r.TransfersPerSecond, ""), number(r.Batches.P50, "ms"), number(r.Batches.P99, "ms"), number(r.Batches.P100, "ms"),
		r.Date.Format("2006-01-02"), r.Commit)
}

// axis maps values to heights.
type axis struct{ top, most float64 }

func (a axis) y(value float64) float64 { return a.top + plotPanelHeight*(1-value/a.most) }

func (p *plot) x(seconds float64) float64 {
	return plotLeft + (plotRight-plotLeft)*seconds/p.seconds
}

// panel draws the axes of a panel, high enough for all values and for least.
func (p *plot) panel(top float64, name string, values []float64, least float64) axis {
	most := least
	for _, value := range values {
		most = max(most, value)
	}
	step := tick(most, plotTicks)
	a := axis{top: top, most: step * max(math.Ceil(most/step), 1)}
	p.text(plotLeft, top-8, "", name)
	for n := range int(math.Round(a.most/step)) + 1 {
		y := a.y(float64(n) * step)
		fmt.Fprintf(p, `<path d="M%d %.1fH%d" stroke="#ddd"/>`+"\n", plotLeft, y, plotRight)
		p.text(plotLeft-6, y+4, `text-anchor="end"`, short(float64(n)*step))
	}
	step = tick(p.seconds, 2*plotTicks)
	for n := range int(p.seconds/step) + 1 {
		x := p.x(float64(n) * step)
		fmt.Fprintf(p, `<path d="M%.1f %.1fv5" stroke="#333"/>`+"\n", x, top+plotPanelHeight)
		p.text(x, top+plotPanelHeight+18, `text-anchor="middle"`, short(float64(n)*step))
	}
	fmt.Fprintf(p, `<path d="M%d %.1fv%dH%d" stroke="#333" fill="none"/>`+"\n", plotLeft, top, plotPanelHeight, plotRight)
	return a
}

// line draws values as a line through the middles of their slices.
func (p *plot) line(a axis, values []float64, slice float64) {
	p.WriteString(`<polyline fill="none" stroke="#1f6fb4" points="`)
	for n, value := range values {
		fmt.Fprintf(p, "%.1f,%.1f ", p.x((float64(n)+0.5)*slice), a.y(value))
	}
	p.WriteString(`"/>` + "\n")
}

// bars draws values as bars, each as wide as its slice.
func (p *plot) bars(a axis, values []float64, slice float64) {
	p.WriteString(`<path fill="#c0392b" d="`)
	for n, value := range values {
		if value > 0 {
			fmt.Fprintf(p, "M%.1f %.1fV%.1fH%.1fV%.1fz", p.x(float64(n)*slice), a.y(0), a.y(value), p.x(float64(n+1)*slice), a.y(0))
		}
	}
	p.WriteString(`"/>` + "\n")
}

// level draws a dashed line at a value.
func (p *plot) level(a axis, value float64, name string) {
	fmt.Fprintf(p, `<path d="M%d %.1fH%d" stroke="#333" stroke-dasharray="6 4"/>`+"\n", plotLeft, a.y(value), plotRight)
	p.text(plotRight, a.y(value)-4, `text-anchor="end"`, name)
}

// text writes a line, which holds nothing that XML would take for its own.
func (p *plot) text(x, y float64, attributes, line string) {
	fmt.Fprintf(p, `<text x="%.1f" y="%.1f" %s>%s</text>`+"\n", x, y, attributes, line)
}

// tick returns the distance of an axis's marks, 1, 2 or 5 times a power of ten,
// so that up to most there are no more than count.
func tick(most float64, count int) float64 {
	if most <= 0 {
		return 1
	}
	rough := most / float64(count)
	power := math.Pow(10, math.Floor(math.Log10(rough)))
	for _, factor := range []float64{1, 2, 5} {
		if step := factor * power; step >= rough*(1-1e-9) {
			return step
		}
	}
	return 10 * power
}

// short returns a number for a label: 1,500,000 is 1.5M.
func short(value float64) string {
	suffix := ""
	switch {
	case value >= 1e6:
		value, suffix = value/1e6, "M"
	case value >= 1e4:
		value, suffix = value/1e3, "k"
	}
	text := strconv.FormatFloat(value, 'f', 3, 64)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".") + suffix
}
