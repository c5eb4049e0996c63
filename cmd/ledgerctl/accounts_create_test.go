package main

import (
	"strings"
	"testing"
)

func TestAccountsCreate(t *testing.T) {
	address := serve(t)
	ledgerctl(t, "", "accounts", "create", address, "--id=1", "--ledger=7", "--code=9", "--flags=history,linked").check(t, 1, `
{"id":"1","status":"linked_event_chain_open","timestamp":"TIME"}
`, "ledgerctl: 1 of 1 accounts were not created: linked_event_chain_open 1\n")
	ledgerctl(t, "", "accounts", "create", address, "--id=0x10", "--ledger=7", "--code=9", "--user-data-32=5", "--table").check(t, 0, `
┌────┬─────────┬────────────────────────────────┐
│ id │ status  │ timestamp                      │
├────┼─────────┼────────────────────────────────┤
│ 16 │ created │ TIME │
└────┴─────────┴────────────────────────────────┘
`, "")
	ledgerctl(t, `{"id": 17, "ledger": 7, "code": 9}
{"id": 18, "ledger": 0, "code": 9}

{"id": 16, "ledger": 7, "code": 9, "user_data_32": 5}
{"id": 19, "ledger": 7}
`, "accounts", "create", address).check(t, 1, `
{"id":"17","status":"created","timestamp":"TIME"}
{"id":"18","status":"ledger_must_not_be_zero","timestamp":"TIME"}
{"id":"16","status":"exists","timestamp":"TIME"}
{"id":"19","status":"code_must_not_be_zero","timestamp":"TIME"}
`, "ledgerctl: 3 of 4 accounts were not created: code_must_not_be_zero 1, exists 1, ledger_must_not_be_zero 1\n")
	ledgerctl(t, "", "accounts", "create", address).check(t, 0, "", "")
}

// TestAccountsCreateBadInput shows that what stands before a bad line in the
// same batch is not sent, and that the line is named.
func TestAccountsCreateBadInput(t *testing.T) {
	address := serve(t)
	for line, complaint := range map[string]string{
		`{"id": 1, "ledgr": 1}`:                           `line 2: json: unknown field "ledgr"`,
		`{"id": -1}`:                                      `line 2: "-1" is not a number in 0 .. 2^128-1`,
		`{"id": 1, "user_data_64": "x"}`:                  `line 2: "x" is not a number in 0 .. 2^64-1`,
		`{"id": 1} {"id": 2}`:                             `line 2: more than one object`,
		`{"id": 1, "flags": ["quick"]}`:                   `line 2: no flag "quick"`,
		`{"id": 1, "code": 65536}`:                        `line 2: json: cannot unmarshal number 65536`,
		strings.Repeat("x", lineMax+1):                    `line 2: bufio.Scanner: token too long`,
		`{"id": 340282366920938463463374607431768211456}`: `line 2: "340282366920938463463374607431768211456" is not`,
	} {
		got := ledgerctl(t, `{"id": 99, "ledger": 1, "code": 1}`+"\n"+line, "accounts", "create", address)
		if got.code != 1 || got.stdout != "" || !strings.Contains(got.stderr, "after 0 accounts: "+complaint) {
			t.Errorf("%.60s: exit code %d, %q, %q; want %q", line, got.code, got.stdout, got.stderr, complaint)
		}
	}
	if got := ledgerctl(t, "", "accounts", "get", address, "99"); got.code != 1 {
		t.Errorf("account 99 was created: %s", got.stdout)
	}
}
