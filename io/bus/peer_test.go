package bus

import (
	"strings"
	"testing"

	"github.com/ledgerd/ledgerd/internal/u128"
)

// TestPeer follows PROTOCOL.md section 4.2. Each step is "request" or "ping"
// and a client, or "replica" and its index, and what comes of it.
func TestPeer(t *testing.T) {
	clients := map[string]u128.Uint128{"C": u128.From64(7), "D": u128.From64(8)}
	for _, test := range []struct {
		steps string
		kind  peerKind
		of    string // client or replica
	}{
		{"request C first", peerLikelyClient, "C"},
		{"request C first, request C", peerLikelyClient, "C"},
		{"request C first, request D", peerLikelyClient, "C"},
		{"request C first, ping C", peerClient, "C"},
		{"request C first, ping D close", peerLikelyClient, "C"},
		{"request C first, request D, ping D close", peerLikelyClient, "C"},
		{"request C first, request D, ping C, request C", peerClient, "C"},
		{"ping C", peerClient, "C"},
		{"ping C, ping C, request C", peerClient, "C"},
		{"ping C, ping D close", peerClient, "C"},
		{"ping C, request D close", peerClient, "C"},
		{"ping C, replica 2 close", peerClient, "C"},
		{"request C first, replica 2 close", peerLikelyClient, "C"},
		{"replica 2 first", peerReplica, "2"},
		{"replica 2 first, request C, request D, replica 2", peerReplica, "2"},
		{"replica 2 first, replica 0 close", peerReplica, "2"},
		{"replica 2 first, ping C close", peerReplica, "2"},
		{"replica 0 first, replica 0, ping C close", peerReplica, "0"},
	} {
		var p peer
		for step := range strings.SplitSeq(test.steps, ", ") {
			words := append(strings.Fields(step), "")
			var first, ok bool
			switch of := words[1]; words[0] {
			case "ping":
				ok = p.onPing(clients[of])
			case "request":
				first, ok = p.onRequest(clients[of])
			case "replica":
				first, ok = p.onReplica(of[0] - '0')
			}
			if first != (words[2] == "first") || ok != (words[2] != "close") {
				t.Errorf("%s: at %q: first %v, ok %v", test.steps, step, first, ok)
			}
		}
		want := peer{kind: test.kind, client: clients[test.of]}
		if test.kind == peerReplica {
			want.replica = test.of[0] - '0'
		}
		if p != want {
			t.Errorf("%s: ends as %v, want %v", test.steps, p, want)
		}
	}
}
