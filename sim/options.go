package sim

import (
	"fmt"
	"time"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/vsr"
	"github.com/ledgerd/ledgerd/vsr/grid"
	"github.com/ledgerd/ledgerd/wire"
)

// options are what one run is like. All of them are drawn from its seed.
type options struct {
	layout vsr.Layout

	cluster clusterOptions

	clients     int  // at a time
	requests    int  // calls to be made in all
	concurrency int  // calls of one client at a time
	packing     int  // percent of multi-batch requests left for the session to pack
	bulk        int  // percent of requests that are large
	hurry       bool // clients do not pause
	withdrawals int  // percent of calls given up before they end

	network networkOptions
	storage storageOptions
	// workerDelayMax is how long a worker's job waits at most, and once more
	// its outcome.
	workerDelayMax time.Duration
	// prefetchDelayMax is how long the replica waits for a prefetch beyond what
	// the ledger needs.
	prefetchDelayMax time.Duration
	gridCacheSize    int
	cacheAccounts    int64

	crashes    int           // at most so many
	crashEvery time.Duration // on average; 0: only on cue, see drawCue
	kills      int           // percent of crashes that end the process but not the machine
	clockJump  time.Duration // between restarts, forth or back
	fault      faultKind
}

// Replicas returns how many replicas the cluster of a seed has, 1 to 6.
func Replicas(seed uint64) int { return drawOptions(seed).cluster.replicas }

// drawOptions makes up the options of a seed. Extremes are likelier than they
// would be by themselves.
func drawOptions(seed uint64) options {
	r := newRandom(seed, streamOptions)
	o := options{
		layout:      drawLayout(r),
		clients:     r.between(1, 8),
		requests:    r.between(50, 500),
		concurrency: oneOf(r, 1, 1, 2, 5),
		packing:     oneOf(r, 0, 50, 100),
		bulk:        oneOf(r, 0, 0, 0, 50, 95),
		hurry:       r.chance(25),
		withdrawals: oneOf(r, 0, 0, 5),
		network: networkOptions{
			loss:       oneOf(r, 0, 0, 1, 10, 30),
			duplicates: oneOf(r, 0, 0, 5, 30),
			delayMax:   oneOf(r, 200*time.Microsecond, 5*time.Millisecond, 500*time.Millisecond),
			breaks:     oneOf(r, 0, 0, 2, 10),
		},
		storage: storageOptions{
			delayMax: oneOf(r, 100*time.Microsecond, time.Millisecond, 30*time.Millisecond),
			stalls:   oneOf(r, 0, 0, 1),
		},
		crashes:    oneOf(r, 0, 3, 12, 30),
		crashEvery: oneOf(r, 0, 200*time.Millisecond, 2*time.Second, 20*time.Second),
		kills:      oneOf(r, 0, 0, 30, 100),
		clockJump:  oneOf(r, 0, time.Millisecond, 3*time.Second, time.Hour),
		fault:      oneOf(r, faultNone, faultNone, faultRot, faultRead, faultWrite, faultLost),
	}
	if o.fault == faultRot {
		o.crashes, o.kills = max(o.crashes, 12), oneOf(r, 50, 100)
	}
	if o.bulk > 0 {
		// So many and so large that several prepares are journalled at once,
		// and that the journal gets full before a checkpoint empties it.
		o.layout.RequestSizeMax = 150_000
		o.layout.SessionsMax = uint32(r.between(8, 16))
		o.clients, o.requests, o.hurry = int(o.layout.SessionsMax), r.between(50, 200), true
		o.storage.delayMax, o.network.delayMax = 30*time.Millisecond, min(o.network.delayMax, 5*time.Millisecond)
		o.network.loss = min(o.network.loss, 1)
		if r.chance(25) { // less than the pipeline fills the journal
			o.layout.RequestSizeMax, o.requests = wire.MessageSizeMax, r.between(20, 60)
		}
	}
	o.layout.JournalRingSize = drawRing(r, &o.layout)
	o.cluster = drawCluster(seed, &o)
	o.workerDelayMax = oneOf(r, time.Nanosecond, time.Millisecond, 100*time.Millisecond)
	o.prefetchDelayMax = oneOf(r, 0, 0, time.Millisecond, 30*time.Millisecond)
	o.gridCacheSize = oneOf(r, 0, grid.CacheSizeMin, 16*grid.CacheSizeMin)
	o.cacheAccounts = int64(oneOf(r, 1, 20_000, 1<<20))
	return o
}

// drawLayout makes up a data file so small that its rings are lapped, its
// checkpoints frequent and its sessions few.
func drawLayout(r random) vsr.Layout {
	layout := vsr.Layout{
		JournalSlots:   uint32(16 * r.between(1, 4)),
		BlockSize:      uint32(oneOf(r, 4096, 8192, 16384)),
		SessionsMax:    uint32(r.between(2, 16)),
		RequestSizeMax: uint32(oneOf(r, 2048, 8192, 20_000, 40_000)),
	}
	layout.JournalSpares = layout.JournalSlots / uint32(oneOf(r, 2, 8, 100))
	return layout
}

// drawRing returns the size of the ring of records: often the smallest that the
// layout permits, nine of the largest records.
func drawRing(r random, layout *vsr.Layout) uint64 {
	record := blockio.RoundUp(int(layout.RequestSizeMax) + wire.EntrySize)
	return uint64(record * oneOf(r, 9, 9, 11, 20))
}

// String says what the run is like, for its trace.
func (o options) String() string {
	return fmt.Sprintf("cluster %+v, layout %+v, clients %d, requests %d, concurrency %d, packing %d%%, bulk %d%%, hurry %v, withdrawals %d%%, "+
		"network %+v, storage %+v, workers up to %v, prefetches up to %v, caches %d and %d, crashes %d every %v with %d%% kills, clock jumps %v, fault %v",
		o.cluster, o.layout, o.clients, o.requests, o.concurrency, o.packing, o.bulk, o.hurry, o.withdrawals,
		o.network, o.storage, o.workerDelayMax, o.prefetchDelayMax, o.gridCacheSize, o.cacheAccounts, o.crashes, o.crashEvery, o.kills, o.clockJump, o.fault)
}
