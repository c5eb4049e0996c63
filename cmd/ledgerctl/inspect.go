package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/internal/command"
	"github.com/ledgerd/ledgerd/internal/node"
	"github.com/ledgerd/ledgerd/io/disk"
)

// inspectParts are what inspect can be told to show alone.
var inspectParts = []string{"superblock", "journal", "grid", "ledger"}

func newInspect(c *common) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "inspect FILE [" + strings.Join(inspectParts, "|") + "]",
		Short: "Show what a data file holds",
		Long: `Show what a data file holds: whose it is, its checkpoint, what its journal has
after that, and what its blocks are used for; or one part of it. The part 'ledger',
which is shown only if it is named, tells what the ledger of the checkpoint has,
and how much space each of its logs and trees takes.

It works on the file alone, while no server uses it, and never writes. The headers
of blocks are read, not their content: see 'ledgerctl inspect integrity'. Damage
is listed, and makes the exit code 1.`,
		Example: `  ledgerctl inspect 0_0.ledger
  ledgerctl inspect 0_0.ledger grid --json
  ledgerctl inspect 0_0.ledger ledger
  ledgerctl inspect integrity 0_0.ledger`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			part := strings.Join(args[1:], "")
			known := part == ""
			for _, name := range inspectParts {
				known = known || part == name
			}
			if !known {
				return command.Usagef("no part %q; there are %s", part, strings.Join(inspectParts, ", "))
			}
			run := node.Inspect
			if part == "ledger" {
				run = node.InspectLedger
			}
			return c.inspect(cmd, args[0], part, run, nil)
		},
	}
	cmd.AddCommand(newInspectIntegrity(c))
	return cmd
}

// inspect shows what run reports of the data file at path, and returns an error
// if that is damaged.
func (c *common) inspect(cmd *cobra.Command, path, part string,
	run func(node.InspectOptions) (*node.Report, error), progress func(done, total int64)) error {
	file, err := openInspected(cmd.Context(), path)
	if err != nil {
		return err
	}
	began := time.Now()
	report, err := run(node.InspectOptions{
		Storage: file.disk, FileSize: file.size, Pump: file.pump, Progress: progress,
	})
	if err := errors.Join(err, file.disk.Close()); err != nil {
		return fmt.Errorf("inspect %s: %w", path, err)
	}
	record := newInspectRecord(report, part)
	if report.LedgerVerified {
		record.Verified = newVerifiedRecord(report, time.Since(began))
	}
	if c.tabular(cmd) {
		err = record.writeTables(cmd.OutOrStdout())
	} else {
		err = record.writeJSON(cmd.OutOrStdout())
	}
	if err == nil && len(report.Damage) > 0 {
		err = damageError(path, report.Damage)
	}
	return err
}

// damageError names the first places of damage.
func damageError(path string, damage []node.Damage) error {
	const listed = 10
	var text strings.Builder
	fmt.Fprintf(&text, "%s is damaged", path)
	for i, d := range damage {
		if i == listed {
			fmt.Fprintf(&text, "\n  and in %d more places", len(damage)-listed)
			break
		}
		fmt.Fprintf(&text, "\n  %v", d)
	}
	return errors.New(text.String())
}

// inspectedFile is a data file that nobody else uses.
type inspectedFile struct {
	ctx       context.Context
	disk      *disk.Disk
	size      int64 // in bytes
	completed chan *blockio.Request
}

func openInspected(ctx context.Context, path string) (*inspectedFile, error) {
	const requestsMax = 1024 // far more than an inspection has under way
	f := &inspectedFile{ctx: ctx, completed: make(chan *blockio.Request, requestsMax)}
	var err error
	f.disk, err = disk.Open(path, disk.Options{
		Complete:      func(r *blockio.Request) { f.completed <- r },
		ReadOnly:      true,
		AllowBuffered: true,
		Logger:        slog.New(slog.DiscardHandler),
	})
	if errors.Is(err, disk.ErrLocked) {
		return nil, fmt.Errorf("%w; stop that first, or inspect a copy", err)
	}
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, errors.Join(err, f.disk.Close())
	}
	f.size = info.Size()
	return f, nil
}

// pump is a node.InspectOptions.Pump.
func (f *inspectedFile) pump() error {
	select {
	case r := <-f.completed:
		r.Done(r)
		return nil
	case <-f.ctx.Done():
		return context.Cause(f.ctx)
	}
}
