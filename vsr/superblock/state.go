package superblock

import (
	"errors"
	"fmt"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/internal/checksum"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/wire"
)

// State is all that the superblock holds. It is a comparable value.
//
// Invariants, checked by Validate:
//  1. Sequence >= 1;
//  2. ReplicaCount <= wire.ReplicasMax, and Replica is less than that, or, if
//     there is more than one, that of one of wire.StandbysMax standbys;
//  3. LogView <= View;
//  4. Checkpoint.Op <= CommitMax;
//  5. Previous.Op <= Checkpoint.Op;
//  6. Layout, Checkpoint and Previous are valid by themselves;
//  7. Recovery is 0 in a cluster of one, and at a standby.
type State struct {
	// Sequence counts the updates of this file; a new file has 1. Parent is
	// the checksum of the root before this one, zero in a new file. Update
	// sets both.
	Sequence uint64
	Parent   checksum.Sum

	Cluster      u128.Uint128
	Replica      uint8
	ReplicaCount uint8

	// View is the highest view the replica has taken part in, LogView the last
	// one in which it was in normal operation.
	View    uint32
	LogView uint32
	// CommitMax is the highest op known to be committed when this was written.
	CommitMax uint64

	Layout     Layout
	Checkpoint Checkpoint
	// Previous is the checkpoint before, for others who do not have Checkpoint
	// yet. It is Checkpoint itself in a new file, or if that was taken over.
	Previous Checkpoint
	// Syncing says that the checkpoint was taken over from another replica, and
	// that not all of its blocks are here yet.
	Syncing bool
	// Recovery, unless 0, says that this file replaces one that was lost, and
	// that the replica does not know yet what it had promised: it then has no
	// vote. The number was chosen at random for this file.
	Recovery uint64
}

// Validate checks the numbered invariants of State.
func (s *State) Validate() error {
	switch {
	case s.Sequence == 0:
		return fmt.Errorf("superblock: sequence is 0")
	case s.ReplicaCount == 0 || s.ReplicaCount > wire.ReplicasMax || s.Replica >= s.ReplicaCount+wire.StandbysMax,
		s.ReplicaCount == 1 && s.Replica > 0:
		return fmt.Errorf("superblock: replica %d of %d", s.Replica, s.ReplicaCount)
	case s.LogView > s.View:
		return fmt.Errorf("superblock: log view %d is above view %d", s.LogView, s.View)
	case s.Checkpoint.Op > s.CommitMax:
		return fmt.Errorf("superblock: checkpoint at op %d is above the highest commit %d", s.Checkpoint.Op, s.CommitMax)
	case s.Recovery != 0 && (s.ReplicaCount == 1 || s.Replica >= s.ReplicaCount):
		return fmt.Errorf("superblock: nothing to recover")
	case s.Previous.Op > s.Checkpoint.Op:
		return fmt.Errorf("superblock: checkpoint at op %d follows one at op %d", s.Checkpoint.Op, s.Previous.Op)
	}
	return errors.Join(s.Layout.Validate(), s.Checkpoint.Validate(), s.Previous.Validate())
}

// CheckIdentity returns an error that wraps ErrCluster or ErrReplica unless the
// file belongs to this replica of this cluster.
func (s *State) CheckIdentity(cluster u128.Uint128, replica uint8) error {
	switch {
	case s.Cluster != cluster:
		return fmt.Errorf("%w: it is of cluster %v, not %v", ErrCluster, s.Cluster, cluster)
	case s.Replica != replica:
		return fmt.Errorf("%w: it is of replica %d, not %d", ErrReplica, s.Replica, replica)
	}
	return nil
}

