package vsr_test

import (
	"strings"
	"testing"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/vsr"
	"github.com/ledgerd/ledgerd/vsr/faultdisk"
	"github.com/ledgerd/ledgerd/wire"
)

// stall withholds the Syncs of a disk, without which no checkpoint becomes
// durable, while what is journalled does.
type stall struct {
	on       bool
	withheld []*blockio.Request
}

type stallingDisk struct {
	*faultdisk.Disk
	stall *stall
}

// Submit implements vsr.Storage.
func (d *stallingDisk) Submit(request *blockio.Request) {
	if d.stall.on && request.Kind == blockio.Sync {
		d.stall.withheld = append(d.stall.withheld, request)
		return
	}
	d.Disk.Submit(request)
}

// resume lets the Syncs of a replica through again.
func (c *trio) resume(i uint8) {
	c.stalled[i].on = false
	for _, request := range c.stalled[i].withheld {
		c.disks[i].Submit(request)
	}
	c.stalled[i].withheld = nil
}

// A primary whose checkpoints nobody follows makes one, and no second: it keeps
// the one before, and the log since. With one backup that follows it goes on, and
// the other finds all that it lacks.
func TestCheckpointWaitsForAQuorumToHaveTheOneBefore(t *testing.T) {
	c := newTrio(t)
	p := c.newPatron(7)
	c.settle()
	primary := uint8(p.latest.View % 3)
	one, other := (primary+1)%3, (primary+2)%3
	c.stalled[one].on, c.stalled[other].on = true, true
	padding := strings.Repeat("x", 900)
	var alone vsr.Op
	for range 100 {
		p.tryFor(30, opSet, "key="+padding)
		if op := c.nodes[primary].CheckpointOp(); alone == 0 {
			alone = op
		} else if op != alone {
			t.Fatalf("checkpoint at %v, while the others have none at %v", op, alone)
		}
	}
	if alone == 0 || c.nodes[primary].CommitMin() < 2*alone || c.nodes[one].CheckpointOp() != 0 {
		t.Fatalf("nothing was put to the test: %v, %v", c.nodes[primary], c.nodes[one])
	}
	c.resume(one)
	for range 40 {
		p.do(opSet, "key="+padding)
	}
	if op := c.nodes[primary].CheckpointOp(); op <= 2*alone || c.nodes[other].CheckpointOp() != 0 {
		t.Fatalf("with one that follows the checkpoint is at %v, that of the other at %v", op, c.nodes[other].CheckpointOp())
	}
	c.resume(other)
	c.settle()
}

// While a checkpoint is being made durable requests are executed, up to the op of
// the next one, which waits for it. A restart from the checkpoint before finds what
// was answered meanwhile.
func TestExecutionGoesOnDuringACheckpoint(t *testing.T) {
	for _, crash := range []bool{false, true} {
		c := newCluster(t, 1)
		p := c.newPatron(7)
		for c.nodes[0].CheckpointOp() == 0 {
			p.do(opSet, "key=1")
		}
		first := c.nodes[0].CheckpointOp()
		c.stalled[0].on = true
		for range 4 * int(first) {
			p.tryFor(5, opSet, "key=2")
		}
		if done := c.nodes[0].CommitMin(); c.nodes[0].CheckpointOp() != first || done != 3*first {
			t.Fatalf("checkpoint at %v, executed %v; want %v and %v", c.nodes[0].CheckpointOp(), done, first, 3*first)
		}
		if crash {
			c.kill(0)
			c.stalled[0] = stall{}
			c.start(0)
		} else {
			c.resume(0)
		}
		for range 5 {
			p.do(opSet, "key=2")
		}
		if op := c.nodes[0].CheckpointOp(); op != 3*first {
			t.Errorf("crash %v: checkpoint at %v, want %v", crash, op, 3*first)
		}
	}
}

// tryFor makes a request and waits for its answer for some ticks; if none comes,
// the next one is the same again.
func (p *patron) tryFor(ticks int, operation byte, s string) {
	delete(p.replies, p.id)
	p.request(p.next(operation), text(s))
	for range ticks {
		p.pass()
	}
	var reply wire.Reply
	if b := p.replies[p.id]; b != nil && reply.Decode(b) == nil {
		p.latest = reply
	}
}

// The first of two to have a checkpoint finds a block of it damaged: it needs the
// other one to get as far, and that one, which remembers nothing, needs to know
// that the checkpoint before was on both.
func TestCheckpointOfTheOneAheadIsDamaged(t *testing.T) {
	c := newCluster(t, 2)
	p := c.newPatron(7)
	for c.nodes[0].CheckpointOp() == 0 || c.nodes[1].CheckpointOp() == 0 {
		p.do(opSet, "key=1")
	}
	before := c.nodes[0].CheckpointOp()
	c.stalled[1].on = true
	for range 20 {
		p.tryFor(10, opSet, "key=2")
	}
	if a, b := c.nodes[0].CheckpointOp(), c.nodes[1].CheckpointOp(); a != 2*before || b != before {
		t.Fatalf("checkpoints at %v and %v", a, b)
	}
	c.kill(0)
	c.kill(1)
	c.stalled[1] = stall{}
	c.disks[0].Rot(c.layout.GridOffset(), 16*4096)
	c.start(0)
	c.start(1)
	p.do(opSet, "key=3")
	if c.restarts == 0 {
		t.Error("nothing was damaged")
	}
}
