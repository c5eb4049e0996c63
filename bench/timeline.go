package bench

import "time"

// TimelineSlice is the resolution of a Timeline.
const TimelineSlice = 100 * time.Millisecond

// Timeline is how a run went, slice by slice: stalls, which totals hide, are
// seen in it.
type Timeline []Slice

// Slice is what the replies of one TimelineSlice say.
type Slice struct {
	Transfers int           // acknowledged
	Slowest   time.Duration // request among those answered
}

// add notes a request answered at a time since the run began.
func (t *Timeline) add(at time.Duration, transfers int, took time.Duration) {
	n := int(at / TimelineSlice)
	for len(*t) <= n {
		*t = append(*t, Slice{})
	}
	s := &(*t)[n]
	s.Transfers += transfers
	s.Slowest = max(s.Slowest, took)
}

// merge adds what another client saw.
func (t *Timeline) merge(o Timeline) {
	for n, s := range o {
		t.add(time.Duration(n)*TimelineSlice, s.Transfers, s.Slowest)
	}
}

// Rate returns the transfers a second between two shares of all transfers: from
// 0 to 0.1 is the first tenth. The result is 0 if the run was too short to tell.
func (t Timeline) Rate(from, to float64) float64 {
	total := t.total()
	elapsed := t.reach(to*float64(total)) - t.reach(from*float64(total))
	if elapsed <= 0 {
		return 0
	}
	return (to - from) * float64(total) / elapsed
}

// total returns all transfers.
func (t Timeline) total() (transfers int) {
	for _, s := range t {
		transfers += s.Transfers
	}
	return transfers
}

// reach returns after how many seconds so many transfers were acknowledged.
func (t Timeline) reach(transfers float64) float64 {
	for n, s := range t {
		if transfers <= float64(s.Transfers) && s.Transfers > 0 {
			return (float64(n) + transfers/float64(s.Transfers)) * TimelineSlice.Seconds()
		}
		transfers -= float64(s.Transfers)
	}
	return float64(len(t)) * TimelineSlice.Seconds()
}

// Lowest returns the transfers a second of the worst slice, the last one aside,
// which is not whole.
func (t Timeline) Lowest() float64 {
	if len(t) < 2 {
		return 0
	}
	lowest := t[0].Transfers
	for _, s := range t[:len(t)-1] {
		lowest = min(lowest, s.Transfers)
	}
	return float64(lowest) / TimelineSlice.Seconds()
}
