package forest

import (
	"math"

	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/lsm"
	"github.com/ledgerd/ledgerd/lsm/rowlog"
)

// queries answers the queries of a request while it is prefetched, several at a
// time. Machine.Plan asks it, as ledger.Queries; the answers go to the stash,
// and tables gives them, in the same order, when the request is executed.
type queries struct {
	tables  *tables
	asked   []question
	next    int  // question to begin with
	open    int  // questions that are being answered
	turning bool // run is at work further up the stack
	err     error
	done    func(error)
	loaders []*loader // idle ones
}

// question is a query that is to be answered.
type question interface {
	// begin fills the question's answer and then calls done, perhaps before it
	// returns.
	begin(done func(error))
}

// queriesMax is how many queries are worked at at a time. Each has up to
// hundreds of reads in flight.
const queriesMax = 16

func newQueries(t *tables) *queries { return &queries{tables: t} }

// reset forgets the request before.
func (q *queries) reset() {
	clear(q.asked)
	q.asked, q.next, q.err = q.asked[:0], 0, nil
}

// run answers what was asked since reset.
func (q *queries) run(done func(error)) {
	q.done = done
	q.turn()
}

// turn begins as many questions as may be open, and ends when none is.
func (q *queries) turn() {
	if q.turning {
		return
	}
	q.turning = true
	for q.err == nil && q.next < len(q.asked) && q.open < queriesMax {
		q.next++
		q.open++
		q.asked[q.next-1].begin(q.answered)
	}
	q.turning = false
	if q.open == 0 {
		q.done(q.err)
	}
}

func (q *queries) answered(err error) {
	q.open--
	if q.err == nil {
		q.err = err
	}
	q.turn()
}

// idleLoader returns a loader; who is done with it gives it back to loaders.
func (q *queries) idleLoader() *loader {
	n := len(q.loaders)
	if n == 0 {
		return newLoader(q.tables)
	}
	l := q.loaders[n-1]
	q.loaders = q.loaders[:n-1]
	return l
}

// AppendAccountTransfers implements ledger.Queries: it takes the question.
func (q *queries) AppendAccountTransfers(f *ledger.AccountFilter, limit int, reply []byte) []byte {
	q.askAccount(f, ledger.TransferSize, limit)
	return reply
}

// AppendAccountBalances implements ledger.Queries: it takes the question.
func (q *queries) AppendAccountBalances(f *ledger.AccountFilter, limit int, reply []byte) []byte {
	q.askAccount(f, ledger.AccountBalanceSize, limit).balances = true
	return reply
}

func (q *queries) askAccount(f *ledger.AccountFilter, size, limit int) *accountQuery {
	x := &accountQuery{filter: *f, queries: q}
	x.rows = rowQuery{tables: q.tables, answer: q.tables.stash.expect(size, limit), take: x.take}
	q.asked = append(q.asked, x)
	return x
}

// AppendAccounts implements ledger.Queries: it takes the question.
func (q *queries) AppendAccounts(f *ledger.QueryFilter, limit int, reply []byte) []byte {
	q.asked = append(q.asked, &accountsQuery{
		queries: q, filter: *f, answer: q.tables.stash.expect(ledger.AccountSize, limit),
	})
	return reply
}

// AppendTransfers implements ledger.Queries: it takes the question.
func (q *queries) AppendTransfers(f *ledger.QueryFilter, limit int, reply []byte) []byte {
	x := &transfersQuery{filter: *f}
	x.rows = rowQuery{tables: q.tables, answer: q.tables.stash.expect(ledger.TransferSize, limit), take: x.take}
	q.asked = append(q.asked, x)
	return reply
}

// AppendChangeEvents implements ledger.Queries: it takes the question.
func (q *queries) AppendChangeEvents(f *ledger.ChangeEventsFilter, limit int, reply []byte) []byte {
	q.asked = append(q.asked, &eventsQuery{
		tables: q.tables, filter: *f, answer: q.tables.stash.expect(ledger.ChangeEventSize, limit),
	})
	return reply
}

// AppendAccountTransfers implements ledger.Queries: it gives the next answer.
func (t *tables) AppendAccountTransfers(_ *ledger.AccountFilter, _ int, reply []byte) []byte {
	return t.stash.appendAnswer(reply)
}

// AppendAccountBalances implements ledger.Queries: it gives the next answer.
func (t *tables) AppendAccountBalances(_ *ledger.AccountFilter, _ int, reply []byte) []byte {
	return t.stash.appendAnswer(reply)
}

// AppendAccounts implements ledger.Queries: it gives the next answer.
func (t *tables) AppendAccounts(_ *ledger.QueryFilter, _ int, reply []byte) []byte {
	return t.stash.appendAnswer(reply)
}

// AppendTransfers implements ledger.Queries: it gives the next answer.
func (t *tables) AppendTransfers(_ *ledger.QueryFilter, _ int, reply []byte) []byte {
	return t.stash.appendAnswer(reply)
}

// AppendChangeEvents implements ledger.Queries: it gives the next answer.
func (t *tables) AppendChangeEvents(_ *ledger.ChangeEventsFilter, _ int, reply []byte) []byte {
	return t.stash.appendAnswer(reply)
}

// conditions appends those that the fields which are not zero make on the five
// trees from first on.
func (t *trees) conditions(first int, f *queried, dst []lsm.Condition) []lsm.Condition {
	add := func(field queryField, prefix lsm.Key) {
		if prefix != (lsm.Key{}) {
			dst = append(dst, lsm.Condition{Tree: t.all[first+int(field)], Prefix: prefix})
		}
	}
	add(byUserData128, wideKey(f.userData128, 0))
	add(byUserData64, fieldKey(f.userData64, 0))
	add(byUserData32, fieldKey(uint64(f.userData32), 0))
	add(byLedger, fieldKey(uint64(f.ledger), 0))
	add(byCode, fieldKey(uint64(f.code), 0))
	return dst
}

// span is the rows of a log from low on and before high.
type span struct{ low, high position }

// seek finds the rows of a log with stamps from timestampMin to timestampMax,
// both included, of which 0 is no bound. The reads belong to a wave.
func (s *span) seek(log *rowlog.Log, timestampMin, timestampMax uint64, w *wave) {
	s.low, s.high = 0, math.MaxUint64
	find := func(stamp uint64, p *position) {
		came := w.read()
		log.Seek(stamp, func(found position, err error) {
			*p = found
			came(err)
		})
	}
	if timestampMin != 0 {
		find(timestampMin, &s.low)
	}
	if timestampMax != 0 {
		find(timestampMax+1, &s.high)
	}
}
