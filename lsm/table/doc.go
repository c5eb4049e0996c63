// Package table is the format of sorted runs on the grid: how entries become
// pages, pages become blocks, and how both are found and verified again.
//
// A table is an ascending sequence of entries with distinct keys, written once.
// Its entries are packed into pages of a few kilobytes, its pages into blocks.
// Its last block, the root, ends with the index: for each page the first key,
// the place and the checksum, and if wanted a filter that knows of most absent
// keys that they are absent. Who holds the root's reference can reach, and
// verify, every byte.
//
// The package owns the encodings of pages, indexes and filters. It does no I/O,
// knows no addresses but those it is given, and never chooses what is merged.
// Everything in it is a pure function: equal entries give equal bytes. It is
// used from several goroutines at once, each with its own Builder.
//
// Whatever a decoder is given, it returns an error rather than panic or read
// beyond its input; that the bytes are the right ones is for checksums to say.
package table
