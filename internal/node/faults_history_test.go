package node_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/sim/model"
	"github.com/ledgerd/ledgerd/vsr"
)

// history is all that was ever executed, and the ledger that it makes according
// to the model. It outlives the processes that execute it.
type history struct {
	model   *model.Model
	commits []commit
	byTime  map[uint64]int // timestamp → index of commits
}

// commit is one executed request.
type commit struct {
	operation   byte
	timestamp   uint64
	body, reply []byte
}

func newHistory() history {
	return history{model: model.New(), byTime: map[uint64]int{}}
}

// clone returns a copy: what is executed on one does not show in the other.
func (h *history) clone() history {
	return history{model: h.model.Clone(), commits: slices.Clip(h.commits), byTime: maps.Clone(h.byTime)}
}

func (h *history) last() uint64 {
	if n := len(h.commits); n > 0 {
		return h.commits[n-1].timestamp
	}
	return 0
}

// judge stands between one process and its ledger. What is executed for the
// first time must have the reply of the model, and what is executed again, after
// a restart, must be what it was, in the same order, with nothing left out.
type judge struct {
	vsr.StateMachine
	rig *rig
	// next is the index of the commit that must be executed next; -1 before the
	// first one of this process.
	next int
}

// Commit implements vsr.StateMachine.
func (j *judge) Commit(operation byte, timestamp uint64, body, reply []byte) []byte {
	before := len(reply)
	reply = j.StateMachine.Commit(operation, timestamp, body, reply)
	got := commit{operation, timestamp, bytes.Clone(body), bytes.Clone(reply[before:])}
	h := &j.rig.history
	index, again := h.byTime[timestamp]
	if !again {
		index = len(h.commits)
	}
	var err error
	switch {
	case j.next >= 0 && index != j.next:
		err = fmt.Errorf("it is number %d and follows number %d", index, j.next-1)
	case !again && timestamp <= h.last():
		err = fmt.Errorf("it is new, and comes before %d", h.last())
	case again:
		err = h.commits[index].differs(&got)
	default:
		want := h.model.Commit(operation, timestamp, body, nil)
		if !bytes.Equal(want, got.reply) {
			err = fmt.Errorf("reply\n%x, the model says\n%x", got.reply, want)
		}
		h.byTime[timestamp] = index
		h.commits = append(h.commits, got)
	}
	if err != nil {
		j.rig.fail("executed %v at %d: %w", ledger.Operation(operation), timestamp, err)
	}
	j.next = index + 1
	return reply
}

// opened is called when the replica has executed its journal.
func (j *judge) opened() {
	if n := len(j.rig.history.commits); j.next >= 0 && j.next != n {
		j.rig.fail("of %d executed requests, %d are left", n, j.next)
	}
}

func (c *commit) differs(again *commit) error {
	switch {
	case c.operation != again.operation || !bytes.Equal(c.body, again.body):
		return fmt.Errorf("it was %v with %d bytes, not %d", ledger.Operation(c.operation), len(c.body), len(again.body))
	case !bytes.Equal(c.reply, again.reply):
		return fmt.Errorf("reply\n%x, was\n%x", again.reply, c.reply)
	}
	return nil
}
