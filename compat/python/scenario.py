"""The payment scenario of compat/README.md, by TigerBeetle's Python client."""

import asyncio
import secrets
import sys
import time

import tigerbeetle as tb
from tigerbeetle import (
    Account,
    AccountFilter,
    AccountFilterFlags,
    AccountFlags,
    CreateAccountStatus,
    CreateTransferStatus,
    QueryFilter,
    QueryFilterFlags,
    Transfer,
    TransferFlags,
)

BATCH_MAX = 8189
LEDGER = secrets.randbelow(2**32 - 1) + 1
RUN = tb.id()  # user data of everything this run creates

checks = 0


def check(what, got, want):
    """Ends the program unless got equals want."""
    global checks
    checks += 1
    if got != want:
        sys.exit(f"compat python: {what}: got {got!r}, want {want!r}")


def account(code, flags=AccountFlags.NONE):
    return Account(id=tb.id(), ledger=LEDGER, code=code, flags=flags, user_data_128=RUN, user_data_64=code)


def transfer(debit, credit, amount, flags=TransferFlags.NONE, **fields):
    values = {"id": tb.id(), "ledger": LEDGER, "code": 1, "user_data_128": RUN} | fields
    return Transfer(debit_account_id=debit, credit_account_id=credit, amount=amount, flags=flags, **values)


def resolve(pending, amount, flags):
    return Transfer(id=tb.id(), pending_id=pending.id, amount=amount, flags=flags)


def by_account(account_id, flags=AccountFilterFlags.DEBITS | AccountFilterFlags.CREDITS, **fields):
    values = dict.fromkeys(("user_data_128", "user_data_64", "user_data_32", "code", "timestamp_min", "timestamp_max"), 0)
    return AccountFilter(account_id=account_id, flags=flags, **(values | {"limit": BATCH_MAX} | fields))


def query(flags=QueryFilterFlags.NONE, **fields):
    values = dict.fromkeys(("user_data_128", "user_data_64", "user_data_32", "code", "timestamp_min", "timestamp_max"), 0)
    return QueryFilter(flags=flags, **(values | {"ledger": LEDGER, "limit": BATCH_MAX} | fields))


def ids(objects):
    return [o.id for o in objects]


