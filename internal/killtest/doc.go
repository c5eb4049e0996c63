// Package killtest proves that ledgerd loses nothing when it is killed. It
// holds tests only, and treats the server as an operator does: as a program
// with arguments, a data file, an exit code and messages.
//
// TestKill runs rounds. In each, clients send plain transfers, linked chains
// and two-phase transfers until the server is killed with SIGKILL, at a random
// moment or at one that cuts a checkpoint, a wrap of the journal or a recovery.
// The server starts again on the same file, and everything is compared with
// what the clients know:
//
//   - an acknowledged transfer is there, as it was sent, with the timestamp
//     that was acknowledged;
//   - a request without an answer was executed in full or not at all;
//   - each account's balances are the sums of the transfers that are there, and
//     all debits equal all credits;
//   - a client that outlives the server gets the answer it waits for, and no
//     request of it is executed twice.
//
// More rounds than the few of an ordinary test run:
//
//	go test ./internal/killtest -run TestKill -v -kill.rounds=100
//
// # Clusters
//
// The other tests run three or five replicas, each a process, joined by roads:
// proxies on loopback, one for each direction between two replicas and one from
// clients to each replica, which can be cut, slowed down, and made to damage what
// passes. Workers send batches as above; tellers make one small request after the
// other, and note when each began and ended. In the end
//
//   - there is one order of all that tellers did, in keeping with their notes,
//     that explains every answer (porcupine judges this), and timestamps follow it;
//   - all that was acknowledged is there, each once, and the balances are right,
//     whichever replica is the primary and so answers by what it has executed;
//   - every data file is sound, and equal checkpoints have equal ids.
//
// TestPrimaryKilled kills one primary after the other, and measures how long
// clients wait. TestFaults makes faults of all kinds, on two of five replicas at a
// time. TestRepair brings a replica back that has missed much, whose file was
// damaged, or that has lost it.
//
//	go test ./internal/killtest -run TestPrimaryKilled -v -kill.failovers=50
//	go test ./internal/killtest -run TestFaults -v -kill.faults=10m
//	go test ./internal/killtest -run TestRepair -v -kill.lag=10000000
//
// A kill does not lose what the operating system has taken over, as a power
// failure would; the tests of package vsr cut the power too.
package killtest
