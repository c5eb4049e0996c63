package wire

import (
	"encoding/binary"
	"fmt"

	"github.com/ledgerd/ledgerd/internal/checksum"
)

var (
	errHeaderChecksum = fmt.Errorf("header: %w", ErrChecksum)
	errBodyChecksum   = fmt.Errorf("body: %w", ErrChecksum)
)

// VerifyHeader checks what can be checked when a message's first HeaderSize
// bytes have arrived (PROTOCOL.md section 4.1, steps 1 to 3) and returns the
// frame, whose Size tells how many bytes the whole message has. b may be longer
// than the header.
//
// The error wraps ErrChecksum, ErrCommand or ErrSize. The frame is that of the
// bytes as they are in each case, for the log.
func VerifyHeader(b []byte) (Frame, error) {
	var f Frame
	f.read(b)
	switch {
	case checksum.Of(b[checksum.Size:HeaderSize]) != f.Checksum:
		return f, errHeaderChecksum
	case !f.Command.Known():
		return f, ErrCommand
	case f.Size < HeaderSize || f.Size > f.Command.sizeMax():
		return f, ErrSize
	}
	return f, nil
}

// VerifyBody checks the body of a whole message whose header has passed
// VerifyHeader (PROTOCOL.md section 4.1, step 4). The error is ErrSize if msg is
// not exactly one message, or wraps ErrChecksum.
func VerifyBody(msg []byte) error {
	if uint32(len(msg)) != binary.LittleEndian.Uint32(msg[offsetSize:]) {
		return ErrSize
	}
	if checksum.Of(msg[HeaderSize:]) != checksum.Sum(msg[offsetChecksumBody:]) {
		return errBodyChecksum
	}
	return nil
}

// Seal completes an encoded message in place: it computes checksum_body, then
// checksum, and returns the latter. It panics unless msg has exactly the size
// that its header says.
func Seal(msg []byte) checksum.Sum {
	sealBody(msg)
	return SealHeader(msg)
}

// SealHeader recomputes the checksum of a header in place, after a change that
// leaves the body alone, and returns it. b may be longer than the header.
func SealHeader(b []byte) checksum.Sum {
	sum := checksum.Of(b[checksum.Size:HeaderSize])
	copy(b, sum[:])
	return sum
}

func sealBody(msg []byte) {
	if size := binary.LittleEndian.Uint32(msg[offsetSize:]); uint32(len(msg)) != size {
		panic(fmt.Sprintf("wire: message of %d bytes has size %d", len(msg), size))
	}
	sum := checksum.Of(msg[HeaderSize:])
	copy(msg[offsetChecksumBody:], sum[:])
}
