package bus

import (
	"errors"
	"io"
	"sync/atomic"

	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/wire"
)

// receiveSize is the size of a connection's own buffer in bytes: many small
// messages are received by one system call, and those that fit cost no budget
// while they are incomplete.
const receiveSize = 32 << 10

// Reasons for closing a connection beyond those of package wire.
var (
	errCluster = errors.New("message of another cluster")
	errCommand = errors.New("command that does not pass on this connection")
)

// A receiver cuts a stream of bytes into messages (PROTOCOL.md section 4.1).
type receiver struct {
	source  io.Reader
	cluster u128.Uint128
	pool    *buffer.Pool
	budget  *budget
	// admit judges the header of a message before the rest is awaited.
	admit func(wire.Frame) error

	clock     *atomic.Int64
	receiving *stopwatch

	// buf[start:end] is received and not used yet.
	buf        []byte
	start, end int
	// borrowed is what the last message took from the budget, in bytes. Only
	// the reader changes it.
	borrowed atomic.Int64
}

func newReceiver(c *connection) *receiver {
	b := c.bus
	return &receiver{source: c.socket, cluster: b.config.Cluster, pool: b.config.Pool, budget: b.budget, admit: c.admit,
		clock: &b.now, receiving: &c.receiving, buf: make([]byte, receiveSize)}
}

// next returns the next message, verified by PROTOCOL.md section 4.1, and a
// reference to it. It is to be followed by done, which gives the message's size
// back to the budget.
//
// io.EOF means that the peer ended the stream after a whole message; any other
// error, that it broke the stream or the rules.
func (r *receiver) next() (*buffer.Buffer, wire.Frame, error) {
	defer r.receiving.stop()
	frame, err := r.header()
	if err != nil {
		return nil, frame, err
	}
	msg, err := r.message(int(frame.Size))
	if err != nil {
		return nil, frame, err
	}
	if err = wire.VerifyBody(msg.Bytes); err == nil && frame.Cluster != r.cluster {
		err = errCluster
	}
	if err != nil {
		msg.Release()
		r.done()
		return nil, frame, err
	}
	return msg, frame, nil
}

// done ends what next began.
func (r *receiver) done() {
	r.budget.release(int(r.borrowed.Swap(0)))
}

// header waits for a header and verifies it. It leaves it in buf.
func (r *receiver) header() (wire.Frame, error) {
	if err := r.fill(wire.HeaderSize); err != nil {
		return wire.Frame{}, err
	}
	frame, err := wire.VerifyHeader(r.buf[r.start:r.end])
	if err != nil {
		return frame, err
	}
	return frame, r.admit(frame)
}

// message waits for the message of the given size at r.start.
func (r *receiver) message(size int) (*buffer.Buffer, error) {
	if size <= receiveSize {
		if err := r.fill(size); err != nil {
			return nil, err
		}
		msg := r.pool.Acquire(size)
		r.start += copy(msg.Bytes, r.buf[r.start:r.end])
		return msg, nil
	}
	// Not late while it is us who let the peer wait.
	r.receiving.stop()
	r.budget.acquire(size, r.clock)
	r.borrowed.Store(int64(size))
	msg := r.pool.Acquire(size)
	have := copy(msg.Bytes, r.buf[r.start:r.end])
	r.start += have
	r.receiving.start(r.clock)
	if _, err := io.ReadFull(r.source, msg.Bytes[have:]); err != nil {
		msg.Release()
		r.done()
		if err == io.EOF {
			err = io.ErrUnexpectedEOF // the header is there
		}
		return nil, err
	}
	return msg, nil
}

// fill reads until buf holds size unused bytes, at most receiveSize.
func (r *receiver) fill(size int) error {
	if r.start == r.end {
		r.start, r.end = 0, 0
	}
	if r.start+size > len(r.buf) {
		r.end = copy(r.buf, r.buf[r.start:r.end])
		r.start = 0
	}
	for r.end-r.start < size {
		if r.end > r.start {
			r.receiving.start(r.clock)
		}
		n, err := r.source.Read(r.buf[r.end:])
		r.end += n
		if err != nil && r.end-r.start < size {
			if err == io.EOF && r.end > r.start {
				return io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}
