// Transfers while replicas die (compat/README.md), by TigerBeetle's Node client.

import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import tigerbeetle from "tigerbeetle-node";

const { AccountFlags, CreateAccountStatus, CreateTransferStatus, TransferFlags, createClient, id } = tigerbeetle;

const BATCH = 10;
const LEDGER = randomInt(1, 2 ** 32);

const account = () => ({
  id: id(), debits_pending: 0n, debits_posted: 0n, credits_pending: 0n, credits_posted: 0n, user_data_128: 0n,
  user_data_64: 0n, user_data_32: 0, reserved: 0, ledger: LEDGER, code: 1, flags: AccountFlags.none, timestamp: 0n,
});

const transfer = (debit, credit) => ({
  id: id(), debit_account_id: debit.id, credit_account_id: credit.id, amount: 1n, pending_id: 0n, user_data_128: 0n,
  user_data_64: 0n, user_data_32: 0, timeout: 0, ledger: LEDGER, code: 1, flags: TransferFlags.none, timestamp: 0n,
});

async function play(client, seconds) {
  const accounts = [account(), account()];
  for (const result of await client.createAccounts(accounts)) {
    assert.equal(result.status, CreateAccountStatus.created);
  }
  const acknowledged = [];
  let longest = 0;
  for (const end = performance.now() + 1000 * seconds; performance.now() < end; ) {
    const batch = Array.from({ length: BATCH }, () => transfer(...accounts));
    const began = performance.now();
    const results = await client.createTransfers(batch);
    longest = Math.max(longest, performance.now() - began);
    for (const result of results) {
      assert.equal(result.status, CreateTransferStatus.created, "each transfer is created once");
    }
    acknowledged.push(...batch.map((t) => t.id));
  }
  for (let first = 0; first < acknowledged.length; first += 8000) {
    const wanted = acknowledged.slice(first, first + 8000);
    const found = await client.lookupTransfers(wanted);
    assert.deepEqual(found.map((t) => t.id), wanted, "acknowledged transfers are there");
  }
  const [debited] = await client.lookupAccounts([accounts[0].id]);
  assert.equal(debited.debits_posted, BigInt(acknowledged.length), "debits are what was acknowledged");
  return `${acknowledged.length} transfers, longest wait ${(longest / 1000).toFixed(1)} s`;
}

const { values } = parseArgs({ options: { addresses: { type: "string" }, seconds: { type: "string" } } });
const client = createClient({ cluster_id: 0n, replica_addresses: values.addresses.split(",") });
try {
  console.log(`compat node failover: ok (${await play(client, Number(values.seconds))})`);
} catch (error) {
  console.log(`compat node failover: ${error.stack}`);
  process.exitCode = 1;
} finally {
  client.destroy();
}
