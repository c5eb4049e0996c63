package main

import (
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/ledgerd/ledgerd/internal/command"
	"github.com/ledgerd/ledgerd/internal/node"
)

func newInspectIntegrity(c *common) *cobra.Command {
	return &cobra.Command{
		Use:   "integrity FILE",
		Short: "Read and verify all of a data file",
		Long: `Read every block and every journal record of a data file that is in use, verify
them, check that the ledger's sums are right and that its indexes lead to all of its
rows and nowhere else, and that no block is in use for nothing.

It works on the file alone, while no server uses it, and never writes. Damage is
listed with its zone, address and offset, and makes the exit code 1.`,
		Example: `  ledgerctl inspect integrity 0_0.ledger
  ledgerctl inspect integrity 0_0.ledger --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !command.IsTerminal(cmd.ErrOrStderr()) {
				return c.inspect(cmd, args[0], "", node.Verify, nil)
			}
			var bar *progressbar.ProgressBar
			verify := func(options node.InspectOptions) (*node.Report, error) {
				defer func() {
					if bar != nil {
						bar.Clear()
					}
				}()
				return node.Verify(options)
			}
			return c.inspect(cmd, args[0], "", verify, func(done, total int64) {
				if bar == nil {
					bar = newByteBar(cmd.ErrOrStderr(), total, "verified")
				}
				bar.Set64(done) // only drawing can fail
			})
		},
	}
}

// newByteBar returns a progress bar of bytes, with their rate.
func newByteBar(w io.Writer, total int64, what string) *progressbar.ProgressBar {
	return progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetDescription(what),
		progressbar.OptionShowBytes(true),
		progressbar.OptionThrottle(200*time.Millisecond),
		progressbar.OptionClearOnFinish(),
	)
}
