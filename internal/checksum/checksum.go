// Package checksum computes the 128-bit checksum of PROTOCOL.md section 3, which
// protects every message and every block: the tag of AEGIS-128L under an
// all-zero key and nonce, with the data as associated data and no plaintext.
//
// It detects damage, not forgery: the key is no secret. On amd64 with AES
// instructions it runs near memory speed; elsewhere a portable twin computes
// the same values.
package checksum

import "encoding/hex"

// Size is the size of a Sum in bytes.
const Size = 16

// Sum is a checksum: the 16 tag bytes in the order in which they are stored.
// The zero Sum means "none"; that some data should have it is not to be feared.
type Sum [Size]byte

// String returns the sum in hexadecimal.
func (s Sum) String() string { return hex.EncodeToString(s[:]) }

// IsZero reports whether s is the zero Sum.
func (s Sum) IsZero() bool { return s == Sum{} }

// Of returns the checksum of data, which may be empty. It neither keeps nor
// allocates anything and may be called concurrently.
func Of(data []byte) Sum { return of(data) }

// chunkSize is what one update of the state absorbs.
const chunkSize = 32

// tailOf returns the bytes of data after its last whole chunk, extended with
// zero bytes to a chunk. It is of no use if there are none.
func tailOf(data []byte) (tail [chunkSize]byte) {
	copy(tail[:], data[len(data)&^(chunkSize-1):])
	return tail
}
