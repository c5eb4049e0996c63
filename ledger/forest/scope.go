package forest

import (
	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/lsm/rowlog"
)

// scope remembers what RollbackScope needs. Trees and heads are not changed
// before the end of a request, so they need no undoing.
type scope struct {
	open bool

	accounts     rowlog.Mark
	events       rowlog.Mark
	slots        slot
	lastAccount  uint64
	lastTransfer uint64
	pendings     uint64
	nextExpiry   uint64
	batch        int              // entries
	touched      []touchedAccount // in order of TouchAccount
	resolved     []uint64         // numbers of pending transfers
}

// touchedAccount is an account before it changed.
type touchedAccount struct {
	ref    ledger.AccountRef
	before ledger.Account
}

// BeginScope implements ledger.Scopes.
func (t *tables) BeginScope() {
	if t.scope.open {
		panic("forest: a scope within a scope")
	}
	t.scope = scope{
		open:         true,
		accounts:     t.accounts.Mark(),
		events:       t.events.Mark(),
		slots:        t.slots(),
		lastAccount:  t.lastAccount,
		lastTransfer: t.lastTransfer,
		pendings:     t.pendings,
		nextExpiry:   t.nextExpiry,
		batch:        len(t.batch.entries),
		touched:      t.scope.touched[:0],
		resolved:     t.scope.resolved[:0],
	}
}

// TouchAccount implements ledger.Scopes.
func (t *tables) TouchAccount(ref ledger.AccountRef) {
	t.scope.touched = append(t.scope.touched, touchedAccount{ref, t.account(ref).Account})
}

// KeepScope implements ledger.Scopes.
func (t *tables) KeepScope() { t.scope.open = false }

// RollbackScope implements ledger.Scopes.
func (t *tables) RollbackScope() {
	s := &t.scope
	s.open = false
	for i := len(s.touched) - 1; i >= 0; i-- {
		t.account(s.touched[i].ref).Account = s.touched[i].before
	}
	for _, number := range s.resolved {
		t.statuses.set(number, ledger.PendingOpen, t.began.events)
	}
	for n := t.slots(); n > s.slots; n-- {
		t.cache.remove(n - 1)
	}
	t.batch.truncate(s.batch)
	t.accounts.Truncate(s.accounts)
	t.events.Truncate(s.events)
	t.lastAccount, t.lastTransfer = s.lastAccount, s.lastTransfer
	t.pendings, t.nextExpiry = s.pendings, s.nextExpiry
}
