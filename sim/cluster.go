package sim

import (
	"fmt"
	"math/bits"
	"strings"
	"time"

	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/wire"
)

// clusterOptions are what the replicas of a run do to one another.
type clusterOptions struct {
	replicas       int
	standbys       int           // with the indexes after those of the replicas
	partitionEvery time.Duration // on average; 0: never
	oneWay         int           // percent of partitions
	pauseEvery     time.Duration // on average a process stands still; 0: never
	clogEvery      time.Duration // on average the way from one to another; 0: never
	together       int           // percent of crashes that are of all replicas
	// victims are the replicas whose disks rot, a bit for each: fewer than a
	// replication quorum, so that one good copy of everything is left.
	victims uint8
	losses  int // percent of crashes that destroy the disk
}

// core returns the replicas that are left when a run comes to its end: a view
// change quorum at least, if no disk has rotted and none is lost; otherwise all.
func (c *clusterOptions) core(r random, fault faultKind, forgetful bool) uint8 {
	all := uint8(1)<<c.replicas - 1
	if fault.damages() || c.replicas == 1 || r.chance(50) || forgetful {
		return all
	}
	least := [...]int{2: 2, 3: 2, 4: 3, 5: 3, 6: 4}[c.replicas]
	core := all
	for bits.OnesCount8(core) > least && r.chance(80) {
		core &^= 1 << r.IntN(c.replicas)
	}
	return core
}

// quorums are those of replication, by the number of replicas.
var quorums = [...]int{1: 1, 2: 2, 3: 2, 4: 2, 5: 3, 6: 3}

// crashAll lets the power fail for the whole cluster.
func (s *simulation) crashAll() {
	for _, r := range s.replicas {
		if r.process != nil {
			r.crash(r.process)
		}
	}
}

// mayRot reports whether what this replica has on its disk may become
// unreadable.
func (r *replica) mayRot() bool {
	return r.alone() || r.sim.options.cluster.victims>>r.index&1 == 1
}

// drawCluster makes up the cluster of a seed.
func drawCluster(seed uint64, o *options) clusterOptions {
	r := newRandom(seed, streamCluster)
	c := clusterOptions{
		replicas:       oneOf(r, 1, 1, 1, 2, 3, 3, 3, 4, 5, 6),
		partitionEvery: oneOf(r, 0, 300*time.Millisecond, 3*time.Second, 20*time.Second),
		oneWay:         oneOf(r, 0, 30, 100),
		pauseEvery:     oneOf(r, 0, 0, 3*time.Second, 20*time.Second),
		clogEvery:      oneOf(r, 0, 0, 300*time.Millisecond, 3*time.Second),
	}
	if c.replicas > 1 {
		c.together = oneOf(r, 0, 10, 50)
		o.fault = oneOf(r, faultNone, faultNone, faultRot, faultRead, faultWrite, faultLost)
		o.crashes *= 2
		for range quorums[c.replicas] - 1 {
			c.victims |= 1 << r.IntN(c.replicas)
		}
		c.losses = oneOf(r, 0, 0, 10, 50)
		c.standbys = oneOf(r, 0, 0, 0, 1, 2)
	}
	return c
}

// standby reports whether the replica is a standby.
func (r *replica) standby() bool { return r.index >= r.sim.options.cluster.replicas }

// alone reports whether the replica is its whole cluster.
func (r *replica) alone() bool { return r.sim.options.cluster.replicas == 1 }

// partition says which replicas hear of which: a bit for each.
type partition struct {
	deaf [wire.MembersMax]uint8 // to whom each is deaf
}

func (p *partition) cut(from, to int) bool { return p.deaf[to]>>from&1 == 1 }

// partitionInTime changes the partition now and then.
func (s *simulation) partitionInTime() {
	o := &s.options.cluster
	if o.replicas == 1 {
		return
	}
	s.sometimes(streamPartitions, o.partitionEvery, func(r random) {
		s.partition = drawPartition(r, o)
		s.trace("partition %b", s.partition.deaf[:o.replicas])
	})
}

