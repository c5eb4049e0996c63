// Package grid is the block store of a data file: numbered blocks of one size,
// written once, named by address and checksum, and reused only when neither of
// the last two durable checkpoints names them.
//
// It owns the grid zone, the free set, the checking of what is read, and a cache
// of parts of blocks. It does not know what a block holds, and never decides when
// a checkpoint is made.
//
// # Life of a block
//
//	free --Acquire--> unwritten --Write--> written --Release--> released --+
//	  ^                                                                    |
//	  +------ Checkpoint, the second time that it names the block not -----+
//
// A block is written at most once between Acquire and Release, so whatever the
// last two durable checkpoints name stays on disk unchanged until the next one is
// durable: a crash at any moment finds one whole checkpoint, and another replica
// finds here the one before it.
//
// # Checkpoint
//
// The replica calls, in this order:
//
//  1. Checkpoint: writes the free set as it is with this checkpoint, waits for all
//     that was written before, and hands over the State by which Open finds it.
//     Blocks released before the checkpoint before become free;
//  2. a Sync of the data file, after which all blocks are stable;
//  3. a superblock update that holds the State;
//  4. CheckpointDurable. What was written since step 1 has waited for it, because
//     the last durable checkpoints may name what was in its place.
//
// All else goes on meanwhile. Addresses depend only on the order of the calls of
// Acquire, Release, WriteStream and Checkpoint, never on the time an I/O takes.
// Replicas whose grids shall be equal make those calls at the same ops.
//
// # Reading
//
// Read fetches a block and checks it by its reference. ReadPart fetches a part of
// one, checked by a hash that the caller has from the block's parent, so that a
// point read moves kilobytes; TryPart finds it in the cache afterwards. What is
// in the cache has no effect but on time. Some hundred parts are read at a time,
// beside the few whole blocks, so ask for all that is needed at once.
//
// A read must complete before the Checkpoint that frees its block.
//
// A Scrubber tours all blocks and finds those that have rotted.
//
// # Other replicas
//
// A Receiver brings the zone to the checkpoint of another replica, whose Sender
// gives it the blocks. A block that cannot be read as it was written is fetched in
// the same way, if Config.Missing is set: its readers wait for it.
//
// # Concurrency
//
// A Grid belongs to the goroutine that owns the replica. Completions are never
// called from within the method that asked for them. After a failed write no
// completion is called any more: Config.Fault has been told, and the replica
// must stop.
package grid
