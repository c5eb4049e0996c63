// Package forest is the ledger as a replicated service: it joins the rules of
// package ledger to two logs and a few trees on the grid.
//
// It owns the encoding of everything that the ledger stores. It must not do
// I/O other than through Grid, must not depend on time or chance, and must make
// the same calls of Grid for the same requests, so that the grids of all
// replicas are equal byte for byte. What is cached makes no difference to them.
//
// # State
//
//	accounts log  each account as it was created; its number is its slot    accounts.go
//	events log    each transfer, expiry and burnt id, with both accounts    row.go
//	              after it
//	trees         what leads from ids and fields to rows                    trees.go
//	heads         position of the newest row of each account                array.go
//	statuses      what became of each pending transfer                      array.go
//	cache         accounts in full, within a budget; never written          cache.go
//
// The newest row of an account says what the account is, so the cache forgets
// without writing. Heads, statuses and trees follow from the rows.
//
// # Life of a request
//
// Prefetch indexes the rows of the request before (indexer.go), a beat of the
// trees at a time, and may wait for merges there. Then it resolves what this
// request names, with all its reads in flight together: accounts come into the
// cache, transfers and the answers to queries into the stash. Commit executes in
// memory alone and appends rows. As trees and heads come later, a rollback cuts
// the logs back and restores accounts and statuses, and touches nothing else.
//
// # Checkpoint and restart
//
// A checkpoint waits for writes, and for no merge. It writes the newest rows, a
// share of the dirty chunks of arrays, and the manifest (checkpoint.go). Open
// reads what that names, and replays rows from the oldest position that a chunk
// or a memtable needs (replay.go). If all accounts fit the cache it is filled on
// the way.
//
// That is bounded. For no tree are more than scale.replayBlocks of a log read
// again, because memtables are flushed in time, full or not; and for no array
// more than its turn, about: as many blocks, or twice its size if that is more.
//
// # Budget
//
// What a plain transfer may take with 10,000 accounts, all cached, in Commit and
// in indexing it: 250 ns, of which encoding the row is 25. BenchmarkCreateTransfers
// measures Prefetch, which indexes the batch before, apart from Commit. On a busy
// machine both are above the budget.
package forest