// drawPartition makes up a partition: often none, or one replica by itself.
func drawPartition(r random, o *clusterOptions) (p partition) {
	all := uint8(1)<<o.replicas - 1
	side := uint8(0)
	switch {
	case r.chance(40):
		return p
	case r.chance(50):
		side = 1 << r.IntN(o.replicas)
	default:
		side = uint8(r.IntN(int(all) + 1))
	}
	oneWay, into := r.chance(o.oneWay), r.chance(50)
	for i := range o.replicas {
		inside := side>>i&1 == 1
		if oneWay && inside != into {
			continue
		}
		p.deaf[i] = side
		if inside {
			p.deaf[i] = all &^ side
		}
	}
	return p
}

// SendToReplica implements vsr.Peers.
func (p *process) SendToReplica(to uint8, message *buffer.Buffer) {
	r := p.replica
	if int(to) >= len(r.sim.replicas) || int(to) == r.index {
		r.sim.fail("replica %d sends to replica %d", r.index, to)
		return
	}
	if err := r.sim.peers.check(p, message.Bytes); err != nil {
		r.sim.fail("replica %d sends to replica %d: %v", r.index, to, err)
		return
	}
	r.sim.network.send(endpoint{replica: r.index}, endpoint{replica: int(to)}, message)
}

// converge waits until all replicas have executed the same, and reads back the
// state of those given.
func (s *simulation) converge(read ...*replica) {
	if len(s.replicas) == 1 || s.over {
		return
	}
	if !s.until(calmMax, s.converged) {
		s.fail("the replicas have not come together %v after the last fault: %s", calmMax, s.positions())
		return
	}
	s.hold(true)
	for _, r := range read {
		if !s.over {
			r.process.check(r.process.machine.unchanged)
			s.hold(true)
		}
	}
	s.hold(false)
}

// hold lets no replica take a step.
func (s *simulation) hold(held bool) {
	for _, r := range s.replicas {
		if p := r.process; p != nil && p.opened {
			p.checking = held
			p.happened()
		}
	}
}

// living returns the replicas that have not been given up.
func (s *simulation) living() (living []*replica) {
	for _, r := range s.replicas {
		if !r.gone {
			living = append(living, r)
		}
	}
	return living
}

func (s *simulation) converged() bool {
	first := s.living()[0].process
	for _, r := range s.living() {
		p := r.process
		if p == nil || !p.opened || p.machine == nil || first == nil || p.node.CommitMin() != first.node.CommitMin() ||
			p.node.View() != first.node.View() || !r.quiet() || p.machine.position != len(s.history.commits) {
			return false
		}
	}
	return true
}

// positions says where the replicas are.
func (s *simulation) positions() string {
	var b strings.Builder
	for _, r := range s.replicas {
		if p := r.process; p == nil || !p.opened || p.machine == nil {
			fmt.Fprintf(&b, "replica %d is down; ", r.index)
		} else {
			fmt.Fprintf(&b, "replica %d: %v, request %d of %d; ", r.index, p.node, p.machine.position, len(s.history.commits))
		}
	}
	return b.String()
}

// checkWitnesses looks for witnesses of an ordinal on a quorum of disks.
func (b *checkBus) checkWitnesses(ordinal uint64) error {
	var err error
	found := 0
	for _, r := range b.sim.replicas[:b.sim.options.cluster.replicas] {
		if e := b.checkWitness(r, ordinal); e != nil && !r.forgetful {
			err = e
			continue
		}
		found++
	}
	if quorum := quorums[b.sim.options.cluster.replicas]; found < quorum {
		return fmt.Errorf("on %d disks, of which a quorum is %d: %w", found, quorum, err)
	}
	return nil
}

// moveClock lets the clock of a machine that starts show another time. In a
// cluster most clocks are about right; that of the first victim is anything.
func (r *replica) moveClock() {
	s := r.sim
	jump := int64(s.options.clockJump)
	if jump == 0 || s.calm && r.alone() {
		return
	}
	wrong := !s.calm && len(s.replicas) > 2 && bits.TrailingZeros8(s.options.cluster.victims) == r.index
	if !r.alone() && !wrong {
		jump, r.clockOffset = min(jump, int64(clockErrorMax)), 0
	}
	r.clockOffset += s.faults.Int64N(2*jump+1) - jump
}

// clockErrorMax is how wrong a clock is that passes for right.
const clockErrorMax = 2 * time.Second
