// Package bench makes load for a ledger and reports how it was borne.
//
// A Workload says what to send: how many accounts and transfers, in what
// batches, from how many clients, between which of the accounts, with ids in what
// order, and whether requests wait for replies or fall due. Run sends it, times
// every batch, and at the end adds up the balances of all accounts: a server
// that lost or doubled an acknowledged transfer fails the run, however fast it
// was. MeasureYardstick does the least work that any such database must do with
// the same batches, so that runs on different machines can be compared. Process
// tells what a server cost in memory and processor time.
//
// The driver shares its machine with the server, so it is kept cheap: one
// goroutine and one reused batch per client, a few nanoseconds a transfer. The
// package starts no servers, draws no tables and reads no flags.
package bench
