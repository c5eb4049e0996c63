package forest

// indexer brings heads and trees up to date with the rows that requests have
// added: at the beginning of the next Prefetch, because a beat of the trees may
// have to wait. So nothing that a request undoes ever reaches them.
type indexer struct {
	tables *tables
	scale  scale
	rows   int // of the beat at hand
	done   func(error)

	// These are made once.
	account, event func(position, []byte) bool
	scanned, next  func(error)
}

func newIndexer(t *tables, s scale) *indexer {
	x := &indexer{tables: t, scale: s}
	x.account, x.event = x.indexAccount, x.indexEvent
	x.scanned, x.next = x.endBeat, x.beginBeat
	return x
}

// run indexes the rows that are not indexed, and then calls done, perhaps before
// it returns.
func (x *indexer) run(done func(error)) {
	x.done = done
	x.beginBeat(nil)
}

// beginBeat puts what follows from the next rows into the trees.
func (x *indexer) beginBeat(err error) {
	t := x.tables
	x.rows = 0
	switch {
	case err != nil:
		x.done(err)
	case t.indexed.accounts < t.accounts.End():
		t.accounts.Scan(t.indexed.accounts, t.accounts.End(), false, x.account, x.scanned)
	case t.indexed.events < t.events.End():
		t.events.Scan(t.indexed.events, t.events.End(), false, x.event, x.scanned)
	default:
		x.done(nil)
	}
}

func (x *indexer) endBeat(err error) {
	if err != nil {
		x.done(err)
		return
	}
	x.tables.trees.endBeat(x.tables.indexed, x.next)
}

func (x *indexer) indexAccount(at position, row []byte) bool {
	t := x.tables
	t.trees.indexAccount(row, t.slotAt(at), at)
	t.indexed.accounts = at + position(len(row))
	x.rows++
	return x.rows < x.scale.beatRows
}

func (x *indexer) indexEvent(at position, row []byte) bool {
	t := x.tables
	if rowKindOf(row) != rowBurnt {
		t.heads.set(rowSlot(row, debitSide), at)
		t.heads.set(rowSlot(row, creditSide), at)
	}
	t.trees.index(row, at)
	t.indexed.events = at + position(len(row))
	x.rows++
	return x.rows < x.scale.beatRows
}
