package forest

import (
	"slices"

	"github.com/ledgerd/ledgerd/lsm"
	"github.com/ledgerd/ledgerd/lsm/rowlog"
)

// times finds out which of the timestamps of imported events others have.
type times struct {
	tables *tables
	asked  []uint64
	log    logTimes
	keys   []lsm.Key // of asked, in the tree of expiries by their timestamps
	values []uint64
}

func (t *times) reset() { t.asked = t.asked[:0] }

func (t *times) add(timestamp uint64) { t.asked = append(t.asked, timestamp) }

// ofTransfers finds out which timestamps are those of transfers, for the stash.
func (t *times) ofTransfers(done func(error)) {
	t.log = logTimes{log: t.tables.events, into: &t.tables.stash.transfersAt, done: done}
	t.log.find(t.asked, t.tables.lastTransfer)
}

// ofAccounts finds out which timestamps are those of accounts, for the stash.
func (t *times) ofAccounts(done func(error)) {
	t.log = logTimes{log: t.tables.accounts, into: &t.tables.stash.accountsAt, done: done}
	t.log.find(t.asked, t.tables.lastAccount)
}

// ofExpiries finds out which timestamps are those of expiries, for the stash.
func (t *times) ofExpiries(done func(error)) {
	t.keys = t.keys[:0]
	for _, timestamp := range t.asked {
		t.keys = append(t.keys, expiredKey(timestamp))
	}
	t.values = slices.Grow(t.values[:0], len(t.keys))[:len(t.keys)]
	t.tables.trees.all[expired].Lookup(t.keys, t.values, func(err error) {
		s := &t.tables.stash
		for i, value := range t.values {
			if value != lsm.Absent {
				s.expiriesAt = append(s.expiriesAt, t.keys[i][0])
			}
		}
		slices.Sort(s.expiriesAt)
		done(err)
	})
}

// logTimes looks for rows of a log whose stamps are among some timestamps: the
// first row of a stamp is the one that has it as its timestamp.
type logTimes struct {
	log       *rowlog.Log
	into      *[]uint64
	wave      wave
	stamps    []uint64
	positions []position // of the first rows at stamps or behind
	done      func(error)
}

// find asks for timestamps; those behind the last one of the log are not there.
func (l *logTimes) find(timestamps []uint64, last uint64) {
	for _, timestamp := range timestamps {
		if timestamp != 0 && timestamp <= last {
			l.stamps = append(l.stamps, timestamp)
		}
	}
	if len(l.stamps) == 0 {
		l.done(nil)
		return
	}
	slices.Sort(l.stamps)
	l.stamps = slices.Compact(l.stamps)
	l.positions = make([]position, len(l.stamps))
	l.wave.begin(l.sought)
	for i, stamp := range l.stamps {
		came := l.wave.read()
		l.log.Seek(stamp, func(p position, err error) {
			l.positions[i] = p
			came(err)
		})
	}
	l.wave.end()
}

func (l *logTimes) sought(err error) {
	if err != nil {
		l.done(err)
		return
	}
	l.log.Fetch(l.positions, func(i int, row []byte) {
		if rowStamp(row) == l.stamps[i] {
			*l.into = append(*l.into, l.stamps[i])
		}
	}, func(err error) {
		slices.Sort(*l.into)
		l.done(err)
	})
}
