package bench

import (
	"context"
	"errors"
	"maps"
	"testing"
	"time"
)

// TestWarmUpDoesNotCount has the slow requests all in the warm-up.
func TestWarmUpDoesNotCount(t *testing.T) {
	const slow = 30 * time.Millisecond
	w, server, told := small(t, "two-phase"), newFakeServer(), 0
	w.Batch, w.Clients, w.WarmUp, w.Transfers = 10, 3, 65, 301
	warm := 3 * 3 // batches: 22, 22 and 21 transfers in tens
	server.delay = func(batch int) time.Duration {
		if batch <= warm {
			return slow
		}
		return 0
	}
	w.UserData = 1
	if g := newGenerator(w, 1, 0); g.marks.values != 12 {
		t.Errorf("%d values for 22 and 101 transfers, so not about ten of each", g.marks.values)
	}
	check := func(when string, transfers int) func() {
		return func() {
			if len(server.transfers) != transfers || told != transfers {
				t.Errorf("when the clock %s, %d transfers are there, %d told of, want %d", when, len(server.transfers), told, transfers)
			}
		}
	}
	result, err := Run(t.Context(), Config{
		Workload: w, Connect: server.connect, Progress: func(n int) { told += n },
		Began: check("begins", 65), Ended: check("ends", 366),
	})
	if err != nil {
		t.Fatal(err)
	}
	if result.Batches.Count != int64(server.batches-warm) {
		t.Errorf("%d batches timed, %d sent, %d of them to warm up", result.Batches.Count, server.batches, warm)
	}
	if result.Batches.P50 > slow/2 || result.Elapsed > time.Duration(warm)*slow {
		t.Errorf("the warm-up counts: median %v, all %v", result.Batches.P50, result.Elapsed)
	}
	if result.Timeline.total() != 301 {
		t.Errorf("%d transfers in the timeline", result.Timeline.total())
	}
}

// TestRateCountsFromWhenRequestsWereDue is the point of an open loop: a stall
// of one request is a delay of all that fell due meanwhile.
func TestRateCountsFromWhenRequestsWereDue(t *testing.T) {
	const stall = 200 * time.Millisecond
	w, server := small(t, "single-1"), newFakeServer()
	w.Transfers, w.Queries, w.Rate = 100, 0, 200 // every 5 ms, half a second in all
	server.delay = func(batch int) time.Duration {
		if batch == 10 {
			return stall
		}
		return 0
	}
	result, err := Run(t.Context(), Config{Workload: w, Connect: server.connect})
	if err != nil {
		t.Fatal(err)
	}
	// Of 100 requests the tenth waits 200 ms, and the 39 after it 195, 190, ….
	if result.Batches.P90 < stall/2 || result.Batches.P100 < stall {
		t.Errorf("latencies %+v hide the stall", result.Batches)
	}
	if result.Elapsed < 495*time.Millisecond {
		t.Errorf("the last of 100 requests was sent before it was due: %v", result.Elapsed)
	}
	w.Rate = 0
	if result, err = Run(t.Context(), Config{Workload: w, Connect: server.connect}); err != nil || result.Batches.P90 > stall/2 {
		t.Errorf("closed loop: %v, %+v", err, result.Batches)
	}
}

// TestPaceIsEven takes the clients' turns together.
func TestPaceIsEven(t *testing.T) {
	w := Workload{Batch: 20, Clients: 4, Rate: 1000}
	began := time.Now().Add(-time.Hour) // all are due: nobody waits
	for client := range w.Clients {
		p := newPace(w, client, began)
		for request := range 5 {
			due, err := p.next(t.Context())
			if want := began.Add(time.Duration(request*4+client) * 20 * time.Millisecond); err != nil || due.Sub(want).Abs() > time.Microsecond {
				t.Errorf("request %d of client %d is due %v after the first, %v", request, client, due.Sub(began), err)
			}
		}
	}
}

func TestRateObeysContext(t *testing.T) {
	w, server := small(t, "single-8"), newFakeServer()
	w.Rate = 1 // the second client waits a second
	ctx, cancel := context.WithCancel(t.Context())
	start := time.Now()
	_, err := Run(ctx, Config{Workload: w, Connect: server.connect, Progress: func(int) { cancel() }})
	if !errors.Is(err, context.Canceled) || time.Since(start) > 900*time.Millisecond {
		t.Errorf("error %v after %v, want %v at once", err, time.Since(start), context.Canceled)
	}
}

func TestLinkedTransfersAreInChainsOfFour(t *testing.T) {
	w, server := small(t, "linked"), newFakeServer()
	w.Batch, w.Transfers = 10, 103
	if _, err := Run(t.Context(), Config{Workload: w, Connect: server.connect}); err != nil {
		t.Fatal(err)
	}
	if want := map[int]int{4: 20, 2: 10, 3: 1}; !maps.Equal(server.chains, want) {
		t.Errorf("chains by length %v, want %v", server.chains, want)
	}
	w.Phase = PhaseSingle
	server = newFakeServer()
	if _, err := Run(t.Context(), Config{Workload: w, Connect: server.connect}); err != nil || len(server.chains) != 1 {
		t.Errorf("%v, chains by length %v without being asked for", err, server.chains)
	}
}
