// Package superblock keeps the root of a data file: who the replica is, how the
// file is laid out, its view, and the checkpoint from which everything else is
// found.
//
// It owns the first zone of the file, the encoding of that root, and the
// protocol by which it is replaced. It does not know what a checkpoint holds.
//
// # Four copies
//
// Each copy is one sector in its own slot of CopySlotSize bytes. An update
// writes copies 0 and 1, then 2 and 3, then reads all four back and demands that
// at least three are as written. Only then is it durable. Opening demands two
// equal copies of the highest sequence that has two:
//
//   - 3 + 2 > 4, so of a durable update at least two of the copies remain after
//     one of them rots, and it is found;
//   - while a pair is being written the other pair is whole, so a crash leaves
//     two equal copies of the old or of the new root, never a mix;
//   - the copy index and the checksum lie outside what is summed, so that copies
//     of one root have one checksum and can be counted by it.
//
// Repair rewrites the copies that are not the chosen one before the replica goes
// on: a stray copy of an update that never became durable must not meet a later
// update with the same sequence.
//
// # Lifecycle
//
// Format makes the bytes of a new file. New, Open, Repair, then any number of
// Updates. Open alone writes nothing, so that a file that turns out to be the
// wrong one is left as it was.
package superblock
