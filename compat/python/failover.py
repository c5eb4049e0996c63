"""Transfers while replicas die (compat/README.md), by TigerBeetle's Python client."""

import secrets
import sys
import time

import tigerbeetle as tb

BATCH = 10
LEDGER = secrets.randbelow(2**32 - 1) + 1


def fail(what):
    sys.exit(f"compat python failover: {what}")


def main():
    options = dict(argument.removeprefix("--").split("=", 1) for argument in sys.argv[1:])
    end = time.monotonic() + float(options["seconds"])
    with tb.ClientSync(cluster_id=0, replica_addresses=options["addresses"]) as client:
        accounts = [tb.Account(id=tb.id(), ledger=LEDGER, code=1) for _ in range(2)]
        if any(r.status != tb.CreateAccountStatus.CREATED for r in client.create_accounts(accounts)):
            fail("accounts were not created")
        acknowledged, longest = [], 0.0
        while time.monotonic() < end:
            batch = [
                tb.Transfer(
                    id=tb.id(), debit_account_id=accounts[0].id, credit_account_id=accounts[1].id, amount=1, ledger=LEDGER, code=1
                )
                for _ in range(BATCH)
            ]
            began = time.monotonic()
            results = client.create_transfers(batch)
            longest = max(longest, time.monotonic() - began)
            if any(r.status != tb.CreateTransferStatus.CREATED for r in results):
                fail(f"transfers were not created, each once: {results}")
            acknowledged += [t.id for t in batch]
        for first in range(0, len(acknowledged), 8000):
            wanted = acknowledged[first : first + 8000]
            if [t.id for t in client.lookup_transfers(wanted)] != wanted:
                fail("acknowledged transfers are missing")
        debits = client.lookup_accounts([accounts[0].id])[0].debits_posted
        if debits != len(acknowledged):
            fail(f"{len(acknowledged)} transfers were acknowledged, but the account's debits are {debits}")
    print(f"compat python failover: ok ({len(acknowledged)} transfers, longest wait {longest:.1f} s)")


main()
