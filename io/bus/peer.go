package bus

import "github.com/ledgerd/ledgerd/internal/u128"

// A peerKind is what is known about the other end of a connection (PROTOCOL.md
// section 4.2). Replicas will be a kind of their own.
type peerKind uint8

const (
	// peerUnknown has not told anything about itself yet.
	peerUnknown peerKind = iota
	// peerLikelyClient has sent a request: replicas forward those too.
	peerLikelyClient
	// peerClient has sent a ping_client.
	peerClient
)

// A peer is the other end of a connection.
type peer struct {
	kind   peerKind
	client u128.Uint128 // 0 while unknown
}

// onRequest takes note of a request of client. first says that it is the
// first sign of this client on a connection without one. It returns ok ==
// false if the peer turns out to be someone else, and is to be closed.
func (p *peer) onRequest(client u128.Uint128) (first, ok bool) {
	switch p.kind {
	case peerUnknown:
		*p = peer{peerLikelyClient, client}
		return true, true
	case peerLikelyClient:
		return false, true // of another client too: forwarded, perhaps
	default:
		return false, p.client == client
	}
}

// onPing takes note of a ping_client of client. It returns false if the peer
// turns out to be someone else, and is to be closed.
func (p *peer) onPing(client u128.Uint128) (ok bool) {
	if p.kind != peerUnknown && p.client != client {
		return false
	}
	*p = peer{peerClient, client}
	return true
}
