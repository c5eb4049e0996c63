package main

import (
	"encoding/json"
	"io"

	"github.com/spf13/cobra"

	"github.com/ledgerd/ledgerd/internal/command"
)

// kind is how records of type T are called, read and shown.
type kind[T any] struct {
	plural  string
	columns []column[T]
	record  func(*T) any // for JSON
}

// show prints records as one table or as lines of JSON.
func (k *kind[T]) show(c *common, cmd *cobra.Command, records []T) error {
	if c.tabular(cmd) {
		return k.writeTable(cmd.OutOrStdout(), records)
	}
	return k.writeJSON(cmd.OutOrStdout(), records)
}

func (k *kind[T]) writeJSON(w io.Writer, records []T) error {
	encoder := json.NewEncoder(w)
	for i := range records {
		if err := encoder.Encode(k.record(&records[i])); err != nil {
			return err
		}
	}
	return nil
}

// writeTable leaves out optional columns without content.
func (k *kind[T]) writeTable(w io.Writer, records []T) error {
	var header, numeric []string
	rows := make([][]string, len(records))
	for _, column := range k.columns {
		cells, zero := make([]string, len(records)), true
		for i := range records {
			cells[i] = column.text(&records[i])
			zero = zero && (cells[i] == "0" || cells[i] == "")
		}
		if column.optional && zero {
			continue
		}
		header = append(header, column.name)
		if !column.words {
			numeric = append(numeric, column.name)
		}
		for i := range rows {
			rows[i] = append(rows[i], cells[i])
		}
	}
	return command.WriteTable(w, header, rows, numeric...)
}
