package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/wire"
)

const (
	// connectionsMaxDefault is more than the default number of sessions, so
	// that every session can be connected.
	connectionsMaxDefault = 1088
	// strangersMax is how many connections there may be in a cluster beyond
	// ConnectionsMax, so that clients, however many, cannot keep replicas out.
	strangersMax = 64
	// receiveBytesMaxDefault is room for 64 of the largest messages.
	receiveBytesMaxDefault = 64 * wire.MessageSizeMax
	// replicaBytesMax is the same for the messages of all other replicas.
	replicaBytesMax = 16 * wire.MessageSizeMax
	// acceptPauseMin and acceptPauseMax bound the pause after a failed accept:
	// to be out of descriptors is no reason to spin.
	acceptPauseMin = 5 * time.Millisecond
	acceptPauseMax = time.Second
)

// Config are the parameters of Listen.
type Config struct {
	// Cluster is the id that every message must have.
	Cluster u128.Uint128
	// Address is "host:port" to listen at; an empty host means all
	// interfaces, port 0 any free one.
	Address string
	// ConnectionsMax bounds the connections, those of other replicas aside: a
	// further one is closed as soon as it is accepted or, in a cluster, as soon
	// as it turns out to be a client's. 0 means 1088.
	ConnectionsMax int
	// ReceiveBytesMax bounds the memory of messages that are being received
	// or delivered, beyond the small buffer of each connection. It is at least
	// wire.MessageSizeMax; 0 means 64 MiB.
	ReceiveBytesMax int
	// Pool is where messages come from.
	Pool *buffer.Pool
	// Replicas are the addresses of all replicas of the cluster, "host:port" by
	// index, and Replica is which of them this one is. There may be none in a
	// cluster of one. Names are resolved again for each connection.
	Replicas []string
	Replica  uint8
	// Deliver takes over one reference to a message: Bytes is exactly one
	// valid message of a client or, if there are any, of another replica. It is
	// called from the reader of each
	// connection, so by several goroutines at the same time. It may block,
	// which holds up that connection only.
	Deliver func(*buffer.Buffer)
	// Logger; nil means slog.Default.
	Logger *slog.Logger
}

// Bus is a listener and its connections. All methods are safe for concurrent
// use.
type Bus struct {
	config   Config
	patience patience
	log      *cappedLog
	listener net.Listener
	budget   *budget
	// replicaBudget is what budget is, for messages of replicas: no client can
	// make them wait.
	replicaBudget *budget
	// links are the ways to the other replicas, nil for this one and for those
	// that do not exist.
	links   [wire.MembersMax]*link
	running sync.WaitGroup
	closing chan struct{} // closed by Close

	// now counts the janitor's rounds; see janitor.go.
	now atomic.Int64

	mu          sync.Mutex
	closed      bool
	connections map[*connection]struct{}
	// clients says where to send what is for a client (PROTOCOL.md section
	// 4.2). Each value is in connections too.
	clients map[u128.Uint128]*connection
	// replicas are the connections on which each replica sends; in connections
	// too.
	replicas [wire.MembersMax]*connection
}

// Listen starts to accept connections. The error is that of the operating
// system.
func Listen(config Config) (*Bus, error) {
	return listen(config, defaultPatience)
}

func listen(config Config, p patience) (*Bus, error) {
	if config.Pool == nil || config.Deliver == nil {
		panic("bus: Config.Pool or Config.Deliver is nil")
	}
	if config.ConnectionsMax == 0 {
		config.ConnectionsMax = connectionsMaxDefault
	}
	if config.ReceiveBytesMax == 0 {
		config.ReceiveBytesMax = receiveBytesMaxDefault
	}
	if config.ReceiveBytesMax < wire.MessageSizeMax {
		panic(fmt.Sprintf("bus: Config.ReceiveBytesMax %d is less than one message", config.ReceiveBytesMax))
	}
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	sockets := net.ListenConfig{KeepAliveConfig: keepAlive}
	listener, err := sockets.Listen(context.Background(), "tcp", config.Address)
	if err != nil {
		return nil, fmt.Errorf("bus: %w", err)
	}
	b := &Bus{
		config:   config,
		patience: p,
		log:      &cappedLog{logger: config.Logger},
		listener: listener,
		budget:   newBudget(config.ReceiveBytesMax),

		replicaBudget: newBudget(replicaBytesMax),

		closing:     make(chan struct{}),
		connections: map[*connection]struct{}{},
		clients:     map[u128.Uint128]*connection{},
	}
	for i, address := range config.Replicas {
		if i != int(config.Replica) {
			b.links[i] = newLink(b, uint8(i), address)
		}
	}
	for _, l := range b.links {
		if l != nil {
			b.running.Go(l.run)
		}
	}
	b.running.Go(b.accept)
	b.running.Go(b.janitor)
	return b, nil
}

// Addr returns the address at which b listens, with the port that was chosen.
func (b *Bus) Addr() net.Addr { return b.listener.Addr() }

