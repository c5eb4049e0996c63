package vsr

import (
	"fmt"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/u128"
)

// Op is the number of a prepare in the log. Op 0 is the root, which every
// replica of a cluster knows without being told.
type Op uint64

// String returns the op for logs.
func (op Op) String() string { return fmt.Sprintf("op %d", uint64(op)) }

// View numbers the reigns of primaries: the primary of view v is the replica
// v mod the number of replicas.
type View uint32

// Ordinal is the position of one request in the history of all requests. A
// prepare packs several requests, so ordinals run ahead of ops. Clients see
// ordinals only: they are the `op` and `commit` of replies, and a session's
// number is the ordinal of its registration (PROTOCOL.md section 7).
type Ordinal uint64

// StateMachine is the deterministic service that is replicated. The same
// requests at the same timestamps give the same replies and the same blocks
// on the grid, on every replica and after every restart.
//
// All methods are called from the goroutine that owns the replica, and done
// callbacks must be called from it too. Slices passed in are valid until the
// method returns; Prefetch's body until the matching Commit returns.
type StateMachine interface {
	// Check judges a client's request by its shape alone, before it is
	// ordered. bodySizeLimit is the largest request body this cluster
	// accepts, in bytes. A request that is not known or not valid costs the
	// client its session. slots is how many timestamps the request uses up:
	// Commit may use timestamp-slots+1 .. timestamp.
	Check(operation byte, body []byte, bodySizeLimit int) (slots int, known, valid bool)

	// Pulse reports whether the state machine has work of its own to do at
	// cluster time now (ns), and how many timestamps that takes. The primary
	// then orders a request with operation wire.OperationPulse and no body.
	// It may be called at any time, also during a Prefetch, and may be due
	// for nothing, but not twice in a row.
	Pulse(now uint64) (slots int, due bool)

	// Prefetch brings into memory whatever Commit of this request will
	// touch. All requests before it have been committed, and its own Commit
	// is the next. It calls done once, before returning if nothing must be
	// read. If something cannot be read it calls the fault function of
	// Options.NewStateMachine instead.
	Prefetch(operation byte, timestamp uint64, body []byte, done func())

	// Commit executes the request and appends its reply body, at most
	// wire.BodySizeMax bytes, to reply. It touches memory only and cannot
	// fail.
	Commit(operation byte, timestamp uint64, body, reply []byte) []byte

	// Checkpoint gives all state to the grid that is not there yet, then calls
	// done with at most superblock.RootSizeMax bytes, valid during the call,
	// from which Open finds all of it when it is written. Nothing is committed
	// before done.
	Checkpoint(done func(root []byte))

	// Open restores the state that root names; an empty root is the empty
	// state. It is called once, before anything else, and done with an error
	// if the state cannot be read back whole.
	Open(root []byte, done func(error))
}

// Storage carries out operations on the data file; see blockio.Request for
// the contract. Implemented by io/disk and by the simulator's disk.
type Storage interface {
	Submit(*blockio.Request)
}

// Bus sends messages. Implemented by io/bus and by the simulator's network.
type Bus interface {
	// SendToClient queues the frame in msg for the connection of the client.
	// It never blocks and takes a reference of its own. The message is
	// dropped when the client is not connected or its queue is full: clients
	// ask again.
	SendToClient(client u128.Uint128, msg *buffer.Buffer)
}

// Peers sends messages to the other replicas of the cluster. Implemented by
// io/bus and by the simulator's network.
type Peers interface {
	// SendToReplica queues the frame in msg for a replica. It never blocks
	// and takes a reference of its own. Messages may be lost, come late, twice
	// and in any order: whoever misses one asks for it.
	SendToReplica(replica uint8, msg *buffer.Buffer)
}

// Clock tells the time. Implemented by the system's clocks and the simulator.
type Clock interface {
	// Realtime returns nanoseconds since the Unix epoch. It may jump.
	Realtime() uint64
}
