package wire

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/ledgerd/ledgerd/internal/checksum"
)

func peerExample(command Command) *Peer {
	h := &Peer{Frame: frameExample, ChecksumOf: checksum.Sum{1, 2, 3}, Checkpoint: checksum.Sum{4, 5, 6}, Op: 160, Commit: 168,
		CheckpointOp: 176, Present: 184, LogView: 192, Target: 196, Nonce: 200}
	h.Command, h.View, h.Replica = command, 104, 2
	return h
}

// goldenPeer is the header of a refs message, as all releases write it.
var goldenPeer = "01000000000000000000000000000010" + strings.Repeat("00", 16) + // checksum
	"21000000000000000000000000000030" + strings.Repeat("00", 32) + // that of the body
	"5100000000000000" + "6000000000000000" + // cluster
	"30010000" + "00000000" + "68000000" + "09110000" + // size, epoch, view, release
	"0000" + "15" + "02" + strings.Repeat("00", 12) + // protocol, command, replica
	"01020300000000000000000000000000" + "04050600000000000000000000000000" + // checksum_of, checkpoint
	"a000000000000000" + "a800000000000000" + "b000000000000000" + // op, commit, checkpoint_op
	"b800000000000000" + "c0000000" + "c4000000" + "c800000000000000" + // present, log_view, target, nonce
	strings.Repeat("00", 48)

func TestPeerGolden(t *testing.T) {
	h := peerExample(CommandRefs)
	h.Size += 2 * 24
	got := make([]byte, HeaderSize)
	h.Encode(got)
	if hex.EncodeToString(got) != goldenPeer {
		t.Errorf("encoded as\n%x, not\n%s", got, goldenPeer)
	}
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
