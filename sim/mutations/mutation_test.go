package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each mutation must apply to the source as it is, or nobody would notice that it
// is not tried any more.
func TestMutationsApply(t *testing.T) {
	names := map[string]bool{}
	for _, m := range mutations {
		if names[m.name] || m.name == "" || len(m.edits) == 0 {
			t.Errorf("%q is twice in the list, has no name, or changes nothing", m.name)
		}
		names[m.name] = true
		for _, e := range m.edits {
			whole, err := os.ReadFile(filepath.Join("../..", e.file))
			if err != nil {
				t.Fatal(err)
			}
			if broken, err := e.apply(string(whole)); err != nil || broken == string(whole) {
				t.Errorf("%s: %v", m.name, err)
			}
		}
	}
}

// docs/TESTING.md tells of each what catches it.
func TestMutationsAreTold(t *testing.T) {
	told, err := os.ReadFile("../../docs/TESTING.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mutations {
		row := "| " + m.name + " | "
		if m.test != "" {
			folder, name, _ := strings.Cut(m.test, " ")
			row += caughtByTest(folder, name) + " |"
		}
		if !strings.Contains(string(told), "\n"+row) {
			t.Errorf("no row begins with %q", row)
		}
	}
}
