// Package cases holds the golden cases: scenarios of requests with the
// results that a TigerBeetle 0.17.9 server gave to them, and a replayer that
// demands the same results of anything that executes ledger operations.
//
// It is test support: only tests import it. Load gives the files, Replay runs
// one of them against an Executor, and Local is the Executor for a state
// machine in the same process. Record layouts are restated here (layout.go)
// rather than taken from package ledger, so that a slip in ledger's codec
// cannot cancel itself out; only the operation numbers are shared.
//
// A file replays on one ledger, once: ids cannot be created twice. A file that
// is Fresh needs an empty ledger of its own, the others share one in order of
// their names (in "queries" a record from "accounts" is found). ReplayAll does
// so. SEMANTICS.md section 20 says what the cases cover.
package cases

import (
	"archive/tar"
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// archive is written by the command in pack/.
//
//go:embed cases.tar.zst
var archive []byte

// File is a list of scenarios, to be replayed in order.
type File struct {
	Name      string // "transfers", without the extension
	Scenarios []Scenario
}

// Fresh reports whether the file needs an empty ledger of its own.
func (f File) Fresh() bool { return strings.HasPrefix(f.Name, "fresh_") }

// Scenario is a story with its own ids and its own timestamp labels.
type Scenario struct {
	Name  string
	Steps []Step
}

// Step is one request with the expected results, or one of the special steps
// wait, timestamp_order and concurrent. Events and Results are decoded when
// the step is replayed.
type Step struct {
	Scenario  string          `json:"scenario"`
	Number    int             `json:"step"` // from 0 within the scenario
	Operation string          `json:"operation"`
	Events    json.RawMessage `json:"events"`
	Results   json.RawMessage `json:"results"`
	Seconds   float64         `json:"seconds"` // of a wait
	Note      string          `json:"note"`    // for people
}

// Load returns all files, sorted by name. An error means that the embedded
// archive is damaged.
func Load() ([]File, error) {
	decompressor, err := zstd.NewReader(bytes.NewReader(archive), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("cases: %w", err)
	}
	defer decompressor.Close()
	var files []File
	for entries := tar.NewReader(decompressor); ; {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, fmt.Errorf("cases: %w", err)
		}
		scenarios, err := readScenarios(entries)
		if err != nil {
			return nil, fmt.Errorf("cases: %s: %w", header.Name, err)
		}
		files = append(files, File{Name: strings.TrimSuffix(header.Name, ".jsonl"), Scenarios: scenarios})
	}
}

// readScenarios reads one step per line and groups the lines by scenario.
func readScenarios(r io.Reader) ([]Scenario, error) {
	var scenarios []Scenario
	for lines := json.NewDecoder(r); ; {
		var step Step
		err := lines.Decode(&step)
		if errors.Is(err, io.EOF) {
			return scenarios, nil
		}
		if err != nil {
			return nil, err
		}
		if len(scenarios) == 0 || scenarios[len(scenarios)-1].Name != step.Scenario {
			scenarios = append(scenarios, Scenario{Name: step.Scenario})
		}
		last := &scenarios[len(scenarios)-1]
		if step.Number != len(last.Steps) {
			return nil, fmt.Errorf("%s: step %d follows step %d", step.Scenario, step.Number, len(last.Steps)-1)
		}
		last.Steps = append(last.Steps, step)
	}
}
