package forest

import (
	"bytes"
	"testing"

	"github.com/ledgerd/ledgerd/internal/vectors"
	"github.com/ledgerd/ledgerd/ledger"
)

// vectorHeader is the size of the header before each recorded body.
const vectorHeader = 256

// TestVectors executes what was recorded of the reference, at the recorded
// timestamps, and demands the recorded replies, byte for byte.
func TestVectors(t *testing.T) {
	scenarios, err := vectors.Load()
	if err != nil {
		t.Fatal(err)
	}
	executed, pulses := 0, 0
	for _, s := range scenarios {
		grid := newMemoryGrid(256<<10 - 64)
		f := New(grid, grid, Options{})
		expiries := recordedExpiries(&s)
		for _, e := range s.Exchanges {
			if e.Operation < 128 { // not the ledger's
				continue
			}
			for len(expiries) > 0 && expiries[0] < e.Timestamp {
				execute(f, ledger.OperationPulse, expiries[0], nil, nil)
				expiries = expiries[1:]
				pulses++
			}
			request := s.Messages[e.Request].Bytes[vectorHeader:]
			want := s.Messages[e.Reply].Bytes[vectorHeader:]
			if _, known, valid := f.Check(e.Operation, request, ledger.BodySizeMax); !known || !valid {
				t.Errorf("%s, op %d: known %t, valid %t", s.Name, e.Op, known, valid)
				continue
			}
			if got := execute(f, ledger.Operation(e.Operation), e.Timestamp, request, nil); !bytes.Equal(got, want) {
				t.Errorf("%s, op %d, %v: reply\n%x, want\n%x", s.Name, e.Op, ledger.Operation(e.Operation), got, want)
			}
			executed++
		}
		if err := verify(f); err != nil {
			t.Errorf("%s: %v", s.Name, err)
		}
	}
	if executed < 100 || pulses != 1 {
		t.Errorf("%d requests and %d pulses were executed", executed, pulses)
	}
}

// recordedExpiries returns when pulses expired one transfer each: that they
// ran is seen only in the change events recorded later.
func recordedExpiries(s *vectors.Scenario) []uint64 {
	var timestamps []uint64
	for _, e := range s.Exchanges {
		if ledger.Operation(e.Operation) != ledger.OperationGetChangeEvents {
			continue
		}
		reply := s.Messages[e.Reply].Bytes[vectorHeader:]
		for ; len(reply) > 0; reply = reply[ledger.ChangeEventSize:] {
			var event ledger.ChangeEvent
			event.Decode(reply)
			if event.Type == ledger.ChangeEventTwoPhaseExpired {
				timestamps = append(timestamps, event.Timestamp)
			}
		}
	}
	return timestamps
}
