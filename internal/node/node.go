// Package node joins the halves of a replica: the ledger on its forest as the
// state machine, vsr around it. It is the only place where they meet, and
// assembles a replica for the server and for the simulator alike.
//
// It does no I/O: storage, network and time are given to it.
package node

import (
	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/ledger/forest"
	"github.com/ledgerd/ledgerd/vsr"
	"github.com/ledgerd/ledgerd/vsr/grid"
	"github.com/ledgerd/ledgerd/wire"
)

var _ vsr.StateMachine = (*forest.Forest)(nil)

const (
	// Release is what a replica announces to clients, and the newest client
	// it serves: every 0.17 client (PROTOCOL.md section 6).
	Release = wire.Release0_17_0 | 255
	// ReleaseClientMin is the oldest client served.
	ReleaseClientMin = wire.ReleaseMin
)

// Options are what the node is given from outside. All of them must
// be set, unless a default is stated or they have one in vsr.Options.
type Options struct {
	Storage vsr.Storage
	Bus     vsr.Bus
	// Peers may be nil in a cluster of one.
	Peers vsr.Peers
	Clock vsr.Clock
	Pool  *buffer.Pool
	// Workers merge tables beside the replica: see forest.Workers.
	Workers forest.Workers
	// FileSize, Identity, RequestSizeMax and GridCacheSize are as in
	// vsr.Options.
	FileSize       int64
	Identity       *vsr.Identity
	RequestSizeMax int
	GridCacheSize  int
	// CacheAccounts is as in forest.Options.
	CacheAccounts int64
	// Watch, unless nil, is given the state machine and returns what the
	// replica sees of it. The simulator's checkers stand there.
	Watch func(vsr.StateMachine) vsr.StateMachine
}

// New returns a replica of the ledger that has yet to be opened.
func New(options Options) *vsr.Replica {
	watch := options.Watch
	if watch == nil {
		watch = func(machine vsr.StateMachine) vsr.StateMachine { return machine }
	}
	return vsr.New(vsr.Options{
		Storage: options.Storage,
		Bus:     options.Bus,
		Peers:   options.Peers,
		Clock:   options.Clock,
		Pool:    options.Pool,
		NewStateMachine: func(g *grid.Grid, fault func(error)) vsr.StateMachine {
			return watch(forest.New(g, options.Workers, forest.Options{
				CacheAccounts: options.CacheAccounts, Fault: fault,
			}))
		},
		GridCacheSize:    options.GridCacheSize,
		Release:          Release,
		ReleaseClientMin: ReleaseClientMin,
		FileSize:         options.FileSize,
		Identity:         options.Identity,
		RequestSizeMax:   options.RequestSizeMax,
	})
}
