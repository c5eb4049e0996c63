package forest

import (
	"fmt"

	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/lsm"
	"github.com/ledgerd/ledgerd/lsm/rowlog"
)

// Verify reads the whole ledger and calls done with what is wrong with it, nil
// if nothing: the invariants of SEMANTICS.md section 19, those of tables, and
// that the trees hold what follows from the rows and nothing else. No other
// method may be called before done. It takes some microseconds for each
// transfer and about a hundred bytes of memory for each account.
func (f *Forest) Verify(done func(error)) {
	f.indexer.run(func(err error) {
		if err != nil {
			done(err)
			return
		}
		f.tables.trees.verifyTables(func(err error) {
			if err != nil {
				done(err)
				return
			}
			f.tables.verify(done)
		})
	})
}

func (t *tables) verify(done func(error)) {
	v := &verifier{tables: t, done: done, accounts: make([]verified, t.slots())}
	v.expected = trees{replaying: true, sums: new([treeCount]entrySum)}
	v.lookups.tables = t
	v.fences = t.events.NewFenceCheck()
	v.scanAccounts(0)
}

// verifier reads the accounts log, then the events log, then the trees, then
// looks at what is in memory. It stops at the first error.
type verifier struct {
	tables   *tables
	accounts []verified // by slot
	lookups  lookups
	fences   rowlog.FenceCheck
	expected trees // whose sums are those of the entries that follow from the rows
	err      error
	done     func(error)

	slots        slot   // accounts that were scanned
	lastAccount  uint64 // timestamp
	events       uint64 // rows that were scanned
	lastTransfer uint64 // timestamp
	lastExpiry   uint64 // timestamp
	older        slot   // the first account that is not older than the transfer
	pendings     uint64 // pending transfers that were scanned
}

// verified is what is known of an account after the rows that were scanned.
type verified struct {
	balances
	timestamp uint64
	newest    position
	// What its open pending transfers come to, modulo 2^64.
	openDebits, openCredits uint64
	closing                 uint32 // how many of them closed it
}

// fail ends the verification.
func (v *verifier) fail(err error) {
	done := v.done
	v.done = nil
	done(fmt.Errorf("forest: %w", err))
}

// scanAccounts reads the accounts log from a position on, a batch at a time, and
// demands that every account is found by its id.
func (v *verifier) scanAccounts(from position) {
	t := v.tables
	end := from
	v.lookups.reset()
	t.accounts.Scan(from, t.accounts.End(), false, func(p position, row []byte) bool {
		end = p + accountRowSize
		v.account(p, row)
		return v.err == nil && len(v.lookups.accounts.keys) < lookupsMax
	}, func(err error) {
		v.continueAfter(err, func() {
			if v.slots < t.slots() && end > from {
				v.scanAccounts(end)
				return
			}
			v.scanEvents(0)
		})
	})
}

// continueAfter looks up what a scan has found, and goes on if all is well.
func (v *verifier) continueAfter(err error, next func()) {
	if err == nil {
		err = v.err
	}
	if err != nil {
		v.fail(err)
		return
	}
	v.lookups.run(func(err error) {
		if err != nil {
			v.fail(err)
			return
		}
		next()
	})
}

func (v *verifier) account(p position, row []byte) {
	a := accountFromRow(row)
	switch {
	case v.slots >= v.tables.slots() || p != v.tables.accountAt(v.slots):
		v.err = fmt.Errorf("%v of the accounts is not that of account number %d", p, v.slots)
		return
	case a.Timestamp <= v.lastAccount || a.Timestamp > v.tables.lastAccount:
		v.err = fmt.Errorf("account %v has the timestamp %d after %d", a.ID, a.Timestamp, v.lastAccount)
		return
	}
	v.accounts[v.slots] = verified{balances: balances{flags: a.Flags}, timestamp: a.Timestamp}
	v.lookups.accounts.add(idKey(a.ID), uint64(v.slots))
	v.expected.indexAccount(row, v.slots, p)
	v.lastAccount = a.Timestamp
	v.slots++
}

// scanEvents does the same with the events log.
func (v *verifier) scanEvents(from position) {
	t := v.tables
	end := from
	v.lookups.reset()
	t.events.Scan(from, t.events.End(), false, func(p position, row []byte) bool {
		end = p + position(rowLength(row))
		v.events++
		v.event(p, row)
		return v.err == nil && len(v.lookups.transfers.keys) < lookupsMax
	}, func(err error) {
		v.continueAfter(err, func() {
			if v.events < t.events.Rows() && end > from {
				v.scanEvents(end)
				return
			}
			v.scanTree(0, lsm.Key{}, new(entrySum))
		})
	})
}

