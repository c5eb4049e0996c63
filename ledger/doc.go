// Package ledger holds the records of the ledger, their encodings, the result
// codes, and the rules by which accounts and transfers come to be.
//
// # The records
//
// An Account has an id, belongs to a ledger, and counts what was debited from
// and credited to it: posted for good, or pending. A Transfer moves an amount
// from one account to another of the same ledger. Transfers never change and
// nothing is ever deleted. A pending transfer only reserves its amount, until
// another transfer posts or voids it or its timeout expires it.
//
// Clients and tools fill in these structs and call Encode, or call Decode on
// what they receive. The codecs are total: any bytes decode, and encode to the
// same bytes. Whether a record makes sense is for Machine to say, with a
// CreateAccountStatus or CreateTransferStatus. Those are results, not errors:
// a request with a thousand senseless events is executed and gets a thousand
// statuses.
//
// # The machine
//
// Machine applies the rules. Whoever drives it, in one goroutine, does this:
//
//  1. Check judges a request by shape. What it refuses must not be executed.
//  2. The request gets a timestamp T greater than any before it by as many
//     slots as Check said; its events own the slots up to T.
//  3. Execute carries it out and appends the body of the reply.
//  4. When Pulse says that transfers are due, OperationPulse is executed with a
//     timestamp of its own.
//
// Time enters by these timestamps only, so the same requests at the same
// timestamps give the same replies everywhere.
//
// Machine keeps nothing: the records are in Tables, which it changes through
// small interfaces. Tables are in memory and cannot fail. Package forest has
// the real ones; the tests of this package have some made of maps.
//
// # What it must not do
//
// No goroutine, lock, clock, file or socket; no dependency on how requests are
// carried or replicated. Execute allocates nothing, apart from what Tables need
// to grow. A broken invariant panics: going on would spread it.
//
// The rules are written down in SEMANTICS.md, whose sections the code cites;
// docs/LEDGER.md is the overview. The bytes are in PROTOCOL.md sections 12 to
// 16.
package ledger
