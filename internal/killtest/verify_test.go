package killtest

import (
	"context"
	"fmt"

	"github.com/ledgerd/ledgerd/client"
	"github.com/ledgerd/ledgerd/ledger"
)

// A verifier compares the ledger with what workers know.
type verifier struct {
	ctx    context.Context
	client *client.Client
}

// lookup returns the transfers of a worker with the numbers first to end - 1
// that exist, by number.
func (v *verifier) lookup(w *worker, first, end int) (map[int]ledger.Transfer, error) {
	found := make(map[int]ledger.Transfer)
	for ; first < end; first += batchMax {
		var ids []ledger.Uint128
		for i := first; i < min(first+batchMax, end); i++ {
			ids = append(ids, w.id(i))
		}
		transfers, err := v.client.LookupTransfers(v.ctx, ids)
		if err != nil {
			return nil, err
		}
		for _, t := range transfers {
			found[int(t.ID.Lo)-1] = t
		}
	}
	return found, nil
}

// resolve finds out what became of the request that a worker has no answer
// to: everything in it, or nothing.
func (v *verifier) resolve(w *worker) (executed bool, err error) {
	found, err := v.lookup(w, w.unanswered, len(w.records))
	if err != nil {
		return false, err
	}
	wanted := 0
	for i := w.unanswered; i < len(w.records); i++ {
		if r := &w.records[i]; r.want == ledger.TransferCreated {
			wanted++
			r.timestamp = found[i].Timestamp
		}
	}
	// A request in which nothing was to be created leaves no trace.
	executed = len(found) > 0
	if executed && len(found) != wanted {
		return false, fmt.Errorf("worker %d: of a request without an answer, %d transfers are there and %d are not",
			w.number, len(found), wanted-len(found))
	}
	w.settle(executed)
	return executed, nil
}

// transfers compares the transfers of a worker from a number on. It returns
// how many there are.
func (v *verifier) transfers(w *worker, first int) (count int, err error) {
	found, err := v.lookup(w, first, len(w.records))
	if err != nil {
		return 0, err
	}
	for i := first; i < len(w.records); i++ {
		got, there := found[i]
		want := w.sent(i)
		want.Timestamp = w.records[i].timestamp
		switch {
		case there != (want.Timestamp != 0):
			return 0, fmt.Errorf("worker %d: transfer %d is there: %t, want %t: %+v", w.number, i, there, !there, want)
		case there && got != want:
			return 0, fmt.Errorf("worker %d: transfer %d is\n%+v, want\n%+v", w.number, i, got, want)
		}
	}
	return len(found), nil
}

// balances compares all accounts with the transfers of all workers.
func (v *verifier) balances(workers []*worker) error {
	var ids []ledger.Uint128
	for i := range uint8(accountCount) {
		ids = append(ids, accountID(i))
	}
	accounts, err := v.client.LookupAccounts(v.ctx, ids)
	if err != nil {
		return err
	}
	if len(accounts) != accountCount {
		return fmt.Errorf("%d accounts, want %d", len(accounts), accountCount)
	}
	var total balance
	for i, a := range accounts {
		got := balance{a.DebitsPending.Lo, a.DebitsPosted.Lo, a.CreditsPending.Lo, a.CreditsPosted.Lo}
		var want balance
		for _, w := range workers {
			want.add(w.balances[i])
		}
		if got != want {
			return fmt.Errorf("account %d has %+v, its transfers say %+v", i, got, want)
		}
		total.add(got)
	}
	if total.debitsPosted != total.creditsPosted || total.debitsPending != total.creditsPending {
		return fmt.Errorf("debits and credits differ: %+v", total)
	}
	return nil
}

func (b *balance) add(other balance) {
	b.debitsPending += other.debitsPending
	b.debitsPosted += other.debitsPosted
	b.creditsPending += other.creditsPending
	b.creditsPosted += other.creditsPosted
}
