package policy

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// A word is text that no file of the project contains.
type word struct {
	pattern *regexp.Regexp
	why     string
}

// words are spelled so that this file does not contain them.
var words = []word{
	{regexp.MustCompile(`(^|[^\w.~/-])/(wor` + `k|roo` + `t|far` + `m)/`), "is a path of one machine"},
	{regexp.MustCompile(`/tmp/bri` + `ef`), "is a path of one machine"},
	{regexp.MustCompile(`(?i)\bissu` + `e #?[0-9]`), "cites a number that a reader cannot look up"},
}

// TestWords keeps text out that only makes sense on the machine, or in the
// conversation, where it was written.
func TestWords(t *testing.T) {
	findings, err := checkWords(projectTree(t).root)
	if err != nil {
		t.Fatal(err)
	}
	report(t, findings)
}

func checkWords(root string) ([]finding, error) {
	skipped := []string{".git", "bin", "node_modules", "target", ".venv", "__pycache__"}
	own := filepath.Join("internal", "policy", "testdata")
	var findings []finding
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		skip := slices.Contains(skipped, entry.Name()) || relative == own
		if entry.IsDir() && skip {
			return fs.SkipDir
		}
		if !entry.Type().IsRegular() || skip { // .git is a file in a linked worktree
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil || bytes.IndexByte(text, 0) >= 0 {
			return err // a zero byte: not text
		}
		findings = append(findings, forbidden(filepath.ToSlash(relative), text)...)
		return nil
	})
	return findings, err
}

func forbidden(path string, text []byte) []finding {
	var findings []finding
	number := 0
	for line := range bytes.Lines(text) {
		number++
		for _, w := range words {
			if found := w.pattern.Find(line); found != nil {
				findings = append(findings, finding{path: path, line: number,
					text: string(bytes.TrimSpace(found)) + " " + w.why})
			}
		}
	}
	return findings
}
