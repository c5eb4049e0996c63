package forest

import "github.com/ledgerd/ledgerd/ledger"

// scope remembers what RollbackScope needs.
//
// Logs are cut back to where they ended. The schedule is not touched: what is
// in it is looked at before it is believed.
type scope struct {
	open bool

	accountsEnd  position
	accounts     int
	transfersEnd position
	transferRows uint64
	lastTransfer uint64
	pendings     uint64
	touched      []touchedAccount // in order of TouchAccount
	resolved     []uint64         // numbers of pending transfers
}

// touchedAccount is an account before it changed.
type touchedAccount struct {
	ref    ledger.AccountRef
	before account
}

// BeginScope implements ledger.Scopes.
func (t *tables) BeginScope() {
	if t.scope.open {
		panic("forest: a scope within a scope")
	}
	t.scope = scope{
		open:         true,
		accountsEnd:  t.accounts.log.end(),
		accounts:     t.accounts.count,
		transfersEnd: t.transfers.end(),
		transferRows: t.transfers.rows,
		lastTransfer: t.lastTransfer,
		pendings:     t.pendings.count,
		touched:      t.scope.touched[:0],
		resolved:     t.scope.resolved[:0],
	}
}

// TouchAccount implements ledger.Scopes.
func (t *tables) TouchAccount(ref ledger.AccountRef) {
	t.scope.touched = append(t.scope.touched, touchedAccount{ref, *t.accounts.at(ref)})
}

// KeepScope implements ledger.Scopes.
func (t *tables) KeepScope() { t.scope.open = false }

// RollbackScope implements ledger.Scopes.
func (t *tables) RollbackScope() {
	s := &t.scope
	s.open = false
	for i := len(s.touched) - 1; i >= 0; i-- {
		*t.accounts.at(s.touched[i].ref) = s.touched[i].before
	}
	for _, number := range s.resolved {
		t.pendings.setStatus(number, ledger.PendingOpen)
	}
	t.pendings.count = s.pendings
	for at := t.transfers.normal(s.transfersEnd); at != t.transfers.end(); {
		row := t.transfers.at(at)
		t.byID.remove(hashOf(rowID(row)), uint64(at))
		at = t.transfers.normal(at + position(rowLength(row)))
	}
	t.transfers.truncate(s.transfersEnd, s.transferRows)
	t.lastTransfer = s.lastTransfer
	t.accounts.truncate(s.accounts, s.accountsEnd)
}
