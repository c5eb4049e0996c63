// The payment scenario of compat/README.md, by TigerBeetle's Node client.

import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import tigerbeetle from "tigerbeetle-node";

const {
  AccountFilterFlags, AccountFlags, CreateAccountStatus, CreateTransferStatus,
  QueryFilterFlags, TransferFlags, amount_max, createClient, id,
} = tigerbeetle;

const BATCH_MAX = 8189;
const LEDGER = randomInt(1, 2 ** 32);
const RUN = id(); // user data of everything this run creates
const BOTH = AccountFilterFlags.debits | AccountFilterFlags.credits;

let checks = 0;

// check throws unless got equals want.
function check(what, got, want) {
  checks++;
  assert.deepEqual(got, want, what);
}

function account(fields) {
  return {
    id: id(), debits_pending: 0n, debits_posted: 0n, credits_pending: 0n, credits_posted: 0n,
    user_data_128: RUN, user_data_64: BigInt(fields.code), user_data_32: 0, reserved: 0,
    ledger: LEDGER, flags: AccountFlags.none, timestamp: 0n, ...fields,
  };
}

function transfer(debit, credit, amount, fields = {}) {
  return {
    id: id(), debit_account_id: debit, credit_account_id: credit, amount, pending_id: 0n,
    user_data_128: RUN, user_data_64: 0n, user_data_32: 0, timeout: 0,
    ledger: LEDGER, code: 1, flags: TransferFlags.none, timestamp: 0n, ...fields,
  };
}

function resolve(pending, amount, flags) {
  return transfer(0n, 0n, amount, { pending_id: pending.id, user_data_128: 0n, ledger: 0, code: 0, flags });
}

const anything = { user_data_128: 0n, user_data_64: 0n, user_data_32: 0, code: 0, timestamp_min: 0n, timestamp_max: 0n };

function byAccount(account, fields = {}) {
  return { account_id: account.id, ...anything, limit: BATCH_MAX, flags: BOTH, ...fields };
}

function query(fields = {}) {
  return { ...anything, ledger: LEDGER, limit: BATCH_MAX, flags: QueryFilterFlags.none, ...fields };
}

const ids = (objects) => objects.map((o) => o.id);
const sum = (numbers) => numbers.reduce((a, b) => a + b, 0n);

class Scenario {
  constructor(client) {
    this.client = client;
    this.bank = account({ code: 30 });
    this.alice = account({ code: 10, flags: AccountFlags.history });
    this.bob = account({ code: 10 });
    this.carol = account({ code: 20, flags: AccountFlags.debits_must_not_exceed_credits });
    this.everyone = ids([this.alice, this.bob, this.carol, this.bank]);
  }

  // create creates transfers and checks their statuses, by name.
  async create(what, transfers, ...statuses) {
    const results = await this.client.createTransfers(transfers);
    check(what, results.map((r) => CreateTransferStatus[r.status]), statuses);
    return results;
  }

  async balances(what, who, ...want) {
    const found = await this.client.lookupAccounts([who.id]);
    check(what, found.map((a) => [a.debits_pending, a.debits_posted, a.credits_pending, a.credits_posted]), [want]);
  }

  async accounts() {
    const names = (results) => results.map((r) => CreateAccountStatus[r.status]);
    const batch = [this.alice, this.bob, this.carol, this.bank];
    const created = await this.client.createAccounts(batch);
    check("create accounts", names(created), Array(4).fill("created"));
    const stamps = created.map((r) => r.timestamp);
    check("account timestamps rise", stamps.every((s, i) => s > (stamps[i - 1] ?? 0n)), true);

    const again = await this.client.createAccounts(batch);
    check("create accounts again", names(again), Array(4).fill("exists"));
    check("timestamps of the existing", again.map((r) => r.timestamp), stamps);
    const refused = await this.client.createAccounts([
      { ...this.alice, code: 11 },
      account({ id: 0n, code: 1 }),
      account({ code: 1, flags: AccountFlags.linked }),
      account({ code: 1, ledger: 0 }),
    ]);
    check("accounts refused", names(refused), [
      "exists_with_different_code", "id_must_not_be_zero", "linked_event_failed", "ledger_must_not_be_zero",
    ]);

    const found = await this.client.lookupAccounts([this.bank.id, id(), this.alice.id]);
    check("lookup accounts", ids(found), [this.bank.id, this.alice.id]);
    check("account as created", found[1], { ...this.alice, timestamp: stamps[0] });
  }

