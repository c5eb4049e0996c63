package gen

import "github.com/ledgerd/ledgerd/ledger"

// idSize is the encoded size of an id.
const idSize = 16

var maxID = ledger.AmountMax // 2^128-1, which is no valid id

func number(n uint64) ledger.Uint128 { return ledger.Uint128{Lo: n} }

// accountID returns the id of a recent account, rarely one that fails.
func (g *Generator) accountID() ledger.Uint128 {
	if len(g.accounts) == 0 || g.chance(1) {
		return pick(g, number(0), maxID, number(g.accountIDs+1), ledger.Uint128{Hi: 1})
	}
	return pick(g, g.accounts...).ID
}

// transferID returns the id of a recent transfer, rarely one that fails.
func (g *Generator) transferID() ledger.Uint128 {
	if len(g.transfers) == 0 || g.chance(5) {
		return pick(g, number(0), maxID, number(g.transferIDs+1), ledger.Uint128{Hi: 1})
	}
	return pick(g, g.transfers...).ID
}

// amount is mostly small, and otherwise near the bounds of 64 and 128 bits.
func (g *Generator) amount() ledger.Uint128 {
	small := g.random.Uint64N(20)
	switch roll := g.random.IntN(100); {
	case roll < 85:
		return number(small)
	case roll < 89:
		return ledger.AmountMax
	case roll < 92:
		return ledger.Uint128{Lo: ^small, Hi: ^uint64(0)}
	case roll < 96:
		return ledger.Uint128{Lo: small, Hi: 1 << 63}
	default:
		return number(^small)
	}
}

// userData returns a value that other records have as well.
func (g *Generator) userData() uint64 { return pick[uint64](g, 0, 0, 1, 2, 3, 1<<32-1) }

// reference returns the timestamp of an operation, or one close to it: a slot
// of one of its events, or the moment next to its expiries.
func (g *Generator) reference() uint64 {
	return pick(g, g.timestamps...) + g.random.Uint64N(9) - 6
}

// importTimestamp returns the timestamp for event i of an imported batch that
// starts at base. Most follow each other shortly before now.
func (g *Generator) importTimestamp(i int, base, now uint64) uint64 {
	switch roll := g.random.IntN(100); {
	case roll < 84:
		return base + 3*uint64(i) + g.random.Uint64N(3)
	case roll < 92:
		return g.reference()
	case roll < 94:
		return now + g.random.Uint64N(16) // perhaps between the slots of this batch
	case roll < 96:
		return now + 1_000_000_000
	case roll < 98:
		return 1 + g.random.Uint64N(100)
	default:
		return pick(g, 0, ledger.TimestampMax, ledger.TimestampMax+1, ^uint64(0))
	}
}

// batchShape draws what the events of a create batch have in common.
func (g *Generator) batchShape(now uint64) (count int, imported bool, base uint64) {
	count = g.random.IntN(9)
	switch roll := g.random.IntN(500); {
	case roll < 2:
		count += 1500 // enough to outgrow what structures begin with
	case roll < 10:
		count += 60
	}
	base = now - 1 - g.random.Uint64N(120_000)
	if g.chance(15) {
		base = g.reference()
	}
	return count, g.chance(12), base
}
