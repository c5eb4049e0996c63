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
// A kill does not lose what the operating system has taken over, as a power
// failure would; the tests of package vsr cut the power too.
package killtest
