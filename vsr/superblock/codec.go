package superblock

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/internal/checksum"
	"github.com/ledgerd/ledgerd/internal/u128"
)

const (
	// Copies is how many copies of the root a file has.
	Copies = 4
	// CopySlotSize is the distance from one copy to the next, in bytes: far
	// enough for a fault of the medium to hit one of them only.
	CopySlotSize = 64 << 10
	// ZoneSize is the size of the zone in bytes. It begins at offset 0.
	ZoneSize = Copies * CopySlotSize
	// FormatVersion is the format of the data file that this release writes
	// and reads, the zones of the journal and of the grid included, and what
	// the ledger keeps in blocks. Version 1 had all rows in snapshots, version 4
	// knew one checkpoint only, version 5 had no fences.
	FormatVersion = 6

	copySize = blockio.SectorSize
)

// A copy, copySize bytes:
//
//	offset  size  field
//	     0     8  magic, "ledgerd" and a zero byte
//	     8     4  format version; magic and version stay here in every format
//	    12     1  copy, 0 .. 3; not summed
//	    13     3  reserved
//	    16    16  checksum of the whole copy, with bytes 12 .. 31 taken as zero
//	    32     8  sequence
//	    40    16  parent
//	    56    16  cluster
//	    72     1  replica
//	    73     1  replica_count
//	    74     1  flags: bit 0 development, bit 1 syncing
//	    75     1  reserved
//	    76     4  view
//	    80     4  log_view
//	    84     4  journal_spares
//	    88     8  commit_max
//	    96     4  journal_slots
//	   100     4  block_size
//	   104     8  journal_ring_size
//	   112     4  sessions_max
//	   116     4  request_size_max
//	   120     8  recovery
//	   128   648  checkpoint, below
//	   776   648  previous, the checkpoint before
//	  1424  2672  reserved
//
// A checkpoint, whose checksum is its id:
//
//	offset  size  field
//	     0    16  parent
//	    16    16  header_checksum
//	    32     8  op
//	    40     8  next_ordinal
//	    48     8  timestamp
//	    56     8  journal_offset
//	    64    40  grid
//	   104    24  sessions: address u64, checksum
//	   128     4  root_size
//	   132     4  reserved
//	   136   512  root
//
// Integers are little-endian; what is reserved is zero.
const (
	offsetVersion    = 8
	offsetCopy       = 12
	offsetChecksum   = 16
	offsetSummed     = 32
	offsetFlags      = 74
	offsetCheckpoint = 128
	checkpointSize   = 136 + RootSizeMax
	offsetPrevious   = offsetCheckpoint + checkpointSize
	flagDevelopment  = 1
	flagSyncing      = 2
)

var magic = [8]byte{'l', 'e', 'd', 'g', 'e', 'r', 'd', 0}

// Format returns the first zone of a new file: four copies of state with
// sequence 1. It panics if state is not valid.
func Format(state State) []byte {
	state.Sequence, state.Parent = 1, checksum.Sum{}
	state.Previous = state.Checkpoint
	zone := make([]byte, ZoneSize)
	for i := range Copies {
		state.encode(zone[i*CopySlotSize:][:copySize], i)
	}
	return zone
}

// encode writes one copy to b, which has copySize bytes, and returns its
// checksum. It panics if s is not valid.
func (s *State) encode(b []byte, index int) checksum.Sum {
	if err := s.Validate(); err != nil {
		panic(err.Error())
	}
	clear(b)
	copy(b, magic[:])
	binary.LittleEndian.PutUint32(b[offsetVersion:], FormatVersion)
	binary.LittleEndian.PutUint64(b[32:], s.Sequence)
	copy(b[40:], s.Parent[:])
	s.Cluster.PutBytes(b[56:])
	b[72], b[73] = s.Replica, s.ReplicaCount
	if s.Layout.Development {
		b[offsetFlags] = flagDevelopment
	}
	if s.Syncing {
		b[offsetFlags] |= flagSyncing
	}
	binary.LittleEndian.PutUint32(b[76:], s.View)
	binary.LittleEndian.PutUint32(b[80:], s.LogView)
	binary.LittleEndian.PutUint32(b[84:], s.Layout.JournalSpares)
	binary.LittleEndian.PutUint64(b[88:], s.CommitMax)
	binary.LittleEndian.PutUint32(b[96:], s.Layout.JournalSlots)
	binary.LittleEndian.PutUint32(b[100:], s.Layout.BlockSize)
	binary.LittleEndian.PutUint64(b[104:], s.Layout.JournalRingSize)
	binary.LittleEndian.PutUint32(b[112:], s.Layout.SessionsMax)
	binary.LittleEndian.PutUint32(b[116:], s.Layout.RequestSizeMax)
	binary.LittleEndian.PutUint64(b[120:], s.Recovery)
	s.Checkpoint.encode(b[offsetCheckpoint:])
	s.Previous.encode(b[offsetPrevious:])
	sum := checksum.Of(b) // the copy's index and checksum are still zero
	b[offsetCopy] = byte(index)
	copy(b[offsetChecksum:], sum[:])
	return sum
}

