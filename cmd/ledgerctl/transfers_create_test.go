package main

import (
	"fmt"
	"strings"
	"testing"
)

func TestTransfersCreate(t *testing.T) {
	address := seeded(t)
	ledgerctl(t, "", "transfers", "create", address, "--id=21", "--pending-id=12", "--amount=30", "--flags=post_pending_transfer").
		check(t, 0, "{\"id\":\"21\",\"status\":\"created\",\"timestamp\":\"TIME\"}\n", "")
	ledgerctl(t, "", "transfers", "create", address, "--id=22", "--debit-account=1", "--credit-account=9",
		"--amount=340282366920938463463374607431768211455", "--ledger=1", "--code=1").
		check(t, 1, "{\"id\":\"22\",\"status\":\"credit_account_not_found\",\"timestamp\":\"TIME\"}\n",
			"ledgerctl: 1 of 1 transfers were not created: credit_account_not_found 1\n")
	fresh := ledgerctl(t, "", "transfers", "create", address, "--debit-account=1", "--credit-account=2", "--amount=1", "--ledger=1", "--code=1")
	if fresh.code != 0 || len(fresh.ids()) < 30 {
		t.Errorf("no fresh id: %+v", fresh)
	}
}

// TestTransfersCreateMany shows that many are sent in several batches, that a
// chain is kept whole, and that a table shows failures first.
func TestTransfersCreateMany(t *testing.T) {
	address := seeded(t)
	var input strings.Builder
	for i := range 1000 {
		ledger, flags := 1, ""
		if i == 700 {
			ledger = 2 // breaks the chain of 600 .. 799
		}
		if i >= 600 && i < 799 {
			flags = `"linked"`
		}
		fmt.Fprintf(&input, "{\"id\": %d, \"debit_account_id\": 1, \"credit_account_id\": 2, \"amount\": 1, \"ledger\": %d, \"code\": 1, \"flags\": [%s]}\n",
			1000+i, ledger, flags)
	}
	got := ledgerctl(t, input.String(), "transfers", "create", address, "--table")
	if got.code != 1 || !strings.Contains(got.stdout, "and 980 more") || strings.Contains(got.stdout, " created ") || strings.Count(got.stdout, "linked_event_failed") != 20 {
		t.Errorf("exit code %d:\n%s", got.code, got.stdout)
	}
	if want := "200 of 1000 transfers were not created: linked_event_failed 199, transfer_must_have_the_same_ledger_as_accounts 1"; !strings.Contains(got.stderr, want) {
		t.Errorf("complained %q, want %q", got.stderr, want)
	}
}
