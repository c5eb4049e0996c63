package main

import (
	"strings"
	"testing"
)

func TestTransfersList(t *testing.T) {
	address := seeded(t)
	for args, want := range map[string]string{
		"":                                     "11 12 13",
		"--code=1":                             "11 13",
		"--ledger=1 --limit=2 --reversed":      "13 12",
		"--account=1":                          "11 13",
		"--account=2":                          "11 12",
		"--account=2 --debits":                 "12",
		"--account=2 --credits":                "11",
		"--account=2 --debits --credits":       "11 12",
		"--account=2 --reversed --limit=1":     "12",
		"--account=3 --code=2":                 "12",
		"--account=9":                          "",
		"--account=1 --timestamp-max=1":        "",
		"--account=1 --timestamp-min=1":        "11 13",
		"--account=1 --user-data-32=1":         "",
		"--timestamp-min=2020-01-01T00:00:00Z": "11 12 13",
	} {
		got := ledgerctl(t, "", append([]string{"transfers", "list", address}, strings.Fields(args)...)...)
		if got.code != 0 || got.ids() != want {
			t.Errorf("%s: transfers %q, exit code %d, %s; want %q", args, got.ids(), got.code, got.stderr, want)
		}
	}
}
