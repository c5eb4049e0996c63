// Package policy holds the project's rules about its own source text, as
// tests: which package may import which, what the deterministic core must not
// use, how long files and functions may be, that exported names are
// documented, and which words never appear.
//
// The rules are data at the head of each test file; docs/STYLE.md gives the
// reasons. A rule is a function from a tree of sources to findings, so that
// the same function runs over the project and over a few deliberately bad
// sources in testdata, which prove that it can fail. The package exports
// nothing and no code may import it.
package policy
