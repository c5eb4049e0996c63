package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/pprof"
	"strings"

	"github.com/google/pprof/profile"
)

// profileBetween writes a profile of this process's processor time to path: from
// the first line of input to the second.
func profileBetween(input *bufio.Reader, path string) (err error) {
	if _, err := input.ReadString('\n'); err != nil {
		return ignoreEnd(err)
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := pprof.StartCPUProfile(file); err != nil {
		return err
	}
	_, err = input.ReadString('\n')
	pprof.StopCPUProfile()
	return ignoreEnd(err)
}

// ignoreEnd returns err, unless it says that the benchmark has ended.
func ignoreEnd(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// stageReport is what one stage of a transfer's way has cost the server.
type stageReport struct {
	Stage       string  `json:"stage"`
	Nanoseconds float64 `json:"nanoseconds_per_transfer"`
}

// stageRules say which functions belong to which stage, by the beginnings of their
// names within the project. The stages are in the order of a transfer's way.
var stageRules = []struct {
	stage  string
	sure   string // wherever the function stands in a stack
	likely string // if nothing that is sure stands in it
}{
	{"receive", "io/bus.(*receiver) io/bus.(*connection).read", "io/bus."},
	{"checksum", "internal/checksum.", ""},
	{"order", "", "vsr. vsr/superblock. wire. internal/server. internal/node."},
	{"journal", "vsr/journal.", ""},
	{"index", "ledger/forest.(*indexer) ledger/forest.(*beat)", "lsm."},
	{"prefetch", "ledger/forest.(*resolver) ledger/forest.(*loader) ledger/forest.(*cache)", "ledger/forest."},
	{"decode", "ledger.(*Transfer).Decode", ""},
	{"execute", "ledger.(*Machine)", "ledger."},
	{"encode", "ledger/forest.(*tables).InsertTransfer", "lsm/rowlog."},
	{"reply", "io/bus.(*connection).send io/bus.(*connection).write", ""},
	{"merge", "lsm.(*work)", "lsm/table."},
	{"blocks", "vsr/grid.(*Grid).write vsr/grid.(*writeSlot)", "vsr/grid."},
	{"disk", "io/disk.", ""},
	{stageGarbage, "", ""},
	{stageRest, "", ""},
}

const (
	modulePrefix = "github.com/ledgerd/ledgerd/"
	stageGarbage = "garbage collection"
	stageRest    = "the runtime" // of Go: what no other stage has asked for
	// collectors are the functions of the runtime that collect, whoever calls them.
	collectors = "runtime.gc runtime.bgsweep runtime.bgscavenge"
)

// readStages divides the profile at path between the stages.
func readStages(path string, transfers int) ([]stageReport, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close() // only read
	p, err := profile.Parse(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	used := map[string]int64{} // nanoseconds
	for _, sample := range p.Sample {
		used[stageOf(sample)] += sample.Value[len(sample.Value)-1]
	}
	var all []stageReport
	for _, rule := range stageRules {
		if used[rule.stage] > 0 {
			all = append(all, stageReport{rule.stage, float64(used[rule.stage]) / float64(transfers)})
		}
	}
	return all, nil
}

// stageOf returns the stage of a sample: that of the innermost function which a rule
// names.
func stageOf(sample *profile.Sample) string {
	guess := stageRest
	for _, location := range sample.Location {
		for _, line := range location.Line {
			name, ours := strings.CutPrefix(line.Function.Name, modulePrefix)
			if !ours {
				if guess == stageRest && beginsWithAny(name, collectors) {
					return stageGarbage
				}
				continue
			}
			for _, rule := range stageRules {
				if beginsWithAny(name, rule.sure) {
					return rule.stage
				}
				if guess == stageRest && beginsWithAny(name, rule.likely) {
					guess = rule.stage
				}
			}
		}
	}
	return guess
}

// beginsWithAny reports whether text begins with any of the words.
func beginsWithAny(text, words string) bool {
	for word := range strings.FieldsSeq(words) {
		if strings.HasPrefix(text, word) {
			return true
		}
	}
	return false
}