  async plain() {
    this.funding = transfer(this.bank.id, this.alice.id, 1000n, { user_data_64: 42n });
    const [created] = await this.create("plain", [this.funding], "created");
    await this.balances("alice is funded", this.alice, 0n, 0n, 0n, 1000n);
    await this.balances("bank has paid", this.bank, 0n, 1000n, 0n, 0n);

    const [existing] = await this.create("plain again", [this.funding], "exists");
    check("timestamp of the existing", existing.timestamp, created.timestamp);
    await this.create("other amount", [{ ...this.funding, amount: 999n }], "exists_with_different_amount");
    const orphan = transfer(id(), this.bob.id, 1n);
    await this.create("refused", [
      orphan,
      transfer(this.alice.id, this.alice.id, 1n),
      transfer(this.carol.id, this.bob.id, 1n),
      transfer(this.alice.id, this.bob.id, 1n, { code: 0 }),
    ], "debit_account_not_found", "accounts_must_be_different", "exceeds_credits", "code_must_not_be_zero");
    await this.create("id used up", [orphan], "id_already_failed");
    this.funding.timestamp = created.timestamp;
  }

  async linked() {
    const [alice, bob, , bank] = this.everyone;
    const flags = TransferFlags.linked;
    await this.create("linked", [transfer(alice, bob, 100n, { flags }), transfer(bob, bank, 40n)], "created", "created");
    await this.create("linked, broken", [transfer(alice, bob, 5n, { flags }), transfer(alice, alice, 5n)],
      "linked_event_failed", "accounts_must_be_different");
    await this.create("linked, open", [transfer(alice, bob, 5n, { flags })], "linked_event_chain_open");
    await this.balances("a broken chain leaves no trace", this.alice, 0n, 100n, 0n, 1000n);
  }

  async twoPhase() {
    const [alice, bob] = this.everyone;
    const { pending, post_pending_transfer: posting, void_pending_transfer: voiding } = TransferFlags;
    this.pending = transfer(alice, bob, 200n, { flags: pending });
    const [reserved] = await this.create("pending", [this.pending], "created");
    this.pending.timestamp = reserved.timestamp;
    await this.balances("reserved", this.alice, 200n, 100n, 0n, 1000n);
    this.post = resolve(this.pending, 150n, posting);
    const [posted] = await this.create("post a part", [this.post], "created");
    this.post.timestamp = posted.timestamp;
    await this.balances("the rest is released", this.alice, 0n, 250n, 0n, 1000n);
    await this.create("post again", [resolve(this.pending, 150n, posting)], "pending_transfer_already_posted");

    const second = transfer(alice, bob, 50n, { flags: pending });
    const voided = resolve(second, 0n, voiding);
    await this.create("pending and void", [second, voided], "created", "created");
    await this.create("void again", [resolve(second, 0n, voiding)], "pending_transfer_already_voided");

    const third = transfer(alice, bob, 30n, { flags: pending });
    const all = resolve(third, amount_max, posting);
    await this.create("pending and post all", [third, all], "created", "created");
    await this.balances("after posting all", this.alice, 0n, 280n, 0n, 1000n);

    this.expiring = transfer(alice, bob, 70n, { flags: pending, timeout: 1 });
    await this.create("pending with a timeout", [this.expiring], "created");
    await this.balances("reserved for a second", this.alice, 70n, 280n, 0n, 1000n);
    await this.expiry();
    await this.create("post too late", [resolve(this.expiring, 70n, posting)], "pending_transfer_expired");

    const found = await this.client.lookupTransfers([this.pending.id, id(), this.post.id, all.id]);
    check("lookup transfers", ids(found), ids([this.pending, this.post, all]));
    check("pending as created", found[0], this.pending);
    check("amounts", found.map((t) => t.amount), [200n, 150n, 30n]);
    check("a post inherits", [found[1].debit_account_id, found[1].ledger, found[1].user_data_128], [alice, LEDGER, RUN]);
    this.ofAlice = ids([this.pending, this.post, second, voided, third, all, this.expiring]);
  }

  // expiry waits until alice's reservation is gone.
  async expiry() {
    for (let tries = 0; tries < 100; tries++) {
      const [found] = await this.client.lookupAccounts([this.alice.id]);
      if (found.debits_pending === 0n) break;
      await sleep(100);
    }
    await this.balances("the reservation has expired", this.alice, 0n, 280n, 0n, 1000n);
    await this.balances("on the other side too", this.bob, 0n, 40n, 0n, 280n);
  }

