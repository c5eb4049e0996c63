package forest

import "github.com/ledgerd/ledgerd/internal/u128"

// lookupTransfers resolves the ids of a lookup. Of ids that ascend with time, the
// fences of the events log name the part that has the row: one read each. Others,
// out of order or not there, are asked of the tree, which costs a read more.
func (r *resolver) lookupTransfers(ids []byte) {
	r.sought = r.sought[:0]
	for ; len(ids) > 0; ids = ids[u128.Size:] {
		r.sought = append(r.sought, u128.FromBytes(ids))
	}
	r.tables.events.Find(r.sought, r.takeSought, r.foundByFences)
}

// stashSought takes the row of an id that is where the fences say.
func (r *resolver) stashSought(i int, at position, row []byte) {
	e, added := r.tables.stash.add(r.sought[i])
	if !added {
		return
	}
	e.position = at
	e.burnt = !e.take(row)
}

// findRest asks the tree for the ids that Find has not found.
func (r *resolver) findRest(err error) {
	if err != nil {
		r.finish(err)
		return
	}
	for _, id := range r.sought {
		if r.tables.stash.find(id) == nil {
			r.ids = append(r.ids, idKey(id))
		}
	}
	if len(r.ids) == 0 {
		r.finish(nil)
		return
	}
	r.findTransfers(r.idsFound)
}