// SendToClient queues msg, a whole sealed message, for a client, and keeps a
// reference of its own until it is sent. It never blocks: msg is dropped if the
// client has no connection or too much is queued there. Nobody may change
// msg.Bytes while there are references.
func (b *Bus) SendToClient(client u128.Uint128, msg *buffer.Buffer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.clients[client]
	if c == nil {
		return
	}
	select {
	case c.queue <- msg.Retain():
	default:
		msg.Release()
	}
}

// SendToReplica queues msg, a whole sealed message, for another replica, and
// keeps a reference of its own until it is sent. It never blocks: msg is dropped
// if there is no connection or too much is queued there. Nobody may change
// msg.Bytes while there are references.
func (b *Bus) SendToReplica(replica uint8, msg *buffer.Buffer) { b.links[replica].send(msg) }

// hasReplica reports whether this is the index of another replica.
func (b *Bus) hasReplica(replica uint8) bool {
	return int(replica) < len(b.links) && b.links[replica] != nil
}

// Close closes the listener and all connections, and waits until no goroutine
// of b is left. Until then messages may still be delivered; a Deliver that
// blocks makes Close wait. It must be called once.
func (b *Bus) Close() error {
	b.mu.Lock()
	b.closed = true
	for c := range b.connections {
		c.close()
	}
	b.mu.Unlock()
	close(b.closing)
	err := b.listener.Close()
	b.running.Wait()
	if err != nil {
		return fmt.Errorf("bus: close: %w", err)
	}
	return nil
}

// accept takes connections until the listener is closed.
func (b *Bus) accept() {
	pause := acceptPauseMin
	for {
		socket, err := b.listener.Accept()
		switch {
		case err == nil:
			pause = acceptPauseMin
			b.add(socket)
		case errors.Is(err, net.ErrClosed):
			return
		default:
			b.log.write(b.now.Load(), slog.LevelWarn, "cannot accept connections", "error", err, "pause", pause)
			select {
			case <-time.After(pause):
			case <-b.closing:
				return
			}
			pause = min(2*pause, acceptPauseMax)
		}
	}
}

// add starts the goroutines of a connection, if there is room for it.
func (b *Bus) add(socket net.Conn) {
	if err := prepareSocket(socket, userTimeout); err != nil {
		b.log.write(b.now.Load(), slog.LevelWarn, "cannot prepare a connection", "peer", socket.RemoteAddr(), "error", err)
		socket.Close()
		return
	}
	c := newConnection(b, socket)
	b.mu.Lock()
	full := b.clientsAtMost() >= b.connectionsMax()
	if full || b.closed {
		b.mu.Unlock()
		socket.Close()
		if full {
			b.log.write(b.now.Load(), slog.LevelWarn, "too many connections", "peer", socket.RemoteAddr(), "max", b.config.ConnectionsMax)
		}
		return
	}
	b.connections[c] = struct{}{}
	b.mu.Unlock()
	b.running.Go(c.read)
	b.running.Go(c.write)
}

// connectionsMax returns how many connections there may be that are not known to
// be replicas'.
func (b *Bus) connectionsMax() int {
	if len(b.config.Replicas) <= 1 {
		return b.config.ConnectionsMax
	}
	return b.config.ConnectionsMax + strangersMax
}

// clientsAtMost returns how many connections are not known to be replicas'. The
// caller holds b.mu.
func (b *Bus) clientsAtMost() int {
	count := len(b.connections)
	for _, c := range b.replicas {
		if c != nil {
			count--
		}
	}
	return count
}

// crowded reports whether there are too many clients for another one.
func (b *Bus) crowded() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.clientsAtMost() > b.config.ConnectionsMax
}

// remove forgets a connection and ends its writer.
func (b *Bus) remove(c *connection) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.connections, c)
	if b.clients[c.peer.client] == c {
		delete(b.clients, c.peer.client)
	}
	if b.replicas[c.peer.replica] == c {
		b.replicas[c.peer.replica] = nil
	}
	// No one can find c any more, so no one sends to the queue.
	close(c.queue)
}

// enterRequester lets messages for a client go to c, if they go nowhere yet
// (PROTOCOL.md section 4.2).
func (b *Bus) enterRequester(client u128.Uint128, c *connection) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.clients[client] == nil {
		b.clients[client] = c
	}
}

// enterPinger lets messages for a client go to c from now on, and closes the
// connection to which they went before (PROTOCOL.md section 4.2).
func (b *Bus) enterPinger(client u128.Uint128, c *connection) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if old := b.clients[client]; old != nil && old != c {
		old.close()
	}
	b.clients[client] = c
}

// enterReplica makes c the connection on which its replica sends, and closes the
// one before: whoever connects anew has given that up.
func (b *Bus) enterReplica(c *connection) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if old := b.replicas[c.peer.replica]; old != nil {
		old.close()
	}
	b.replicas[c.peer.replica] = c
	b.links[c.peer.replica].hurry()
}
