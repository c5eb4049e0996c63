// Package disk carries out the requests of package blockio on the data file:
// with direct I/O, from a pool of goroutines in blocking system calls.
//
// It owns the file: its creation, its lock against a second process, its
// growth, and what a write means for stability. It knows nothing of the zones
// inside the file and never interprets a byte, and it does not retry what the
// operating system refuses: a failed write or sync is for the replica to
// stop on.
//
// Life: Create once, then Open, any number of Submit, Close.
//
// # Stability
//
// A durable write goes through a second descriptor that is opened with O_DSYNC,
// so that it costs one system call and, on drives with forced unit access,
// no flush of anybody else's bytes. A Sync is fdatasync. Both hold also in
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
