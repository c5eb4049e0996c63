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
//	scheduler  virtual time: the only source of order
//	network    packets between endpoints, which are replicas or clients
//	storage    a replica's disk: delays, order of completion, injected faults
//	replica    a data file and the process that serves it: start, crash, failure
//	client     a session.Session and its calls; workload makes up the calls
//	simulation the run: chaos, then calm, then the last checks
//
// and the checkers, which know nothing of the workload:
//
//	checkMachine  what is executed: one history, the same at every replay, with
//	              the replies of sim/model
//	checkBus      what is sent to clients: each request executed once and
//	              answered by its own reply, ordinals and views never regress,
//	              nobody evicted without cause
//	checkState    all records of the ledger, read back, and their sums
//	liveness      in simulation: when all faults have ended, so does each call
//
// Nothing here depends on there being one replica except where a comment says
// so. The package starts no goroutine and reads no clock: equal seeds give
// equal runs, byte for byte.
package sim
