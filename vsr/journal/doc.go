// Package journal keeps the prepares that were ordered since the last
// checkpoint, so that no acknowledged op is lost when the power fails, and so
// that a torn end of the log can be told from rot.
//
// It owns three zones of the data file and what recovery concludes from them. It
// does not order, replicate or execute, and it does not decide when to make a
// checkpoint.
//
// # Rings of records and witnesses
//
// A record is a prepare as it travels, padded with zeros to whole sectors. Its
// place is its virtual offset, counted from the first record ever and carried in
// its header; modulo the size of the ring that is its place in the zone. No
// record straddles the ring's end: NextOffset skips the rest of a lap. So the
// place of every record follows from the sizes of those before it, and primary
// and backups agree on it.
//
// The witness of an op is its header alone, in a ring with a slot of 256 bytes
// for each op: slot = op mod slots. It is written only when the record of this
// op, and those of all ops before it, are durable. An op is acknowledged when
// its witness is durable. One witness write is in flight at a time; the next one
// covers all records that became durable meanwhile (group commit).
//
//	record op 7  ────────┐
//	record op 8  ──────┐ │   in parallel, in any order
//	record op 9  ──────┼─┼──────┐
//	witness 7,8        └─┴─────┐│
//	witness 9                  ├┴────┐
//	done(7), done(8)           │     │
//	done(9)                          │
//
// # The ring of spares
//
// A lone small request would wait for two writes, one after the other. So a record
// that fits in a slot of the third ring is written there too, at the same time:
// this is its spare. Its op is acknowledged when both are durable with all before
// it. Its witness may follow at leisure, many at once, but before its spare's slot
// is wanted again: until then the spare says what the witness would, and more.
//
//	record op 7  ──────┐
//	spare op 7   ────┐ │
//	done(7)          └─┘
//
// An append that finds its slot still needed does without a spare.
//
// # Recovery
//
// From the last checkpoint at op C on, for op n = C+1, C+2, …, with the place
// and the parent's checksum known from op n-1. A record counts as valid when
// both its checksums match and its header has this cluster, op n, that parent
// and that place. If it is not valid and its spare is, and no witness names another
// op n, the record is first written again from the spare.
//
//	record n   witness n   any witness > n   verdict
//	--------   ---------   ---------------   -------
//	valid      valid       any               present
//	valid      other       any               present; the witness is rewritten
//	not valid  valid       any               rot: op n is lost here
//	not valid  other       yes               rot: op n is lost here
//	not valid  other       no                end of the log: n-1 is the head
//
// Why: a witness of n or of a later op is written only after record n was
// durable, so a record that is not valid although such a witness exists was
// destroyed afterwards. It may have been acknowledged, and is never treated as
// never written. Without any such witness and without a
// spare nobody was told that op n is durable: what there is of it is torn, or was
// never begun. It takes two faults, of a record and of its spare or of every
// witness from it on, for an acknowledged op to pass as never
// written; the superblock's CommitMax is a last guard against that. A later
// record or spare proves nothing, since they are written in any order.
//
// What is found is made stable before it is told: after the death of the process
// alone it may have been in a cache of the drive only.
//
// Records beyond the head cannot come back. Say the power failed with op 8 torn
// and op 9 whole, the head is 7, another op 8 is appended, and power fails again:
// the old op 9 names the old op 8 as its parent and is not valid after the new.
// Were the two equal in every byte, the old op 9 would be a request that some
// client sent and that was never answered, which may be executed or not.
//
// # Bounds and faults
//
// At most AppendsMax appends and ReadsMax reads are in flight. A failed write
// stops the journal: Config.Fault is told once, and nothing completes any more.
// A failed read counts as damage of what it covers.
package journal
