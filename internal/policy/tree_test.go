package policy

import (
	"bufio"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// A source is one parsed Go file of a tree.
type source struct {
	path   string // slash-separated, from the tree's root
	dir    string // folder of path; "." at the root
	isTest bool
	lines  int
	file   *ast.File
}

// A tree is every Go source of one module. Nested modules, testdata and
// folders that the go command ignores are left out.
type tree struct {
	root    string // on disk
	module  string // module path
	fset    *token.FileSet
	sources []*source // ordered by path
}

// A finding is one place that breaks a rule.
type finding struct {
	path string
	line int // 0: the whole file or folder
	text string
}

func (f finding) String() string {
	if f.line == 0 {
		return f.path + ": " + f.text
	}
	return fmt.Sprintf("%s:%d: %s", f.path, f.line, f.text)
}

// project is the tree this package belongs to.
var project = sync.OnceValues(func() (*tree, error) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		return nil, err
	}
	module, err := modulePath(filepath.Join(root, "go.mod"))
	if err != nil {
		return nil, err
	}
	return loadTree(root, module)
})

// projectTree returns the project's sources, parsed once for all tests.
func projectTree(t *testing.T) *tree {
	t.Helper()
	tr, err := project()
	if err != nil {
		t.Fatal(err)
	}
	if len(tr.sources) == 0 {
		t.Fatalf("no Go sources under %s", tr.root)
	}
	return tr
}

func modulePath(goMod string) (string, error) {
	f, err := os.Open(goMod)
	if err != nil {
		return "", err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if name, ok := strings.CutPrefix(lines.Text(), "module "); ok {
			return strings.TrimSpace(name), nil
		}
	}
	return "", fmt.Errorf("%s: no module line: %w", goMod, lines.Err())
}

func loadTree(root, module string) (*tree, error) {
	tr := &tree{root: root, module: module, fset: token.NewFileSet()}
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			if name != root && (ignoredFolder(entry.Name()) || isModule(name)) {
				return fs.SkipDir
			}
			return nil
		case filepath.Ext(name) != ".go":
			return nil
		}
		return tr.parse(name)
	})
	return tr, err
}

func ignoredFolder(name string) bool {
	return name == "testdata" || name == "vendor" || name == "node_modules" ||
		strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")
}

func isModule(folder string) bool {
	_, err := os.Stat(filepath.Join(folder, "go.mod"))
	return err == nil
}

func (tr *tree) parse(name string) error {
	relative, err := filepath.Rel(tr.root, name)
	if err != nil {
		return err
	}
	file, err := parser.ParseFile(tr.fset, name, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	slashed := filepath.ToSlash(relative)
	tr.sources = append(tr.sources, &source{
		path:   slashed,
		dir:    path.Dir(slashed),
		isTest: strings.HasSuffix(slashed, "_test.go"),
		lines:  tr.fset.File(file.FileStart).LineCount(),
		file:   file,
	})
	return nil
}

// at makes a finding about the place pos in s.
func (tr *tree) at(s *source, pos token.Pos, format string, args ...any) finding {
	return finding{path: s.path, line: tr.fset.Position(pos).Line, text: fmt.Sprintf(format, args...)}
}

// folders returns every folder that holds a Go source, in order.
func (tr *tree) folders() []string {
	var names []string
	for _, s := range tr.sources {
		names = append(names, s.dir)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// projectFolder returns the folder of an import path of this module.
func (tr *tree) projectFolder(importPath string) (folder string, ok bool) {
	if importPath == tr.module {
		return ".", true
	}
	return strings.CutPrefix(importPath, tr.module+"/")
}

// importPath returns what an import declaration imports.
func importPath(spec *ast.ImportSpec) string {
	name, err := strconv.Unquote(spec.Path.Value)
	if err != nil {
		panic(err) // the parser accepts string literals only
	}
	return name
}

// report fails t once for each finding.
func report(t *testing.T, findings []finding) {
	t.Helper()
	for _, f := range findings {
		t.Error(f)
	}
}
