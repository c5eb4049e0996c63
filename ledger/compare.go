package ledger

// compareTransfer tells how t differs from the stored transfer e that has its
// id: SEMANTICS.md section 7.2.
func (m *Machine) compareTransfer(t, e *Transfer) CreateTransferStatus {
	switch {
	case t.Flags != e.Flags:
		return TransferExistsWithDifferentFlags
	case t.PendingID != e.PendingID:
		return TransferExistsWithDifferentPendingID
	case t.Timeout != e.Timeout:
		return TransferExistsWithDifferentTimeout
	}
	if t.Flags&transferTwoPhase != 0 {
		m.tables.FindTransfer(e.PendingID, &m.pending)
		return compareResolution(t, e, &m.pending)
	}
	// A balancing request asked for at least what was moved.
	amountDiffers := t.Amount != e.Amount
	if t.Flags&transferBalancing != 0 {
		amountDiffers = t.Amount.Less(e.Amount)
	}
	switch {
	case t.DebitAccountID != e.DebitAccountID:
		return TransferExistsWithDifferentDebitAccountID
	case t.CreditAccountID != e.CreditAccountID:
		return TransferExistsWithDifferentCreditAccountID
	case amountDiffers:
		return TransferExistsWithDifferentAmount
	case t.UserData128 != e.UserData128:
		return TransferExistsWithDifferentUserData128
	case t.UserData64 != e.UserData64:
		return TransferExistsWithDifferentUserData64
	case t.UserData32 != e.UserData32:
		return TransferExistsWithDifferentUserData32
	case t.Ledger != e.Ledger:
		return TransferExistsWithDifferentLedger
	case t.Code != e.Code:
		return TransferExistsWithDifferentCode
	}
	return TransferExists
}

// compareResolution does the same for a post or void e of p: SEMANTICS.md
// section 8.3. Here zero in t means "as in p", and e has what that came to.
func compareResolution(t, e, p *Transfer) CreateTransferStatus {
	switch {
	case !t.DebitAccountID.IsZero() && t.DebitAccountID != e.DebitAccountID:
		return TransferExistsWithDifferentDebitAccountID
	case !t.CreditAccountID.IsZero() && t.CreditAccountID != e.CreditAccountID:
		return TransferExistsWithDifferentCreditAccountID
	case resolvedAmount(t, p) != e.Amount:
		return TransferExistsWithDifferentAmount
	case orInherited(t.UserData128, p.UserData128) != e.UserData128:
		return TransferExistsWithDifferentUserData128
	case orInherited(t.UserData64, p.UserData64) != e.UserData64:
		return TransferExistsWithDifferentUserData64
	case orInherited(t.UserData32, p.UserData32) != e.UserData32:
		return TransferExistsWithDifferentUserData32
	case t.Ledger != 0 && t.Ledger != e.Ledger:
		return TransferExistsWithDifferentLedger
	case t.Code != 0 && t.Code != e.Code:
		return TransferExistsWithDifferentCode
	}
	return TransferExists
}

// orInherited returns v, or what it inherits if it is zero.
func orInherited[T comparable](v, inherited T) T {
	var zero T
	if v == zero {
		return inherited
	}
	return v
}
