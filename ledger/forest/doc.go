// Package forest is the ledger as a replicated service: it joins the rules of
// package ledger to tables that live in memory and are kept on the grid.
//
// It owns the encoding of everything that the ledger stores. It must not do
// I/O other than through Grid, must not depend on time or chance, and must make
// the same calls of Grid for the same requests, so that the grids of all
// replicas are equal byte for byte.
//
// # Four logs
//
// All state follows from four append-only logs, each a list of pages:
//
//	accounts   each account as it was created             accounts.go
//	transfers  each transfer, with both accounts after it  row.go
//	expiries   each expiry, with both accounts after it    row.go
//	burnt      ids that can never become transfers         16 bytes each
//
// A page is the payload of one block. It is encoded once, in memory, and
// written to the grid as it is once it is full, while later requests execute.
// A page that is full never changes; only the last page of a log is written
// again by the next checkpoint, to another block. So a checkpoint has little to
// write: four last pages and the manifest, which names all pages.
//
// Opening reads all logs and replays them; that restores, and checks, what
// only lives in memory: balances, the chain of each account's transfers, the
// status of pending transfers and their schedule, and the indexes by id.
//
// # Lookups and queries
//
// Two hash indexes (index.go) lead from ids to accounts and transfers. Each
// row of the transfer log links to the row before it of either account, and
// every 64th and 4096th further back: queries of one account touch its own
// rows only, from any point of time. Queries by user data, ledger or code look
// at all rows between the bounds of time; they have no index yet.
//
// # Budget
//
// What a plain transfer may take, among 10,000 accounts and with 5 M transfers
// stored:
//
//	decode event, judge fields, encode result        40 ns
//	find its id absent; insert it                    60 ns  (2 lines of memory)
//	find two accounts                                50 ns  (8 lines, mostly cached)
//	fetch the lines of the next 64 events meanwhile  50 ns
//	encode the row                                   40 ns
//	split index segments, hand over pages            10 ns
//	                                               = 250 ns
//
// In memory, and but for the index on disk too: 56 bytes a transfer with
// counted ids, 69 with random ones; the index adds 16 to 43 bytes.
// BenchmarkCreateTransfers measures it all. With other programs on both cores
// the fastest batches took 310 ns a transfer (random ids 310, a million accounts
// 400, pending and post 340), and 210 with 100 accounts, which stay in the
// cache: what is over the budget is waiting for memory.
//
// # Growth
//
// Everything grows by chunks of at most 256 KiB, and nothing that is there is
// copied, but for the lists of chunks: no batch pays for the size of the ledger.
// All transfers are in memory: that bounds a ledger in this form.
package forest
