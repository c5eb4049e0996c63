package bus

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync/atomic"

	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/wire"
)

// sendQueueMax is how many messages wait for one connection at most
// (PROTOCOL.md section 4.2).
const sendQueueMax = 4

var (
	// errPeerSwap: a connection carries the messages of one client only.
	errPeerSwap = errors.New("message of another client")
	errCrowded  = errors.New("too many connections of clients")
)

// A connection is one that was accepted: a client's, or one on which a replica
// sends. It has a reader and a writer goroutine.
type connection struct {
	bus    *Bus
	socket net.Conn

	// Owned by the reader. Bus.remove, which the reader calls, reads peer.
	peer     peer
	receiver *receiver

	// queue is what the writer has to send. Filled under Bus.mu, while the
	// connection is in Bus.clients; closed by Bus.remove.
	queue chan *buffer.Buffer
	// What one system call sends; the writer's.
	batch  [sendQueueMax]*buffer.Buffer
	pieces [sendQueueMax][]byte
	vector net.Buffers // of pieces; a write consumes it

	// What the janitor looks at.
	receiving stopwatch // runs while a message is half received
	sending   stopwatch // runs while the writer is in a system call
	late      atomic.Pointer[string]
}

func newConnection(b *Bus, socket net.Conn) *connection {
	c := &connection{bus: b, socket: socket, queue: make(chan *buffer.Buffer, sendQueueMax)}
	c.receiver = newReceiver(c)
	return c
}

// close ends both goroutines soon. Anyone may call it, any number of times.
func (c *connection) close() { c.socket.Close() }

// read receives messages until the connection ends or deserves to.
func (c *connection) read() {
	err := c.readAll()
	c.close()
	c.bus.remove(c)
	c.report(err)
}

// report logs why the connection was closed, if that says something.
func (c *connection) report(err error) {
	level := slog.LevelWarn
	var network *net.OpError
	switch late := c.late.Load(); {
	case late != nil:
		err = errors.New(*late)
	case err == io.EOF || errors.Is(err, net.ErrClosed):
		return // The peer's decision, or our own.
	case errors.As(err, &network) || err == io.ErrUnexpectedEOF:
		level = slog.LevelInfo
	}
	c.bus.log.write(c.bus.now.Load(), level, "connection closed", "peer", c.socket.RemoteAddr(), "error", err)
}

func (c *connection) readAll() error {
	for {
		msg, frame, err := c.receiver.next()
		if err != nil {
			return err
		}
		if err := c.accept(msg, frame.Command); err != nil {
			c.receiver.done()
			return err
		}
		c.receiver.done()
		if c.peer.kind == peerReplica {
			c.receiver.budget = c.bus.replicaBudget
		}
	}
}

// admit judges the header of a message by who the peer is (PROTOCOL.md section
// 4.2): clients must not speak as replicas do, nor replicas as clients.
func (c *connection) admit(frame wire.Frame) error {
	ok := false
	switch command := frame.Command; {
	case command == wire.CommandRequest:
		ok = true
	case command == wire.CommandPrepare:
		ok = c.peer.kind == peerReplica // whose prepare it is does not tell who sends it
	case command.IsPeer():
		who := c.peer
		_, ok = who.onReplica(frame.Replica)
		ok = ok && c.bus.hasReplica(frame.Replica)
	case command != wire.CommandGetReply:
		ok = c.peer.kind != peerReplica
	}
	if !ok {
		return fmt.Errorf("%w: %v of replica %d", errCommand, frame.Command, frame.Replica)
	}
	return nil
}

// accept delivers msg or drops it, and takes over the reference in each case.
// An error means that the connection is to be closed.
func (c *connection) accept(msg *buffer.Buffer, command wire.Command) error {
	forUs, err := c.identify(msg.Bytes, command)
	if err != nil || !forUs {
		msg.Release()
		return err
	}
	c.bus.config.Deliver(msg)
	return nil
}

// identify updates what is known about the peer (PROTOCOL.md section 4.2), and
// says whether the message is one that a server acts on.
func (c *connection) identify(msg []byte, command wire.Command) (forUs bool, err error) {
	if c.peer.kind == peerUnknown && !command.IsPeer() && c.bus.crowded() {
		return false, errCrowded
	}
	switch command {
	case wire.CommandRequest:
		var request wire.Request
		if request.Decode(msg) != nil {
			return false, nil
		}
		first, ok := c.peer.onRequest(request.Client)
		if !ok {
			return false, errPeerSwap
		}
		if first {
			c.bus.enterRequester(request.Client, c)
		}
		return true, nil
	case wire.CommandPingClient:
		var ping wire.PingClient
		if ping.Decode(msg) != nil {
			return false, nil
		}
		if !c.peer.onPing(ping.Client) {
			return false, errPeerSwap
		}
		c.bus.enterPinger(ping.Client, c)
		return true, nil
	case wire.CommandPrepare:
		return true, nil
	}
	if !command.IsPeer() {
		return false, nil // for clients
	}
	var header wire.Peer
	if header.Decode(msg) != nil {
		return false, nil
	}
	if first, _ := c.peer.onReplica(header.Replica); first { // admit has judged it
		c.bus.enterReplica(c)
	}
	return true, nil
}

// write sends what is queued until Bus.remove closes the queue. When the
// connection fails it goes on to take messages, and releases them.
func (c *connection) write() {
	failed := false
	for msg := range c.queue {
		batch := c.gather(msg)
		if !failed {
			if err := c.send(batch); err != nil {
				failed = true
				c.close()
			}
		}
		for i, msg := range batch {
			batch[i] = nil
			msg.Release()
		}
	}
}

// gather returns msg and what else waits.
func (c *connection) gather(msg *buffer.Buffer) []*buffer.Buffer {
	batch := append(c.batch[:0], msg)
	for len(batch) < len(c.batch) {
		select {
		case msg, ok := <-c.queue:
			if !ok {
				return batch
			}
			batch = append(batch, msg)
		default:
			return batch
		}
	}
	return batch
}

// send writes the messages of batch, in one system call if the socket takes
// them.
func (c *connection) send(batch []*buffer.Buffer) error {
	c.sending.start(&c.bus.now)
	defer c.sending.stop()
	if len(batch) == 1 {
		_, err := c.socket.Write(batch[0].Bytes)
		return err
	}
	c.vector = c.pieces[:0]
	for _, msg := range batch {
		c.vector = append(c.vector, msg.Bytes)
	}
	_, err := c.vector.WriteTo(c.socket)
	return err
}
