package ledger_test

import (
	"testing"

	"github.com/ledgerd/ledgerd/internal/cases"
	. "github.com/ledgerd/ledgerd/ledger"
)

// mapMachine is a Machine over maps, as what replicates it sees it.
type mapMachine struct {
	*Machine
	tables *mapTables
}

func newMapMachine() *mapMachine {
	tables := newMapTables()
	return &mapMachine{NewMachine(tables), tables}
}

func (m *mapMachine) Check(operation byte, body []byte, bodySizeLimit int) (slots int, known, valid bool) {
	return m.Machine.Check(Operation(operation), body, bodySizeLimit)
}

func (m *mapMachine) Prefetch(_ byte, _ uint64, _ []byte, done func()) { done() }

func (m *mapMachine) Commit(operation byte, timestamp uint64, body, reply []byte) []byte {
	return m.Execute(Operation(operation), timestamp, body, reply)
}

// TestGoldenCases replays what the reference answered.
func TestGoldenCases(t *testing.T) {
	tally := cases.ReplayAll(t, func() cases.Executor { return cases.NewLocal(newMapMachine()) })
	t.Logf("%+v", tally)
}
