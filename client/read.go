package client

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/wire"
)

// read takes messages from a connection to the session until the connection
// breaks or the replica breaks the stream layer's rules.
func (l *link) read(conn net.Conn) (heard bool, err error) {
	reader := bufio.NewReaderSize(conn, readBufferBytes)
	for {
		frame, message, err := l.readMessage(reader)
		if err != nil {
			if !heard && (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)) {
				err = errors.New("closed by the replica without a word (another cluster id, or too many connections?)")
			}
			return heard, fmt.Errorf("replica %d at %s: %w", l.replica, l.address, err)
		}
		heard = true
		l.receive(frame, message)
	}
}

// readMessage reads one message and checks what PROTOCOL.md section 4.1 says.
// After an error nothing more can be read.
func (l *link) readMessage(reader *bufio.Reader) (wire.Frame, *buffer.Buffer, error) {
	header, err := reader.Peek(wire.HeaderSize)
	if err != nil {
		return wire.Frame{}, nil, err
	}
	frame, err := wire.VerifyHeader(header)
	if err != nil {
		return wire.Frame{}, nil, err
	}
	if frame.Size > wire.MessageSizeMax {
		return wire.Frame{}, nil, wire.ErrSize
	}
	message := l.client.buffers.Acquire(int(frame.Size))
	if _, err = io.ReadFull(reader, message.Bytes); err == nil {
		err = wire.VerifyBody(message.Bytes)
	}
	if err == nil && frame.Cluster != l.client.cluster {
		err = fmt.Errorf("message of cluster %v, want %v", frame.Cluster, l.client.cluster)
	}
	if err != nil {
		message.Release()
		return wire.Frame{}, nil, err
	}
	return frame, message, nil
}

// receive gives a message to the session.
func (l *link) receive(frame wire.Frame, message *buffer.Buffer) {
	c := l.client
	c.mu.Lock()
	err := c.session.Receive(c.now(), l.replica, frame, message)
	c.settle()
	c.mu.Unlock()
	message.Release()
	if err != nil {
		c.logger.Warn("message ignored", "replica", l.replica, "address", l.address, "error", err)
	}
}
