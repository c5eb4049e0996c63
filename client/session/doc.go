// Package session is the client's half of the request protocol as a pure state
// machine: it registers, numbers and chains requests, packs calls that wait
// together into one request, resends what got no answer, follows views, and
// accepts replies and evictions (PROTOCOL.md sections 7, 10 and 11).
//
// It owns no goroutine, clock or socket. Its driver tells it what happened
// (Connected, Disconnected, Receive, Tick, Submit, Withdraw), and it answers
// through Host and Submitter, which only enqueue. Time is a monotonic reading since
// any fixed origin and never goes back; jitter comes from a given generator.
// Package client drives it with real connections, the simulator with virtual
// ones.
//
// A Session lives for one client id: New, then events, until it stops, by
// Close, by eviction, or by running out of request numbers. From then on Err
// tells why, nothing more is sent, and every call fails at once.
//
// Invariants, in the order in which a request meets them:
//
//  1. At most one request is outstanding. Its bytes never change, however
//     often they are sent, because its checksum is its identity.
//  2. A request is formed only while some replica is connected, so a call that
//     was never handed to a connection is still in the queue.
//  3. Request n carries the context of the reply to request n-1.
//  4. Every submitted call completes exactly once.
package session
