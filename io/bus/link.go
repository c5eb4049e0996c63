package bus

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"

	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/wire"
)

const (
	// linkMessagesMax and linkBytesMax bound what waits for one replica: a full
	// pipeline of the largest prepares, and as much again for repairs.
	linkMessagesMax = 256
	linkBytesMax    = 16 * wire.MessageSizeMax
	// linkBatchMax is how many messages one system call sends.
	linkBatchMax = 16
	// dialTimeout is how long a connection may take to come about.
	dialTimeout = 2 * time.Second
	// dialPauseMin and dialPauseMax bound the pause before the next attempt. A
	// connection that has lasted for dialPauseMax begins with the least again.
	dialPauseMin = 50 * time.Millisecond
	dialPauseMax = time.Second
)

var errHungUp = errors.New("the other replica has hung up")

// A link is the way to one other replica: a connection of this replica's own, on
// which it sends only, made again whenever it is lost. What the other one sends
// comes on a connection that is the other one's. So neither has to find out
// which of two connections is the right one, and each sees for itself when it is
// not heard any more.
//
// One goroutine dials and writes; another one waits for the end of the
// connection, and lives as long as that.
type link struct {
	bus     *Bus
	replica uint8
	address string

	connected atomic.Bool
	// wake says that the other replica is there, so that there is no reason to
	// wait before the next attempt.
	wake   chan struct{}
	queue  chan *buffer.Buffer
	queued atomic.Int64 // bytes in queue

	// introduced says that the other end knows who it is that sends: what comes
	// first has to tell (PROTOCOL.md section 4.2).
	introduced bool
	batch      []*buffer.Buffer
	pieces     [linkBatchMax][]byte
	vector     net.Buffers // of pieces; a write consumes it
}

func newLink(b *Bus, replica uint8, address string) *link {
	return &link{
		bus: b, replica: replica, address: address,
		wake: make(chan struct{}, 1), queue: make(chan *buffer.Buffer, linkMessagesMax),
	}
}

// hurry ends the pause before the next attempt to connect, if there is one.
func (l *link) hurry() {
	if l.connected.Load() {
		return
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// send queues a message with a reference of its own, or drops it.
func (l *link) send(msg *buffer.Buffer) {
	size := int64(len(msg.Bytes))
	if !l.connected.Load() || l.queued.Load()+size > linkBytesMax {
		return
	}
	l.queued.Add(size)
	select {
	case l.queue <- msg.Retain():
	default:
		l.release(msg)
	}
}

// release drops the reference of a message that is out of the queue.
func (l *link) release(msg *buffer.Buffer) {
	l.queued.Add(-int64(len(msg.Bytes)))
	msg.Release()
}

// run connects again and again until the bus is closed.
func (l *link) run() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-l.bus.closing
		cancel()
	}()
	dialer := net.Dialer{Timeout: dialTimeout, KeepAliveConfig: keepAlive}
	pause, reported := dialPauseMin, false
	for ctx.Err() == nil {
		began := time.Now()
		socket, err := dialer.DialContext(ctx, "tcp", l.address)
		if err == nil {
			l.log(slog.LevelInfo, "connected to a replica", nil)
			err = l.serve(ctx, socket)
			reported = false
		}
		if ctx.Err() == nil && !reported {
			l.log(slog.LevelWarn, "no connection to a replica", err)
			reported = true
		}
		if time.Since(began) > dialPauseMax {
			pause = dialPauseMin
		}
		select {
		case <-ctx.Done():
		case <-l.wake:
		case <-time.After(pause/2 + rand.N(pause/2)):
		}
		pause = min(2*pause, dialPauseMax)
	}
}

func (l *link) log(level slog.Level, message string, err error) {
	args := []any{"replica", l.replica, "address", l.address}
	if err != nil {
		args = append(args, "error", err)
	}
	l.bus.log.write(l.bus.now.Load(), level, message, args...)
}

// serve sends what is queued until the connection ends, and returns why.
func (l *link) serve(ctx context.Context, socket net.Conn) error {
	stop := context.AfterFunc(ctx, func() { socket.Close() })
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		socket.Read(make([]byte, 1)) // the other end has nothing to say
		socket.Close()
	}()
	defer func() {
		stop()
		l.connected.Store(false)
		l.drain()
		socket.Close()
		<-gone
	}()
	if err := prepareSocket(socket, linkTimeout); err != nil {
		return err
	}
	l.introduced = false
	l.connected.Store(true)
	for {
		select {
		case msg := <-l.queue:
			if err := l.write(socket, msg); err != nil {
				return err
			}
		case <-gone:
			return errHungUp
		}
	}
}

// drain drops what is queued.
func (l *link) drain() {
	for {
		select {
		case msg := <-l.queue:
			l.release(msg)
		default:
			return
		}
	}
}

// write sends msg and what else waits, in one system call if the socket takes
// it.
func (l *link) write(socket net.Conn, msg *buffer.Buffer) error {
	l.gather(msg)
	l.vector = l.pieces[:0]
	for _, msg := range l.batch {
		l.introduced = l.introduced || wire.CommandOf(msg.Bytes).IsPeer()
		if l.introduced {
			l.vector = append(l.vector, msg.Bytes)
		}
	}
	_, err := l.vector.WriteTo(socket)
	for i, msg := range l.batch {
		l.batch[i] = nil
		l.release(msg)
	}
	return err
}

// gather makes msg and what else waits the batch.
func (l *link) gather(msg *buffer.Buffer) {
	l.batch = append(l.batch[:0], msg)
	for len(l.batch) < linkBatchMax {
		select {
		case msg := <-l.queue:
			l.batch = append(l.batch, msg)
		default:
			return
		}
	}
}
