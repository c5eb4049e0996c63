package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
)

// commit returns the commit that this program was built from: twelve digits,
// and "-modified" if the tree held something else too. It is "unknown" for a
// build that does not tell, such as a test's.
func commit() string {
	text, modified := "unknown", ""
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return text
	}
	for _, setting := range info.Settings {
		switch {
		case setting.Key == "vcs.revision":
			text = setting.Value[:min(12, len(setting.Value))]
		case setting.Key == "vcs.modified" && setting.Value == "true":
			modified = "-modified"
		}
	}
	return text + modified
}

// fileName is under what name a result is kept: sorted by name, results are
// sorted by date.
func (r *report) fileName() string {
	return fmt.Sprintf("%s-%s-%s.json", r.Date.UTC().Format("2006-01-02-150405"), r.Workload.Name, r.Commit)
}

// keep writes the report to a new file in folder.
func (r *report) keep(folder string) error {
	path := filepath.Join(folder, r.fileName())
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if err := r.writeJSON(file); err != nil {
		return errors.Join(err, file.Close(), os.Remove(path))
	}
	return file.Close()
}

// readReport reads a file that keep has written, or a run's output.
func readReport(path string) (*report, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := new(report)
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if r.Workload.Name == "" {
		return nil, fmt.Errorf("%s: not the result of a benchmark: it names no workload", path)
	}
	return r, nil
}
