package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ledgerd/ledgerd/client"
	"github.com/ledgerd/ledgerd/internal/command"
	"github.com/ledgerd/ledgerd/ledger"
)

const (
	createBatchMax = 8189    // events in one request of the default size
	lineMax        = 1 << 20 // bytes in one line of input
	tableRowsMax   = 20      // outcomes in a table; JSON has them all
)

// outcome is what became of one event.
type outcome struct {
	ID        wide   `json:"id"`
	Status    string `json:"status"`
	Timestamp long   `json:"timestamp"`
}

// created is the only status that is not a failure.
const created = "created"

// readLines yields what convert makes of an input of one JSON object a line.
// Empty lines are skipped. After an error, which names the line, it stops.
func readLines[T, R any](in io.Reader, convert func(R) (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		lines := bufio.NewScanner(in)
		lines.Buffer(nil, lineMax)
		number := 0
		for lines.Scan() {
			number++
			if len(bytes.TrimSpace(lines.Bytes())) == 0 {
				continue
			}
			event, err := readLine(lines.Bytes(), convert)
			if err != nil {
				yield(none, fmt.Errorf("line %d: %w", number, err))
				return
			}
			if !yield(event, nil) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(none, fmt.Errorf("line %d: %w", number+1, err))
		}
	}
}

func readLine[T, R any](line []byte, convert func(R) (T, error)) (event T, err error) {
	var record R
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&record); err != nil {
		return event, err
	}
	if decoder.More() {
		return event, fmt.Errorf("more than one object")
	}
	return convert(record)
}

// inBatches gives the events to send in batches as large as may be, without
// tearing chains of linked events apart. A server may take less than
// createBatchMax: batches are halved while send says client.ErrTooMuchData.
func inBatches[T any](events iter.Seq2[T, error], linked func(*T) bool, send func([]T) error) error {
	b := &batcher[T]{linked: linked, send: send, size: createBatchMax}
	for event, err := range events {
		if err == nil && len(b.waiting) >= b.size {
			err = b.flush(b.size)
		}
		if err != nil {
			return err
		}
		b.waiting = append(b.waiting, event)
	}
	b.ended = true
	return b.flush(1)
}

type batcher[T any] struct {
	linked  func(*T) bool
	send    func([]T) error
	size    int  // events in a batch, as far as known
	waiting []T  // not yet sent, fewer than 2*size
	ended   bool // no more events will come
}

// flush sends until fewer than least events wait.
func (b *batcher[T]) flush(least int) error {
	for len(b.waiting) >= least {
		whole := min(b.size, len(b.waiting))
		for whole > 0 && !(b.ended && whole == len(b.waiting)) && b.linked(&b.waiting[whole-1]) {
			whole-- // a chain goes on beyond whole
		}
		if whole == 0 {
			return fmt.Errorf("a chain of more than %d linked events", b.size)
		}
		err := b.send(b.waiting[:whole])
		if errors.Is(err, client.ErrTooMuchData) && b.size > 1 {
			b.size = max(whole/2, 1)
			least = min(least, b.size)
			continue
		}
		if err != nil {
			return err
		}
		b.waiting = append(b.waiting[:0], b.waiting[whole:]...)
	}
	return nil
}

// creation prints outcomes as they come in, and judges them at the end.
type creation struct {
	cmd     *cobra.Command
	plural  string
	tabular bool
	encoder *json.Encoder
	bar     *progressbar.ProgressBar // nil where nobody would see it

	rows     [][]string     // for the table: the first outcomes, failures first
	total    int            // outcomes so far
	statuses map[string]int // of those that failed
}

func newCreation(c *common, cmd *cobra.Command, plural string) *creation {
	r := &creation{
		cmd: cmd, plural: plural, tabular: c.tabular(cmd),
		encoder: json.NewEncoder(cmd.OutOrStdout()), statuses: make(map[string]int),
	}
	if command.IsTerminal(cmd.ErrOrStderr()) {
		r.bar = newBar(cmd.ErrOrStderr(), -1, plural)
	}
	return r
}

// add notes one outcome.
func (r *creation) add(id ledger.Uint128, status string, timestamp uint64) error {
	r.total++
	if status != created {
		r.statuses[status]++
	}
	if r.bar != nil {
		r.bar.Add(1) // only drawing can fail
	}
	if !r.tabular {
		return r.encoder.Encode(outcome{wide(id), status, long(timestamp)})
	}
	if status != created || r.total <= tableRowsMax {
		r.addRow([]string{id.String(), status, formatTimestamp(timestamp)})
	}
	return nil
}

// addRow keeps tableRowsMax rows. When there are as many, what comes is a
// failure, and takes the place of the last success if there is one.
func (r *creation) addRow(row []string) {
	if len(r.rows) == tableRowsMax {
		last := len(r.rows) - 1
		for last >= 0 && r.rows[last][1] != created {
			last--
		}
		if last < 0 {
			return
		}
		r.rows = slices.Delete(r.rows, last, last+1)
	}
	r.rows = append(r.rows, row)
}

// finish prints what remains to be printed, and fails if an event did. sending
// is the error that ended the sending early; events not yet sent then have no
// outcome.
func (r *creation) finish(sending error) error {
	if r.bar != nil {
		r.bar.Clear() // only drawing can fail
	}
	if r.tabular && len(r.rows) != 0 {
		if err := command.WriteTable(r.cmd.OutOrStdout(), []string{"id", "status", "timestamp"}, r.rows, "id"); err != nil {
			return err
		}
		if more := r.total - len(r.rows); more > 0 {
			fmt.Fprintf(r.cmd.OutOrStdout(), "and %d more\n", more)
		}
	}
	if sending != nil {
		sending = fmt.Errorf("after %d %s: %w", r.total, r.plural, sending)
	}
	return errors.Join(sending, r.verdict())
}

// verdict is an error that counts the failures by status, or nil.
func (r *creation) verdict() error {
	if len(r.statuses) == 0 {
		return nil
	}
	failed, counts := 0, make([]string, 0, len(r.statuses))
	names := slices.SortedFunc(maps.Keys(r.statuses), func(a, b string) int {
		return cmp.Or(r.statuses[b]-r.statuses[a], strings.Compare(a, b))
	})
	for _, name := range names {
		failed += r.statuses[name]
		counts = append(counts, fmt.Sprintf("%s %d", name, r.statuses[name]))
	}
	return fmt.Errorf("%d of %d %s were not created: %s", failed, r.total, r.plural, strings.Join(counts, ", "))
}

// events returns what cmd is to create: the one that its flags describe if any
// of its own flags was given, or else those on its input.
func events[T, R any](cmd *cobra.Command, one func() (T, error), convert func(R) (T, error)) (iter.Seq2[T, error], error) {
	given := false
	cmd.LocalNonPersistentFlags().VisitAll(func(flag *pflag.Flag) { given = given || flag.Changed })
	if given {
		event, err := one()
		if err != nil {
			return nil, command.Usagef("%w", err)
		}
		return func(yield func(T, error) bool) { yield(event, nil) }, nil
	}
	if command.IsTerminal(cmd.InOrStdin()) {
		return nil, command.Usagef("give one object by flags, or JSON lines on standard input")
	}
	return readLines(cmd.InOrStdin(), convert), nil
}
