package forest

import (
	"testing"

	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/ledger"
)

// TestPulseLimit lets one transfer more expire than a pulse takes, at the same
// time as the last one that it takes: the next pulse must find it.
func TestPulseLimit(t *testing.T) {
	const second = uint64(1_000_000_000)
	g := newMemoryGrid(256<<10 - 64)
	f := New(g, g, Options{})
	now, id := uint64(1_000_000_000_000), uint64(0)
	createAccounts(f, 2, &now)
	pend := func(count int, timeout uint32) {
		var body []byte
		for range count {
			id++
			x := ledger.Transfer{
				ID: u128.From64(id), DebitAccountID: u128.From64(1), CreditAccountID: u128.From64(2),
				Amount: u128.From64(1), Ledger: 1, Code: 1, Flags: ledger.TransferPending, Timeout: timeout,
			}
			body = x.Append(body)
		}
		execute(f, ledger.OperationCreateTransfersUnbatched, now, body, nil)
	}
	// The second batch expires with the first, but for the first of all.
	now += second
	pend(ledger.PulseSlots/2+1, 3)
	now += second
	pend(ledger.PulseSlots/2, 2)
	for pulses, want := range []uint64{ledger.PulseSlots, 1} {
		now += 10 * second
		if _, due := f.Pulse(now); !due {
			t.Fatalf("pulse %d is not due", pulses)
		}
		rows := f.tables.events.Rows()
		execute(f, ledger.OperationPulse, now, nil, nil)
		if got := f.tables.events.Rows() - rows; got != want {
			t.Errorf("pulse %d: %d transfers expired, want %d", pulses, got, want)
		}
	}
	if _, due := f.Pulse(now + 1000*second); due || f.tables.nextExpiry != noExpiry {
		t.Errorf("something expires at %d", f.tables.nextExpiry)
	}
	if err := verify(f); err != nil {
		t.Error(err)
	}
}
