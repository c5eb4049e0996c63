package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// demoOutput is what the demo prints, but for ADDRESS and FILE.
const demoOutput = `ledgerd serves cluster 0 at ADDRESS, from FILE

A transfer of 100 from account 1 to account 2 was made:
┌─────────┬───────────────┬────────────────┐
│ account │ debits posted │ credits posted │
├─────────┼───────────────┼────────────────┤
│       1 │           100 │              0 │
│       2 │             0 │            100 │
└─────────┴───────────────┴────────────────┘

Go      c, err := client.Connect(ctx, client.Config{Addresses: []string{"ADDRESS"}})
        accounts, err := c.LookupAccounts(ctx, []ledger.Uint128{{Lo: 1}, {Lo: 2}})
        fmt.Println(accounts, err)

Python  import tigerbeetle as tb
        client = tb.ClientSync(cluster_id=0, replica_addresses="ADDRESS")
        print(client.lookup_accounts([1, 2]))

Node    const { createClient } = require("tigerbeetle-node");
        const client = createClient({ cluster_id: 0n, replica_addresses: ["ADDRESS"] });
        client.lookupAccounts([1n, 2n]).then(console.log);

`

func TestDemoOnce(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	got := ledgerd(t, "demo", "--once")
	output := regexp.MustCompile(`127\.0\.0\.1:\d+`).ReplaceAllString(got.stdout, "ADDRESS")
	output = regexp.MustCompile(`from /.*demo\.ledger`).ReplaceAllString(output, "from FILE")
	if got.code != 0 || output != demoOutput || got.stderr != "" {
		t.Errorf("exit code %d, %s, printed:\n%s", got.code, got.stderr, output)
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) != 0 {
		t.Errorf("left %v behind, %v", left, err)
	}
}

// TestDemoFile shows that a file given is made, kept, and used again.
func TestDemoFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "my.ledger")
	for _, amount := range []string{"100", "200"} {
		if got := ledgerd(t, "demo", "--once", path); got.code != 0 || !strings.Contains(got.stdout, "│           "+amount+" │") {
			t.Errorf("want %s moved: %+v", amount, got)
		}
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func TestDemoServesUntilStopped(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	r := startLedgerd(t, "demo")
	r.expect(t, "Press Ctrl-C to stop.")
	r.stop()
	if end := <-r.ended; end.code != 0 || end.stderr != "" {
		t.Errorf("%+v", end)
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) != 0 {
		t.Errorf("left %v behind, %v", left, err)
	}
}
