package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/ledgerd/ledgerd/ledger"
)

// Question is a kind of query that Run asks after the transfers.
type Question int

// The questions. Accounts, ids and values are drawn at random.
const (
	AskAccount     Question = iota // transfers of an account, as many as fit a reply, oldest first
	AskAccountLast                 // the last 100 transfers of an account
	AskTransfers                   // a message full of transfers by their ids
	AskUserData                    // the transfers with a user_data_64, of which there are ten in a run of some size
	QuestionCount                  // how many questions there are
)

// String returns the question's name in reports.
func (q Question) String() string {
	return [...]string{"account-transfers", "account-last-100", "lookup-transfers", "user-data-64"}[q]
}

// questioner asks the questions of one run.
type questioner struct {
	*driver
	random *rand.Rand
	ids    []ledger.Uint128 // of some transfers, in random order
	asked  int              // of ids
}

// query asks each question as often as the workload says. A question that has
// nothing to ask for is left out.
func (d *driver) query(ctx context.Context) (answers [QuestionCount]Latencies, err error) {
	q := &questioner{driver: d, random: rand.New(rand.NewPCG(d.Workload.Seed, uint64(d.Workload.Clients)))}
	for _, client := range d.clients {
		q.ids = append(q.ids, client.generator.marks.kept...)
	}
	q.random.Shuffle(len(q.ids), func(i, j int) { q.ids[i], q.ids[j] = q.ids[j], q.ids[i] })
	for question := range QuestionCount {
		latencies := newHistogram()
		for range d.Workload.Queries {
			ask := q.prepare(question)
			if ask == nil {
				break
			}
			start := time.Now()
			if err := ask(ctx, d.clients[0].ledger); err != nil {
				return answers, fmt.Errorf("bench: query %v: %w", question, err)
			}
			record(latencies, time.Since(start))
		}
		answers[question] = newLatencies(latencies)
	}
	return answers, nil
}

// prepare draws what to ask for. It returns nil if there is nothing.
func (q *questioner) prepare(question Question) func(context.Context, Ledger) error {
	switch question {
	case AskAccount:
		return q.askAccount(TransferBatchMax, 0)
	case AskAccountLast:
		return q.askAccount(100, ledger.AccountFilterReversed)
	case AskTransfers:
		return q.askTransfers()
	case AskUserData:
		return q.askUserData()
	}
	panic("bench: unknown question")
}

func (q *questioner) askAccount(limit uint32, order ledger.AccountFilterFlags) func(context.Context, Ledger) error {
	filter := ledger.AccountFilter{
		AccountID: accountID(q.run, q.random.IntN(q.Workload.Accounts)),
		Limit:     limit,
		Flags:     ledger.AccountFilterDebits | ledger.AccountFilterCredits | order,
	}
	return func(ctx context.Context, l Ledger) error {
		_, err := l.GetAccountTransfers(ctx, filter)
		return err
	}
}

func (q *questioner) askTransfers() func(context.Context, Ledger) error {
	if len(q.ids) == 0 {
		return nil
	}
	if q.asked == len(q.ids) {
		q.asked = 0
	}
	ids := q.ids[q.asked:min(q.asked+TransferBatchMax, len(q.ids))]
	q.asked += len(ids)
	return func(ctx context.Context, l Ledger) error {
		found, err := l.LookupTransfers(ctx, ids)
		if err == nil && len(found) != len(ids) {
			err = fmt.Errorf("%d of %d transfers are there", len(found), len(ids))
		}
		return err
	}
}

func (q *questioner) askUserData() func(context.Context, Ledger) error {
	m := &q.clients[q.random.IntN(len(q.clients))].generator.marks
	if m.marked == 0 {
		return nil
	}
	value := q.random.Uint64N(min(m.values, m.marked))
	want := (m.marked-value-1)/m.values + 1
	filter := ledger.QueryFilter{UserData64: m.base + value + 1, Limit: TransferBatchMax}
	return func(ctx context.Context, l Ledger) error {
		found, err := l.QueryTransfers(ctx, filter)
		if err == nil && uint64(len(found)) < min(want, TransferBatchMax) {
			err = fmt.Errorf("%d of %d transfers with user_data_64 %d are there", len(found), want, filter.UserData64)
		}
		return err
	}
}