func (c *Checkpoint) encode(b []byte) {
	copy(b, c.Parent[:])
	copy(b[16:], c.HeaderChecksum[:])
	binary.LittleEndian.PutUint64(b[32:], c.Op)
	binary.LittleEndian.PutUint64(b[40:], c.NextOrdinal)
	binary.LittleEndian.PutUint64(b[48:], c.Timestamp)
	binary.LittleEndian.PutUint64(b[56:], c.JournalOffset)
	copy(b[64:], c.Grid[:])
	c.Sessions.Put(b[104:])
	binary.LittleEndian.PutUint32(b[128:], c.RootSize)
	binary.LittleEndian.PutUint32(b[132:], 0)
	copy(b[136:], c.Root[:])
}

func (c *Checkpoint) decode(b []byte) {
	c.Parent = checksum.Sum(b[0:16])
	c.HeaderChecksum = checksum.Sum(b[16:32])
	c.Op = binary.LittleEndian.Uint64(b[32:])
	c.NextOrdinal = binary.LittleEndian.Uint64(b[40:])
	c.Timestamp = binary.LittleEndian.Uint64(b[48:])
	c.JournalOffset = binary.LittleEndian.Uint64(b[56:])
	copy(c.Grid[:], b[64:104])
	c.Sessions = block.RefFrom(b[104:])
	c.RootSize = binary.LittleEndian.Uint32(b[128:])
	copy(c.Root[:], b[136:checkpointSize])
}

// verdict is what a copy turned out to be.
type verdict uint8

const (
	copyGood verdict = iota
	copyForeign
	copyNewer
	copyOlder
	copyDamaged
	copyUnreadable
)

func (v verdict) String() string {
	return [...]string{"good", "without magic", "of a newer format", "of an older format", "damaged", "unreadable"}[v]
}

// formatVersion returns what any format says of itself.
func formatVersion(b []byte) uint32 { return binary.LittleEndian.Uint32(b[offsetVersion:]) }

// decodeCopy reads the copy that should be the index-th one. Only when it is
// good are state and sum set.
func decodeCopy(b []byte, index int) (state State, sum checksum.Sum, v verdict) {
	if [8]byte(b) != magic {
		return State{}, sum, copyForeign
	}
	switch version := formatVersion(b); {
	case version > FormatVersion:
		return State{}, sum, copyNewer
	case version < FormatVersion:
		return State{}, sum, copyOlder
	}
	var summed [copySize]byte
	copy(summed[:], b)
	clear(summed[offsetCopy:offsetSummed])
	sum = checksum.Of(summed[:])
	if sum != checksum.Sum(b[offsetChecksum:offsetSummed]) || b[offsetCopy] != byte(index) {
		return State{}, checksum.Sum{}, copyDamaged
	}
	if err := state.decode(b); err != nil {
		// Only a bug can have written it: the checksum is right.
		return State{}, checksum.Sum{}, copyDamaged
	}
	return state, sum, copyGood
}

// decode reads the fields of a copy whose checksum is right.
func (s *State) decode(b []byte) error {
	s.Sequence = binary.LittleEndian.Uint64(b[32:])
	s.Parent = checksum.Sum(b[40:56])
	s.Cluster = u128.FromBytes(b[56:])
	s.Replica, s.ReplicaCount = b[72], b[73]
	s.View = binary.LittleEndian.Uint32(b[76:])
	s.LogView = binary.LittleEndian.Uint32(b[80:])
	s.CommitMax = binary.LittleEndian.Uint64(b[88:])
	s.Layout.JournalSlots = binary.LittleEndian.Uint32(b[96:])
	s.Layout.BlockSize = binary.LittleEndian.Uint32(b[100:])
	s.Layout.JournalRingSize = binary.LittleEndian.Uint64(b[104:])
	s.Layout.SessionsMax = binary.LittleEndian.Uint32(b[112:])
	s.Layout.RequestSizeMax = binary.LittleEndian.Uint32(b[116:])
	s.Layout.JournalSpares = binary.LittleEndian.Uint32(b[84:])
	s.Layout.Development = b[offsetFlags]&flagDevelopment != 0
	s.Syncing = b[offsetFlags]&flagSyncing != 0
	s.Recovery = binary.LittleEndian.Uint64(b[120:])
	s.Checkpoint.decode(b[offsetCheckpoint:])
	s.Previous.decode(b[offsetPrevious:])
	if err := s.Validate(); err != nil {
		return err
	}
	// What is valid has one encoding: so reserved bytes and flags are checked.
	var again [copySize]byte
	s.encode(again[:], int(b[offsetCopy]))
	if !bytes.Equal(again[:], b) {
		return fmt.Errorf("superblock: reserved bytes are set")
	}
	return nil
}
