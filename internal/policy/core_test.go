package policy

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
	"testing"
)

// core are the deterministic packages: the same inputs give the same bytes,
// on every replica, at any time. Their test files are free.
var core = []string{
	"client/session",
	"ledger", "ledger/*",
	"lsm", "lsm/*",
	"sim/model", "sim/model/*",
	"vsr", "vsr/*",
	"wire",
}

// coreMustNotImport are packages of the standard library, with all below
// them, by which time, chance, scheduling or the machine reach a program.
var coreMustNotImport = []string{
	"context", "crypto/rand", "hash/maphash", "log", "math/rand", "net", "os", "runtime", "sync", "syscall", "testing",
}

// coreMayImport are exceptions below coreMustNotImport.
var coreMayImport = []string{"math/rand/v2", "net/netip", "sync/atomic"}

// coreMayUse are, for packages that the core may only use a part of, the
// names of that part.
var coreMayUse = map[string][]string{
	"math/rand/v2": {"ChaCha8", "New", "NewChaCha8", "NewPCG", "NewZipf", "PCG", "Rand", "Source", "Zipf"},
	"time": {"Duration", "Nanosecond", "Microsecond", "Millisecond", "Second", "Minute", "Hour",
		"Time", "Unix", "UnixMicro", "UnixMilli", "UTC"},
}

// orderedMark on the line of a range over a map, followed by a reason, says
// that the order does not matter there.
const orderedMark = "//policy:ordered"

func TestCore(t *testing.T) {
	findings, err := checkCore(projectTree(t), core)
	if err != nil {
		t.Fatal(err)
	}
	report(t, findings)
}

// checkCore finds in the packages that match patterns what the core must not
// have: effects, concurrency, and iteration over maps.
func checkCore(tr *tree, patterns []string) ([]finding, error) {
	checked := newChecker(tr)
	var findings []finding
	for _, s := range tr.sources {
		inCore := slices.ContainsFunc(patterns, func(pattern string) bool { return matches(pattern, s.dir) })
		if s.isTest || !inCore || s.file.Name.Name == "main" {
			continue
		}
		info, err := checked.info(s.dir)
		if err != nil {
			return nil, fmt.Errorf("types of %s: %w", s.dir, err)
		}
		look := &coreLook{tree: tr, source: s, info: info, imported: importNames(s.file), marks: orderedMarks(tr, s)}
		look.imports()
		ast.Inspect(s.file, look.node)
		look.unusedMarks()
		findings = append(findings, look.findings...)
	}
	return findings, nil
}

// importNames maps the names by which a file knows its imports to paths.
func importNames(file *ast.File) map[string]string {
	names := map[string]string{}
	for _, spec := range file.Imports {
		path := importPath(spec)
		parts := strings.Split(path, "/")
		name := parts[len(parts)-1]
		if len(parts) > 1 && name[0] == 'v' && strings.Trim(name[1:], "0123456789") == "" {
			name = parts[len(parts)-2]
		}
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = path
	}
	return names
}

// orderedMarks maps the lines that carry orderedMark to its reason.
func orderedMarks(tr *tree, s *source) map[int]string {
	marks := map[int]string{}
	for _, group := range s.file.Comments {
		for _, comment := range group.List {
			if reason, ok := strings.CutPrefix(comment.Text, orderedMark); ok {
				marks[tr.fset.Position(comment.Pos()).Line] = strings.TrimSpace(reason)
			}
		}
	}
	return marks
}

// coreLook is the look at one file of the core.
type coreLook struct {
	tree     *tree
	source   *source
	info     *types.Info
	imported map[string]string // local name → import path
	marks    map[int]string    // line → reason; used ones are removed
	sorted   map[ast.Node]bool // calls whose result is sorted at once
	findings []finding
}

func (l *coreLook) add(pos token.Pos, format string, args ...any) {
	l.findings = append(l.findings, l.tree.at(l.source, pos, format, args...))
}

