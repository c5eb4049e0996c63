// Package blockio describes one asynchronous operation on the data file.
//
// The parts of a replica that own a zone of the file (journal, superblock,
// grid) fill in a Request and submit it; io/disk carries it out with real
// direct I/O, the simulator with a simulated disk. Neither side imports the
// other: both import this leaf.
package blockio

// SectorSize is the unit of direct I/O in bytes. Every offset and every
// length of a Request is a multiple of it, and so is the address of its
// buffer in memory (see internal/buffer).
const SectorSize = 4096

// Kind says what a Request does.
type Kind uint8

// The kinds of request.
const (
	// Read fills Buf from Offset. Bytes past the end of the file read as zero.
	Read Kind = iota + 1
	// Write stores Buf at Offset and extends the file when needed. When Done
	// is called the bytes are stable only if Durable was set, or after a
	// later Sync.
	Write
	// Sync makes every write that was completed before it was submitted
	// stable.
	Sync
)

// String returns "read", "write" or "sync".
func (k Kind) String() string {
	switch k {
	case Read:
		return "read"
	case Write:
		return "write"
	case Sync:
		return "sync"
	}
	return "invalid"
}

// Request is one operation on the data file.
//
// Ownership: from Submit until Done is called the request and its buffer
// belong to the storage; nobody else reads (Write: writes) them. Requests are
// reused by their owners, so that none is allocated for each operation.
//
// Order: requests in flight at the same time complete in any order. Writes
// that overlap must not be in flight together.
type Request struct {
	Kind    Kind
	Offset  int64
	Buf     []byte
	Durable bool // Write only

	// Done is called once, from the goroutine that owns the replica, never
	// from within Submit. Err is set before it is called.
	Done func(*Request)

	// Err is nil on success. A failed Read leaves Buf undefined and counts
	// as corruption of what it covers; a failed Write or Sync must stop the
	// replica.
	Err error
}

// RoundUp returns n rounded up to a multiple of SectorSize.
func RoundUp(n int) int { return (n + SectorSize - 1) &^ (SectorSize - 1) }