  async accountQueries() {
    const of = (fields) => this.client.getAccountTransfers(byAccount(this.alice, fields));
    const { credits, debits, reversed } = AccountFilterFlags;
    const found = ids(await of());
    check("alice's transfers", [found.length, found[0], found.slice(2)], [9, this.funding.id, this.ofAlice]);
    check("alice's credits", ids(await of({ flags: credits })), [this.funding.id]);
    check("newest first", ids(await of({ flags: debits | reversed, limit: 2 })), this.ofAlice.slice(-2).reverse());
    const between = { timestamp_min: this.pending.timestamp, timestamp_max: this.post.timestamp };
    check("by time", ids(await of(between)), ids([this.pending, this.post]));
    check("by code", await of({ code: 2 }), []);
    check("an invalid filter", await of({ limit: 0 }), []);

    const rows = await this.client.getAccountBalances(byAccount(this.alice));
    check("alice's history", rows.length, 9);
    check("first balance", [rows[0].timestamp, rows[0].credits_posted], [this.funding.timestamp, 1000n]);
    check("last balance", [rows[8].debits_pending, rows[8].debits_posted], [70n, 280n]);
    check("no history", await this.client.getAccountBalances(byAccount(this.bob)), []);
  }

  async queries() {
    const flags = QueryFilterFlags.reversed;
    const accounts = async (fields) => ids(await this.client.queryAccounts(query(fields)));
    check("accounts by user data", await accounts({ user_data_128: RUN }), this.everyone);
    check("accounts by code", await accounts({ code: 10, user_data_64: 10n }), this.everyone.slice(0, 2));
    check("newest account", await accounts({ flags, limit: 1 }), this.everyone.slice(3));

    const transfers = async (fields) => ids(await this.client.queryTransfers(query(fields)));
    const found = await transfers();
    check("transfers by ledger", [found.length, found[0], found.slice(3)], [10, this.funding.id, this.ofAlice]);
    check("transfers by user data", await transfers({ user_data_64: 42n }), [this.funding.id]);
    check("newest transfer", await transfers({ flags, limit: 1 }), [this.expiring.id]);
  }

  async atOnce() {
    const calls = Array.from({ length: 20 }, () =>
      this.client.createTransfers([transfer(this.bank.id, this.bob.id, 1n)]));
    const results = await Promise.all(calls);
    check("at once", results.map((rs) => rs.map((r) => CreateTransferStatus[r.status])), Array(20).fill(["created"]));
    await this.balances("bob after that", this.bob, 0n, 40n, 0n, 300n);
  }

  async fullBatch() {
    const batch = Array.from({ length: BATCH_MAX }, () => transfer(this.bank.id, this.bob.id, 1n, { code: 99 }));
    const results = await this.create("full batch", batch, ...Array(BATCH_MAX).fill("created"));
    const first = results[0].timestamp;
    check("consecutive timestamps", results.every((r, i) => r.timestamp === first + BigInt(i)), true);
    await this.create("full batch again", batch, ...Array(BATCH_MAX).fill("exists"));
    await this.balances("bob after the batch", this.bob, 0n, 40n, 0n, 300n + BigInt(BATCH_MAX));
    check("the batch, queried", ids(await this.client.queryTransfers(query({ code: 99 }))), ids(batch));
    check("the batch, looked up", ids(await this.client.lookupTransfers(ids(batch))), ids(batch));
    await assert.rejects(this.client.createTransfers(Array(10_000).fill(batch[0])), { code: "ERR_TOO_MUCH_DATA" });
    checks++;
  }

  async books() {
    const found = await this.client.queryAccounts(query());
    check("debits equal credits", sum(found.map((a) => a.debits_posted)), sum(found.map((a) => a.credits_posted)));
    check("nothing is pending", found.map((a) => a.debits_pending + a.credits_pending), Array(4).fill(0n));
  }
}

const prefix = "--addresses=";
const addresses = process.argv.find((a) => a.startsWith(prefix)).slice(prefix.length);
const client = createClient({ cluster_id: 0n, replica_addresses: addresses.split(",") });
try {
  const scenario = new Scenario(client);
  await scenario.accounts();
  await scenario.plain();
  await scenario.linked();
  await scenario.twoPhase();
  await scenario.accountQueries();
  await scenario.queries();
  await scenario.atOnce();
  await scenario.fullBatch();
  await scenario.books();
  console.log(`compat node: ok (${checks} checks)`);
} catch (err) {
  console.log(`compat node: ${err.message}`);
  process.exitCode = 1;
} finally {
  client.destroy();
}
