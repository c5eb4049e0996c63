package sim

import "github.com/ledgerd/ledgerd/vsr"

// forgetful returns how many replicas have lost their disk and do not count
// again yet.
func (s *simulation) forgetful() int {
	count := 0
	for _, r := range s.replicas {
		if r.forgetful {
			count++
		}
	}
	return count
}

// mayForget reports whether this replica's disk may be lost: not so many at a
// time that no good copy of something is left.
func (r *replica) mayForget() bool {
	s := r.sim
	switch {
	case r.standby():
		return true
	case r.alone() || r.forgetful || s.forgetful() >= quorums[s.options.cluster.replicas]-1:
		return false
	}
	return !s.options.fault.damages() || r.mayRot()
}

// loseDisk replaces the disk by a new one, from which the replica recovers; a
// standby, which has promised nothing, begins anew.
func (r *replica) loseDisk() {
	r.sim.totals.DisksLost++
	r.sim.trace("replica %d loses its disk", r.index)
	if r.standby() {
		r.view = 0
		r.format(0)
		return
	}
	r.forgetful = true
	r.format(uint64(r.sim.totals.DisksLost))
}

// followsItself demands that a replica which counts is in no view before one
// that it was in, whether it remembers that or not.
func (r *replica) followsItself(node *vsr.Replica) bool {
	if node.Recovering() {
		return true
	}
	r.forgetful = false
	if view := node.View(); view < r.view || r.alone() && view == r.view {
		r.sim.fail("replica %d is in view %d, and was in view %d before", r.index, view, r.view)
		return false
	}
	r.view = node.View()
	return true
}
