package gen

import "github.com/ledgerd/ledgerd/ledger"

// resultsMax is how many records of 128 bytes one reply holds beside its
// trailer.
const resultsMax = 8189

// ids makes a batch of ids to look up.
func (g *Generator) ids(operation ledger.Operation) []byte {
	count := g.random.IntN(8)
	batch := make([]byte, count*idSize)
	for i := range count {
		id := g.transferID()
		if operation == ledger.OperationLookupAccounts || operation == ledger.OperationLookupAccountsUnbatched {
			id = g.accountID()
		}
		id.PutBytes(batch[i*idSize:])
	}
	return batch
}

// timeRange makes the bounds of a filter; few are invalid.
func (g *Generator) timeRange() (low, high uint64) {
	if g.chance(40) {
		low = g.reference()
	}
	if g.chance(40) {
		high = g.reference()
	}
	if low > high && high != 0 && g.chance(80) {
		low, high = high, low
	}
	if g.chance(2) {
		low = pick[uint64](g, 1, ledger.TimestampMax, ledger.TimestampMax+1, ^uint64(0))
	}
	if g.chance(2) {
		high = pick[uint64](g, 1, ledger.TimestampMax, ledger.TimestampMax+1, ^uint64(0))
	}
	return low, high
}

// limit makes the limit of one filter of several; a reply must hold the
// results of all, so few are larger than their share.
func (g *Generator) limit(filters int) uint32 {
	switch roll := g.random.IntN(100); {
	case roll < 2:
		return 0
	case roll < 60:
		return 1 + g.random.Uint32N(10)
	case roll < 95 || filters > 1 && roll < 99:
		return uint32(resultsMax / filters)
	}
	return pick[uint32](g, resultsMax, resultsMax+1, 1<<32-1)
}

// condition returns a value to filter by, or 0 for none.
func (g *Generator) condition() uint64 {
	if g.chance(70) {
		return 0
	}
	return g.userData()
}

func (g *Generator) accountFilter(filters int) []byte {
	f := ledger.AccountFilter{
		AccountID:   g.accountID(),
		UserData128: number(g.condition()),
		UserData64:  g.condition(),
		UserData32:  uint32(g.condition()),
		Code:        uint16(g.condition()),
		Limit:       g.limit(filters),
		Flags:       ledger.AccountFilterFlags(g.random.Uint32N(8)),
	}
	f.TimestampMin, f.TimestampMax = g.timeRange()
	if g.chance(2) {
		f.Flags |= 1 << (3 + g.random.IntN(29))
	}
	if g.chance(2) {
		f.Reserved[g.random.IntN(len(f.Reserved))] = 1
	}
	b := make([]byte, ledger.AccountFilterSize)
	f.Encode(b)
	return b
}

func (g *Generator) queryFilter(filters int) []byte {
	f := ledger.QueryFilter{
		UserData128: number(g.condition()),
		UserData64:  g.condition(),
		UserData32:  uint32(g.condition()),
		Ledger:      uint32(g.condition()),
		Code:        uint16(g.condition()),
		Limit:       g.limit(filters),
		Flags:       ledger.QueryFilterFlags(g.random.Uint32N(2)),
	}
	f.TimestampMin, f.TimestampMax = g.timeRange()
	if g.chance(2) {
		f.Flags |= 1 << (1 + g.random.IntN(31))
	}
	if g.chance(2) {
		f.Reserved[g.random.IntN(len(f.Reserved))] = 1
	}
	b := make([]byte, ledger.QueryFilterSize)
	f.Encode(b)
	return b
}

func (g *Generator) changeEventsFilter() []byte {
	f := ledger.ChangeEventsFilter{Limit: g.limit(3)}
	f.TimestampMin, f.TimestampMax = g.timeRange()
	if g.chance(2) {
		f.Reserved[g.random.IntN(len(f.Reserved))] = 1
	}
	b := make([]byte, ledger.ChangeEventsFilterSize)
	f.Encode(b)
	return b
}
