package policy

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
)

// leaves may be imported by every package. They import each other at most.
var leaves = []string{
	"internal/block",
	"internal/blockio",
	"internal/buffer",
	"internal/check",
	"internal/checksum",
	"internal/limits",
	"internal/multibatch",
	"internal/prng",
	"internal/u128",
}

// mayImport is the import graph: for each package, the project packages that
// its own files may import; what is absent is forbidden. "leaf" stands for
// the leaves, "name/*" for every package below name.
const mayImport = `
	cmd/ledgerctl        bench cdc client console internal/command internal/node internal/server io/disk ledger leaf
	cmd/ledgerd          client internal/command internal/server ledger leaf
	cmd/ledgersim        sim

	ledger               leaf
	ledger/forest        ledger lsm lsm/rowlog leaf
	lsm                  lsm/table leaf
	lsm/rowlog           leaf
	lsm/table            leaf
	wire                 leaf

	vsr                  wire vsr/* leaf
	vsr/*                wire leaf

	io/disk              leaf
	io/bus               wire leaf

	client               client/session ledger wire leaf
	client/session       wire leaf
	console              client ledger
	cdc                  client ledger
	bench                ledger leaf

	sim                  client/session internal/node ledger sim/* vsr vsr/* wire leaf
	sim/model            ledger
	sim/model/gen        ledger leaf
	sim/mutations        -
	sim/storagefuzz      -

	internal/node        ledger/* vsr vsr/* wire leaf
	internal/server      internal/node io/* vsr leaf

	internal/command     -
	internal/killtest    -
	internal/policy      -
	internal/block       leaf
	internal/blockio     leaf
	internal/buffer      leaf
	internal/check       leaf
	internal/checksum    leaf
	internal/limits      leaf
	internal/multibatch  leaf
	internal/prng        leaf
	internal/u128        leaf

	internal/cases       ledger leaf
	internal/cases/*     -
	internal/stages      -
	internal/vectors     leaf
	internal/vectors/*   -
`

// testsMayImport is what test files may import beyond mayImport and the
// package under test. The row "*" holds for every package's tests.
const testsMayImport = `
	*                    internal/cases internal/stages internal/vectors leaf
	ledger               sim/model sim/model/*
	ledger/forest        sim/model sim/model/* vsr/faultdisk vsr/grid
	lsm                  vsr/faultdisk vsr/grid
	lsm/rowlog           vsr/faultdisk vsr/grid
	sim/model/*          sim/model
	sim/storagefuzz      ledger ledger/forest sim/model sim/model/* vsr/faultdisk vsr/grid
	vsr                  vsr/*
	vsr/*                vsr/faultdisk
	internal/node        ledger sim/model sim/model/* vsr/faultdisk
	internal/server      client ledger vsr/grid vsr/superblock wire
	internal/killtest    client ledger
`

// testSupport may be imported by test files and by sim, never by the product.
var testSupport = []string{
	"internal/cases",
	"internal/stages",
	"internal/vectors",
	"vsr/faultdisk",
}

// growing packages are still being laid out: they may be absent, and their
// rows may name edges that are not used yet. The list only shrinks.
var growing = []string{
	"cdc", "console",
	"internal/check", "internal/limits", "internal/prng",
}

// libraries says where each library outside the standard one may be used, and
// package unsafe; "test" is any test file.
const libraries = `
	github.com/HdrHistogram/hdrhistogram-go   bench cmd/ledgerctl
	github.com/anishathalye/porcupine         test
	github.com/cespare/xxhash/v2              lsm/rowlog lsm/table vsr/grid test
	github.com/cockroachdb/datadriven         test
	github.com/google/pprof                   cmd/ledgerctl
	github.com/klauspost/compress             internal/cases internal/cases/* internal/vectors internal/vectors/*
	github.com/olekukonko/tablewriter         internal/command cmd/ledgerctl
	github.com/schollz/progressbar/v3         cmd/ledgerctl bench
	github.com/spf13/cobra                    internal/command cmd/*
	github.com/spf13/pflag                    internal/command cmd/*
	golang.org/x/sys                          client internal/checksum internal/stages io/*
	golang.org/x/term                         internal/command cmd/ledgerctl
	pgregory.net/rapid                        test
	unsafe                                    test bench internal/buffer internal/checksum io/* vsr/faultdisk
`

// An importPolicy is the tables above, parsed or made up by a test.
type importPolicy struct {
	leaves, testSupport, growing []string
	own, tests, libraries        table
}

func TestImports(t *testing.T) {
	report(t, checkImports(projectTree(t), importPolicy{
		leaves: leaves, testSupport: testSupport, growing: growing,
		own: parseTable(mayImport), tests: parseTable(testsMayImport), libraries: parseTable(libraries),
	}))
}

// A table is rows of a name and the names it may use.
type table []row

type row struct {
	name string
	may  []string
}

