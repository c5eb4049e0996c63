package vsr_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ledgerd/ledgerd/wire"
)

// loseDisk replaces the data file of a replica by a new one that is to recover.
func (c *trio) loseDisk(i uint8, nonce uint64) {
	c.kill(i)
	c.format(i, nonce)
	c.start(i)
}

// Each replica in turn loses its data file, the primary as well as the others,
// whether the journals of the others still have all or not; and then the
// cluster loses another one. Nothing that was acknowledged is missing.
func TestLostDataFile(t *testing.T) {
	for count := 2; count <= 6; count++ {
		for _, writes := range []int{1, 40} {
			t.Run(fmt.Sprint(count, " replicas, ", writes, " writes"), func(t *testing.T) {
				c := newCluster(t, count)
				p := c.newPatron(7)
				for i := range uint8(count) {
					for n := range writes {
						p.do(opSet, fmt.Sprint("key=", i, "-", n, strings.Repeat("x", 700)))
					}
					c.loseDisk(i, 100+uint64(i))
					c.settle()
					if got, want := p.do(opGet, "key"), fmt.Sprint(i, "-", writes-1); !strings.HasPrefix(got, want) {
						t.Fatalf("after the loss of disk %d the value is %.20q, not %q", i, got, want)
					}
				}
			})
		}
	}
}

// A replica that has lost its data file does not count before as many have told
// it where they are as its table says: here one of two is missing.
func TestLostDataFileWaitsForWitnesses(t *testing.T) {
	c, p, primary := newSettled(t, 3, 0)
	lost, other := (primary+1)%3, (primary+2)%3
	c.kill(other)
	c.loseDisk(lost, 100)
	for range 1000 {
		c.pass()
	}
	if got := c.nodes[lost]; !got.Recovering() {
		t.Fatalf("it counts again: %v", got)
	}
	c.start(other)
	c.settle()
	if got := p.do(opGet, "key"); got != "1" || c.nodes[lost].Recovering() {
		t.Errorf("the value is %q: %v", got, c.nodes[lost])
	}
}

// An answer to a question that this data file did not ask is none.
func TestLostDataFileBelievesOnlyItsAnswers(t *testing.T) {
	c, _, primary := newSettled(t, 3, 0)
	lost, other := (primary+1)%3, (primary+2)%3
	c.kill(other)
	c.loseDisk(lost, 100)
	c.pass()
	for range 100 {
		c.forge(lost, other, wire.Peer{Nonce: 99}, wire.CommandView)
		c.pass()
	}
	if got := c.nodes[lost]; !got.Recovering() {
		t.Errorf("it counts again: %v", got)
	}
}

// Who counts again is in no view before one that it may have been in: another
// replica may have been there before it, and have voted for it.
func TestLostDataFileKeepsPromises(t *testing.T) {
	c, _, primary := newSettled(t, 3, 0)
	view, lost := c.nodes[0].View(), (primary+1)%3
	c.forge(lost, (lost+1)%3, wire.Peer{Frame: wire.Frame{View: uint32(view) + 2}}, wire.CommandGetHeaders)
	for c.nodes[lost].Step() || c.disks[lost].Step() {
	}
	promised := c.nodes[lost].View()
	if promised != view+2 {
		t.Fatalf("in view %d, not %d", promised, view+2)
	}
	c.packets = nil // nobody hears of it
	c.loseDisk(lost, 100)
	for c.pass(); c.nodes[lost].Recovering(); c.pass() {
		if got := c.nodes[(lost+1)%3].View(); got != view {
			t.Fatalf("another one is in view %d", got)
		}
	}
	if got := c.nodes[lost].View(); got < promised {
		t.Errorf("in view %d, and was in view %d", got, promised)
	}
	c.settle()
}

// Who cannot get the log does not count.
func TestLostDataFileWaitsForTheLog(t *testing.T) {
	c, _, primary := newSettled(t, 3, 0)
	lost := (primary + 1) % 3
	c.lost = func(_, to uint8, command wire.Command) bool { return to == lost && command == wire.CommandPrepare }
	c.loseDisk(lost, 100)
	for range 300 {
		c.pass()
		if !c.nodes[lost].Recovering() {
			t.Fatalf("counts again: %v", c.nodes)
		}
	}
	c.lost = nil
	c.settle()
}

// Two that have forgotten do not tell each other what was.
func TestLostDataFilesAreNoWitnesses(t *testing.T) {
	c, p, primary := newSettled(t, 5, 0)
	first, second, down := (primary+1)%5, (primary+2)%5, (primary+3)%5
	c.kill(down)
	c.loseDisk(first, 100)
	c.loseDisk(second, 101)
	for range 1000 {
		c.pass()
		if !c.nodes[first].Recovering() || !c.nodes[second].Recovering() {
			t.Fatalf("counts again: %v", c.nodes)
		}
	}
	c.start(down)
	c.settle()
	if got := p.do(opGet, "key"); got != "1" {
		t.Errorf("the value is %q", got)
	}
}

// One who has forgotten what it acknowledged does not help to bury it: of three
// replicas two have acknowledged a value, of which one loses its data file. With
// the third, which has never heard of the value, it makes no view.
func TestLostDataFileIsNoVote(t *testing.T) {
	c, p, primary := newSettled(t, 3, 0)
	lost, other := (primary+1)%3, (primary+2)%3
	c.kill(other)
	p.do(opSet, "key=2")
	c.kill(primary)
	c.loseDisk(lost, 100)
	c.start(other)
	for range 2000 {
		c.pass()
		if got := c.nodes[other]; got.Status() == "normal" && got.Primary() != primary {
			t.Fatalf("a view has begun: %v, %v", got, c.nodes[lost])
		}
	}
	c.start(primary)
	c.settle()
	if got := p.do(opGet, "key"); got != "2" {
		t.Errorf("the value is %q", got)
	}
}
