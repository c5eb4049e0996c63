package policy

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestRulesCanFail runs each rule over a small tree of bad sources and
// demands exactly the findings that the sources announce: a comment
//
//	// want "pattern"
//
// expects one on its line. Findings about a whole file or folder, and those
// where a comment would change what is tested, are named in the table.
func TestRulesCanFail(t *testing.T) {
	for _, test := range []struct {
		folder string
		rule   func(*tree) ([]finding, error)
		named  []string // patterns for findings as printed
	}{
		{
			folder: "imports",
			rule:   only(func(tr *tree) []finding { return checkImports(tr, examplePolicy) }),
			named: []string{
				`^gone: has a row in mayImport, but does not exist`,
				`^rim: no longer imports leaf/a: `,
				`^stranger: has no row in mayImport`,
			},
		},
		{folder: "folders", rule: only(checkFolderNames), named: []string{`^internal/helpers: says nothing`}},
		{
			folder: "core",
			rule:   func(tr *tree) ([]finding, error) { return checkCore(tr, []string{"pure"}) },
			named: []string{
				`^pure/maps.go:27: //policy:ordered gives no reason`,
				`^pure/marks.go:4: //policy:ordered without an iteration`,
			},
		},
		{
			folder: "sizes",
			rule: only(func(tr *tree) []finding {
				return checkSizes(tr, map[string]int{"long.go:allowed": 80, "long.go:Shape.grown": 71, "long.go:short": 90})
			}),
			named: []string{`^long.go:short: needs no place in longFunctions`, `^endless.go: has 1002 lines`},
		},
		{
			folder: "comments",
			rule:   only(checkComments),
			named: []string{
				`^comments.go:7: exported Unsaid has no comment`,
				`^comments.go:21: exported Second has no comment`,
				`^comments.go:33: exported Four has no comment`,
				`^comments.go:38: exported Alone has no comment`,
				`^nameless: has no package comment`,
			},
		},
		{folder: "words", rule: func(tr *tree) ([]finding, error) { return checkWords(tr.root) }},
	} {
		t.Run(test.folder, func(t *testing.T) {
			tr, err := loadTree(filepath.Join("testdata", test.folder), "example.test/bad")
			if err != nil {
				t.Fatal(err)
			}
			findings, err := test.rule(tr)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, findings, wanted(t, tr), test.named)
		})
	}
}

func only(rule func(*tree) []finding) func(*tree) ([]finding, error) {
	return func(tr *tree) ([]finding, error) { return rule(tr), nil }
}

// examplePolicy judges testdata/imports.
var examplePolicy = importPolicy{
	leaves:      []string{"leaf/a"},
	testSupport: []string{"support"},
	growing:     []string{"young"},
	own: parseTable(`
		leaf/a   -
		support  -
		heart    leaf
		rim      heart leaf/a support
		young    heart
		gone     heart`),
	tests: parseTable(`
		*     support
		rim   young`),
	libraries: parseTable(`
		example.org/fine  rim
		example.org/check test
		unsafe            rim`),
}

var wantComment = regexp.MustCompile(`^// want "(.*)"$`)

// wanted maps "path:line" to the pattern that the line announces.
func wanted(t *testing.T, tr *tree) map[string]*regexp.Regexp {
	patterns := map[string]*regexp.Regexp{}
	for _, s := range tr.sources {
		for _, group := range s.file.Comments {
			for _, comment := range group.List {
				if match := wantComment.FindStringSubmatch(comment.Text); match != nil {
					line := tr.fset.Position(comment.Pos()).Line
					patterns[fmt.Sprintf("%s:%d", s.path, line)] = regexp.MustCompile(match[1])
				}
			}
		}
	}
	return patterns
}

func compare(t *testing.T, findings []finding, lines map[string]*regexp.Regexp, named []string) {
	t.Helper()
	for _, f := range findings {
		place := fmt.Sprintf("%s:%d", f.path, f.line)
		matched := slices.IndexFunc(named, func(pattern string) bool {
			return regexp.MustCompile(pattern).MatchString(f.String())
		})
		switch {
		case matched >= 0:
			named = slices.Delete(slices.Clone(named), matched, matched+1)
		case lines[place] != nil && lines[place].MatchString(f.text):
			delete(lines, place)
		default:
			t.Errorf("unexpected: %v", f)
		}
	}
	for _, place := range slices.Sorted(maps.Keys(lines)) {
		t.Errorf("%s: nothing found that matches %q", place, lines[place])
	}
	if len(named) > 0 {
		t.Errorf("nothing found that matches:\n%s", strings.Join(named, "\n"))
	}
}