class Scenario:
    """The scenario's state: the client and the accounts."""

    def __init__(self, client):
        self.client = client
        self.bank = account(code=30)
        self.alice = account(code=10, flags=AccountFlags.HISTORY)
        self.bob = account(code=10)
        self.carol = account(code=20, flags=AccountFlags.DEBITS_MUST_NOT_EXCEED_CREDITS)

    async def create(self, what, transfers, *statuses):
        """Creates transfers and checks their statuses, by name."""
        results = await self.client.create_transfers(transfers)
        check(what, [r.status for r in results], [CreateTransferStatus[s.upper()] for s in statuses])
        return results

    async def balances(self, what, who, debits_pending, debits_posted, credits_pending, credits_posted):
        found = await self.client.lookup_accounts([who.id])
        got = [(a.debits_pending, a.debits_posted, a.credits_pending, a.credits_posted) for a in found]
        check(what, got, [(debits_pending, debits_posted, credits_pending, credits_posted)])

    async def accounts(self):
        create, status = self.client.create_accounts, CreateAccountStatus
        batch = [self.alice, self.bob, self.carol, self.bank]
        results = await create(batch)
        check("create accounts", [r.status for r in results], [status.CREATED] * 4)
        stamps = [r.timestamp for r in results]
        check("account timestamps rise", stamps, sorted(set(stamps)))

        again = await create(batch)
        check("create accounts again", [(r.status, r.timestamp) for r in again], [(status.EXISTS, s) for s in stamps])
        other = Account(id=self.alice.id, ledger=LEDGER, code=11, flags=self.alice.flags,
                        user_data_128=RUN, user_data_64=10)
        broken = [account(code=1, flags=AccountFlags.LINKED), Account(id=tb.id(), code=1)]
        results = await create([other, Account(id=0, ledger=LEDGER, code=1), *broken])
        check("accounts refused", [r.status for r in results], [
            status.EXISTS_WITH_DIFFERENT_CODE, status.ID_MUST_NOT_BE_ZERO,
            status.LINKED_EVENT_FAILED, status.LEDGER_MUST_NOT_BE_ZERO])

        found = await self.client.lookup_accounts([self.bank.id, tb.id(), self.alice.id])
        check("lookup accounts", ids(found), [self.bank.id, self.alice.id])
        self.alice.timestamp = stamps[0]
        check("account as created", found[1], self.alice)

    async def plain(self):
        self.funding = transfer(self.bank.id, self.alice.id, 1000, user_data_64=42)
        [created] = await self.create("plain", [self.funding], "created")
        self.funding.timestamp = created.timestamp
        await self.balances("alice is funded", self.alice, 0, 0, 0, 1000)
        await self.balances("bank has paid", self.bank, 0, 1000, 0, 0)

        again = Transfer(id=self.funding.id, debit_account_id=self.bank.id, credit_account_id=self.alice.id,
                         amount=1000, user_data_128=RUN, user_data_64=42, ledger=LEDGER, code=1)
        [existing] = await self.create("plain again", [again], "exists")
        check("timestamp of the existing", existing.timestamp, created.timestamp)
        again.amount = 999
        await self.create("other amount", [again], "exists_with_different_amount")
        orphan = transfer(tb.id(), self.bob.id, 1)
        await self.create("refused", [
            orphan,
            transfer(self.alice.id, self.alice.id, 1),
            transfer(self.carol.id, self.bob.id, 1),
            transfer(self.alice.id, self.bob.id, 1, code=0),
        ], "debit_account_not_found", "accounts_must_be_different", "exceeds_credits", "code_must_not_be_zero")
        await self.create("id used up", [orphan], "id_already_failed")

    async def linked(self):
        alice, bob, bank = self.alice.id, self.bob.id, self.bank.id
        await self.create("linked", [
            transfer(alice, bob, 100, TransferFlags.LINKED), transfer(bob, bank, 40),
        ], "created", "created")
        await self.create("linked, broken", [
            transfer(alice, bob, 5, TransferFlags.LINKED), transfer(alice, alice, 5),
        ], "linked_event_failed", "accounts_must_be_different")
        await self.create("linked, open", [transfer(alice, bob, 5, TransferFlags.LINKED)], "linked_event_chain_open")
        await self.balances("a broken chain leaves no trace", self.alice, 0, 100, 0, 1000)

    async def two_phase(self):
        alice, bob = self.alice.id, self.bob.id
        self.pending = transfer(alice, bob, 200, TransferFlags.PENDING)
        [created] = await self.create("pending", [self.pending], "created")
        self.pending.timestamp = created.timestamp
        await self.balances("reserved", self.alice, 200, 100, 0, 1000)
        self.post = resolve(self.pending, 150, TransferFlags.POST_PENDING_TRANSFER)
        [created] = await self.create("post a part", [self.post], "created")
        self.post.timestamp = created.timestamp
        await self.balances("the rest is released", self.alice, 0, 250, 0, 1000)
        again = resolve(self.pending, 150, TransferFlags.POST_PENDING_TRANSFER)
        await self.create("post again", [again], "pending_transfer_already_posted")

        second = transfer(alice, bob, 50, TransferFlags.PENDING)
        void = resolve(second, 0, TransferFlags.VOID_PENDING_TRANSFER)
        await self.create("pending and void", [second, void], "created", "created")
        again = resolve(second, 0, TransferFlags.VOID_PENDING_TRANSFER)
        await self.create("void again", [again], "pending_transfer_already_voided")

        third = transfer(alice, bob, 30, TransferFlags.PENDING)
        post = resolve(third, tb.AMOUNT_MAX, TransferFlags.POST_PENDING_TRANSFER)
        await self.create("pending and post all", [third, post], "created", "created")
        await self.balances("after posting all", self.alice, 0, 280, 0, 1000)

        self.expiring = transfer(alice, bob, 70, TransferFlags.PENDING, timeout=1)
        await self.create("pending with a timeout", [self.expiring], "created")
        await self.balances("reserved for a second", self.alice, 70, 280, 0, 1000)
        await self.expiry()
        late = resolve(self.expiring, 70, TransferFlags.POST_PENDING_TRANSFER)
        await self.create("post too late", [late], "pending_transfer_expired")

        found = await self.client.lookup_transfers([self.pending.id, tb.id(), self.post.id, post.id])
        check("lookup transfers", ids(found), [self.pending.id, self.post.id, post.id])
        check("pending as created", found[0], self.pending)
        check("amounts", [t.amount for t in found], [200, 150, 30])
        check("a post inherits", (found[1].debit_account_id, found[1].ledger, found[1].user_data_128), (alice, LEDGER, RUN))
        self.of_alice = [self.pending.id, self.post.id, second.id, void.id, third.id, post.id, self.expiring.id]

    async def expiry(self):
        """Waits until alice's reservation is gone."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            [found] = await self.client.lookup_accounts([self.alice.id])
            if found.debits_pending == 0:
                break
            await asyncio.sleep(0.1)
        await self.balances("the reservation has expired", self.alice, 0, 280, 0, 1000)
        await self.balances("on the other side too", self.bob, 0, 40, 0, 280)

    async def queries(self):
        of = self.client.get_account_transfers
        found = await of(by_account(self.alice.id))
        check("alice's transfers", (found[0].id, len(found), ids(found)[2:]), (self.funding.id, 9, self.of_alice))
        found = await of(by_account(self.alice.id, AccountFilterFlags.CREDITS))
        check("alice's credits", ids(found), [self.funding.id])
        found = await of(by_account(self.alice.id, AccountFilterFlags.DEBITS | AccountFilterFlags.REVERSED, limit=2))
        check("newest first", ids(found), self.of_alice[:-3:-1])
        found = await of(by_account(self.alice.id, timestamp_min=self.pending.timestamp, timestamp_max=self.post.timestamp))
        check("by time", ids(found), [self.pending.id, self.post.id])
        check("by code", await of(by_account(self.alice.id, code=2)), [])
        check("an invalid filter", await of(by_account(self.alice.id, limit=0)), [])

        rows = await self.client.get_account_balances(by_account(self.alice.id))
        check("alice's history", len(rows), 9)
        check("first balance", (rows[0].timestamp, rows[0].credits_posted), (self.funding.timestamp, 1000))
        check("last balance", (rows[-1].debits_pending, rows[-1].debits_posted), (70, 280))
        check("no history", await self.client.get_account_balances(by_account(self.bob.id)), [])

        everyone = [self.alice.id, self.bob.id, self.carol.id, self.bank.id]
        accounts = self.client.query_accounts
        check("accounts by user data", ids(await accounts(query(user_data_128=RUN))), everyone)
        check("accounts by code", ids(await accounts(query(code=10, user_data_64=10))), everyone[:2])
        check("newest account", ids(await accounts(query(QueryFilterFlags.REVERSED, limit=1))), everyone[3:])

        transfers = self.client.query_transfers
        found = ids(await transfers(query()))
        check("transfers by ledger", (len(found), found[0], found[3:]), (10, self.funding.id, self.of_alice))
        check("transfers by user data", ids(await transfers(query(user_data_64=42))), [self.funding.id])
        check("newest transfer", ids(await transfers(query(QueryFilterFlags.REVERSED, limit=1))), [self.expiring.id])

    async def at_once(self):
        calls = [self.client.create_transfers([transfer(self.bank.id, self.bob.id, 1)]) for _ in range(20)]
        results = await asyncio.gather(*calls)
        check("at once", [[r.status for r in rs] for rs in results], [[CreateTransferStatus.CREATED]] * 20)
        await self.balances("bob after that", self.bob, 0, 40, 0, 300)

    async def full_batch(self):
        batch = [transfer(self.bank.id, self.bob.id, 1, code=99) for _ in range(BATCH_MAX)]
        results = await self.create("full batch", batch, *["created"] * BATCH_MAX)
        first = results[0].timestamp
        check("consecutive timestamps", [r.timestamp - first for r in results], list(range(BATCH_MAX)))
        await self.create("full batch again", batch, *["exists"] * BATCH_MAX)
        await self.balances("bob after the batch", self.bob, 0, 40, 0, 300 + BATCH_MAX)
        found = await self.client.query_transfers(query(code=99))
        check("the batch, queried", ids(found), ids(batch))
        found = await self.client.lookup_transfers(ids(batch))
        check("the batch, looked up", ids(found), ids(batch))
        try:
            await self.client.create_transfers([batch[0]] * 10_000)
            check("too much data", "accepted", "refused")
        except tb.TooMuchDataError:
            check("too much data", "refused", "refused")

    async def books(self):
        found = await self.client.query_accounts(query())
        check("debits equal credits", sum(a.debits_posted for a in found), sum(a.credits_posted for a in found))
        check("nothing is pending", [(a.debits_pending, a.credits_pending) for a in found], [(0, 0)] * 4)


async def main():
    [addresses] = [a.removeprefix("--addresses=") for a in sys.argv[1:] if a.startswith("--addresses=")]
    async with tb.ClientAsync(cluster_id=0, replica_addresses=addresses) as client:
        scenario = Scenario(client)
        await scenario.accounts()
        await scenario.plain()
        await scenario.linked()
        await scenario.two_phase()
        await scenario.queries()
        await scenario.at_once()
        await scenario.full_batch()
        await scenario.books()
    print(f"compat python: ok ({checks} checks)")


asyncio.run(main())
