package forest

import "github.com/ledgerd/ledgerd/ledger"

// AppendChangeEvents implements ledger.Queries: it merges the transfer log and
// the expiry log by time.
func (t *tables) AppendChangeEvents(f *ledger.ChangeEventsFilter, limit int, reply []byte) []byte {
	transfer, transferEnd := t.transfers.bounds(f.TimestampMin, f.TimestampMax)
	expiry, expiryEnd := t.expiries.bounds(f.TimestampMin, f.TimestampMax)
	transferEnd = min(transferEnd, t.transfers.end())
	expiryEnd = min(expiryEnd, t.expiries.end())
	transfer, expiry = t.transfers.normal(transfer), t.expiries.normal(expiry)
	var x ledger.Transfer
	for ; limit > 0 && (transfer < transferEnd || expiry < expiryEnd); limit-- {
		var row []byte
		var kind ledger.ChangeEventType
		if expiry >= expiryEnd || transfer < transferEnd &&
			rowTimestamp(t.transfers.at(transfer)) < rowTimestamp(t.expiries.at(expiry)) {
			row = t.transfers.at(transfer)
			t.readTransfer(row, &x)
			kind = kindOf(x.Flags)
			transfer = t.transfers.normal(transfer + position(rowLength(row)))
		} else {
			row = t.expiries.at(expiry)
			r := readRow(row, fieldPending)
			t.readTransfer(t.transfers.at(t.pendings.at(r.next64()).position()), &x)
			kind = ledger.ChangeEventTwoPhaseExpired
			expiry = t.expiries.normal(expiry + position(rowLength(row)))
		}
		e := t.changeEvent(kind, &x, row)
		reply = e.Append(reply)
	}
	return reply
}

func kindOf(flags ledger.TransferFlags) ledger.ChangeEventType {
	switch {
	case flags&ledger.TransferPending != 0:
		return ledger.ChangeEventTwoPhasePending
	case flags&ledger.TransferPostPendingTransfer != 0:
		return ledger.ChangeEventTwoPhasePosted
	case flags&ledger.TransferVoidPendingTransfer != 0:
		return ledger.ChangeEventTwoPhaseVoided
	}
	return ledger.ChangeEventSinglePhase
}

// changeEvent tells of transfer x; row has the accounts after it.
func (t *tables) changeEvent(kind ledger.ChangeEventType, x *ledger.Transfer, row []byte) ledger.ChangeEvent {
	debit := t.accounts.at(rowAccount(row, debitSide))
	credit := t.accounts.at(rowAccount(row, creditSide))
	d, c := readBalances(row, debitSide), readBalances(row, creditSide)
	return ledger.ChangeEvent{
		TransferID:          x.ID,
		TransferAmount:      x.Amount,
		TransferPendingID:   x.PendingID,
		TransferUserData128: x.UserData128,
		TransferUserData64:  x.UserData64,
		TransferUserData32:  x.UserData32,
		TransferTimeout:     x.Timeout,
		TransferCode:        x.Code,
		TransferFlags:       x.Flags,
		Ledger:              x.Ledger,
		Type:                kind,

		DebitAccountID:             debit.ID,
		DebitAccountDebitsPending:  d.debitsPending,
		DebitAccountDebitsPosted:   d.debitsPosted,
		DebitAccountCreditsPending: d.creditsPending,
		DebitAccountCreditsPosted:  d.creditsPosted,
		DebitAccountUserData128:    debit.UserData128,
		DebitAccountUserData64:     debit.UserData64,
		DebitAccountUserData32:     debit.UserData32,
		DebitAccountCode:           debit.Code,
		DebitAccountFlags:          d.flags,

		CreditAccountID:             credit.ID,
		CreditAccountDebitsPending:  c.debitsPending,
		CreditAccountDebitsPosted:   c.debitsPosted,
		CreditAccountCreditsPending: c.creditsPending,
		CreditAccountCreditsPosted:  c.creditsPosted,
		CreditAccountUserData128:    credit.UserData128,
		CreditAccountUserData64:     credit.UserData64,
		CreditAccountUserData32:     credit.UserData32,
		CreditAccountCode:           credit.Code,
		CreditAccountFlags:          c.flags,

		Timestamp:              rowTimestamp(row),
		TransferTimestamp:      x.Timestamp,
		DebitAccountTimestamp:  debit.Timestamp,
		CreditAccountTimestamp: credit.Timestamp,
	}
}
