package forest

import (
	"testing"

	"github.com/ledgerd/ledgerd/internal/cases"
)

// TestGoldenCases replays what the reference answered.
func TestGoldenCases(t *testing.T) {
	cases.ReplayAll(t, func() cases.Executor { return cases.NewLocal(New(newMemoryGrid(256<<10-64), nil, Options{})) })
}

// TestGoldenCasesSmallPages does so where hardly more than a row fits a page.
func TestGoldenCasesSmallPages(t *testing.T) {
	cases.ReplayAll(t, func() cases.Executor {
		return cases.NewLocal(New(newMemoryGrid(pageHeaderSize+rowSlack), nil, Options{}))
	})
}
