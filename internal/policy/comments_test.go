package policy

import (
	"go/ast"
	"go/token"
	"slices"
	"testing"
)

// contracts are methods whose meaning the standard library has laid down;
// they need no comment of their own.
var contracts = []string{"Error", "Len", "Less", "String", "Swap", "Unwrap"}

// TestComments demands a comment of every exported name and every package.
// Fields and interface methods are left to review.
func TestComments(t *testing.T) {
	report(t, checkComments(projectTree(t)))
}

func checkComments(tr *tree) []finding {
	var findings []finding
	described := map[string]bool{}
	for _, s := range tr.sources {
		if s.isTest {
			continue
		}
		described[s.dir] = described[s.dir] || s.file.Doc != nil
		if s.file.Name.Name == "main" {
			continue
		}
		for _, decl := range s.file.Decls {
			for _, name := range undocumented(decl) {
				findings = append(findings, tr.at(s, name.Pos(), "exported %s has no comment", name.Name))
			}
		}
	}
	for _, folder := range tr.folders() {
		if has, ours := described[folder]; ours && !has {
			findings = append(findings, finding{path: folder,
				text: "has no package comment: say what it owns and what it must not do"})
		}
	}
	return findings
}

// undocumented returns the exported names that decl declares without a
// comment. A comment above a group of constants or variables counts for each.
func undocumented(decl ast.Decl) []*ast.Ident {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		hidden := !d.Name.IsExported() || d.Recv != nil && !ast.IsExported(receiverName(d))
		given := d.Recv != nil && slices.Contains(contracts, d.Name.Name)
		if d.Doc == nil && !hidden && !given {
			return []*ast.Ident{d.Name}
		}
	case *ast.GenDecl:
		return undocumentedSpecs(d)
	}
	return nil
}

func undocumentedSpecs(d *ast.GenDecl) []*ast.Ident {
	var names []*ast.Ident
	for _, spec := range d.Specs {
		switch sp := spec.(type) {
		case *ast.TypeSpec:
			alone := d.Lparen == token.NoPos
			if sp.Name.IsExported() && sp.Doc == nil && sp.Comment == nil && !(alone && d.Doc != nil) {
				names = append(names, sp.Name)
			}
		case *ast.ValueSpec:
			if d.Doc != nil || sp.Doc != nil || sp.Comment != nil {
				continue
			}
			for _, name := range sp.Names {
				if name.IsExported() {
					names = append(names, name)
				}
			}
		}
	}
	return names
}
