package main

import (
	"fmt"
	"io"
	"math"
	"time"

	"github.com/ledgerd/ledgerd/internal/command"
	"github.com/ledgerd/ledgerd/internal/node"
)

// ledgerRecord is what the ledger of the checkpoint has.
type ledgerRecord struct {
	Accounts uint64 `json:"accounts"`
	// Transfers are those that are indexed, which those of the newest request
	// are not.
	Transfers        uint64            `json:"transfers"`
	Events           uint64            `json:"events"`
	Pendings         uint64            `json:"pending_transfers"`
	BytesPerTransfer float64           `json:"bytes_per_transfer"`
	Structures       []structureRecord `json:"structures"`
}

// structureRecord is a log, a directory, an array or a tree. Payload is what its
// blocks hold, in bytes.
type structureRecord struct {
	Name             string        `json:"name"`
	Entries          uint64        `json:"entries"`
	Memory           uint64        `json:"entries_in_memory"`
	Blocks           int           `json:"blocks"`
	Payload          int64         `json:"payload_size"`
	BytesPerEntry    float64       `json:"bytes_per_entry"`
	BytesPerTransfer float64       `json:"bytes_per_transfer"`
	Levels           []levelRecord `json:"levels,omitempty"`
}

// levelRecord is a level of a tree.
type levelRecord struct {
	Runs       int `json:"runs"`
	Tables     int `json:"tables"`
	Blocks     int `json:"blocks"`
	Entries    int `json:"entries"`
	Tombstones int `json:"tombstones"`
}

// verifiedRecord is what a verification has read. BytesRead counts what was read
// twice twice.
type verifiedRecord struct {
	BytesRead int64   `json:"bytes_read"`
	Rows      uint64  `json:"rows"`
	Seconds   float64 `json:"seconds"`
}

func newVerifiedRecord(r *node.Report, elapsed time.Duration) *verifiedRecord {
	return &verifiedRecord{BytesRead: r.BytesRead, Rows: r.Ledger.Accounts + r.Ledger.Events, Seconds: elapsed.Seconds()}
}

// String says it with rates.
func (v *verifiedRecord) String() string {
	return fmt.Sprintf("%.1f MB and %d rows read in %.2f s: %.0f MB/s, %.0f rows/s",
		float64(v.BytesRead)/1e6, v.Rows, v.Seconds, ratio(float64(v.BytesRead)/1e6, v.Seconds), ratio(float64(v.Rows), v.Seconds))
}

// ratio returns a/b with one decimal place at least, or 0 for b of 0.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return math.Round(a/b*10) / 10
}

func newLedgerRecord(r *node.Report) *ledgerRecord {
	l := r.Ledger
	record := &ledgerRecord{Accounts: l.Accounts, Transfers: l.Transfers, Events: l.Events, Pendings: l.Pendings}
	payloads, total := make(map[uint8]int64), int64(0)
	for _, k := range r.Grid.Kinds {
		payloads[k.Number] = k.PayloadBytes
	}
	for _, s := range l.Structures {
		payload := payloads[s.Kind]
		total += payload
		structure := structureRecord{
			Name: s.Name, Entries: s.Entries, Memory: s.Memory, Blocks: s.Blocks, Payload: payload,
			BytesPerEntry:    ratio(float64(payload), float64(s.Entries)),
			BytesPerTransfer: ratio(float64(payload), float64(l.Transfers)),
		}
		for _, level := range s.Levels {
			structure.Levels = append(structure.Levels, levelRecord(level))
		}
		record.Structures = append(record.Structures, structure)
	}
	record.BytesPerTransfer = ratio(float64(total), float64(l.Transfers))
	return record
}

// writeTables leaves out what is empty.
func (l *ledgerRecord) writeTables(w io.Writer) error {
	err := command.WriteTable(w, []string{"ledger", "value"}, [][]string{
		{"accounts", fmt.Sprint(l.Accounts)},
		{"transfers", fmt.Sprint(l.Transfers)},
		{"rows of events", fmt.Sprint(l.Events)},
		{"pending transfers ever", fmt.Sprint(l.Pendings)},
		{"bytes a transfer", fmt.Sprint(l.BytesPerTransfer)},
	}, "value")
	if err != nil {
		return err
	}
	var structures, levels [][]string
	for _, s := range l.Structures {
		if s.Entries+s.Memory == 0 {
			continue
		}
		structures = append(structures, cells(s.Name, s.Entries, s.Memory, s.Blocks, s.Payload, s.BytesPerEntry, s.BytesPerTransfer))
		for n, level := range s.Levels {
			if level.Runs > 0 {
				levels = append(levels, cells(s.Name, n, level.Runs, level.Tables, level.Blocks, level.Entries, level.Tombstones))
			}
		}
	}
	if len(structures) == 0 {
		return nil
	}
	header := []string{"structure", "entries", "in memory", "blocks", "payload", "an entry", "a transfer"}
	if err := command.WriteTable(w, header, structures, header[1:]...); err != nil || len(levels) == 0 {
		return err
	}
	header = []string{"structure", "level", "runs", "tables", "blocks", "entries", "tombstones"}
	return command.WriteTable(w, header, levels, header[1:]...)
}

// cells returns values as the cells of a row.
func cells(values ...any) []string {
	row := make([]string, len(values))
	for i, v := range values {
		row[i] = fmt.Sprint(v)
	}
	return row
}
