package forest

import (
	"testing"

	"github.com/ledgerd/ledgerd/internal/cases"
)

// pumped is a forest whose Prefetch waits for its grid.
type pumped struct{ *Forest }

func (p pumped) Pump() bool { return p.grid.(*memoryGrid).step() }

// Prefetch does not return before it is done.
func (p pumped) Prefetch(operation byte, timestamp uint64, body []byte, done func()) {
	ready := false
	p.Forest.Prefetch(operation, timestamp, body, func() { ready = true })
	for !ready && p.Pump() {
	}
	if ready {
		done()
	}
}

// TestGoldenCases replays what the reference answered.
func TestGoldenCases(t *testing.T) {
	cases.ReplayAll(t, func() cases.Executor {
		grid := newMemoryGrid(256<<10 - 64)
		return cases.NewLocal(pumped{New(grid, grid, Options{})})
	})
}

// TestGoldenCasesTiny does so with everything small.
func TestGoldenCasesTiny(t *testing.T) {
	cases.ReplayAll(t, func() cases.Executor { return cases.NewLocal(pumped{newTestForest(newMemoryGrid(smallPage))}) })
}