// mustFollow panics if s cannot replace previous: what is fixed at format must
// not change, and nothing may go backwards.
func (s *State) mustFollow(previous *State) {
	old, now := &previous.Checkpoint, &s.Checkpoint
	switch {
	case s.Cluster != previous.Cluster || s.Replica != previous.Replica || s.ReplicaCount != previous.ReplicaCount:
		panic("superblock: an update changes whose file this is")
	case s.Layout != previous.Layout:
		panic("superblock: an update changes the layout")
	case s.Recovery != 0 && s.Recovery != previous.Recovery:
		panic("superblock: an update forgets what was promised")
	case s.View < previous.View || s.LogView < previous.LogView || s.CommitMax < previous.CommitMax:
		panic("superblock: view, log view or highest commit goes backwards")
	case now.Op < old.Op || now.Op == old.Op && *now != *old:
		panic(fmt.Sprintf("superblock: checkpoint at op %d after one at op %d", now.Op, old.Op))
	case now.Op > old.Op && now.Parent != old.ID() && !s.Syncing:
		panic(fmt.Sprintf("superblock: checkpoint at op %d does not name its parent", now.Op))
	case now.Op == old.Op && s.Previous != previous.Previous,
		now.Op > old.Op && s.Previous != *old && !(s.Syncing && s.Previous == *now):
		panic(fmt.Sprintf("superblock: the one before the checkpoint at op %d is another one", now.Op))
	}
}

// SpareSize is the size of a slot in the ring of spares, in bytes.
const SpareSize = 16 << 10

// Layout is what is fixed when the file is made: the size of its zones and the
// limits that its users rely on. Zones follow one another without gaps:
//
//	superblock       ZoneSize bytes
//	journal headers  JournalSlots * 256 bytes
//	journal spares   JournalSpares * SpareSize bytes
//	journal records  JournalRingSize bytes
//	grid             the rest; grows
type Layout struct {
	JournalSlots    uint32 // headers in the ring, a multiple of 16
	JournalSpares   uint32 // slots for a second copy of small records, at most half of JournalSlots; 0 for none
	JournalRingSize uint64 // bytes of the ring of records, a multiple of a sector
	BlockSize       uint32 // bytes of a grid block, a multiple of a sector
	SessionsMax     uint32 // clients with a session, at least 1
	RequestSizeMax  uint32 // bytes of a client's request with its header
	Development     bool   // made with --development
}

// DefaultLayout returns the layout of a new file. A development file is small:
// under 16 MB when empty, instead of 64 MB.
func DefaultLayout(development bool) Layout {
	layout := Layout{
		JournalSlots:    8192,
		JournalSpares:   256,
		JournalRingSize: 48 << 20,
		BlockSize:       256 << 10,
		SessionsMax:     1024,
		RequestSizeMax:  wire.MessageSizeMax,
	}
	if development {
		layout.JournalSlots = 1024
		layout.JournalSpares = 64
		layout.JournalRingSize = 8 << 20
		layout.RequestSizeMax = 32 << 10
		layout.Development = true
	}
	return layout
}

// JournalHeadersOffset returns where the ring of headers begins, in bytes.
func (l *Layout) JournalHeadersOffset() int64 { return ZoneSize }

// JournalSparesOffset returns where the ring of spares begins, in bytes.
func (l *Layout) JournalSparesOffset() int64 {
	return l.JournalHeadersOffset() + int64(l.JournalSlots)*wire.HeaderSize
}

// JournalRecordsOffset returns where the ring of records begins, in bytes.
func (l *Layout) JournalRecordsOffset() int64 {
	return l.JournalSparesOffset() + int64(l.JournalSpares)*SpareSize
}

// GridOffset returns where the grid begins, in bytes. It is also the size of a
// new file, and the least size of any.
func (l *Layout) GridOffset() int64 { return l.JournalRecordsOffset() + int64(l.JournalRingSize) }

// ringShare is how many of the largest prepares the ring of records holds at
// least. With nine, one always fits before the next checkpoint is due: what was
// journalled since the last but one takes twice a third of the ring at most, and
// each time the rest of the prepare that was too many; and wherever in the ring
// that is, a third one may be lost at its end.
const ringShare = 9

// PrepareSizeMax returns the size of the largest prepare, in bytes: of one
// largest request, or of many small ones as far as the ring has room for them.
func (l *Layout) PrepareSizeMax() uint64 {
	share := l.JournalRingSize / ringShare
	return min(wire.PrepareSizeMax, share-share%blockio.SectorSize)
}

