package gen_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/sim/model"
	"github.com/ledgerd/ledgerd/sim/model/gen"
)

// start is a time in the year 2023.
const start = 1_700_000_000_000_000_000

func TestCompareEqual(t *testing.T) {
	requests := gen.Record(1, start, 300, model.New())
	pauses := 0
	err := gen.Compare(requests, model.New(), model.New(), func(index int) error {
		if index != pauses {
			t.Fatalf("pause %d comes as number %d", index, pauses)
		}
		pauses++
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if pauses != len(requests) || len(requests) < 300 {
		t.Errorf("%d pauses for %d requests", pauses, len(requests))
	}
	stop := errors.New("stop")
	if err := gen.Compare(requests, model.New(), model.New(), func(int) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("a pause fails: %v", err)
	}
}

// faulty is a model with one fault.
type faulty struct {
	*model.Model
	voids   bool // a void fails with another status
	bodies  bool // one more operation is unknown
	pulses  bool // a pulse is never due
	expires bool // a pulse does nothing
}

func (f faulty) Check(operation byte, body []byte, bodySizeLimit int) (slots int, known, valid bool) {
	if f.bodies && operation == byte(ledger.OperationGetChangeEvents) {
		return 0, false, false
	}
	return f.Model.Check(operation, body, bodySizeLimit)
}

func (f faulty) Pulse(now uint64) (slots int, due bool) {
	if f.pulses {
		return 0, false
	}
	return f.Model.Pulse(now)
}

func (f faulty) Commit(operation byte, timestamp uint64, body, reply []byte) []byte {
	if f.expires && operation == byte(ledger.OperationPulse) {
		return reply
	}
	reply = f.Model.Commit(operation, timestamp, body, reply)
	if f.voids && operation == byte(ledger.OperationCreateTransfers) {
		return bytes.Replace(reply, []byte{34, 0, 0, 0, 0, 0, 0, 0}, []byte{33, 0, 0, 0, 0, 0, 0, 0}, 1)
	}
	return reply
}

func TestCompareFindsFaults(t *testing.T) {
	requests := gen.Record(2, start, 1500, model.New())
	for _, test := range []struct {
		name  string
		fault faulty
		what  string
	}{
		{"wrong status", faulty{voids: true}, "create_transfers: replies of"},
		{"unknown operation", faulty{bodies: true}, "get_change_events: want known true"},
		{"no pulse", faulty{pulses: true}, "want due true (8190 slots), got due false"},
		{"idle pulse", faulty{expires: true}, "pulse at"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.fault.Model = model.New()
			err := gen.Compare(requests, model.New(), test.fault, nil)
			var difference *gen.Difference
			if !errors.As(err, &difference) || !strings.Contains(err.Error(), test.what) {
				t.Errorf("got %v, want %q", err, test.what)
			}
		})
	}
}

func TestShrink(t *testing.T) {
	fails := func(requests []gen.Request) bool {
		return gen.Compare(requests, model.New(), faulty{Model: model.New(), voids: true}, nil) != nil
	}
	requests := gen.Record(2, start, 300, model.New())
	if !fails(requests) {
		t.Fatal("the fault does not show")
	}
	short := gen.Shrink(requests, fails)
	if !fails(short) || len(short) > 8 {
		t.Errorf("%d requests are left, which fail: %t", len(short), fails(short))
	}
	if text := gen.Describe(short); !strings.Contains(text, "create_transfers") || !strings.Contains(text, "PendingID") {
		t.Errorf("description:\n%s", text)
	}
}
