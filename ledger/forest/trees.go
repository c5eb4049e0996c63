package forest

import (
	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/lsm"
)

// The trees. Their numbers are their order in the manifest and in a beat, and
// choose the kinds of their blocks: append only.
//
//	tree                       key                       value
//	transferIDs                id (2 words)              position, 0 if burnt
//	accountIDs                 id (2 words)              slot
//	accountIndex               slot, position            sides: onDebitSide, onCreditSide
//	expiries                   expires at, number        position of the pending transfer
//	expired                    timestamp of the expiry   position of its row
//	transfersBy + queryField   value, position           0
//	accountsBy + queryField    value, slot               0
//
// Ids and the values of user_data_128 are two words, the upper one first. Values
// of zero are not indexed: no filter can ask for them.
const (
	transferIDs = iota
	accountIDs
	accountIndex
	expiries
	expired
	transfersBy
	accountsBy = transfersBy + queryFields
	treeCount  = accountsBy + queryFields
)

// queryField is a field that general queries ask for.
type queryField int

// The fields, in the order of their trees.
const (
	byUserData128 queryField = iota
	byUserData64
	byUserData32
	byLedger
	byCode
	queryFields = iota
)

// The values of accountIndex say on which side of the transfer the account is.
const (
	onDebitSide  = 1
	onCreditSide = 2
)

// trees are all trees of a ledger. Their entries follow from the rows of both
// logs, in order: index and indexAccount put them, at the end of a request and
// when the rows are replayed.
type trees struct {
	all [treeCount]*lsm.Tree

	// marks are where the rows begin, in the log that the tree follows from, of
	// which entries may not be in tables yet.
	marks [treeCount]treeMarks
	// unbeaten says that entries were put since the last beat.
	unbeaten bool
	// replaying says that entries are put again that were put before a
	// checkpoint: only where they are not in tables.
	replaying bool

	beat beat
}

// treeMarks are positions in the log that a tree follows from.
type treeMarks struct {
	frozen position // where the rows of the frozen memtable begin, 0 if there is none
	active position // the same of the active one
}

func idKey(id ledger.Uint128) lsm.Key                   { return lsm.Key{id.Hi, id.Lo} }
func accountKey(s slot, p position) lsm.Key             { return lsm.Key{uint64(s), uint64(p)} }
func expiryKey(expiresAt, number uint64) lsm.Key        { return lsm.Key{expiresAt, number} }
func expiredKey(timestamp uint64) lsm.Key               { return lsm.Key{timestamp} }
func wideKey(value ledger.Uint128, last uint64) lsm.Key { return lsm.Key{value.Hi, value.Lo, last} }
func fieldKey(value uint64, last uint64) lsm.Key        { return lsm.Key{value, last} }

// treeShapes has what differs between trees.
var treeShapes = [treeCount]lsm.Config{
	transferIDs:                 {Name: "transfer ids", Words: 2, Filter: true},
	accountIDs:                  {Name: "account ids", Words: 2, Filter: true},
	accountIndex:                {Name: "transfers by account", Words: 2},
	expiries:                    {Name: "expiries", Words: 2, Set: true},
	expired:                     {Name: "expired", Words: 1},
	transfersBy + byUserData128: {Name: "transfers by user_data_128", Words: 3},
	transfersBy + byUserData64:  {Name: "transfers by user_data_64", Words: 2},
	transfersBy + byUserData32:  {Name: "transfers by user_data_32", Words: 2},
	transfersBy + byLedger:      {Name: "transfers by ledger", Words: 2},
	transfersBy + byCode:        {Name: "transfers by code", Words: 2},
	accountsBy + byUserData128:  {Name: "accounts by user_data_128", Words: 3},
	accountsBy + byUserData64:   {Name: "accounts by user_data_64", Words: 2},
	accountsBy + byUserData32:   {Name: "accounts by user_data_32", Words: 2},
	accountsBy + byLedger:       {Name: "accounts by ledger", Words: 2},
	accountsBy + byCode:         {Name: "accounts by code", Words: 2},
}

// followsAccounts reports whether a tree follows from the accounts log, and not
// from the events log.
func followsAccounts(tree int) bool { return tree == accountIDs || tree >= accountsBy }

func newTrees(grid Grid, workers lsm.Workers, o Options) *trees {
	t := new(trees)
	for n := range t.all {
		c := treeShapes[n]
		c.Kind = kindTrees + uint8(n)
		c.PageSize = o.PageSize
		c.MemtableEntries = o.MemtableEntries
		c.BeatEntries = o.EventsMax
		if n == accountIndex {
			c.BeatEntries *= 2
		}
		t.all[n] = lsm.New(grid, workers, c)
	}
	t.beat.trees = t
	t.beat.next = treeCount
	t.beat.done = t.beat.treeDone
	return t
}