// Validate checks ranges and units.
func (l *Layout) Validate() error {
	const (
		headersPerSector = blockio.SectorSize / wire.HeaderSize
		blockSizeMax     = 1 << 20
		ringSizeMax      = 1 << 40
	)
	switch {
	case l.JournalSlots == 0 || l.JournalSlots%headersPerSector != 0:
		return fmt.Errorf("superblock: %d journal slots", l.JournalSlots)
	case l.JournalSpares > l.JournalSlots/2:
		return fmt.Errorf("superblock: %d journal spares for %d slots", l.JournalSpares, l.JournalSlots)
	case l.JournalRingSize == 0 || l.JournalRingSize%blockio.SectorSize != 0 || l.JournalRingSize > ringSizeMax:
		return fmt.Errorf("superblock: journal ring of %d bytes", l.JournalRingSize)
	case l.BlockSize == 0 || l.BlockSize%blockio.SectorSize != 0 || l.BlockSize > blockSizeMax:
		return fmt.Errorf("superblock: block size %d", l.BlockSize)
	case l.SessionsMax == 0:
		return fmt.Errorf("superblock: no sessions")
	case l.RequestSizeMax < 2*wire.HeaderSize || l.RequestSizeMax > wire.MessageSizeMax:
		return fmt.Errorf("superblock: request limit of %d bytes", l.RequestSizeMax)
	case uint64(l.RequestSizeMax)+wire.EntrySize > l.PrepareSizeMax():
		return fmt.Errorf("superblock: journal ring of %d bytes for requests of %d", l.JournalRingSize, l.RequestSizeMax)
	}
	return nil
}

// GridStateSize and RootSizeMax are the sizes, in bytes, of what the superblock
// keeps for the grid and for the state machine without understanding it.
const (
	GridStateSize = 40
	RootSizeMax   = 512
)

// Checkpoint is a durable state of the replica as of one op. It is equal on all
// replicas of a cluster. A new file has one at op 0.
//
// Invariants, checked by Validate:
//  1. RootSize <= RootSizeMax, and Root is zero beyond it;
//  2. JournalOffset is a multiple of a sector.
type Checkpoint struct {
	Parent         checksum.Sum // id of the checkpoint before, zero for the first
	Op             uint64       // last op whose effects are in it
	HeaderChecksum checksum.Sum // of that op's prepare: the parent of the next
	NextOrdinal    uint64       // ordinal of the next request
	Timestamp      uint64       // of the last request
	JournalOffset  uint64       // end of that op's record in the endless ring, in bytes
	Grid           [GridStateSize]byte
	Sessions       block.Ref // the session table's stream, zero if there is none
	Root           [RootSizeMax]byte
	RootSize       uint32
}

// SetRoot stores the state machine's root. It panics if root is too long.
func (c *Checkpoint) SetRoot(root []byte) {
	if len(root) > RootSizeMax {
		panic(fmt.Sprintf("superblock: root of %d bytes", len(root)))
	}
	c.Root = [RootSizeMax]byte{}
	c.RootSize = uint32(copy(c.Root[:], root))
}

// Validate checks the numbered invariants of Checkpoint.
func (c *Checkpoint) Validate() error {
	if c.RootSize > RootSizeMax {
		return fmt.Errorf("superblock: root of %d bytes", c.RootSize)
	}
	for _, b := range c.Root[c.RootSize:] {
		if b != 0 {
			return fmt.Errorf("superblock: root continues after its %d bytes", c.RootSize)
		}
	}
	if c.JournalOffset%blockio.SectorSize != 0 {
		return fmt.Errorf("superblock: checkpoint ends at journal offset %d", c.JournalOffset)
	}
	return nil
}

// CheckpointSize is the encoded size of a Checkpoint in bytes.
const CheckpointSize = checkpointSize

// Encode writes the checkpoint to the first CheckpointSize bytes of b.
func (c *Checkpoint) Encode(b []byte) { c.encode(b[:checkpointSize]) }

// Decode reads what Encode wrote. The error says what is wrong with it.
func (c *Checkpoint) Decode(b []byte) error {
	if len(b) != checkpointSize {
		return fmt.Errorf("superblock: checkpoint of %d bytes", len(b))
	}
	c.decode(b)
	return c.Validate()
}

// ID returns the checkpoint's id, which every prepare carries: replicas with
// the same id have the same state.
func (c *Checkpoint) ID() checksum.Sum {
	var encoded [checkpointSize]byte
	c.encode(encoded[:])
	return checksum.Of(encoded[:])
}
