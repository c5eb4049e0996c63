package wire

import (
	"errors"
	"fmt"
)

// Violations of the stream layer (PROTOCOL.md section 4.1): the sender cannot
// be understood any more, and its connection is to be closed.
var (
	// ErrChecksum: the header's or the body's checksum does not match.
	ErrChecksum = errors.New("wire: checksum mismatch")
	// ErrCommand: no command has this number.
	ErrCommand = errors.New("wire: unknown command")
	// ErrSize: the size is out of bounds, or not that of the message.
	ErrSize = errors.New("wire: size out of bounds")
)

// HeaderError is a violation of the header layer (PROTOCOL.md sections 4.3 and
// 5): the message is to be ignored, the connection stays. A prepare's table
// reports its violations in the same way.
type HeaderError struct {
	Command Command
	Field   string // its name in PROTOCOL.md
	Problem string // completes the sentence that starts with the field's name
}

// Error says which field of which command is wrong and how.
func (e *HeaderError) Error() string {
	return fmt.Sprintf("wire: %v: %s %s", e.Command, e.Field, e.Problem)
}
