// Package disk carries out the requests of package blockio on the data file,
// with direct I/O: reads and groups of small durable writes are handed to the
// kernel, everything else to a pool of goroutines in blocking system calls.
//
// It owns the file: its creation, its lock against a second process, its
// growth, and what a write means for stability. It knows nothing of the zones
// inside the file and never interprets a byte, and it does not retry what the
// operating system refuses: a failed write or sync is for the replica to
// stop on.
//
// Life: Create once, then Open, any number of Submit, Close.
//
// # Two engines
//
// Reads come in hundreds at a time, and a drive is fast only when it has many at
// once. So they go by Linux's own asynchronous I/O: about 2 us of the submitter's
// time each, and no thread waits. Of writes there are few at a time. With O_DSYNC
// the kernel would wake threads of its own for them, which takes more processor
// time and gains nothing; and what extends the file, or syncs it, would make the
// submitter wait.
//
// Small durable writes that wait together, such as a small record of the journal
// and its spare, are a group: one goroutine has the kernel write all of them at the
// same time, without O_DSYNC, and then syncs once. Group follows group. A drive
// that has a cache flushes it for each write with O_DSYNC, and one flush waits for
// the other: two such writes by two threads took half as long again as the group.
//
// The pool is also for what the kernel refuses or leaves undone, and for
// all reads of a buffered file, of a file system that cannot promise not to wait,
// or where io_setup is not to be had; Open then logs why.
//
// # Stability
//
// A durable write that is in no group, or alone in it, goes through a second
// descriptor that is opened with O_DSYNC, so that it costs one system call and, on
// drives with forced unit access, no flush of anybody else's bytes. A Sync is
// fdatasync, and so is what ends a group. All of them hold also in
// buffered mode (Options.AllowBuffered), in which the page cache sits in
// between; there, a write fault may be reported to a later Sync.
//
// # Space
//
// Create stores zero bytes all over the fixed zones, so that overwriting them
// changes no metadata. Beyond, a write past the end first preallocates
// growthSize bytes: the file grows in few, large extents, and most writes find
// their space reserved.
package disk
