// Package rowlog keeps rows on the grid for ever, in the order in which they
// came: the accounts and the events of a ledger.
//
// A Log owns its blocks, the directory that names them, and the memory of its
// newest blocks. It knows three things of a row, its length, its stamp and, if its
// user says so, its key, and must not change one: a row stays at its Position for the life of the data
// file. It starts no goroutine: a Log belongs to the goroutine that calls it,
// and completions come back as calls on that goroutine.
//
// # Rows
//
// All integers are little-endian.
//
//	offset size field
//	     0    2 length of the row in bytes, at least 16
//	     2    6 the user's
//	     8    8 stamp: at least that of the row before
//	    16      the user's
//
// # Blocks and parts
//
// A block is written once, when it is full. Its payload is cut where the
// sectors of the file are, into parts, of which the first is shorter by the
// grid's header. Rows follow one another from the beginning of a part and do
// not span parts; where the next one does not fit, zeros follow to the end of
// the part. A part is read by itself, and verified by its xxhash64, which the
// directory has: see directory.go. The newest block, which is not full, is
// written as far as it goes at each Checkpoint, to another block of the grid.
//
// # Life of a log
//
//	New, Open             a log as a checkpoint left it
//	Settle, Push ... Flush
//	                      for each op; between, Mark and Truncate
//	Row, Fetch, Find, Seek, Scan
//	                      at any time, but no Truncate before they are done
//	Checkpoint            after a Flush; AppendState then names all
//
// Addresses of blocks depend on the order of calls of Push, Truncate, Flush
// and Checkpoint alone, and never on the time a read or a write takes.
//
// # Failure
//
// A block or part that is not what it must be is an error that names the log
// and the block, never a wrong row. A write that fails stops the replica, and
// is not told here. After an error of Open the log must not be used any more.
package rowlog
