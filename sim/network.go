package sim

import (
	"bytes"
	"time"

	"github.com/ledgerd/ledgerd/internal/u128"
)

// endpoint is a place that packets come from and go to: a replica, or a client
// if its id is not 0.
type endpoint struct {
	replica int
	client  u128.Uint128
}

type networkOptions struct {
	loss       int // percent
	duplicates int // percent
	delayMax   time.Duration
	breaks     int // percent of packets to a client after which its connection breaks
}

const networkDelayMin = 20 * time.Microsecond

// network carries packets between endpoints. Each travels by itself: packets
// overtake each other, get lost and arrive twice, which is more than a
// connection does; that a connection breaks is up to its client.
type network struct {
	options   networkOptions
	random    random
	scheduler *scheduler
	// deliver hands a packet over where it was sent to. It may be kept.
	deliver func(from, to endpoint, packet []byte)
	// cut says of two replicas that nothing gets from the one to the other.
	cut     func(from, to int) bool
	calm    bool // nothing gets lost or comes twice any more
	packets int
}

// send takes a copy of the packet.
func (n *network) send(from, to endpoint, packet []byte) {
	n.packets++
	if from.client.IsZero() && to.client.IsZero() && n.cut(from.replica, to.replica) {
		return
	}
	copies := 1
	if !n.calm && n.random.chance(n.options.loss) {
		copies--
	}
	if !n.calm && n.random.chance(n.options.duplicates) {
		copies++
	}
	packet = bytes.Clone(packet)
	for range copies {
		delay := n.random.duration(networkDelayMin, n.options.delayMax)
		n.scheduler.after(delay, func() { n.deliver(from, to, packet) })
	}
}
