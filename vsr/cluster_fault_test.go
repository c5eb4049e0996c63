package vsr_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/ledgerd/ledgerd/vsr"
	"github.com/ledgerd/ledgerd/vsr/superblock"
	"github.com/ledgerd/ledgerd/wire"
)

// primary returns who leads the highest view.
func (c *trio) primary() uint8 {
	view := vsr.View(0)
	for _, node := range c.nodes {
		if node != nil {
			view = max(view, node.View())
		}
	}
	return uint8(view % vsr.View(c.replicas))
}

// passUntil lets time pass until something has happened, and fails after so many
// ticks.
func (c *trio) passUntil(ticks int, what string, happened func() bool) {
	c.t.Helper()
	for range ticks {
		if c.pass(); happened() {
			return
		}
	}
	c.t.Fatalf("after %d ticks %s: %v, %v, %v", ticks, what, c.nodes[0], c.nodes[1], c.nodes[2])
}

// A primary that hears nobody, though all hear it, makes room for another one,
// and so does one that cannot know the time.
func TestPrimaryAbdicates(t *testing.T) {
	for name, kind := range map[string]struct {
		lost  func(command wire.Command) bool
		ticks int
	}{
		"deaf":      {func(wire.Command) bool { return true }, 500},
		"clockless": {func(command wire.Command) bool { return command == wire.CommandPong }, 2000}, // an answer counts for ten seconds
	} {
		c, p, first := newSettled(t, 3, 0)
		c.lost = func(_, to uint8, command wire.Command) bool { return to == first && kind.lost(command) }
		c.passUntil(kind.ticks, "the "+name+" primary still leads", func() bool { return c.primary() != first })
		if got := p.do(opGet, "key"); got != "1" {
			t.Errorf("%s: the value is %q", name, got)
		}
		c.lost = nil
		c.settle()
	}
}

// Two of three have what was acknowledged. One of them dies; the other has lost
// the end of its log, all but a witness that there was more. It does not vote for
// a log that ends early: the third has no part in what was acknowledged.
func TestLogThatHasLostItsEndIsNoVote(t *testing.T) {
	c := newTrio(t)
	p := c.newPatron(7)
	p.do(opSet, "key=0")
	c.settle()
	primary := c.primary()
	rotten, third := (primary+1)%3, (primary+2)%3
	c.kill(third)
	for i := range 3 {
		p.do(opSet, fmt.Sprintf("key=%d", i+1))
	}
	c.pass()
	c.kill(primary)
	c.kill(rotten)
	var last wire.Prepare
	if err := last.Decode(c.lastPrepare); err != nil {
		t.Fatal(err)
	}
	record := c.layout.JournalRecordsOffset() + int64(last.Offset) - 4096
	witness := c.layout.JournalHeadersOffset() + int64(last.Op-1)%int64(c.layout.JournalSlots)*wire.HeaderSize
	disk := c.disks[rotten]
	if !bytes.Equal(disk.Peek(record, wire.HeaderSize), disk.Peek(witness, wire.HeaderSize)) {
		t.Fatalf("op %d is not where it should be", last.Op-1)
	}
	spare := c.layout.JournalSparesOffset() + int64(last.Op-1)%int64(c.layout.JournalSpares)*superblock.SpareSize
	for _, copied := range []int64{record, spare, witness} {
		disk.Rot(copied+100, 1)
	}

	c.start(rotten)
	c.start(third)
	for range 1000 {
		if c.pass(); c.nodes[third].CommitMin() >= vsr.Op(last.Op-1) {
			break
		}
	}
	c.start(primary)
	if got := p.do(opGet, "key"); got != "3" {
		t.Errorf("the value is %q", got)
	}
	c.settle()
}

// A former primary has cut off an op that nobody else has, and finds its record
// again when it restarts. It does not take it for part of the log, whatever the
// others tell it is committed.
func TestRestartedBackupAsksWhereItsLogEnds(t *testing.T) {
	c, p, former := newSettled(t, 3, 0)
	c.lost = func(from, _ uint8, _ wire.Command) bool { return from == former }
	p.tryFor(5, opSet, "key=lost")
	last := c.nodes[former].CommitMin()
	c.passUntil(500, "nobody else leads", func() bool { return c.primary() != former })
	c.lost = nil
	c.settle()
	c.kill(former)
	c.start(former)
	for c.nodes[former].Step() || c.disks[former].Step() {
	}
	if found := fmt.Sprintf("head %d,", last+1); !strings.Contains(c.nodes[former].String(), found) {
		t.Fatalf("no %s found again: %v", found, c.nodes[former])
	}
	c.lost = func(_, to uint8, command wire.Command) bool { return to == former && command == wire.CommandPrepare }
	p.do(opSet, "key=2")
	for range 100 {
		c.pass()
	}
	if got := c.nodes[former].CommitMin(); got != last {
		t.Errorf("%v is executed: %v", got, c.nodes[former])
	}
	c.lost = nil
	c.settle()
}

