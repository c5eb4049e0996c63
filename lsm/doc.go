// Package lsm keeps sorted maps on the grid: a log-structured merge tree of
// small entries, larger than memory, for the indexes of a ledger.
//
// A Tree maps keys of one to three words to values of one word. New entries
// gather in a memtable. A full memtable becomes a run of tables in level 0;
// merging moves entries down, level by level, each about eight times as large
// as the one above. Tables are never changed. What they look like is the
// business of lsm/table.
//
// The package owns the memtables, the choice and the pace of merging, and the
// manifest that names the tables. It knows nothing of what keys mean. It starts
// no goroutine and reads no clock: a Tree belongs to the goroutine that calls
// it, disk and workers come in through Grid and Workers, and their completions
// come back as calls on that goroutine.
//
// # Life of a tree
//
//	New                     an empty tree
//	Open, Refill, Refilled  a tree as a checkpoint left it
//	Put, Remove ... Beat    for each op; Beat may wait
//	Lookup, Scan, Intersect at any time, except across the moment at which a
//	                        checkpoint becomes durable
//	Checkpoint, AppendState between two ops: what names all state
//
// What is in memory is not written at a checkpoint: the owner's log has it. Each
// memtable keeps the mark of the Beat after which it was begun; from Mark on the
// owner repeats what it put, in the same order, when it opens a tree. The merge
// that was on its way is begun again.
//
// # The same bytes everywhere
//
// Replicas that call Put, Remove, Beat and Checkpoint in the same order have
// the same bytes at the same addresses, however long disk and workers take.
// Work on the side has fixed inputs; its result is admitted at a Beat that the
// entries counted so far determine, and a Beat that comes to that point before
// the result does waits for it. Blocks are acquired and released at admissions,
// and only there. Trees on one grid take their Beats and Checkpoints one after
// the other, in a fixed order.
//
// # Pace
//
// Merging is paid by insertion, see pace.go; docs/STORAGE.md has the argument
// why it cannot fall behind, and the figures.
//
// # Failure
//
// A block that is not what its reference demands is an error that names tree
// and block, never a wrong answer. After an error of Beat, Checkpoint, Open
// or Refilled the tree must not be used any more.
package lsm
