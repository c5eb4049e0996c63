// Package vsr replicates a deterministic state machine by Viewstamped
// Replication (Liskov and Cowling, "Viewstamped Replication Revisited", 2012),
// with protocol-aware recovery of the log (Alagappan et al., FAST 2018).
//
// It owns the order of requests, their durability, the sessions of clients and
// the checkpoints. It knows nothing of ledgers, files or sockets: what is
// replicated is any StateMachine, and Storage, Bus and Clock are given to it.
//
// # A replica's life
//
//	New ──Open──► opening: superblock, free set, state, sessions, journal
//	              replay:  executes what the journal has after the checkpoint
//	              normal:  OnMessage ... Step ... OnMessage ... Step ...
//	              failed:  Err is not nil; the owner stops the process
//
// In a cluster of several, Open ends before the replay: what of the log is
// committed is learnt from the others.
//
//	recovering     a restarted backup asks where the log of its view ends
//	view change    the log of the next view is chosen and taken over
//	syncing        the checkpoint is another replica's; its blocks are fetched
//
// docs/REPLICATION.md has the messages, the invariants and the reasons.
//
// # The way of a request
//
//	OnMessage  judge, find the session, answer a duplicate, or queue it
//	Step       prepare: pack what waits into one prepare, assign op, ordinals and
//	           timestamps, chain it to its predecessor, append it to the journal
//	(storage)  record durable, then its witness: this replica acknowledges
//	Step       commit: prefetch, execute each request, store and send its reply
//	           checkpoint, when enough was journalled since the last one
//
// A prepare packs all requests that wait, of as many clients as there are: one
// journal write, one quorum round, one execution pass. Clients cannot see it.
// Each request has its own ordinal, its own range of timestamps and its own
// reply, and at-most-once holds for each by itself.
//
// # Determinism
//
// Nothing here starts a goroutine, waits, reads a clock or rolls dice. The same
// calls with the same completions give the same messages and the same bytes on
// disk. One goroutine owns a Replica; completions come back through it.
//
// A cluster of one runs this code with a quorum of one.
package vsr
