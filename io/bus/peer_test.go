package bus

import (
	"strings"
	"testing"

	"github.com/ledgerd/ledgerd/internal/u128"
)

// TestPeer follows PROTOCOL.md section 4.2. Each step is "request" or "ping",
// a client, and what comes of it.
func TestPeer(t *testing.T) {
	clients := map[string]u128.Uint128{"C": u128.From64(7), "D": u128.From64(8)}
	for _, test := range []struct {
		steps string
		kind  peerKind
		of    string
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
	} {
		var p peer
		for step := range strings.SplitSeq(test.steps, ", ") {
			words := append(strings.Fields(step), "")
			var first, ok bool
			if client := clients[words[1]]; words[0] == "ping" {
				ok = p.onPing(client)
			} else {
				first, ok = p.onRequest(client)
			}
			if first != (words[2] == "first") || ok != (words[2] != "close") {
				t.Errorf("%s: at %q: first %v, ok %v", test.steps, step, first, ok)
			}
		}
		if want := (peer{kind: test.kind, client: clients[test.of]}); p != want {
			t.Errorf("%s: ends as %v, want %v", test.steps, p, want)
		}
	}
}