// The new primary hears only from a vote that what it has is committed: it
// executes that before it leads, as checkPrimary demands.
func TestNewPrimaryExecutesWhatItTakesOver(t *testing.T) {
	c := newTrio(t)
	p := c.newPatron(7)
	for range 3 { // so that each of them is the next one once
		p.do(opSet, "key=0")
		c.settle()
		primary := c.primary()
		next := (primary + 1) % 3
		c.lost = func(_, to uint8, command wire.Command) bool {
			return to == next && command == wire.CommandCommit
		}
		p.do(opSet, "key=1")
		for range 20 {
			c.pass() // the third hears that it is committed
		}
		c.kill(primary)
		c.lost, c.slow = nil, true
		if got := p.do(opGet, "key"); got != "1" {
			t.Fatalf("the value is %q", got)
		}
		c.slow = false
		c.start(primary)
		c.settle()
	}
}

// The next primary lacks what the others have only in their checkpoints. It does
// not keep them waiting until it has taken over one, but lets another lead.
func TestPrimaryThatLagsForfeits(t *testing.T) {
	c := newTrio(t)
	p := c.newPatron(7)
	c.settle()
	primary := c.primary()
	next := (primary + 1) % 3
	c.kill(next)
	for i := range 60 {
		p.do(opSet, fmt.Sprintf("key=%d", i))
	}
	c.kill(primary)
	c.lost = func(_, to uint8, command wire.Command) bool { return to == next && command == wire.CommandBlock }
	began := c.now
	c.start(primary)
	c.start(next)
	if got := p.do(opGet, "key"); got != "59" {
		t.Errorf("the value is %q", got)
	}
	if ticks := (c.now - began) / uint64(vsr.TickInterval); ticks > 150 {
		t.Errorf("an answer after %d ticks", ticks)
	}
	c.lost = nil
	c.settle()
}

// A backup whose record has rotted before it was committed has no say in that,
// though what came after it is durable there.
func TestRottenRecordIsNotAcknowledged(t *testing.T) {
	c := newTrio(t)
	p := c.newPatron(7)
	q := c.newPatron(8)
	p.do(opSet, "key=0")
	c.settle()
	primary := c.primary()
	rotten := (primary + 1) % 3
	c.kill((primary + 2) % 3)
	c.lost = func(_, _ uint8, command wire.Command) bool { return command == wire.CommandPrepareOK }
	p.tryFor(5, opSet, "key=1")
	first := c.lastPrepare
	q.tryFor(5, opSet, "key=2")
	c.kill(primary)
	c.kill(rotten)
	c.start(rotten) // by which all witnesses are written
	c.pass()
	c.kill(rotten)
	var header wire.Prepare
	if err := header.Decode(first); err != nil {
		t.Fatal(err)
	}
	record := c.layout.JournalRecordsOffset() + int64(header.Offset)
	if !bytes.Equal(c.disks[rotten].Peek(record, len(first)), first) {
		t.Fatalf("op %d is not where it should be", header.Op)
	}
	c.disks[rotten].Rot(record+100, 1)
	spare := int64(header.Op) % int64(c.layout.JournalSpares) * superblock.SpareSize
	c.disks[rotten].Rot(c.layout.JournalSparesOffset()+spare+100, 1)

	c.lost = func(_, to uint8, command wire.Command) bool { return to == rotten && command == wire.CommandPrepare }
	c.start(primary)
	c.start(rotten)
	for range 2000 {
		if c.pass(); c.nodes[primary].CommitMin() >= vsr.Op(header.Op) {
			t.Fatalf("op %d is committed, and only one replica has it: %v", header.Op, c.nodes)
		}
	}
	if c.primary() != primary || c.nodes[primary].View() != c.nodes[rotten].View() {
		t.Fatalf("nothing was put to the test: %v", c.nodes)
	}
	c.lost = nil
	c.passUntil(500, "it is not committed", func() bool { return c.nodes[primary].CommitMin() > vsr.Op(header.Op) })
}
