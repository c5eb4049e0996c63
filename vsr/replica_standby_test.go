package vsr_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ledgerd/ledgerd/wire"
)

// A standby has what the others have, by the log or by a checkpoint.
func TestStandbyFollows(t *testing.T) {
	c := newClusterWithStandbys(t, 3, 1)
	p := c.newPatron(7)
	write := func(count int) {
		for i := range count {
			p.do(opSet, fmt.Sprint("key=", i, strings.Repeat("x", 700)))
		}
	}
	write(20)
	c.settle()
	c.kill(3)
	write(100)
	c.start(3)
	c.settle()
	if c.restarts == 0 {
		t.Error("it took over no checkpoint")
	}
	primary := c.primary()
	c.kill(primary)
	write(1)
	c.start(primary)
	c.settle()
	c.kill(3)
	c.format(3, 0)
	c.start(3)
	write(1)
	c.settle()
}

// A standby counts neither for a commit nor for a view.
func TestStandbyHasNoVoice(t *testing.T) {
	c, p, primary := newSettled(t, 3, 6)
	first, second := (primary+1)%3, (primary+2)%3
	c.kill(first)
	c.kill(second)
	before := c.nodes[primary].CommitMin()
	c.ask(p, "key=2")
	for range 500 {
		c.pass()
	}
	if got := c.nodes[primary].CommitMin(); got != before {
		t.Fatalf("%v is committed, after %v", got, before)
	}
	c.kill(primary)
	c.start(first)
	c.pass()
	view := c.nodes[first].View()
	for range 2000 {
		c.pass()
	}
	if got := c.nodes[first]; got.Status() == "normal" && got.View() != view {
		t.Fatalf("a view has begun: %v", got)
	}
}

// frame returns the patron's next request, to set a value.
func (p *patron) frame(s string) []byte {
	header := p.next(opSet)
	body := text(s)
	header.Release, header.Size = wire.Release0_17_9, uint32(wire.HeaderSize+len(body))
	frame := append(make([]byte, wire.HeaderSize), body...)
	header.Encode(frame)
	wire.Seal(frame)
	return frame
}

// ask gives all replicas a request, once.
func (c *trio) ask(p *patron, s string) {
	frame := p.frame(s)
	for i := range c.nodes {
		c.packets = append(c.packets, packet{uint8(i), frame})
	}
}
