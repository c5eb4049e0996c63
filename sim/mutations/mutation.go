package main

import (
	"fmt"
	"strings"
)

// mutation is one bug, seeded on purpose.
type mutation struct {
	name string // what the code does wrong
	// test is the package and the name of the test that notices; empty: the
	// simulator does.
	test  string
	edits []edit
}

// edit replaces a text that a file has exactly once.
type edit struct{ file, old, new string }

// apply returns the whole file with the edit made.
func (e *edit) apply(whole string) (string, error) {
	if n := strings.Count(whole, e.old); n != 1 {
		return "", fmt.Errorf("%s has this %d times, and should have it once:\n%s", e.file, n, e.old)
	}
	return strings.Replace(whole, e.old, e.new, 1), nil
}