func parseTable(text string) table {
	var rows table
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		may := fields[1:]
		if len(may) == 1 && may[0] == "-" {
			may = nil
		}
		rows = append(rows, row{name: fields[0], may: may})
	}
	return rows
}

// find returns the row of name: the one that names it, else the first whose
// pattern matches.
func (rows table) find(name string) *row {
	for i := range rows {
		if rows[i].name == name {
			return &rows[i]
		}
	}
	for i := range rows {
		if matches(rows[i].name, name) {
			return &rows[i]
		}
	}
	return nil
}

// matches reports whether name is pattern, or below the folder of "folder/*".
func matches(pattern, name string) bool {
	folder, wild := strings.CutSuffix(pattern, "/*")
	return pattern == name || wild && strings.HasPrefix(name, folder+"/")
}

func (p *importPolicy) allows(may []string, name string) bool {
	return slices.ContainsFunc(may, func(pattern string) bool {
		return pattern == "leaf" && slices.Contains(p.leaves, name) || matches(pattern, name)
	})
}

// checkImports finds imports that no table allows, packages and libraries
// without a row, and rows that allow what nobody does.
func checkImports(tr *tree, p importPolicy) []finding {
	var findings []finding
	used := map[string]bool{} // "from to" over the product's files
	for _, s := range tr.sources {
		for _, spec := range s.file.Imports {
			name := importPath(spec)
			folder, ours := tr.projectFolder(name)
			complaint := ""
			switch {
			case ours:
				used[s.dir+" "+folder] = used[s.dir+" "+folder] || !s.isTest
				complaint = p.judgeProject(s, folder)
			case name == "unsafe" || strings.Contains(strings.Split(name, "/")[0], "."):
				complaint = p.judgeLibrary(s, name)
			}
			if complaint != "" {
				findings = append(findings, tr.at(s, spec.Pos(), "%s", complaint))
			}
		}
	}
	return append(findings, p.stale(tr, used)...)
}

func (p *importPolicy) judgeProject(s *source, folder string) string {
	own := p.own.find(s.dir)
	if own == nil {
		return fmt.Sprintf("package %s has no row in mayImport", s.dir)
	}
	may := own.may
	if s.isTest {
		may = slices.Concat(may, []string{s.dir})
		for _, rows := range p.tests {
			if rows.name == "*" || matches(rows.name, s.dir) {
				may = append(may, rows.may...)
			}
		}
	}
	if !p.allows(may, folder) {
		return fmt.Sprintf("%s must not import %s; it may import: %s", s.dir, folder, strings.Join(may, " "))
	}
	support := slices.Contains(p.testSupport, folder)
	if support && !s.isTest && s.dir != "sim" && !strings.HasPrefix(s.dir, folder+"/") {
		return fmt.Sprintf("%s is test support: only test files and sim may import it", folder)
	}
	return ""
}

func (p *importPolicy) judgeLibrary(s *source, name string) string {
	for _, library := range p.libraries {
		if name != library.name && !strings.HasPrefix(name, library.name+"/") {
			continue
		}
		if s.isTest && slices.Contains(library.may, "test") || p.allows(library.may, s.dir) {
			return ""
		}
		return fmt.Sprintf("%s must not import %s; it is for: %s", s.dir, name, strings.Join(library.may, " "))
	}
	return fmt.Sprintf("%s imports %s, which has no row in libraries", s.dir, name)
}

// stale finds rows and edges of the graph that the tree does not have.
func (p *importPolicy) stale(tr *tree, used map[string]bool) []finding {
	var findings []finding
	folders := tr.folders()
	for _, r := range p.own {
		if strings.HasSuffix(r.name, "/*") || slices.Contains(p.growing, r.name) {
			continue
		}
		if !slices.Contains(folders, r.name) {
			findings = append(findings, finding{path: r.name, text: "has a row in mayImport, but does not exist"})
			continue
		}
		for _, to := range r.may {
			exists := slices.Contains(folders, to)
			if exists && !used[r.name+" "+to] {
				findings = append(findings, finding{path: r.name,
					text: "no longer imports " + to + ": remove it from its row in mayImport"})
			}
		}
	}
	for _, name := range folders {
		if p.own.find(name) == nil {
			findings = append(findings, finding{path: name, text: "has no row in mayImport"})
		}
	}
	return findings
}

// TestFolderNames forbids the names under which unrelated things gather.
func TestFolderNames(t *testing.T) {
	report(t, checkFolderNames(projectTree(t)))
}

func checkFolderNames(tr *tree) []finding {
	grabBags := []string{"common", "helper", "helpers", "misc", "shared", "util", "utils"}
	var findings []finding
	for _, name := range tr.folders() {
		if slices.Contains(grabBags, path.Base(name)) {
			findings = append(findings, finding{path: name, text: "says nothing about what it holds: name the thing"})
		}
	}
	return findings
}
