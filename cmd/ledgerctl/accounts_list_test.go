package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// ids are those of the objects in JSON lines.
func (o outcomeOf) ids() string {
	var ids []string
	for _, match := range regexp.MustCompile(`(?m)^\{"id":"(\d+)"`).FindAllStringSubmatch(o.stdout, -1) {
		ids = append(ids, match[1])
	}
	return strings.Join(ids, " ")
}

func TestAccountsList(t *testing.T) {
	address := seeded(t)
	second := regexp.MustCompile(`"timestamp":"(\d+)"`).FindStringSubmatch(
		ledgerctl(t, "", "accounts", "get", address, "2").stdout)[1]
	for args, want := range map[string]string{
		"":                                    "1 2 3",
		"--ledger=2":                          "",
		"--code=10":                           "1 2",
		"--code=10 --reversed":                "2 1",
		"--limit=2":                           "1 2",
		"--limit=1 --reversed":                "3",
		"--user-data-64=18446744073709551615": "2",
		"--user-data-128=1":                   "",
		"--timestamp-min=" + second:           "2 3",
		"--timestamp-max=" + second:           "1 2",
		"--timestamp-min=2020-01-01T00:00:00Z --reversed":                    "3 2 1",
		"--timestamp-max=2020-01-01T00:00:00Z":                               "",
		fmt.Sprintf("--timestamp-min=%s --timestamp-max=%s", second, second): "2",
	} {
		got := ledgerctl(t, "", append([]string{"accounts", "list", address}, strings.Fields(args)...)...)
		if got.code != 0 || got.ids() != want {
			t.Errorf("%s: accounts %q, exit code %d, %s; want %q", args, got.ids(), got.code, got.stderr, want)
		}
	}
}

// TestListMany lists more accounts than one request of this server creates.
func TestListMany(t *testing.T) {
	address := serve(t)
	var input, want strings.Builder
	for id := range 1000 {
		fmt.Fprintf(&input, "{\"id\": %d, \"ledger\": 1, \"code\": 1}\n", id+1)
		fmt.Fprintf(&want, " %d", id+1)
	}
	if got := ledgerctl(t, input.String(), "accounts", "create", address); got.code != 0 || " "+got.ids() != want.String() {
		t.Fatalf("exit code %d, %s", got.code, got.stderr)
	}
	got := ledgerctl(t, "", "accounts", "list", address, "--limit=5000")
	if " "+got.ids() != want.String() {
		t.Errorf("listed %.200s…", got.ids())
	}
	if got := ledgerctl(t, "", "accounts", "list", address, "--limit=999", "--reversed"); !strings.HasSuffix(got.ids(), " 3 2") {
		t.Errorf("listed %.200s…", got.ids())
	}
	if got := ledgerctl(t, "", "accounts", "list", address, "--table", "--limit=300"); strings.Count(got.stdout, "\n") != 304 {
		t.Errorf("a table of %d lines", strings.Count(got.stdout, "\n"))
	}
}
