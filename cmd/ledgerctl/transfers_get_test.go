package main

import "testing"

func TestTransfersGet(t *testing.T) {
	address := seeded(t)
	ledgerctl(t, "", "transfers", "get", address, "11", "12", "--table").check(t, 0, `
┌────┬───────────────┬────────────────┬────────┬─────────┬────────┬──────┬─────────┬────────────────────────────────┐
│ id │ debit account │ credit account │ amount │ timeout │ ledger │ code │ flags   │ timestamp                      │
├────┼───────────────┼────────────────┼────────┼─────────┼────────┼──────┼─────────┼────────────────────────────────┤
│ 11 │             1 │              2 │    100 │       0 │      1 │    1 │         │ TIME │
│ 12 │             2 │              3 │     30 │    3600 │      1 │    2 │ pending │ TIME │
└────┴───────────────┴────────────────┴────────┴─────────┴────────┴──────┴─────────┴────────────────────────────────┘
`, "")
	ledgerctl(t, "", "transfers", "get", address, "12", "0xffff").check(t, 1, `
{"id":"12","debit_account_id":"2","credit_account_id":"3","amount":"30","pending_id":"0","timeout":3600,"ledger":1,"code":2,"flags":["pending"],"user_data_128":"0","user_data_64":"0","user_data_32":0,"timestamp":"TIME"}
`, "ledgerctl: no such transfers: 65535\n")
}
