package sim

import (
	"time"

	"github.com/ledgerd/ledgerd/internal/buffer"
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
	// deliver hands a packet over where it was sent to, for the time of the call.
	deliver func(from, to endpoint, packet []byte)
	// cut says of two replicas that nothing gets from the one to the other, held
	// until when what does waits.
	cut     func(from, to int) bool
	held    func(from, to int) time.Duration
	calm    bool // nothing gets lost or comes twice any more
	packets int
}

// send takes references of its own to the message, as a bus does: who changes
// it after all changes it on its way.
func (n *network) send(from, to endpoint, message *buffer.Buffer) {
	n.packets++
	least := networkDelayMin
	if from.client.IsZero() && to.client.IsZero() {
		if n.cut(from.replica, to.replica) {
			return
		}
		least = max(least, n.held(from.replica, to.replica)-n.scheduler.now)
	}
	copies := 1
	if !n.calm && n.random.chance(n.options.loss) {
		copies--
	}
	if !n.calm && n.random.chance(n.options.duplicates) {
		copies++
	}
	for range copies {
		message.Retain()
		delay := max(least, n.random.duration(networkDelayMin, n.options.delayMax))
		n.scheduler.after(delay, func() {
			n.deliver(from, to, message.Bytes)
			message.Release()
		})
	}
}
