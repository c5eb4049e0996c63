package main

import "testing"

func TestAccountsGet(t *testing.T) {
	address := seeded(t)
	ledgerctl(t, "", "accounts", "get", address, "2", "1", "--table").check(t, 0, `
┌────┬────────┬──────┬────────────────┬───────────────┬────────────────┬──────────────────────┬─────────┬────────────────────────────────┐
│ id │ ledger │ code │ debits pending │ debits posted │ credits posted │         user data 64 │ flags   │ timestamp                      │
├────┼────────┼──────┼────────────────┼───────────────┼────────────────┼──────────────────────┼─────────┼────────────────────────────────┤
│  2 │      1 │   10 │             30 │             0 │            100 │ 18446744073709551615 │ history │ TIME │
│  1 │      1 │   10 │              0 │           107 │              0 │                    0 │         │ TIME │
└────┴────────┴──────┴────────────────┴───────────────┴────────────────┴──────────────────────┴─────────┴────────────────────────────────┘
`, "")
	ledgerctl(t, "", "accounts", "get", address, "3", "4", "5").check(t, 1, `
{"id":"3","ledger":1,"code":20,"flags":[],"debits_pending":"0","debits_posted":"0","credits_pending":"30","credits_posted":"7","user_data_128":"0","user_data_64":"0","user_data_32":0,"timestamp":"TIME"}
`, "ledgerctl: no such accounts: 4, 5\n")
}
