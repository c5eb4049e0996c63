package vsr

import (
	"iter"

	"github.com/ledgerd/ledgerd/wire"
)

// standby reports whether this replica is a standby: it has the log and the state
// like the others, and no voice. Its index is beyond theirs.
func (r *Replica) standby() bool { return r.root.Replica >= r.root.ReplicaCount }

// others yields the other replicas, and the standbys that have been heard of.
func (r *Replica) others() iter.Seq[uint8] {
	return func(yield func(uint8) bool) {
		count := r.root.ReplicaCount
		for i := range count + wire.StandbysMax {
			known := i < count || r.group.standbys>>i&1 == 1
			if known && i != r.root.Replica && !yield(i) {
				return
			}
		}
	}
}

// hears reports whether a message of another replica is to be heard: of a standby
// only questions are, and then it is known.
func (r *Replica) hears(h *wire.Peer) bool {
	switch count := r.root.ReplicaCount; {
	case h.Replica == r.root.Replica || h.Replica >= count+wire.StandbysMax:
		return false
	case h.Replica < count:
		return true
	}
	switch h.Command {
	case wire.CommandPing, wire.CommandGetHeaders, wire.CommandGetPrepare, wire.CommandGetBlocks:
	case wire.CommandGetView:
		if h.Nonce != 0 {
			return false
		}
	default:
		return false
	}
	r.group.standbys |= 1 << h.Replica
	return true
}
