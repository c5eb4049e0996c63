package command

import (
	"io"
	"os"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/tw"
	"golang.org/x/term"
)

// WriteTable draws rows under header, in the order given. The columns that
// numeric names are aligned to the right.
func WriteTable(w io.Writer, header []string, rows [][]string, numeric ...string) error {
	align := make(tw.Alignment, len(header))
	for i, name := range header {
		align[i] = tw.AlignLeft
		for _, number := range numeric {
			if number == name {
				align[i] = tw.AlignRight
			}
		}
	}
	table := tablewriter.NewTable(w,
		tablewriter.WithHeaderAutoFormat(tw.Off),
		tablewriter.WithAlignment(align),
		tablewriter.WithRowAutoWrap(tw.WrapNone),
		tablewriter.WithHeaderAutoWrap(tw.WrapNone),
	)
	table.Header(header)
	if err := table.Bulk(rows); err != nil {
		return err
	}
	return table.Render()
}

// IsTerminal reports whether stream, a reader or a writer, is a terminal.
func IsTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
