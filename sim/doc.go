// Package sim runs a whole cluster with its clients in one goroutine, on
// virtual time, from one seed, and checks what they do.
//
// The replica is the server's own: internal/node, on a disk that tears, rots
// and loses power (vsr/faultdisk), with a clock that jumps. Clients are those
// of the Go client, client/session, behind a network that loses, repeats,
// delays and reorders. Which of these happen, how often, and how small the
// data file is, is drawn anew for each seed: runs of different kinds find
// different faults.
//
// # Parts
//
//	options    what one seed is like
//	cluster    how many replicas, who hears of whom, who is left in the end
//	scheduler  virtual time: the only source of order
//	network    packets between endpoints, which are replicas or clients
//	pause      processes that stand still, and ways that are clogged
//	storage    a replica's disk: delays, order of completion, injected faults
//	replica    a data file and the process that serves it: start, crash, failure
//	client     a session.Session and its calls; workload makes up the calls
//	simulation the run: chaos, then calm, then the last checks
//
// and the checkers, which know nothing of the workload:
//
//	checkMachine  what is executed: one history, the same at every replay, with
//	              the replies of sim/model, and the same checkpoints on every
//	              replica
//	checkBus      what is sent to clients: each request executed once and
//	              answered by its own reply, after a quorum of disks has it,
//	              ordinals never regress, in the order in which clients were
//	              answered; nobody evicted without cause
//	checkPeers    what replicas tell each other: no view and no checkpoint regresses,
//	              an op is made once in a view, what is acknowledged is on the disk
//	checkGrid     the disks, at checkpoints: equal, block for block
//	checkState    all records of the ledger, read back, and their sums
//	liveness      in simulation: when all faults have ended, so does each call,
//	              and what is left of the cluster comes to one state
//
// The package starts no goroutine and reads no clock: equal seeds give
// equal runs, byte for byte.
package sim
