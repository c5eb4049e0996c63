package policy

import (
	"fmt"
	"go/ast"
	"testing"
)

const (
	fileLinesMax     = 1000
	functionLinesMax = 70
)

// longFunctions are allowed to be longer than functionLinesMax, up to the
// lines given, each keyed "file:Name" or "file:Type.Name". The list only
// shrinks: an entry that is no longer needed fails the test too.
var longFunctions = map[string]int{}

// TestSizes holds files and functions to a length that can be read in one
// go. Functions of test files are exempt: an aligned table of cases may be
// as long as there are cases.
func TestSizes(t *testing.T) {
	report(t, checkSizes(projectTree(t), longFunctions))
}

func checkSizes(tr *tree, allowed map[string]int) []finding {
	var findings []finding
	needed := map[string]bool{}
	for _, s := range tr.sources {
		if s.lines > fileLinesMax {
			findings = append(findings, finding{path: s.path,
				text: fmt.Sprintf("has %d lines, more than %d: split it by concern", s.lines, fileLinesMax)})
		}
		if s.isTest {
			continue
		}
		for _, decl := range s.file.Decls {
			function, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			first, last := tr.fset.Position(function.Pos()).Line, tr.fset.Position(function.End()).Line
			lines := last - first + 1
			if lines <= functionLinesMax {
				continue
			}
			key := s.path + ":" + functionName(function)
			needed[key] = true
			if limit := max(functionLinesMax, allowed[key]); lines > limit {
				findings = append(findings, tr.at(s, function.Pos(),
					"function %s has %d lines, more than %d", functionName(function), lines, limit))
			}
		}
	}
	for key := range allowed {
		if !needed[key] {
			findings = append(findings, finding{path: key, text: "needs no place in longFunctions any more: remove it"})
		}
	}
	return findings
}

// functionName is "Name", or "Type.Name" of a method.
func functionName(function *ast.FuncDecl) string {
	if function.Recv == nil {
		return function.Name.Name
	}
	return receiverName(function) + "." + function.Name.Name
}

// receiverName is the name of a method's type, without pointer and type
// parameters.
func receiverName(function *ast.FuncDecl) string {
	kind := function.Recv.List[0].Type
	for {
		switch k := kind.(type) {
		case *ast.StarExpr:
			kind = k.X
		case *ast.ParenExpr:
			kind = k.X
		case *ast.IndexExpr:
			kind = k.X
		case *ast.IndexListExpr:
			kind = k.X
		case *ast.Ident:
			return k.Name
		default:
			return ""
		}
	}
}
