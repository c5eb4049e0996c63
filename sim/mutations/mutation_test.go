package main

import (
	"os"
	"path/filepath"
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
