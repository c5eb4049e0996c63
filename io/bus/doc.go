// Package bus carries messages between clients and a replica, and between the
// replicas of a cluster, over TCP: the server's side of PROTOCOL.md sections 1,
// 4.1, 4.2 and 17.
//
// It owns the listener, the connections, and the map from client ids to
// connections. It verifies what it receives down to the header layer, and
// delivers messages that are whole, meant for this cluster and meant for a
// server. It knows nothing of sessions, and never looks into a body. It may
// lose any message: clients retry.
//
// # Layers
//
// What violates the stream layer (PROTOCOL.md section 4.1) closes its
// connection without a word; so does a command of replicas that comes from a
// client, or the other way round. What violates the header layer (section
// 4.3), and known commands that are for clients, are dropped. A message that is
// dropped for its header tells nothing about its sender either.
//
// # Replicas
//
// Each replica connects to all others, and on these connections it sends and
// never listens; see link. On a connection that was accepted, the first message
// tells who the peer is, and it stays that. Forwarded requests and prepares do
// not tell, so a link begins with something else. This keeps mistakes out, not
// attackers: whoever can connect can say that it is a replica.
//
// # Memory and time
//
// A connection costs two goroutines and one receiveSize buffer, whatever its
// peer does. A larger message takes a buffer of its own only when its header is
// verified, and its size from a budget that all connections share. A peer
// that leaves a message half sent, or does not read what it is sent, is closed
// after some seconds: sooner when others wait for the budget (see patience).
// Outgoing messages queue up to sendQueueMax per connection, and linkMessagesMax
// and linkBytesMax per replica; more are dropped.
//
// # Goroutines
//
// One accepts, one is the janitor that closes what is late, each connection has
// a reader and a writer, and each link one that dials and writes and one that
// waits for the end. Deliver is called from the readers and
// may block: that holds up the one connection. SendToClient and SendToReplica
// never block.
package bus