// treeWindow is how many entries of a tree are read at a time.
const treeWindow = 8192

// scanTree reads the entries of a tree, from a key on, and then those of the
// other trees.
func (v *verifier) scanTree(n int, from lsm.Key, sum *entrySum) {
	if n == treeCount {
		v.inMemory()
		return
	}
	tree := v.tables.trees.all[n]
	tree.Scan(lsm.Range{Min: from, Max: keyMax(n)}, treeWindow, nil, func(entries []lsm.Entry, err error) {
		for _, e := range entries {
			sum.add(e.Key, summed(n, e.Value))
		}
		switch {
		case err != nil:
			v.fail(err)
		case len(entries) == treeWindow:
			next, _ := entries[treeWindow-1].Key.Next()
			v.scanTree(n, next, sum)
		case *sum != v.expected.sums[n]:
			v.fail(fmt.Errorf("tree %s has %d entries, %d follow from the rows, and they are not the same",
				treeShapes[n].Name, sum.count, v.expected.sums[n].count))
		default:
			v.scanTree(n+1, lsm.Key{}, new(entrySum))
		}
	})
}

// keyMax returns the last key that a tree can have.
func keyMax(n int) (key lsm.Key) {
	for i := range treeShapes[n].Words {
		key[i] = 1<<64 - 1
	}
	return key
}

// inMemory compares what is in memory with what the rows say.
func (v *verifier) inMemory() {
	t := v.tables
	switch {
	case v.slots != t.slots() || v.events != t.events.Rows():
		v.fail(fmt.Errorf("the logs have %d and %d rows, but only %d and %d were found", t.slots(), t.events.Rows(), v.slots, v.events))
		return
	case v.lastAccount != t.lastAccount || v.lastTransfer != t.lastTransfer || v.pendings != t.pendings:
		v.fail(fmt.Errorf("the rows end at %d and %d with %d pending transfers, not at %d and %d with %d",
			v.lastAccount, v.lastTransfer, v.pendings, t.lastAccount, t.lastTransfer, t.pendings))
		return
	}
	var sums [4]ledger.Uint128 // modulo 2^128: what is equal stays equal
	for s := range v.accounts {
		a := &v.accounts[s]
		if err := v.checkAccount(slot(s), a); err != nil {
			v.fail(fmt.Errorf("account number %d: %w", s, err))
			return
		}
		for i, b := range [...]ledger.Uint128{a.debitsPending, a.creditsPending, a.debitsPosted, a.creditsPosted} {
			sums[i], _ = sums[i].Add(b)
		}
	}
	if sums[0] != sums[1] || sums[2] != sums[3] {
		v.fail(fmt.Errorf("all debits are %v pending and %v posted, all credits %v and %v", sums[0], sums[2], sums[1], sums[3]))
		return
	}
	done := v.done
	v.done = nil
	done(nil)
}

func (v *verifier) checkAccount(s slot, a *verified) error {
	debits, debitsOverflow := a.debitsPending.Add(a.debitsPosted)
	credits, creditsOverflow := a.creditsPending.Add(a.creditsPosted)
	cached := v.tables.cache.ofSlot(s)
	switch {
	case v.tables.heads.at(s) != a.newest:
		return fmt.Errorf("its newest row is %v, not %v", a.newest, v.tables.heads.at(s))
	case cached != nil && (balancesOf(&cached.Account) != a.balances || cached.Timestamp != a.timestamp):
		return fmt.Errorf("its rows come to %+v, but it is cached as %+v", a.balances, cached.Account)
	case debitsOverflow || creditsOverflow:
		return fmt.Errorf("the sum of two balances overflows")
	case a.debitsPending.Lo != a.openDebits || a.creditsPending.Lo != a.openCredits:
		return fmt.Errorf("%v and %v are pending, but open transfers come to %d and %d modulo 2^64",
			a.debitsPending, a.creditsPending, a.openDebits, a.openCredits)
	case a.flags&ledger.AccountDebitsMustNotExceedCredits != 0 && a.creditsPosted.Less(debits):
		return fmt.Errorf("debits %v exceed credits %v", debits, a.creditsPosted)
	case a.flags&ledger.AccountCreditsMustNotExceedDebits != 0 && a.debitsPosted.Less(credits):
		return fmt.Errorf("credits %v exceed debits %v", credits, a.debitsPosted)
	case a.closing > 1 || a.closing == 1 && a.flags&ledger.AccountClosed == 0:
		return fmt.Errorf("%d open transfers closed it, its flags are %#x", a.closing, a.flags)
	}
	return nil
}

func balancesOf(a *ledger.Account) balances {
	return balances{a.DebitsPending, a.DebitsPosted, a.CreditsPending, a.CreditsPosted, a.Flags}
}
