package killtest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/ledgerd/ledgerd/client"
	"github.com/ledgerd/ledgerd/ledger"
)

// A till is two accounts. Money goes from the safe to the drawer and back, and
// the drawer cannot be overdrawn: so what becomes of a withdrawal tells of
// everything that was executed before it.
type till int

const tillCount = 4

func (n till) safe() ledger.Uint128   { return ledger.Uint128{Hi: 1, Lo: 2*uint64(n) + 1} }
func (n till) drawer() ledger.Uint128 { return ledger.Uint128{Hi: 1, Lo: 2*uint64(n) + 2} }

// createTills creates the accounts of all tills.
func createTills(ctx context.Context, c *client.Client) error {
	var accounts []ledger.Account
	for n := range till(tillCount) {
		accounts = append(accounts,
			ledger.Account{ID: n.safe(), Ledger: 1, Code: 1},
			ledger.Account{ID: n.drawer(), Ledger: 1, Code: 1, Flags: ledger.AccountDebitsMustNotExceedCredits})
	}
	return allCreated(c.CreateAccounts(ctx, accounts))
}

// A question is what a teller asks, as the checker of histories sees it.
type question struct {
	till   till
	action action
	amount uint64
}

type action int

const (
	look     action = iota // at the drawer
	deposit                // from the safe to the drawer
	withdraw               // from the drawer to the safe
)

// An answer is what the cluster says. For a transfer: whether it was created;
// for a look: the drawer's sums.
type answer struct {
	unknown bool
	created bool
	drawer  drawer
}

// A drawer is what has come in and gone out.
type drawer struct{ in, out uint64 }

// next is what a drawer does with a question, and whether it may answer so.
func (d drawer) next(q question, a answer) (bool, drawer) {
	after := d
	created := q.action != look
	switch {
	case q.action == deposit:
		after.in += q.amount
	case q.action == withdraw && d.out+q.amount <= d.in:
		after.out += q.amount
	default:
		created = false
	}
	if a.unknown {
		return true, after
	}
	if q.action == look {
		return a.drawer == d, d
	}
	return a.created == created, after
}

// drawers is the model that histories are compared with: each till by itself.
var drawers = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		tills := make([][]porcupine.Operation, tillCount)
		for _, op := range history {
			n := op.Input.(question).till
			tills[n] = append(tills[n], op)
		}
		return tills
	},
	Init: func() any { return drawer{} },
	Step: func(state, input, output any) (bool, any) {
		return state.(drawer).next(input.(question), output.(answer))
	},
}

// A dated is a transfer that was created, for the comparison of the order in
// which the cluster dates transfers with that in which they were made.
type dated struct {
	timestamp    uint64
	call, answer int64
}

// A teller is a client that makes one small request after the other, and notes
// when each began and what came of it, and when.
type teller struct {
	number  int
	client  *client.Client
	random  *rand.Rand
	watch   *stopwatch
	atMost  time.Duration // that a call waits for its answer
	history []porcupine.Operation
	sent    []ledger.Transfer // with timestamps, if acknowledged
	dates   []dated
	// pending are the operations in history without an answer.
	pending []int
}

// run makes requests until ctx ends.
func (w *teller) run(ctx context.Context) error {
	for ctx.Err() == nil {
		q := question{till: till(w.number % tillCount), action: action(w.random.IntN(3)), amount: 1 + w.random.Uint64N(100)}
		op := porcupine.Operation{ClientId: w.number, Input: q, Call: time.Now().UnixNano()}
		begun := time.Now()
		call, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.atMost)
		a, err := w.ask(call, q, op.Call)
		cancel()
		op.Output, op.Return = a, time.Now().UnixNano()
		switch {
		case errors.Is(err, client.ErrOutcomeUnknown):
			op.Output, op.Return = answer{unknown: true}, math.MaxInt64
			w.pending = append(w.pending, len(w.history))
		case errors.Is(err, context.DeadlineExceeded):
			continue // it was never sent
		case err != nil:
			return fmt.Errorf("teller %d: %w", w.number, err)
		default:
			w.settle(op.Return)
			w.watch.answered(w.number, begun, q.action != look)
		}
		w.history = append(w.history, op)
	}
	return nil
}

// settle takes note of an answer: a client asks the next question when it has
// the answer to the one before, so that all before it have been executed, or
// never will be.
func (w *teller) settle(now int64) {
	for _, i := range w.pending {
		w.history[i].Return = now
	}
	w.pending = w.pending[:0]
}

