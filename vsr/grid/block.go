package grid

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/internal/checksum"
)

// HeaderSize is the size of a block's header in bytes.
//
//	offset  size  field
//	     0    16  checksum of bytes 16 .. 64+payload size
//	    16     8  address of the block
//	    24     4  payload size in bytes, 0 .. block size - 64
//	    28     1  kind, the user's mark of what the payload is, not 0
//	    29    35  reserved, 0
//	    64        payload, then zeros to a whole sector
//
// All integers are little-endian. Sectors after the payload's last one are not
// written: they hold whatever they held. The address is under the checksum, so
// equal payloads at two addresses have different checksums, and a misdirected
// write cannot pass for the right one. What follows the payload means nothing
// and is not checked.
const HeaderSize = 64

// ErrCorrupt is what every *CorruptError is, in the sense of errors.Is.
var ErrCorrupt = errors.New("grid: corrupt block")

// CorruptError says that a block, or a part of one, could not be read as it was
// written: rot, a torn, lost or misdirected write, or an I/O error.
type CorruptError struct {
	Address block.Address
	Offset  int64        // in the data file, in bytes: of the block, or of the part that was asked for
	Want    checksum.Sum // what the block's reference demands; in a tour, what its header says
	Got     checksum.Sum // what was found instead; equal to Want if that is not what is wrong
	Reason  string
	Err     error // the storage's error, or nil
}

// Error names the block, the place in the data file, and what is wrong.
func (e *CorruptError) Error() string {
	text := fmt.Sprintf("grid: %v at offset %d: %s", e.Address, e.Offset, e.Reason)
	if e.Want != e.Got {
		text += fmt.Sprintf(": want checksum %v, found %v", e.Want, e.Got)
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Is reports whether target is ErrCorrupt.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }

// Unwrap returns the storage's error, if there was one.
func (e *CorruptError) Unwrap() error { return e.Err }

// seal writes the header of a block whose payload is in place, zeroes the rest
// of its last sector, and returns the block's checksum and the length to write.
func seal(buf []byte, a block.Address, kind uint8, payloadSize int) (checksum.Sum, int) {
	end := HeaderSize + payloadSize
	length := blockio.RoundUp(end)
	clear(buf[end:length])
	clear(buf[:HeaderSize])
	binary.LittleEndian.PutUint64(buf[16:], uint64(a))
	binary.LittleEndian.PutUint32(buf[24:], uint32(payloadSize))
	buf[28] = kind
	sum := checksum.Of(buf[16:end])
	copy(buf, sum[:])
	return sum, length
}

// unseal checks a whole block against its reference and returns its payload, a
// part of buf. What is wrong is returned as text, empty if nothing is; got is
// the checksum found in the place of the one that ref has.
func unseal(buf []byte, ref block.Ref) (payload []byte, got checksum.Sum, wrong string) {
	if got = checksum.Sum(buf[:16]); got != ref.Checksum {
		return nil, got, "another block, or its first sector is damaged"
	}
	size, got, wrong := checkWhole(buf, ref.Address)
	if wrong != "" {
		return nil, got, wrong
	}
	return buf[HeaderSize : HeaderSize+size], got, ""
}

// checkWhole checks a whole block by itself: that it is as it was written, and
// at the address it was written for. An older block of the same address passes.
// got is the checksum of the content.
func checkWhole(buf []byte, a block.Address) (payloadSize int, got checksum.Sum, wrong string) {
	size := int(binary.LittleEndian.Uint32(buf[24:]))
	if size > len(buf)-HeaderSize {
		return 0, checksum.Sum(buf[:16]), "payload size out of range"
	}
	got = checksum.Of(buf[16 : HeaderSize+size])
	if got != checksum.Sum(buf[:16]) {
		return 0, got, "content does not match its checksum"
	}
	return size, got, checkAddress(buf, a)
}

// checkAddress checks that a block's header is of address a.
func checkAddress(header []byte, a block.Address) (wrong string) {
	if written := block.Address(binary.LittleEndian.Uint64(header[16:])); written != a {
		return fmt.Sprintf("written for %v", written)
	}
	return ""
}