func (l *coreLook) imports() {
	for _, spec := range l.source.file.Imports {
		path := importPath(spec)
		banned := slices.ContainsFunc(coreMustNotImport, func(name string) bool {
			return path == name || strings.HasPrefix(path, name+"/")
		})
		if banned && !slices.Contains(coreMayImport, path) {
			l.add(spec.Pos(), "the core must not import %s", path)
		}
		if spec.Name != nil && spec.Name.Name == "." {
			l.add(spec.Pos(), "a dot import hides what is used")
		}
	}
}

// node is the visitor of ast.Inspect.
func (l *coreLook) node(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.GoStmt:
		l.add(n.Pos(), "the core starts no goroutine")
	case *ast.ChanType:
		l.add(n.Pos(), "the core has no channels")
	case *ast.SendStmt:
		l.add(n.Pos(), "the core sends on no channel")
	case *ast.SelectStmt:
		l.add(n.Pos(), "the core has no select")
	case *ast.UnaryExpr:
		if n.Op == token.ARROW {
			l.add(n.Pos(), "the core receives from no channel")
		}
	case *ast.SelectorExpr:
		l.selector(n)
	case *ast.CallExpr:
		l.call(n)
	case *ast.RangeStmt:
		l.rangeOver(n)
	}
	return true
}

// packageName returns the import path and the name of pkg.Name.
func (l *coreLook) packageName(e ast.Expr) (path, name string) {
	selector, ok := e.(*ast.SelectorExpr)
	if !ok {
		return "", ""
	}
	ident, ok := selector.X.(*ast.Ident)
	if !ok {
		return "", ""
	}
	if object := l.info.Uses[ident]; object != nil {
		if _, isPackage := object.(*types.PkgName); !isPackage {
			return "", "" // a variable named like an import
		}
	}
	return l.imported[ident.Name], selector.Sel.Name
}

func (l *coreLook) selector(n *ast.SelectorExpr) {
	path, name := l.packageName(n)
	if allowed, partly := coreMayUse[path]; partly && !slices.Contains(allowed, name) {
		l.add(n.Pos(), "the core must not use %s.%s: time and chance are arguments", path, name)
	}
}

// call looks for iterators over maps that are not sorted at once.
func (l *coreLook) call(n *ast.CallExpr) {
	path, name := l.packageName(n.Fun)
	if path == "slices" && strings.HasPrefix(name, "Sorted") && len(n.Args) > 0 {
		if l.sorted == nil {
			l.sorted = map[ast.Node]bool{}
		}
		l.sorted[n.Args[0]] = true
	}
	if path == "maps" && slices.Contains([]string{"All", "Keys", "Values"}, name) && !l.sorted[n] {
		l.unordered(n.Pos(), "maps."+name+" comes in random order")
	}
}

func (l *coreLook) rangeOver(n *ast.RangeStmt) {
	kind := l.info.TypeOf(n.X)
	if kind == nil || kind == types.Typ[types.Invalid] {
		l.add(n.Pos(), "cannot tell what is ranged over: its type is unknown")
		return
	}
	switch kind.Underlying().(type) {
	case *types.Map:
		l.unordered(n.Pos(), "a range over a map comes in random order")
	case *types.Chan:
		l.add(n.Pos(), "the core receives from no channel")
	}
}

// unordered finds fault with an iteration in random order, unless its line
// says why that is harmless.
func (l *coreLook) unordered(pos token.Pos, complaint string) {
	line := l.tree.fset.Position(pos).Line
	reason, marked := l.marks[line]
	delete(l.marks, line)
	switch {
	case !marked:
		l.add(pos, "%s: sort it, or say on its line why that is harmless: %s reason", complaint, orderedMark)
	case reason == "":
		l.add(pos, "%s gives no reason", orderedMark)
	}
}

func (l *coreLook) unusedMarks() {
	for line := range l.marks {
		l.findings = append(l.findings, finding{path: l.source.path, line: line,
			text: orderedMark + " without an iteration over a map: remove it"})
	}
}
