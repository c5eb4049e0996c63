package node

import (
	"errors"
	"strings"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/internal/checksum"
	"github.com/ledgerd/ledgerd/ledger/forest"
	"github.com/ledgerd/ledgerd/vsr"
	"github.com/ledgerd/ledgerd/vsr/grid"
	"github.com/ledgerd/ledgerd/vsr/journal"
	"github.com/ledgerd/ledgerd/vsr/superblock"
)

// Report is what a data file was found to hold. What could not be found because
// of damage is zero.
type Report struct {
	FileSize int64 // in bytes
	Copies   [superblock.Copies]superblock.CopyInfo
	Root     superblock.State
	// CheckpointID is the id of Root's checkpoint.
	CheckpointID checksum.Sum
	Sessions     []vsr.SessionInfo // of the checkpoint
	Journal      JournalReport
	Grid         GridReport
	// Ledger is what the ledger of the checkpoint has. Inspect does not look.
	Ledger *forest.Stats
	// LedgerVerified: the ledger of the checkpoint opens, and what must hold for
	// any ledger holds for it. Only Verify looks.
	LedgerVerified bool
	// BytesRead is how much of the file was read, some of it more than once.
	BytesRead int64
	// Damage is what cannot be read as it was written, in the order in which
	// it was found. A file without damage opens.
	Damage []Damage
}

// JournalReport is what the journal has after the checkpoint: what a replica
// that opens the file executes again.
type JournalReport struct {
	HeadOp        uint64 // the newest op, or that of the checkpoint
	HeadTimestamp uint64 // of its last request
	Prepares      int
	Requests      int
	Bytes         uint64 // of the ring of records in use
	// RecordsRestored counts the records that the next start will write again
	// from their spares: a crash has torn them, or they have rotted.
	RecordsRestored int
	// WitnessesStale counts the sectors of witnesses that the next start will
	// rewrite. Every end leaves some, because those of small records are written
	// late; so does damage of the headers' zone.
	WitnessesStale int
	// DamagedOp is the first op that is lost; 0 if none is.
	DamagedOp uint64
}

// GridReport is what the blocks in use hold.
type GridReport struct {
	BlockSize   int // in bytes
	BlocksInUse int
	BlocksFree  int    // that the file has room for
	Size        int64  // of the zone up to the last block in use, in bytes
	Kinds       []Kind // ascending by number; damaged blocks are in none
}

// Kind is the blocks of one kind together.
type Kind struct {
	Number       uint8
	Name         string
	Blocks       int
	PayloadBytes int64
}

// Zones by their names in Damage.
const (
	ZoneSuperblock = "superblock"
	ZoneJournal    = "journal"
	ZoneGrid       = "grid"
	// ZoneLedger is no zone of the file, but what its blocks say together.
	ZoneLedger = "ledger"
)

// Damage is one place of the file that is not as it was written, or what
// follows from that.
type Damage struct {
	Zone    string
	Address block.Address // in the grid; 0 elsewhere
	Offset  int64         // in the data file, in bytes; -1 if it is no one place
	Err     error
}

// String names the zone, the place and what is wrong there.
func (d Damage) String() string {
	text := d.Err.Error()
	if !strings.HasPrefix(text, d.Zone+": ") {
		text = d.Zone + ": " + text
	}
	return text
}

// damaged notes an error under the place that it names.
func (r *Report) damaged(zone string, err error) {
	d := Damage{Zone: zone, Offset: -1, Err: err}
	var corruptBlock *grid.CorruptError
	var corruptRecord *journal.CorruptError
	switch {
	case errors.As(err, &corruptBlock):
		d.Zone, d.Address, d.Offset = ZoneGrid, corruptBlock.Address, corruptBlock.Offset
	case errors.As(err, &corruptRecord):
		d.Offset = corruptRecord.Offset
		r.Journal.DamagedOp = corruptRecord.Op
	}
	for _, known := range r.Damage {
		if d.Address != 0 && known.Address == d.Address {
			return // seen from two sides
		}
	}
	r.Damage = append(r.Damage, d)
}

// kindName says what the blocks of a kind hold.
func kindName(kind uint8) string {
	switch kind {
	case grid.KindFreeSet:
		return "free set"
	case vsr.BlockKindSessions:
		return "sessions"
	}
	if name := forest.KindName(kind); name != "" {
		return name
	}
	return "unknown"
}
