package vsr_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/ledgerd/ledgerd/vsr"
	"github.com/ledgerd/ledgerd/vsr/grid"
	"github.com/ledgerd/ledgerd/wire"
)

// slowStore is a store whose prefetches are done only when it is told.
type slowStore struct {
	vsr.StateMachine
	calls []string
	done  func()
}

func (s *slowStore) Prefetch(_ byte, timestamp uint64, body []byte, done func()) {
	s.calls = append(s.calls, fmt.Sprintf("prefetch %.4s", body))
	s.done = done
}

func (s *slowStore) Commit(operation byte, timestamp uint64, body, reply []byte) []byte {
	s.calls = append(s.calls, fmt.Sprintf("commit %.4s", body))
	return s.StateMachine.Commit(operation, timestamp, body, reply)
}

// A request of a prepare is prefetched when those before it are committed: it
// sees what they did. While it waits for the disk, nothing is executed.
func TestPrefetchFollowsTheCommitBefore(t *testing.T) {
	h := newHarness(t, smallLayout())
	slow := &slowStore{}
	h.newMachine = func(g *grid.Grid, fault func(error)) vsr.StateMachine {
		slow.StateMachine = newStore(g, fault)
		return slow
	}
	if err := h.open(); err != nil {
		t.Fatal(err)
	}
	a, b := h.newUser(1), h.newUser(2)
	a.send(wire.Operation(opSet), text("k=1"))
	b.send(wire.Operation(opSet), text("k=2"))
	h.run()
	for _, want := range [][]string{
		{"prefetch k=1 "},
		{"prefetch k=1 ", "commit k=1 ", "prefetch k=2 "},
		{"prefetch k=1 ", "commit k=1 ", "prefetch k=2 ", "commit k=2 "},
	} {
		if !slices.Equal(slow.calls, want) {
			t.Fatalf("calls are %q, want %q", slow.calls, want)
		}
		if last := slow.calls[len(slow.calls)-1]; last[:6] != "commit" {
			slow.done()
			h.run()
		}
	}
	if a.take() != "1" || b.take() != "2" {
		t.Error("wrong replies")
	}
}
