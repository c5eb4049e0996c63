package wire

import (
	"bytes"
	"encoding/binary"

	"github.com/ledgerd/ledgerd/internal/checksum"
	"github.com/ledgerd/ledgerd/internal/u128"
)

// Frame is the part of the header that all commands share (PROTOCOL.md
// section 2). What is not a field must be zero.
//
//	offset  size  field
//	     0    16  checksum of header bytes 16 .. 255
//	    16    16  checksum_padding
//	    32    16  checksum_body, of the body even when it is empty
//	    48    16  checksum_body_padding
//	    64    16  nonce_reserved
//	    80    16  cluster
//	    96     4  size, header and body
//	   100     4  epoch, 0
//	   104     4  view
//	   108     4  release
//	   112     2  protocol, 0
//	   114     1  command
//	   115     1  replica, the index of the author; 0 from clients
//	   116    12  reserved_frame
//	   128   128  per command
type Frame struct {
	Checksum     checksum.Sum
	ChecksumBody checksum.Sum
	Cluster      u128.Uint128
	Size         uint32
	View         uint32
	Release      Release
	Command      Command
	Replica      uint8
}

const (
	offsetChecksumBody = 32
	offsetSize         = 96
	offsetCommand      = 114
)

// zeros is what reserved bytes are compared with.
var zeros [HeaderSize]byte

func isZero(b []byte) bool { return bytes.Equal(b, zeros[:len(b)]) }

// read takes the fields from b without judging them.
func (f *Frame) read(b []byte) {
	_ = b[HeaderSize-1]
	f.Checksum = checksum.Sum(b[0:16])
	f.ChecksumBody = checksum.Sum(b[offsetChecksumBody:48])
	f.Cluster = u128.FromBytes(b[80:])
	f.Size = binary.LittleEndian.Uint32(b[offsetSize:])
	f.View = binary.LittleEndian.Uint32(b[104:])
	f.Release = Release(binary.LittleEndian.Uint32(b[108:]))
	f.Command = Command(b[offsetCommand])
	f.Replica = b[115]
}

// decode reads the frame of a message that should have the given command, and
// checks what no field of Frame holds.
func (f *Frame) decode(b []byte, want Command) error {
	f.read(b)
	switch {
	case f.Command != want:
		return f.invalid("command", "is not that of a "+want.String())
	case !isZero(b[16:32]):
		return f.invalid("checksum_padding", "is not zero")
	case !isZero(b[48:64]):
		return f.invalid("checksum_body_padding", "is not zero")
	case !isZero(b[64:80]):
		return f.invalid("nonce_reserved", "is not zero")
	case !isZero(b[100:104]):
		return f.invalid("epoch", "is not zero")
	case !isZero(b[112:114]):
		return f.invalid("protocol", "is not zero")
	case !isZero(b[116:128]):
		return f.invalid("reserved_frame", "is not zero")
	}
	return nil
}

// encode writes the first 128 bytes of b and clears the other 128.
func (f *Frame) encode(b []byte) {
	clear(b[:HeaderSize])
	copy(b[0:], f.Checksum[:])
	copy(b[offsetChecksumBody:], f.ChecksumBody[:])
	f.Cluster.PutBytes(b[80:])
	binary.LittleEndian.PutUint32(b[offsetSize:], f.Size)
	binary.LittleEndian.PutUint32(b[104:], f.View)
	binary.LittleEndian.PutUint32(b[108:], uint32(f.Release))
	b[offsetCommand] = byte(f.Command)
	b[115] = f.Replica
}

// validate checks what all commands of the client protocol have in common.
func (f *Frame) validate() error {
	switch {
	case f.Size < HeaderSize || f.Size > f.Command.sizeMax():
		return f.invalid("size", "is out of bounds")
	case f.Release == 0:
		return f.invalid("release", "is zero")
	}
	return nil
}

func (f *Frame) invalid(field, problem string) error {
	return &HeaderError{Command: f.Command, Field: field, Problem: problem}
}

// mustBeValid panics with err: to send an invalid message is a bug.
func mustBeValid(err error) {
	if err != nil {
		panic("wire: message to be encoded is invalid: " + err.Error())
	}
}
