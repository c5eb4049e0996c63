package main

import (
	"fmt"
	"io"

	"github.com/ledgerd/ledgerd/internal/command"
	"github.com/ledgerd/ledgerd/ledger"
)

// writeTables draws what the record has, a table for each part.
func (r *inspectRecord) writeTables(w io.Writer) error {
	if s := r.Superblock; s != nil {
		if err := s.writeTables(w, r.FileSize); err != nil {
			return err
		}
	}
	if r.Journal != nil {
		if err := r.Journal.writeTable(w); err != nil {
			return err
		}
	}
	if r.Grid != nil {
		if err := r.Grid.writeTable(w); err != nil {
			return err
		}
	}
	if r.Ledger != nil {
		if err := r.Ledger.writeTables(w); err != nil {
			return err
		}
	}
	if len(r.Damage) == 0 {
		verdict := "no damage found"
		if r.Verified != nil {
			verdict += ": every block and record is whole, and the sums of the ledger are right\n" + r.Verified.String()
		}
		_, err := fmt.Fprintln(w, verdict)
		return err
	}
	var rows [][]string
	for _, d := range r.Damage {
		address, offset := "", ""
		if d.Address != 0 {
			address = fmt.Sprint(d.Address)
		}
		if d.Offset != nil {
			offset = fmt.Sprint(*d.Offset)
		}
		rows = append(rows, []string{d.Zone, address, offset, d.Text})
	}
	return command.WriteTable(w, []string{"zone", "block", "offset", "damage"}, rows, "block", "offset")
}

func (s *superblockRecord) writeTables(w io.Writer, fileSize int64) error {
	var rows [][]string
	for _, c := range s.Copies {
		state := c.State
		if c.Reason != "" {
			state += ": " + c.Reason
		}
		rows = append(rows, []string{fmt.Sprint(c.Offset), fmt.Sprint(c.Sequence), state})
	}
	if err := command.WriteTable(w, []string{"offset", "sequence", "superblock copy"}, rows, "offset", "sequence"); err != nil {
		return err
	}
	root := s.Root
	if root == nil {
		return nil
	}
	made := "format"
	if root.Development {
		made = "format --development"
	}
	return command.WriteTable(w, []string{"superblock", "value"}, [][]string{
		{"file size", formatSize(fileSize)},
		{"made by", made},
		{"cluster", ledger.Uint128(root.Cluster).String()},
		{"replica", fmt.Sprintf("%d of %d", root.Replica, root.ReplicaCount)},
		{"view, log view", fmt.Sprintf("%d, %d", root.View, root.LogView)},
		{"highest commit", fmt.Sprintf("op %d", root.CommitMax)},
		{"checkpoint", fmt.Sprintf("op %d", root.Checkpoint.Op)},
		{"checkpoint id", root.Checkpoint.ID},
		{"checkpoint's next ordinal", fmt.Sprint(root.Checkpoint.NextOrdinal)},
		{"checkpoint's time", formatTimestamp(uint64(root.Checkpoint.Timestamp))},
		{"sessions", fmt.Sprintf("%d, at most %d", root.Sessions, root.SessionsMax)},
		{"largest request", formatSize(int64(root.RequestSize))},
		{"journal", fmt.Sprintf("%d slots, %d spares, %s", root.JournalSlots, root.JournalSpares, formatSize(int64(root.JournalSize)))},
		{"block size", formatSize(int64(root.BlockSize))},
	})
}

func (j *journalRecord) writeTable(w io.Writer) error {
	rows := [][]string{{"first damaged op", fmt.Sprint(j.DamagedOp)}}
	if j.DamagedOp == 0 {
		rows = [][]string{
			{"head", fmt.Sprintf("op %d", j.Head)},
			{"head's time", formatTimestamp(uint64(j.Timestamp))},
			{"after the checkpoint", fmt.Sprintf("%d prepares with %d requests", j.Prepares, j.Requests)},
			{"in use", formatSize(int64(j.Size))},
			{"records to restore", fmt.Sprint(j.Restored)},
			{"stale sectors of witnesses", fmt.Sprint(j.WitnessesStale)},
		}
	}
	return command.WriteTable(w, []string{"journal", "value"}, rows)
}

func (g *gridRecord) writeTable(w io.Writer) error {
	var rows [][]string
	row := func(name string, blocks int, payload string) {
		rows = append(rows, []string{name, fmt.Sprint(blocks), fmt.Sprint(int64(blocks) * int64(g.BlockSize)), payload})
	}
	total := int64(0)
	for _, k := range g.Kinds {
		row(k.Name, k.Blocks, fmt.Sprint(k.Payload))
		total += k.Payload
	}
	row("in use", g.BlocksInUse, fmt.Sprint(total))
	row("free", g.BlocksFree, "")
	row("zone", int(g.Size/int64(g.BlockSize)), "")
	return command.WriteTable(w, []string{"grid", "blocks", "bytes", "payload"}, rows, "blocks", "bytes", "payload")
}

// formatSize returns a number of bytes in the largest unit that divides it.
func formatSize(bytes int64) string {
	size := command.Size(bytes)
	return size.String()
}
