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

// While a prefetch waits for the disk, requests are ordered and journalled as far
// as the pipeline goes, a pulse may be asked for, and the replica does not ask to
// be called at once.
func TestOrderGoesOnDuringPrefetch(t *testing.T) {
	layout := smallLayout()
	layout.SessionsMax = 16
	h := newHarness(t, layout)
	slow := &slowStore{}
	h.newMachine = func(g *grid.Grid, fault func(error)) vsr.StateMachine {
		slow.StateMachine = newStore(g, fault)
		return slow
	}
	if err := h.open(); err != nil {
		t.Fatal(err)
	}
	var users []*user
	for id := range uint64(10) {
		users = append(users, h.newUser(id+1))
	}
	start, submitted := h.replica.CommitMin(), h.disk.Submitted()
	for _, u := range users { // each alone, and so in a prepare of its own
		u.send(wire.Operation(opSet), text("k=1"))
		h.run()
	}
	if journalled := (h.disk.Submitted() - submitted) / 2; journalled != 8 { // a record and a witness each
		t.Errorf("%d prepares are journalled while the first is prefetched, want the pipeline's 8", journalled)
	}
	if len(slow.calls) != 1 || h.replica.CommitMin() != start {
		t.Errorf("calls %q, commits up to %v from %v", slow.calls, h.replica.CommitMin(), start)
	}
	for range 3 {
		if h.replica.Step() {
			t.Fatal("the replica has nothing to do, and says that it has")
		}
	}
	for range users {
		slow.done()
		h.run()
	}
	for i, u := range users {
		if u.take() != "1" {
			t.Errorf("user %d has another reply", i)
		}
	}
}
