package server

import (
	"log/slog"
	"sync"
	"time"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/vsr"
)

// inboxMax bounds the events that wait for the loop, and so the messages held
// there: 256 MiB of the largest. A connection that posts to a full inbox waits,
// and so does its client.
const inboxMax = 256

// event is what the loop is told: a message from a client, the completion of an
// operation on the data file, or what follows a worker's job. Exactly one field
// is set.
type event struct {
	message *buffer.Buffer
	io      *blockio.Request
	done    func()
}

// loop is the one goroutine that owns a replica. Everything else posts to it.
type loop struct {
	replica *vsr.Replica
	inbox   chan event
	ticks   <-chan time.Time
	stop    chan struct{} // closed by end
	ending  sync.Once
	diary   diary
}

func newLoop(logger *slog.Logger) *loop {
	return &loop{inbox: make(chan event, inboxMax), stop: make(chan struct{}), diary: diary{logger: logger}}
}

// end lets run return. It may be called more than once.
func (l *loop) end() { l.ending.Do(func() { close(l.stop) }) }

// deliver posts a message and its reference. It waits while the inbox is full.
func (l *loop) deliver(message *buffer.Buffer) {
	select {
	case l.inbox <- event{message: message}:
	case <-l.stop:
		message.Release()
	}
}

// complete posts the completion of an operation on the data file.
func (l *loop) complete(io *blockio.Request) {
	select {
	case l.inbox <- event{io: io}:
	case <-l.stop:
	}
}

// worked posts what follows a worker's job.
func (l *loop) worked(done func()) {
	select {
	case l.inbox <- event{done: done}:
	case <-l.stop:
	}
}

// run handles events until the replica fails or the loop is ended. All that
// has arrived is handled before the replica takes its next step: requests that
// arrived together are then ordered together.
func (l *loop) run() error {
	ticker := time.NewTicker(vsr.TickInterval)
	defer ticker.Stop()
	l.ticks = ticker.C
	more := false
	for {
		if !more {
			select {
			case e := <-l.inbox:
				l.handle(e)
			case <-l.ticks:
				l.replica.Tick()
			case <-l.stop:
				return nil
			}
		}
		if !l.drain() {
			return nil
		}
		if more = l.replica.Step(); l.replica.Err() != nil {
			l.end() // nobody waits any more to post to a loop that has stopped
			return l.replica.Err()
		}
		l.diary.note(l.replica)
	}
}

// drain handles what the inbox holds, without waiting. It returns false when
// the loop is to end.
func (l *loop) drain() bool {
	for range inboxMax {
		select {
		case e := <-l.inbox:
			l.handle(e)
		case <-l.ticks:
			l.replica.Tick()
		case <-l.stop:
			return false
		default:
			return true
		}
	}
	return true
}

func (l *loop) handle(e event) {
	switch {
	case e.io != nil:
		e.io.Done(e.io)
	case e.done != nil:
		e.done()
	default:
		l.replica.OnMessage(e.message)
		e.message.Release()
	}
}
