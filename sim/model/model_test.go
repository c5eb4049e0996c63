package model_test

import (
	"testing"
	"time"

	"github.com/ledgerd/ledgerd/internal/cases"
	"github.com/ledgerd/ledgerd/sim/model"
)

// TestCases replays every golden case in the two ways that may differ: with
// concurrent batches in one request or one by one, with pulses prompt or late.
func TestCases(t *testing.T) {
	for _, way := range []struct {
		name     string
		pulseLag time.Duration
		apart    bool // concurrent batches one by one
	}{
		{name: "in one request, pulses at once"},
		{name: "one by one, pulses late", apart: true, pulseLag: 90 * time.Millisecond},
	} {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			tally := cases.ReplayAll(t, func() cases.Executor {
				local := cases.NewLocal(model.New())
				local.PulseLag = way.pulseLag
				if way.apart {
					return struct{ cases.Executor }{local} // hides ExecuteConcurrent
				}
				return local
			})
			if want := (cases.Tally{Steps: 5286, Skipped: 19}); tally != want {
				t.Errorf("replayed %+v, want %+v", tally, want)
			}
		})
	}
}
