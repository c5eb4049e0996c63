package server

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"

	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/wire"
)

// A reaction makes one attack on a fresh connection, and returns an error if
// the server does not react as it should. It ends early when over is set.
type reaction func(socket net.Conn, over *atomic.Bool) error

// attacks returns what hostile peers do, by name.
func attacks() map[string]reaction {
	return map[string]reaction{
		"bad header checksum":  closes(damaged(request(lookup, 16), wire.HeaderSize-1)),
		"bad body checksum":    closes(damaged(request(lookup, 48), wire.HeaderSize)),
		"wrong cluster":        closes(forged(request(lookup, 48), offsetCluster, 1)),
		"oversized":            closes(sized(request(lookup, 48), wire.MessageSizeMax+16)),
		"vastly oversized":     closes(sized(request(lookup, 48), 1<<32-1)),
		"undersized":           closes(sized(request(lookup, 48), wire.HeaderSize-1)),
		"unknown command":      closes(forged(request(lookup, 48), offsetCommand, 99)),
		"command of replicas":  closes(forged(request(lookup, 48), offsetCommand, byte(wire.CommandPrepare))),
		"another protocol":     closes(append([]byte("GET / HTTP/1.1\r\n"), make([]byte, 300)...)),
		"reserved bytes":       ignores(forged(request(lookup, 48), wire.HeaderSize-1, 1)),
		"checksum padding":     ignores(forged(request(lookup, 48), 16, 1)),
		"protocol version":     ignores(forged(request(lookup, 48), 112, 1)),
		"command for clients":  ignores(forged(ping(u128.Max), offsetCommand, byte(wire.CommandPongClient))),
		"unknown operation":    evicts(255, 48, wire.EvictionInvalidRequestOperation),
		"trailing bytes":       evicts(lookup, 40, wire.EvictionInvalidRequestBody),
		"body without batches": evicts(lookup, 0, wire.EvictionInvalidRequestBody),
		"no session":           evicts(wire.Operation(ledger.OperationGetChangeEvents), 64, wire.EvictionNoSession),
		"half a message":       leaves(request(lookup, 48)[:200]),
		"half a large message": leaves(request(lookup, 1<<19)[:1<<18]),
		"connects and goes":    leaves(nil),
		"answers are not read": floods,
	}
}

// Offsets in a header (PROTOCOL.md sections 2 and 5.3).
const (
	offsetCluster = 80
	offsetSize    = 96
	offsetCommand = 114
)

const lookup = wire.Operation(ledger.OperationLookupAccounts)

// attacker returns the id of a client that nobody else is.
func attacker() u128.Uint128 { return u128.Uint128{Hi: rand.Uint64() | 1, Lo: rand.Uint64()} }

// request returns a request, without a session, whose body is zeros.
func request(operation wire.Operation, bodySize int) []byte {
	message := make([]byte, wire.HeaderSize+bodySize)
	header := wire.Request{Client: attacker(), Session: 2, Request: 1, Operation: operation}
	header.Size, header.Release = uint32(len(message)), wire.Release0_17_9
	header.Encode(message)
	wire.Seal(message)
	return message
}

func ping(client u128.Uint128) []byte {
	message := make([]byte, wire.HeaderSize)
	header := wire.PingClient{Client: client}
	header.Size, header.Release = wire.HeaderSize, wire.Release0_17_9
	header.Encode(message)
	wire.Seal(message)
	return message
}

// damaged changes a byte of a sealed message.
func damaged(message []byte, offset int) []byte {
	message[offset] ^= 1
	return message
}

// forged sets a byte of a header, and a checksum that agrees with it.
func forged(message []byte, offset int, value byte) []byte {
	message[offset] = value
	wire.SealHeader(message)
	return message
}

// sized lets a header claim another size.
func sized(message []byte, size uint32) []byte {
	binary.LittleEndian.PutUint32(message[offsetSize:], size)
	wire.SealHeader(message)
	return message
}

// closes sends what the server must close the connection for, without a word.
func closes(message []byte) reaction {
	return func(socket net.Conn, _ *atomic.Bool) error {
		if _, err := socket.Write(message); err != nil {
			return err
		}
		var timeout net.Error
		n, err := io.Copy(io.Discard, socket) // io.EOF, or a reset by what was not read
		if n > 0 || errors.As(err, &timeout) && timeout.Timeout() {
			return fmt.Errorf("not closed, but answered with %d bytes: %v", n, err)
		}
		return nil
	}
}

// ignores sends what the server must drop, and then a ping, which it answers.
func ignores(message []byte) reaction {
	return func(socket net.Conn, _ *atomic.Bool) error {
		if _, err := socket.Write(append(message[:len(message):len(message)], ping(attacker())...)); err != nil {
			return err
		}
		answer, err := receive(socket)
		if err == nil && wire.CommandOf(answer) != wire.CommandPongClient {
			err = fmt.Errorf("answered with %v", wire.CommandOf(answer))
		}
		return err
	}
}

// evicts sends a request that the server evicts a client for. It is another
// client each time: answers to a client go to its oldest connection.
func evicts(operation wire.Operation, bodySize int, reason wire.EvictionReason) reaction {
	return func(socket net.Conn, _ *atomic.Bool) error {
		if _, err := socket.Write(request(operation, bodySize)); err != nil {
			return err
		}
		answer, err := receive(socket)
		if err != nil {
			return err
		}
		var eviction wire.Eviction
		if err := eviction.Decode(answer); err != nil {
			return err
		}
		if eviction.Reason != reason {
			return fmt.Errorf("evicted for %v, want %v", eviction.Reason, reason)
		}
		return nil
	}
}

// leaves sends something and hangs up.
func leaves(message []byte) reaction {
	return func(socket net.Conn, _ *atomic.Bool) error {
		_, err := socket.Write(message)
		return err
	}
}

// floods sends pings and reads none of the answers.
func floods(socket net.Conn, over *atomic.Bool) error {
	message := ping(attacker())
	for range 1000 {
		if _, err := socket.Write(message); err != nil || over.Load() {
			return err
		}
	}
	return nil
}

// trickle is a slow loris: it sends the largest message byte by byte, until
// the server loses patience.
func trickle(socket net.Conn, over *atomic.Bool) error {
	message := request(lookup, wire.BodySizeMax)
	if _, err := socket.Write(message[:wire.HeaderSize]); err != nil {
		return err
	}
	for _, b := range message[wire.HeaderSize:] {
		if _, err := socket.Write([]byte{b}); err != nil || over.Load() {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
	return nil
}
