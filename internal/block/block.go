// Package block holds the small values by which parts of the data file name
// one another: block addresses, and references that carry the checksum the
// block must have; and Grid, what trees and logs ask of who keeps blocks. They
// live in a leaf so that vsr/grid and its users need not import each other.
package block

import (
	"encoding/binary"
	"fmt"

	"github.com/ledgerd/ledgerd/internal/checksum"
)

// Address is the number of a block of the grid. The first block is 1; 0 means
// "no block". It stays the same for the life of the data file's format.
type Address uint64

// String returns the address for logs and error messages.
func (a Address) String() string { return fmt.Sprintf("block %d", uint64(a)) }

// Ref names a block together with the checksum its content must have. Whoever
// holds a Ref can tell a stale, torn, rotten or misdirected block from the
// right one.
type Ref struct {
	Address  Address
	Checksum checksum.Sum
}

// RefSize is the encoded size of a Ref in bytes: address u64, then checksum.
const RefSize = 24

// IsZero reports whether r names no block.
func (r Ref) IsZero() bool { return r.Address == 0 }

// Put encodes r into the first RefSize bytes of b.
func (r Ref) Put(b []byte) {
	_ = b[RefSize-1]
	binary.LittleEndian.PutUint64(b, uint64(r.Address))
	copy(b[8:RefSize], r.Checksum[:])
}

// RefFrom decodes the first RefSize bytes of b.
func RefFrom(b []byte) Ref {
	_ = b[RefSize-1]
	return Ref{Address(binary.LittleEndian.Uint64(b)), checksum.Sum(b[8:RefSize])}
}
