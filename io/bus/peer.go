package bus

import "github.com/ledgerd/ledgerd/internal/u128"

// A peerKind is what is known about the other end of an accepted connection
// (PROTOCOL.md section 4.2).
type peerKind uint8

const (
	// peerUnknown has not told anything about itself yet.
	peerUnknown peerKind = iota
	// peerLikelyClient has sent a request: replicas forward those too.
	peerLikelyClient
	// peerClient has sent a ping_client.
	peerClient
	// peerReplica has begun with a message that names a replica as its author.
	peerReplica
)

// A peer is the other end of a connection.
type peer struct {
	kind    peerKind
	client  u128.Uint128 // of clients
	replica uint8        // of replicas
}

// onRequest takes note of a request of client. first says that it is the
// first sign of this client on a connection without one. It returns ok ==
// false if the peer turns out to be someone else, and is to be closed.
func (p *peer) onRequest(client u128.Uint128) (first, ok bool) {
	switch p.kind {
	case peerUnknown:
		*p = peer{kind: peerLikelyClient, client: client}
		return true, true
	case peerLikelyClient:
		return false, true // of another client too: forwarded, perhaps
	case peerReplica:
		return false, true // forwarded
	default:
		return false, p.client == client
	}
}

// onPing takes note of a ping_client of client. It returns false if the peer
// turns out to be someone else, and is to be closed.
func (p *peer) onPing(client u128.Uint128) (ok bool) {
	if p.kind == peerReplica || p.kind != peerUnknown && p.client != client {
		return false
	}
	*p = peer{kind: peerClient, client: client}
	return true
}

// onReplica takes note of a message whose author is a replica. first says that
// it is the first of this connection. It returns ok == false if the peer turns
// out to be someone else, and is to be closed.
func (p *peer) onReplica(replica uint8) (first, ok bool) {
	if p.kind == peerUnknown {
		*p = peer{kind: peerReplica, replica: replica}
		return true, true
	}
	return false, p.kind == peerReplica && p.replica == replica
}
