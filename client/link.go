package client

import (
	"context"
	"math/rand/v2"
	"net"
	"slices"
	"time"

	"github.com/ledgerd/ledgerd/internal/buffer"
)

// What a link waits for, and how long (PROTOCOL.md sections 1 and 11.1).
const (
	dialTimeout     = 5 * time.Second
	backoffBase     = 50 * time.Millisecond
	backoffJitter   = 950 * time.Millisecond
	userTimeout     = 17 * time.Second
	readBufferBytes = 64 << 10
	// outboxMax bounds the messages that wait for a writer: a ping, a request,
	// and one of each again. What exceeds it is dropped and sent later.
	outboxMax = 4
)

var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 4 * time.Second, Count: 3}

// link keeps one connection to one replica up, for the life of the client.
// One goroutine dials and reads; each connection has another that writes.
type link struct {
	client  *Client
	replica int
	address string

	// Guarded by client.mu; empty while there is no connection.
	outbox  []*buffer.Buffer
	writing *buffer.Buffer // taken from the outbox, not yet written

	wake chan struct{} // has room for one; tells the writer of the outbox
}

func newLink(c *Client, replica int, address string) *link {
	return &link{client: c, replica: replica, address: address, wake: make(chan struct{}, 1)}
}

// host is the Client as its session sees it.
type host Client

// Send implements session.Host. It is called under client.mu.
func (h *host) Send(replica int, message *buffer.Buffer) { h.links[replica].send(message) }

// send queues a message, unless it waits already or the outbox is full. The
// session sends between raise and lower only. The caller holds client.mu.
func (l *link) send(message *buffer.Buffer) {
	if len(l.outbox) == outboxMax || l.writing == message || slices.Contains(l.outbox, message) {
		return
	}
	l.outbox = append(l.outbox, message.Retain())
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run dials until ctx ends, again after each connection is lost.
func (l *link) run(ctx context.Context) {
	dialer := net.Dialer{Timeout: dialTimeout, KeepAliveConfig: keepAlive, Control: setSocketOptions}
	attempts := 0
	for ctx.Err() == nil {
		conn, err := dialer.DialContext(ctx, "tcp", l.address)
		if err == nil {
			var heard bool
			if heard, err = l.serve(ctx, conn); heard {
				attempts = 0
			}
		}
		l.client.noteError(l, err)
		select {
		case <-ctx.Done():
		case <-time.After(backoff(attempts)):
		}
		attempts++
	}
}

// backoff returns how long to wait after so many failures in a row.
func backoff(attempts int) time.Duration {
	jitter := min(backoffJitter, backoffBase<<min(attempts, 8))
	return backoffBase + rand.N(jitter+1)
}

// serve carries messages over a connection until it breaks or ctx ends. heard
// reports whether the replica sent anything valid.
func (l *link) serve(ctx context.Context, conn net.Conn) (heard bool, err error) {
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	written := make(chan struct{})
	quit := make(chan struct{})
	go func() {
		defer close(written)
		l.write(conn, quit)
	}()
	l.raise()
	heard, err = l.read(conn)
	l.lower()
	conn.Close()
	close(quit)
	<-written
	return heard, err
}

// raise opens the link for messages.
func (l *link) raise() {
	c := l.client
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session.Connected(c.now(), l.replica)
	c.settle()
}

// lower closes the link for messages and drops those that wait.
func (l *link) lower() {
	c := l.client
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, message := range l.outbox {
		message.Release()
	}
	clear(l.outbox)
	l.outbox = l.outbox[:0]
	c.session.Disconnected(c.now(), l.replica)
	c.settle()
}

// write is the writer goroutine. After an error it closes the connection,
// which ends the reader and, by way of it, the writer.
func (l *link) write(conn net.Conn, quit <-chan struct{}) {
	for {
		select {
		case <-quit:
			return
		case <-l.wake:
		}
		for message := l.next(); message != nil; message = l.next() {
			_, err := conn.Write(message.Bytes)
			l.written(message)
			if err != nil {
				conn.Close()
				break
			}
		}
	}
}

// next takes the message to write next from the outbox; nil if none waits.
func (l *link) next() *buffer.Buffer {
	l.client.mu.Lock()
	defer l.client.mu.Unlock()
	if len(l.outbox) == 0 {
		return nil
	}
	l.writing = l.outbox[0]
	l.outbox = slices.Delete(l.outbox, 0, 1)
	return l.writing
}

// written drops the message that the writer has done with.
func (l *link) written(message *buffer.Buffer) {
	l.client.mu.Lock()
	l.writing = nil
	l.client.mu.Unlock()
	message.Release()
}
