package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/ledgerd/ledgerd/ledger"
)

// When the reservations of Workload.Expiring expire: so long after they are made,
// if so many are made in a second.
const (
	expiryDelay     = 2 * time.Second
	reservationRate = 500_000
)

// reservationTime is how long so many reservations take to be made.
func reservationTime(count int) time.Duration {
	return time.Duration(count) * time.Second / reservationRate
}

// reserve makes the reservations of Workload.Expiring. Timeouts are whole seconds:
// all expire within one second.
func (d *driver) reserve(ctx context.Context) error {
	w := d.Workload
	if w.Expiring == 0 {
		return nil
	}
	deadline := time.Now().Add(reservationTime(w.Expiring) + expiryDelay)
	d.expired = deadline.Add(2*time.Second + 2*reservationTime(w.Expiring))
	ids := rand.NewPCG(d.run, uint64(w.Clients)) // those of clients have lower numbers
	w.Transfers, w.Batch, w.Clients = w.Expiring, TransferBatchMax, 1
	w.Phase, w.IDOrder, w.WarmUp, w.UserData = PhasePending, IDRandom, 0, 0
	g := newGenerator(w, d.run, 0)
	g.ids.random = ids
	for batch := g.next(); batch != nil; batch = g.next() {
		timeout := max(1, (time.Until(deadline)+time.Second-1)/time.Second)
		for i := range batch {
			batch[i].Timeout = uint32(timeout)
		}
		results, err := d.clients[0].ledger.CreateTransfers(ctx, batch)
		if err != nil {
			return err
		}
		if err := checkCreated(batch, results); err != nil {
			return err
		}
	}
	return nil
}

// awaitExpiry gives the server time for the reservations that have not expired
// yet, if the transfers took less.
func (d *driver) awaitExpiry(ctx context.Context) error {
	select {
	case <-time.After(time.Until(d.expired)):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// checkCreated returns an error unless all transfers of a batch were created.
func checkCreated(batch []ledger.Transfer, results []ledger.CreateTransferResult) error {
	if len(results) != len(batch) {
		return fmt.Errorf("%d results for %d transfers", len(results), len(batch))
	}
	for i := range results {
		if results[i].Status != ledger.TransferCreated {
			return fmt.Errorf("transfer %v was not created: %v", batch[i].ID, results[i].Status)
		}
	}
	return nil
}
