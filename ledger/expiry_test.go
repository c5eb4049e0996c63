package ledger_test

import (
	"testing"

	"github.com/ledgerd/ledgerd/internal/multibatch"
	. "github.com/ledgerd/ledgerd/ledger"
)

// execute runs one batch of transfers and demands these statuses.
func execute(t *testing.T, m *Machine, at uint64, want []CreateTransferStatus, batch ...Transfer) {
	t.Helper()
	checkTransfers(t, m, at, want, batch)
	clear(reached)
}

// events returns all change events.
func events(m *Machine) []ChangeEvent {
	f := ChangeEventsFilter{Limit: 2730}
	b := make([]byte, ChangeEventsFilterSize)
	f.Encode(b)
	var all []ChangeEvent
	for reply := m.Execute(OperationGetChangeEvents, now, b, nil); len(reply) > 0; reply = reply[ChangeEventSize:] {
		var e ChangeEvent
		e.Decode(reply)
		all = append(all, e)
	}
	return all
}

// TestExpiryMoment looks at the last moment before a pending transfer expires
// and the first after (SEMANTICS.md section 10).
func TestExpiryMoment(t *testing.T) {
	const expiry = now + second
	for _, c := range []struct {
		at   uint64
		want CreateTransferStatus
	}{
		{expiry - 1, TransferCreated},
		{expiry, TransferPendingTransferExpired},
	} {
		m := accountFixture()
		execute(t, m, now, []CreateTransferStatus{TransferCreated}, transfer(50, flags(TransferPending), timeout(1)))
		execute(t, m, c.at, []CreateTransferStatus{c.want}, resolution(51, 50, TransferPostPendingTransfer))
	}
	m := accountFixture()
	execute(t, m, now, []CreateTransferStatus{TransferCreated}, transfer(50, flags(TransferPending), timeout(1)))
	if _, due := m.Pulse(expiry - 1); due {
		t.Error("due too early")
	}
	if slots, due := m.Pulse(expiry); !due || slots != PulseSlots {
		t.Errorf("due %t, %d slots", due, slots)
	}
	m.Execute(OperationPulse, expiry+PulseSlots-1, nil, nil)
	if n := len(events(m)); n != 1 {
		t.Errorf("%d events: what was not due before the pulse's slots has expired", n)
	}
	m.Execute(OperationPulse, expiry+PulseSlots, nil, nil)
	all := events(m)
	if len(all) != 2 || all[1].Type != ChangeEventTwoPhaseExpired || all[1].Timestamp != expiry+PulseSlots {
		t.Errorf("events %+v", all)
	}
	if _, due := m.Pulse(TimestampMax); due {
		t.Error("due again")
	}
}

// TestUndefinedTerritory has our answers to what crashes the reference: the
// numbers are those of SEMANTICS.md section 16.
func TestUndefinedTerritory(t *testing.T) {
	const expiry = now + second
	pending := transfer(50, flags(TransferPending), timeout(1))
	created := []CreateTransferStatus{TransferCreated}

	t.Run("1 imported post cancels the expiry", func(t *testing.T) {
		m := accountFixture()
		execute(t, m, now, created, pending)
		execute(t, m, now+10, created, resolution(51, 50, TransferPostPendingTransfer, imported(now+1)))
		if _, due := m.Pulse(TimestampMax); due {
			t.Error("still scheduled")
		}
	})
	t.Run("1 imported post that is too late", func(t *testing.T) {
		m := accountFixture()
		execute(t, m, now, created, pending)
		execute(t, m, expiry, []CreateTransferStatus{TransferPendingTransferExpired},
			resolution(51, 50, TransferPostPendingTransfer, imported(now+1)))
	})
	t.Run("2 batches decide by their own first event", func(t *testing.T) {
		m := accountFixture()
		plain := transfer(50, between(1, 1))
		imports := transfer(51, imported(now-2))
		body := imports.Append(plain.Append(nil))
		body = multibatch.AppendTrailer(body, TransferSize, []uint16{1, 1})
		counts, payload, err := multibatch.Decode(m.Execute(OperationCreateTransfers, now, body, nil), CreateResultSize, nil)
		if err != nil || len(counts) != 2 {
			t.Fatal(counts, err)
		}
		for i, want := range []CreateTransferResult{
			{Timestamp: now - 1, Status: TransferAccountsMustBeDifferent},
			{Timestamp: now - 2, Status: TransferCreated},
		} {
			var got CreateTransferResult
			got.Decode(payload[i*CreateResultSize:])
			if got != want {
				t.Errorf("batch %d: %+v, want %+v", i, got, want)
			}
		}
	})
	t.Run("3 import within the slots of its batch", func(t *testing.T) {
		m := accountFixture()
		execute(t, m, now, []CreateTransferStatus{
			TransferImportedEventTimestampMustNotAdvance, TransferCreated, TransferImportedEventTimestampMustNotAdvance,
		}, transfer(50, imported(now-2)), transfer(51, imported(now-2)), transfer(52, imported(now)))
	})
	t.Run("4 import with the timestamp of an expiry", func(t *testing.T) {
		m := accountFixture()
		execute(t, m, now, created, pending)
		const pulse = expiry + PulseSlots
		m.Execute(OperationPulse, pulse, nil, nil)
		regress := []CreateTransferStatus{TransferImportedEventTimestampMustNotRegress}
		execute(t, m, pulse+10, regress, transfer(51, imported(pulse)))
		execute(t, m, pulse+20, created, transfer(51, imported(pulse-1)))
		execute(t, m, pulse+30, regress, transfer(52, imported(pulse)))
		execute(t, m, pulse+40, created, transfer(52, imported(pulse+1)))
	})
}
