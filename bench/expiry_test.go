package bench

import (
	"testing"
	"testing/synctest"
	"time"
)

// Reservations expire within a second of each other, however long they took to be
// made, after the clock has begun, and count for nothing else.
func TestReservationsExpireTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const expiring, transfers = 5*TransferBatchMax + 1, 1000
		w, server := small(t, "plain"), newFakeServer()
		w.Expiring, w.Transfers, w.Batch, w.Accounts = expiring, transfers, 10, 10
		server.delay = func(int) time.Duration { return 150 * time.Millisecond }
		var began, ended time.Time
		result, err := Run(t.Context(), Config{
			Workload: w, Connect: server.connect, Began: func() { began = time.Now() }, Ended: func() { ended = time.Now() },
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(server.transfers) != expiring+transfers || len(server.expiries) != expiring || result.Batches.Count != transfers/10 {
			t.Errorf("%d transfers there, %d of them with timeouts, %d batches timed", len(server.transfers), len(server.expiries), result.Batches.Count)
		}
		first, last := server.expiries[0], server.expiries[0]
		for _, expiry := range server.expiries {
			if expiry.Before(first) {
				first = expiry
			}
			if expiry.After(last) {
				last = expiry
			}
		}
		if last.Sub(first) > time.Second || !first.After(began) || !last.Before(ended) {
			t.Errorf("the first expires %v after the clock has begun, the last %v; it ends after %v", first.Sub(began), last.Sub(began), ended.Sub(began))
		}
	})
}

// The balances are not looked at before all reservations have expired.
func TestRunWaitsForReservationsToExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, server := small(t, "plain"), newFakeServer()
		w.Expiring, w.Transfers, w.Accounts = 10, 10, 10
		looked := false
		_, err := Run(t.Context(), Config{Workload: w, Connect: server.connect, Progress: func(int) {
			if len(server.expiries) != 10 || time.Until(server.expiries[9]) <= 0 {
				t.Error("expired already")
			}
			looked = true
		}})
		if err != nil || !looked || time.Since(server.expiries[9]) < time.Second {
			t.Errorf("%v; the balances are compared %v after the last one has expired", err, time.Since(server.expiries[9]))
		}
	})
}
