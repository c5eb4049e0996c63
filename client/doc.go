// Package client is the Go client of ledgerd. It speaks the protocol of
// TigerBeetle 0.17 and works against either server; it needs no cgo.
//
//	c, err := client.Connect(ctx, client.Config{Addresses: []string{"3000"}})
//	if err != nil { ... }
//	defer c.Close()
//	results, err := c.CreateTransfers(ctx, []ledger.Transfer{{ ... }})
//
// A Client is one session of the cluster, safe for use by any number of
// goroutines, and meant to be shared by them: while one request is on its way,
// calls of the same operation are collected and leave together in the next. A
// program needs one Client, or a few where it has very much to send.
//
// # Errors
//
// A call returns an error only if there is no answer. What the ledger makes of
// each account or transfer is a status in the results, never an error.
//
// Calls wait, through lost connections and changes of the primary, until the
// answer is there or the context ends. Then:
//
//   - a call of which nothing was sent is withdrawn: the error is the
//     context's alone, and nothing happened;
//   - any other returns an error that is ErrOutcomeUnknown and the context's
//     (errors.Is finds both). The request is still carried through, so it may
//     yet be executed. To find out, send the same transfers with the same ids
//     again: those that were created answer TransferExists.
//
// ErrTooMuchData, ErrEvicted and ErrClosed are described where they are
// declared. After eviction a Client is dead; close it and connect again.
//
// # Structure
//
// The protocol's rules are in client/session, a pure state machine. This
// package owns what surrounds it: the connections (one per address, a reader
// and a writer goroutine each), the clock, and the lock under which callers,
// readers and the timer drive the session. There is no goroutine of the
// session's own: each hand-over between goroutines costs as much as a small
// disk write, and a round trip needs only two, caller to writer and reader to
// caller.
package client
