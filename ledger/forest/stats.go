package forest

import "github.com/ledgerd/ledgerd/lsm"

// Stats says what a ledger has, and where. It is for people.
type Stats struct {
	Accounts uint64 // rows of the accounts log
	Events   uint64 // rows of the events log: transfers, expiries and burnt ids
	// Transfers are those that are indexed: at a checkpoint, and after Open, all.
	Transfers  uint64
	Pendings   uint64      // pending transfers there were ever
	Structures []Structure // logs, directories, arrays, then trees in their order
}

// Structure is one of the things that a ledger consists of. Each has blocks of a
// kind of its own.
type Structure struct {
	Name    string
	Kind    uint8  // of its blocks, see KindName
	Entries uint64 // rows, entries of a directory, an array or a tree; those in Memory are not counted
	Memory  uint64 // entries of a tree that are in no table
	Blocks  int    // on the grid
	// Levels of a tree, down to the deepest that has a table.
	Levels []lsm.LevelStats
}

// Stats counts. It reads nothing.
func (f *Forest) Stats() Stats {
	t, payload := f.tables, int64(f.grid.PayloadSize())
	s := Stats{Accounts: t.accounts.Rows(), Events: t.events.Rows(), Pendings: t.pendings}
	add := func(kind uint8, entries uint64, blocks int) {
		s.Structures = append(s.Structures, Structure{Name: KindName(kind), Kind: kind, Entries: entries, Blocks: blocks})
	}
	accounts, events := t.accounts.Stats(), t.events.Stats()
	add(kindAccounts, accounts.Rows, int((accounts.Bytes+payload-1)/payload))
	add(kindEvents, events.Rows, int((events.Bytes+payload-1)/payload))
	add(kindAccountsDirectory, uint64(accounts.Blocks-1), accounts.DirectoryBlocks)
	add(kindEventsDirectory, uint64(events.Blocks-1), events.DirectoryBlocks)
	add(kindHeads, accounts.Rows, t.heads.blocks())
	add(kindStatuses, t.pendings, t.statuses.blocks())
	for n, tree := range t.trees.all {
		s.Structures = append(s.Structures, treeStructure(kindTrees+uint8(n), tree.Stats()))
	}
	byCode := s.Structures[len(s.Structures)-treeCount+transfersBy+int(byCode)] // no code is zero
	s.Transfers = byCode.Entries + byCode.Memory
	return s
}

func treeStructure(kind uint8, stats lsm.Stats) Structure {
	s := Structure{Name: KindName(kind), Kind: kind, Memory: uint64(stats.Memtables), Levels: stats.Levels}
	for _, level := range stats.Levels {
		s.Entries += uint64(level.Entries)
		s.Blocks += level.Blocks
	}
	return s
}

// blocks returns how many chunks are on the grid.
func (a *array) blocks() (n int) {
	for i := range a.chunks {
		if !a.chunks[i].ref.IsZero() {
			n++
		}
	}
	return n
}

// verifyTables reads every block of every tree, one tree after the other.
func (t *trees) verifyTables(done func(error)) { t.verifyTablesFrom(0, done) }

func (t *trees) verifyTablesFrom(n int, done func(error)) {
	if n == treeCount {
		done(nil)
		return
	}
	t.all[n].Verify(nil, func(err error) {
		if err != nil {
			done(err)
			return
		}
		t.verifyTablesFrom(n+1, done)
	})
}
