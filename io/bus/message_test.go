package bus

import (
	"encoding/binary"

	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/wire"
)

var (
	testCluster = u128.From64(42)
	clientC     = u128.From64(0xC)
	clientD     = u128.From64(0xD)
)

// sealed returns the message of a header with a body of the given size.
func sealed(size int, encode func(frame wire.Frame, b []byte)) []byte {
	msg := make([]byte, size)
	encode(wire.Frame{Cluster: testCluster, Size: uint32(size), Release: wire.Release0_17_9}, msg)
	for i := range msg[wire.HeaderSize:] {
		msg[wire.HeaderSize+i] = byte(i)
	}
	wire.Seal(msg)
	return msg
}

// request returns a request of size bytes in all, recognizable by its number.
func request(client u128.Uint128, number uint32, size int) []byte {
	return sealed(size, func(frame wire.Frame, b []byte) {
		h := wire.Request{Frame: frame, Client: client, Session: 1, Request: number, Operation: 146}
		h.Encode(b)
	})
}

func ping(client u128.Uint128) []byte {
	return sealed(wire.HeaderSize, func(frame wire.Frame, b []byte) {
		h := wire.PingClient{Frame: frame, Client: client}
		h.Encode(b)
	})
}

func pong() []byte {
	return sealed(wire.HeaderSize, func(frame wire.Frame, b []byte) {
		h := wire.PongClient{Frame: frame}
		h.Encode(b)
	})
}

func eviction(client u128.Uint128) []byte {
	return sealed(wire.HeaderSize, func(frame wire.Frame, b []byte) {
		h := wire.Eviction{Frame: frame, Client: client, Reason: wire.EvictionNoSession}
		h.Encode(b)
	})
}

func reply(client u128.Uint128, number uint32, size int) []byte {
	return sealed(size, func(frame wire.Frame, b []byte) {
		h := wire.Reply{Frame: frame, Client: client, Op: 9, Commit: 9, Timestamp: 1, Request: number, Operation: 146}
		h.Encode(b)
	})
}

// Offsets in the header, PROTOCOL.md sections 2 and 5.
const (
	offsetCluster = 80
	offsetSize    = 96
	offsetCommand = 114
	offsetReplica = 115
	offsetRequest = 192
	offsetLast    = 255
)

// damaged returns a copy of msg with bytes changed after it was sealed.
func damaged(msg []byte, offset int) []byte {
	msg = append([]byte(nil), msg...)
	msg[offset] ^= 1
	return msg
}

// forged returns a copy of msg with a byte set, and a header checksum that
// agrees with it.
func forged(msg []byte, offset int, value byte) []byte {
	msg = append([]byte(nil), msg...)
	msg[offset] = value
	wire.SealHeader(msg)
	return msg
}

// sized returns a copy of msg whose header claims another size.
func sized(msg []byte, size uint32) []byte {
	msg = append([]byte(nil), msg...)
	binary.LittleEndian.PutUint32(msg[offsetSize:], size)
	wire.SealHeader(msg)
	return msg
}

func numberOf(msg []byte) uint32 { return binary.LittleEndian.Uint32(msg[offsetRequest:]) }

// violations of PROTOCOL.md section 4.1: each closes the connection.
var violations = map[string][]byte{
	"header checksum":         damaged(request(clientC, 1, 512), offsetLast),
	"checksum itself":         damaged(request(clientC, 1, 512), 0),
	"body checksum":           damaged(request(clientC, 1, 512), 300),
	"body checksum, large":    damaged(request(clientC, 1, 100_000), 99_999),
	"command 0":               forged(ping(clientC), offsetCommand, 0),
	"command 12":              forged(ping(clientC), offsetCommand, 12),
	"command 23":              forged(ping(clientC), offsetCommand, 23),
	"command 25":              forged(ping(clientC), offsetCommand, 25),
	"command 255":             forged(ping(clientC), offsetCommand, 255),
	"size 0":                  sized(ping(clientC), 0),
	"size 255":                sized(ping(clientC), 255),
	"size above 1 MiB":        sized(ping(clientC), 1<<20+1),
	"size above 4 GiB - 1":    sized(ping(clientC), 1<<32-1),
	"cluster":                 forged(ping(clientC), offsetCluster, 43),
	"cluster, with a body":    forged(request(clientC, 1, 512), offsetCluster, 43),
	"cluster, large":          forged(request(clientC, 1, 1<<20), offsetCluster+15, 1),
	"prepare":                 forged(request(clientC, 1, 512), offsetCommand, byte(wire.CommandPrepare)),
	"prepare_ok":              forged(ping(clientC), offsetCommand, byte(wire.CommandPrepareOK)),
	"replicas' ping":          forged(ping(clientC), offsetCommand, byte(wire.CommandPing)),
	"replicas' block":         forged(ping(clientC), offsetCommand, byte(wire.CommandBlock)),
	"replicas' view":          forged(ping(clientC), offsetCommand, byte(wire.CommandView)),
	"text instead of a frame": append([]byte("GET / HTTP/1.1\r\n"), make([]byte, 300)...),
}

// ignored by PROTOCOL.md sections 4.3, 5 and 17: dropped, nothing else.
var ignored = map[string][]byte{
	"reserved bytes":         forged(ping(clientD), offsetLast, 1),
	"checksum_padding":       forged(ping(clientD), 16, 1),
	"protocol":               forged(request(clientD, 1, 512), 112, 1),
	"ping with a body":       func() []byte { m := sized(append(ping(clientD), make([]byte, 16)...), 272); wire.Seal(m); return m }(),
	"request without client": forged(request(clientD, 1, 512), 160, 0),
	"ping without client":    forged(ping(clientD), 128, 0),
	"operation 4":            forged(request(clientD, 1, 512), 196, byte(wire.OperationPulse)),
	"pong_client":            pong(),
	"eviction":               eviction(clientD),
	"reply":                  reply(clientD, 1, 512),
	"large reply":            reply(clientD, 1, 1<<20),
}
