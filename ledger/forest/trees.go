package forest

import (
	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/lsm"
	"github.com/ledgerd/ledgerd/lsm/rowlog"
)

// The trees. Their numbers are their order in the manifest and in a beat, and
// choose the kinds of their blocks: append only.
//
//	tree                       key                       value
//	transferIDs                id (2 words)              position, 0 if burnt
//	accountIDs                 id (2 words)              slot
//	accountIndex               slot*2 + side, position   0
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

// trees are all trees of a ledger. Their entries follow from the rows of both
// logs, in order: index and indexAccount put them, before the next request and
// when the rows are replayed.
type trees struct {
	all [treeCount]*lsm.Tree

	// replaying says that entries are put again that were put before a
	// checkpoint: only where they are not in tables, from the tree's mark on.
	replaying bool
	marks     [treeCount]position
	// sums are of the entries that would have been put again, or nil: for Verify.
	sums *[treeCount]entrySum

	beat beat
}

func idKey(id ledger.Uint128) lsm.Key                   { return lsm.Key{id.Hi, id.Lo} }
func sideWord(s slot, on side) uint64                   { return uint64(s)<<1 | uint64(on) }
func accountKey(s slot, on side, p position) lsm.Key    { return lsm.Key{sideWord(s, on), uint64(p)} }
func expiryKey(expiresAt, number uint64) lsm.Key        { return lsm.Key{expiresAt, number} }
func expiredKey(timestamp uint64) lsm.Key               { return lsm.Key{timestamp} }
func wideKey(value ledger.Uint128, last uint64) lsm.Key { return lsm.Key{value.Hi, value.Lo, last} }
func fieldKey(value uint64, last uint64) lsm.Key        { return lsm.Key{value, last} }

// treeShapes has what differs between trees.
var treeShapes = [treeCount]lsm.Config{
	transferIDs:                 {Name: "transfer ids", Words: 2, Filter: true},
	accountIDs:                  {Name: "account ids", Words: 2, Filter: true},
	accountIndex:                {Name: "transfers by account", Words: 2, Tiered: true},
	expiries:                    {Name: "expiries", Words: 2, Set: true},
	expired:                     {Name: "expired", Words: 1, Tiered: true},
	transfersBy + byUserData128: {Name: "transfers by user_data_128", Words: 3, Tiered: true},
	transfersBy + byUserData64:  {Name: "transfers by user_data_64", Words: 2, Tiered: true},
	transfersBy + byUserData32:  {Name: "transfers by user_data_32", Words: 2, Tiered: true},
	transfersBy + byLedger:      {Name: "transfers by ledger", Words: 2, Tiered: true},
	transfersBy + byCode:        {Name: "transfers by code", Words: 2, Tiered: true},
	accountsBy + byUserData128:  {Name: "accounts by user_data_128", Words: 3, Tiered: true},
	accountsBy + byUserData64:   {Name: "accounts by user_data_64", Words: 2, Tiered: true},
	accountsBy + byUserData32:   {Name: "accounts by user_data_32", Words: 2, Tiered: true},
	accountsBy + byLedger:       {Name: "accounts by ledger", Words: 2, Tiered: true},
	accountsBy + byCode:         {Name: "accounts by code", Words: 2, Tiered: true},
}

// followsAccounts reports whether a tree follows from the accounts log, and not
// from the events log.
func followsAccounts(tree int) bool { return tree == accountIDs || tree >= accountsBy }

func newTrees(grid Grid, workers lsm.Workers, s scale) *trees {
	t := new(trees)
	for n := range t.all {
		c := treeShapes[n]
		c.Kind = kindTrees + uint8(n)
		c.PageSize = s.pageSize
		c.MemtableEntries = s.memtableEntries
		if n == transferIDs {
			// Random ids are merged more often than all else together: a level less
			// is worth the memory.
			c.MemtableEntries = s.idEntries
		}
		c.BeatEntries = s.beatRows
		c.MarkSpan = uint64(s.replayBlocks) * uint64(rowlog.BlockSpan)
		if n == accountIndex {
			c.BeatEntries *= 2
		}
		t.all[n] = lsm.New(grid, workers, c)
	}
	t.beat.init(t)
	return t
}

// endBeat ends the beat of all trees, one after the other: so the order in which
// they acquire blocks does not depend on what takes how long. The rows behind
// indexed are those of later beats.
func (t *trees) endBeat(indexed ends, done func(error)) {
	b := &t.beat
	b.indexed, b.next, b.done = indexed, 0, done
	b.run()
}

// beat is a beat of all trees on its way.
type beat struct {
	trees   *trees
	indexed ends
	next    int // tree
	done    func(error)

	// running says that the tree at hand was called and has not returned yet.
	running, ended bool
	treeDone       func(error) // what a tree calls, made once
}

func (b *beat) init(t *trees) {
	b.trees = t
	b.treeDone = func(err error) {
		if err != nil {
			b.next = treeCount
			b.done(err)
			return
		}
		b.ended = true
		if !b.running {
			b.run()
		}
	}
}

// run goes on until it has to wait for a tree.
func (b *beat) run() {
	for b.next < treeCount {
		mark := b.indexed.events
		if followsAccounts(b.next) {
			mark = b.indexed.accounts
		}
		tree := b.trees.all[b.next]
		b.next++
		b.running, b.ended = true, false
		tree.Beat(uint64(mark), b.treeDone)
		b.running = false
		if !b.ended {
			return
		}
	}
	b.done(nil)
}
