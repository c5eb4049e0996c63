package wire

import (
	"bytes"
	"testing"

	"github.com/ledgerd/ledgerd/internal/checksum"
)

func peerExample(command Command) *Peer {
	h := &Peer{Frame: frameExample, ChecksumOf: checksum.Sum{1, 2, 3}, Checkpoint: checksum.Sum{4, 5, 6}, Op: 160, Commit: 168,
		CheckpointOp: 176, Present: 184, LogView: 192, Target: 196, Nonce: 200}
	h.Command, h.View, h.Replica = command, 104, 2
	return h
}

// Each byte of a Peer is refused when it changes, or kept.
func TestEveryByteOfAPeerIsAccountedFor(t *testing.T) {
	original := make([]byte, HeaderSize)
	peerExample(CommandExitView).Encode(original)
	refused := 0
	for offset := range original {
		changed := bytes.Clone(original)
		changed[offset] ^= 0x81
		var h Peer
		if h.Decode(changed) != nil {
			refused++
			continue
		}
		rebuilt := make([]byte, HeaderSize)
		h.Encode(rebuilt)
		if !bytes.Equal(rebuilt, changed) {
			t.Errorf("change of byte %d is accepted and lost", offset)
		}
	}
	if refused < 100 {
		t.Errorf("changes of only %d bytes are refused", refused)
	}
}

func TestPeerRefuses(t *testing.T) {
	for name, change := range map[string]func(*Peer){
		"a command of clients":         func(h *Peer) { h.Command = CommandRequest },
		"no release":                   func(h *Peer) { h.Release = 0 },
		"no replica":                   func(h *Peer) { h.Replica = MembersMax },
		"a body where there is none":   func(h *Peer) { h.Size += HeaderSize },
		"a body that is not headers":   func(h *Peer) { h.Command, h.Size = CommandView, HeaderSize+16 },
		"more headers than there are":  func(h *Peer) { h.Command, h.Size = CommandView, (2+HeadersMax)*HeaderSize },
		"more headers in a join, also": func(h *Peer) { h.Command, h.Size = CommandJoinView, (2+HeadersMax)*HeaderSize },
	} {
		h := peerExample(CommandExitView)
		change(h)
		if h.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// Headers travel as they were sealed, and an unknown one stays unknown.
func TestHeadersTravel(t *testing.T) {
	var one [HeaderSize]byte
	prepareExample().Encode(one[:])
	SealHeader(one[:])
	body := append(bytes.Clone(one[:]), make([]byte, HeaderSize)...)
	headers, err := DecodeHeaders(body, nil)
	if err != nil || len(headers) != 2 || headers[1] != (Prepare{}) {
		t.Fatalf("%v, %v", headers, err)
	}
	again := bytes.Repeat([]byte{0xa5}, len(body))
	for i := range headers {
		EncodeHeader(again[i*HeaderSize:], &headers[i])
	}
	if !bytes.Equal(again, body) {
		t.Error("headers changed on their way")
	}
	body[40] ^= 1
	if _, err := DecodeHeaders(body, nil); err == nil {
		t.Error("a damaged header is accepted")
	}
}

func FuzzPeer(f *testing.F) {
	for command := range Command(32) {
		if command.IsPeer() {
			b := make([]byte, HeaderSize)
			peerExample(command).Encode(b)
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var h Peer
		if len(b) < HeaderSize || h.Decode(b) != nil {
			return
		}
		rebuilt := make([]byte, HeaderSize)
		h.Encode(rebuilt)
		if !bytes.Equal(rebuilt, b[:HeaderSize]) {
			t.Fatalf("accepted\n% x, encoded\n% x", b[:HeaderSize], rebuilt)
		}
	})
}
