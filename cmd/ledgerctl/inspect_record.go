package main

import (
	"encoding/json"
	"io"

	"github.com/ledgerd/ledgerd/internal/node"
)

// inspectRecord is an inspection in JSON. Sizes are in bytes. What was not asked
// for, or could not be found because of damage, is left out.
type inspectRecord struct {
	FileSize   int64             `json:"file_size"`
	Superblock *superblockRecord `json:"superblock,omitempty"`
	Journal    *journalRecord    `json:"journal,omitempty"`
	Grid       *gridRecord       `json:"grid,omitempty"`
	Ledger     *ledgerRecord     `json:"ledger,omitempty"`
	// Verified: all of the file was read, and the ledger in it is sound.
	Verified *verifiedRecord `json:"verified,omitempty"`
	Damage   []damageRecord  `json:"damage"`
}

type superblockRecord struct {
	Copies []copyRecord `json:"copies"`
	Root   *rootRecord  `json:"root,omitempty"`
}

type copyRecord struct {
	Offset   int64  `json:"offset"`
	State    string `json:"state"`
	Sequence long   `json:"sequence"`
	Reason   string `json:"reason,omitempty"`
}

type rootRecord struct {
	Cluster       wide             `json:"cluster"`
	Replica       uint8            `json:"replica"`
	ReplicaCount  uint8            `json:"replica_count"`
	Development   bool             `json:"development"`
	Sequence      long             `json:"sequence"`
	View          uint32           `json:"view"`
	LogView       uint32           `json:"log_view"`
	CommitMax     long             `json:"commit_max"`
	Sessions      int              `json:"sessions"`
	SessionsMax   uint32           `json:"sessions_max"`
	RequestSize   uint32           `json:"request_size_max"`
	JournalSlots  uint32           `json:"journal_slots"`
	JournalSpares uint32           `json:"journal_spares"`
	JournalSize   uint64           `json:"journal_ring_size"`
	BlockSize     uint32           `json:"block_size"`
	Checkpoint    checkpointRecord `json:"checkpoint"`
}

type checkpointRecord struct {
	ID          string `json:"id"`
	Op          long   `json:"op"`
	NextOrdinal long   `json:"next_ordinal"`
	Timestamp   long   `json:"timestamp"`
}

type journalRecord struct {
	Head           long   `json:"head_op"`
	Timestamp      long   `json:"head_timestamp"`
	Prepares       int    `json:"prepares"`
	Requests       int    `json:"requests"`
	Size           uint64 `json:"size"`
	Restored       int    `json:"records_to_restore"`
	WitnessesStale int    `json:"witness_sectors_stale"`
	DamagedOp      long   `json:"damaged_op,omitempty"`
}

type gridRecord struct {
	BlockSize   int          `json:"block_size"`
	BlocksInUse int          `json:"blocks_in_use"`
	BlocksFree  int          `json:"blocks_free"`
	Size        int64        `json:"size"`
	Kinds       []kindRecord `json:"kinds"`
}

type kindRecord struct {
	Number  uint8  `json:"kind"`
	Name    string `json:"name"`
	Blocks  int    `json:"blocks"`
	Payload int64  `json:"payload_size"`
}

type damageRecord struct {
	Zone    string `json:"zone"`
	Address long   `json:"block,omitempty"`
	Offset  *int64 `json:"offset,omitempty"`
	Text    string `json:"text"`
}

// newInspectRecord takes over a part of a report, or all of it for "".
func newInspectRecord(r *node.Report, part string) *inspectRecord {
	record := &inspectRecord{FileSize: r.FileSize, Damage: []damageRecord{}}
	found := r.Root.Sequence != 0
	if part == "" || part == "superblock" {
		record.Superblock = newSuperblockRecord(r, found)
	}
	if found && (part == "" || part == "journal") {
		j := &r.Journal
		record.Journal = &journalRecord{
			Head: long(j.HeadOp), Timestamp: long(j.HeadTimestamp), Prepares: j.Prepares, Requests: j.Requests,
			Size: j.Bytes, Restored: j.RecordsRestored, WitnessesStale: j.WitnessesStale, DamagedOp: long(j.DamagedOp),
		}
	}
	if r.Grid.BlockSize != 0 && (part == "" || part == "grid") {
		record.Grid = &gridRecord{
			BlockSize: r.Grid.BlockSize, BlocksInUse: r.Grid.BlocksInUse, BlocksFree: r.Grid.BlocksFree,
			Size: r.Grid.Size, Kinds: []kindRecord{},
		}
		for _, k := range r.Grid.Kinds {
			record.Grid.Kinds = append(record.Grid.Kinds, kindRecord{k.Number, k.Name, k.Blocks, k.PayloadBytes})
		}
	}
	if r.Ledger != nil {
		record.Ledger = newLedgerRecord(r)
	}
	for _, d := range r.Damage {
		damage := damageRecord{Zone: d.Zone, Address: long(d.Address), Text: d.String()}
		if d.Offset >= 0 {
			damage.Offset = &d.Offset
		}
		record.Damage = append(record.Damage, damage)
	}
	return record
}

func newSuperblockRecord(r *node.Report, found bool) *superblockRecord {
	record := new(superblockRecord)
	for _, c := range r.Copies {
		record.Copies = append(record.Copies, copyRecord{c.Offset, string(c.State), long(c.Sequence), c.Reason})
	}
	if !found {
		return record
	}
	root := &r.Root
	record.Root = &rootRecord{
		Cluster: wide(root.Cluster), Replica: root.Replica, ReplicaCount: root.ReplicaCount,
		Development: root.Layout.Development, Sequence: long(root.Sequence),
		View: root.View, LogView: root.LogView, CommitMax: long(root.CommitMax),
		Sessions: len(r.Sessions), SessionsMax: root.Layout.SessionsMax, RequestSize: root.Layout.RequestSizeMax,
		JournalSlots: root.Layout.JournalSlots, JournalSpares: root.Layout.JournalSpares, JournalSize: root.Layout.JournalRingSize, BlockSize: root.Layout.BlockSize,
		Checkpoint: checkpointRecord{
			ID: r.CheckpointID.String(), Op: long(root.Checkpoint.Op),
			NextOrdinal: long(root.Checkpoint.NextOrdinal), Timestamp: long(root.Checkpoint.Timestamp),
		},
	}
	return record
}

func (r *inspectRecord) writeJSON(w io.Writer) error { return json.NewEncoder(w).Encode(r) }
