package sim

import (
	"math/rand/v2"
	"time"
)

// random is one stream of chance. Each part of a run has its own, so that a
// change of one part leaves the choices of the others alone.
type random struct{ *rand.Rand }

// The streams of a seed.
const (
	streamOptions = iota + 1
	streamDisk
	streamStorage
	streamNetwork
	streamFaults
	streamClients
	streamWorkload
	streamWorkers
	streamCluster
	streamPartitions
	streamPauses
	streamClogs
)

func newRandom(seed uint64, stream uint64) random {
	return random{rand.New(rand.NewPCG(seed, stream))}
}

// chance is true so many times in a hundred.
func (r random) chance(percent int) bool { return r.IntN(100) < percent }

// between returns a number from low to high, both included.
func (r random) between(low, high int) int { return low + r.IntN(high-low+1) }

// duration returns a time from low to high.
func (r random) duration(low, high time.Duration) time.Duration {
	return low + time.Duration(r.Int64N(int64(high-low)+1))
}

// oneOf returns one of the items.
func oneOf[T any](r random, items ...T) T { return items[r.IntN(len(items))] }
