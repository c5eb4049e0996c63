package bench

import (
	"context"
	"time"
)

// pace says when a client sends its requests. Without a rate that is as soon as
// the one before is answered. With one, requests fall due at even intervals,
// those of the clients in turn, whether or not the server keeps up: a client
// that is behind sends at once, and its latencies still count from when each
// request fell due. So a stall is felt by all who came meanwhile, not by the one
// request that happened to be in flight.
type pace struct {
	interval time.Duration // between a client's requests; 0 is without a rate
	due      time.Time     // the next request, if there is an interval
}

func newPace(w Workload, client int, began time.Time) pace {
	if w.Rate == 0 {
		return pace{}
	}
	between := float64(w.Batch) / float64(w.Rate) * float64(time.Second) // requests of any client
	return pace{
		interval: time.Duration(between * float64(w.Clients)),
		due:      began.Add(time.Duration(between * float64(client))),
	}
}

// next waits until the next request is to be sent, and returns since when its
// latency counts. It fails only with the context's error.
func (p *pace) next(ctx context.Context) (time.Time, error) {
	if p.interval == 0 {
		return time.Now(), nil
	}
	due := p.due
	p.due = due.Add(p.interval)
	return due, waitUntil(ctx, due)
}

// timerError is more than a timer of the runtime is late, on an idle machine:
// its sleeping threads wait in whole milliseconds.
const timerError = 2 * time.Millisecond

// waitUntil returns at due, or at once if that has passed.
func waitUntil(ctx context.Context, due time.Time) error {
	if early := time.Until(due) - timerError; early > 0 {
		timer := time.NewTimer(early)
		defer timer.Stop()
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
	}
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	for rest := time.Until(due); rest > 0; rest = time.Until(due) {
		doze(rest)
	}
	return nil
}
