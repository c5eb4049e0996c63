package forest

import (
	"fmt"
	"math"

	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/lsm"
)

// pulse resolves which transfers expire, and when the next one will.
func (r *resolver) pulse(timestamp uint64) {
	r.creating = true
	now := timestamp - ledger.PulseSlots // see ledger.Machine: none is dated before it is due
	r.tables.trees.all[expiries].Scan(lsm.Range{Max: expiryKey(now, math.MaxUint64)}, ledger.PulseSlots, r.expiring[:0], r.readDue)
}

// readDue reads the rows of the transfers that expire.
func (r *resolver) readDue(due []lsm.Entry, err error) {
	if err != nil {
		r.finish(err)
		return
	}
	r.expiring, r.positions = due, r.positions[:0]
	s := &r.tables.stash
	var behind lsm.Key
	for _, entry := range due {
		r.positions = append(r.positions, position(entry.Value))
		s.due = append(s.due, stashed{position: position(entry.Value)})
		behind = expiryKey(entry.Key[0], entry.Key[1]+1)
	}
	r.wave.begin(r.rowsFound)
	r.tables.events.Fetch(r.positions, r.takeDue, r.wave.read())
	came := r.wave.read()
	r.tables.trees.all[expiries].Scan(lsm.Range{Min: behind, Max: expiryKey(math.MaxUint64, math.MaxUint64)}, 1, nil, func(next []lsm.Entry, err error) {
		s.nextExpiry = noExpiry
		if len(next) > 0 {
			s.nextExpiry = next[0].Key[0]
		}
		came(err)
	})
	r.wave.end()
}

func (r *resolver) stashDue(i int, row []byte) {
	e := &r.tables.stash.due[i]
	key := r.expiring[i].Key
	if !e.take(row) || expiryKey(e.pending.expiresAt, e.pending.number) != key {
		r.damage = fmt.Errorf("forest: %v of the events is not pending transfer number %d, which expires at %d", e.position, key[1], key[0])
		return
	}
	e.id = e.transfer.ID
}