func (w *teller) ask(ctx context.Context, q question, begun int64) (answer, error) {
	if q.action == look {
		found, err := w.client.LookupAccounts(ctx, []ledger.Uint128{q.till.drawer()})
		if err != nil {
			return answer{}, err
		}
		if len(found) != 1 {
			return answer{}, fmt.Errorf("till %d has %d drawers", q.till, len(found))
		}
		return answer{drawer: drawer{found[0].CreditsPosted.Lo, found[0].DebitsPosted.Lo}}, nil
	}
	t := ledger.Transfer{
		ID:              ledger.Uint128{Hi: 1000 + uint64(w.number), Lo: uint64(len(w.sent)) + 1},
		DebitAccountID:  q.till.safe(),
		CreditAccountID: q.till.drawer(),
		Amount:          ledger.Uint128{Lo: q.amount},
		Ledger:          1,
		Code:            1,
	}
	if q.action == withdraw {
		t.DebitAccountID, t.CreditAccountID = t.CreditAccountID, t.DebitAccountID
	}
	w.sent = append(w.sent, t)
	results, err := w.client.CreateTransfers(ctx, []ledger.Transfer{t})
	switch {
	case errors.Is(err, client.ErrOutcomeUnknown):
		return answer{}, err
	case err != nil:
		w.sent = w.sent[:len(w.sent)-1] // so that it is seen if the id was used after all
		return answer{}, err
	case results[0].Status == ledger.TransferCreated:
		w.sent[len(w.sent)-1].Timestamp = results[0].Timestamp
		w.dates = append(w.dates, dated{results[0].Timestamp, begun, time.Now().UnixNano()})
		return answer{created: true}, nil
	case results[0].Status == ledger.TransferExceedsCredits:
		return answer{}, nil
	}
	return answer{}, fmt.Errorf("transfer %+v: %v", t, results[0].Status)
}

// checkHistory fails unless there is one order of everything that tellers have
// asked, in keeping with when they did, that explains all answers.
func checkHistory(t *testing.T, tellers []*teller) {
	t.Helper()
	var history []porcupine.Operation
	var dates []dated
	for _, w := range tellers {
		history = append(history, w.history...)
		dates = append(dates, w.dates...)
	}
	began := time.Now()
	if result := porcupine.CheckOperationsTimeout(drawers, history, patience); result != porcupine.Ok {
		t.Errorf("the history of %d operations is not linearizable: %v", len(history), result)
	}
	t.Logf("%d operations of tellers judged in %v", len(history), time.Since(began).Round(time.Millisecond))

	slices.SortFunc(dates, func(a, b dated) int { return int(a.timestamp) - int(b.timestamp) })
	latest := int64(math.MinInt64) // call of those with a lower timestamp
	for _, d := range dates {
		if d.answer < latest {
			t.Errorf("the transfer of timestamp %d was made before one that has a lower timestamp", d.timestamp)
		}
		latest = max(latest, d.call)
	}
}

// teller compares what the ledger has of a teller with what it knows.
func (v *verifier) teller(w *teller) error {
	for rest := w.sent; len(rest) > 0; rest = rest[min(batchMax, len(rest)):] {
		batch := rest[:min(batchMax, len(rest))]
		var ids []ledger.Uint128
		for _, t := range batch {
			ids = append(ids, t.ID)
		}
		found, err := v.client.LookupTransfers(v.ctx, ids)
		if err != nil {
			return err
		}
		there := make(map[ledger.Uint128]ledger.Transfer)
		for _, t := range found {
			there[t.ID] = t
		}
		for _, want := range batch {
			got, executed := there[want.ID]
			acknowledged := want.Timestamp != 0
			if !acknowledged {
				want.Timestamp = got.Timestamp
			}
			if (executed || acknowledged) && got != want {
				return fmt.Errorf("teller %d: a transfer is\n%+v, want\n%+v", w.number, got, want)
			}
		}
	}
	return nil
}

// A stopwatch measures how long it takes from a moment until tellers are
// answered what they have asked after it.
type stopwatch struct {
	mu      sync.Mutex
	began   time.Time // zero while it does not run
	waiting map[int]bool
	first   time.Duration // until the first write; 0 if there was none yet
	last    time.Duration // until all tellers have been answered; likewise
	writes  int           // acknowledged in all
}

// start begins a measurement, for so many tellers.
func (s *stopwatch) start(now time.Time, tellers int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.began, s.first, s.last, s.waiting = now, 0, 0, make(map[int]bool)
	for i := range tellers {
		s.waiting[i] = true
	}
}

// answered takes note of an answer to what a teller asked at a time.
func (s *stopwatch) answered(teller int, begun time.Time, write bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if write {
		s.writes++
	}
	if s.began.IsZero() || begun.Before(s.began) {
		return
	}
	if write && s.first == 0 {
		s.first = time.Since(s.began)
	}
	delete(s.waiting, teller)
	if len(s.waiting) == 0 && s.last == 0 {
		s.last = time.Since(s.began)
	}
}

// read returns what was measured; 0 for what has not happened yet.
func (s *stopwatch) read() (first, last time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.first, s.last
}

// count returns how many writes were acknowledged since the test began.
func (s *stopwatch) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writes
}
