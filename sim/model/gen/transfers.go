package gen

import "github.com/ledgerd/ledgerd/ledger"

// transferEvents makes a batch of transfers to create.
func (g *Generator) transferEvents(now uint64) []byte {
	count, imported, base := g.batchShape(now)
	batch := make([]byte, count*ledger.TransferSize)
	for i := range count {
		t, promising := g.transferEvent()
		if imported != g.chance(1) {
			t.Flags |= ledger.TransferImported
			t.Timestamp = g.importTimestamp(i, base, now)
			if g.chance(90) {
				t.Timeout = 0
			}
		}
		if g.chance(1) {
			t.Timestamp = now
		}
		t.Encode(batch[i*ledger.TransferSize:])
		if promising {
			g.transfers = remember(g.transfers, t, transferWindow)
		}
	}
	return batch
}

// transferEvent repeats a transfer, resolves one, or makes a new one. It is
// promising if it is no repetition and has no fault.
func (g *Generator) transferEvent() (t ledger.Transfer, promising bool) {
	roll := g.random.IntN(100)
	if len(g.transfers) == 0 {
		roll = 100
	}
	switch {
	case roll < 15:
		t = pick(g, g.transfers...)
		if g.chance(75) {
			g.changeTransfer(&t)
		}
		return t, false
	case roll < 40:
		t, promising = g.resolution(), true
		for g.chance(15) {
			g.spoilResolution(&t)
			promising = false
		}
	default:
		t, promising = g.newTransfer(), true
		for g.chance(10) {
			g.spoilTransfer(&t)
			promising = false
		}
	}
	return t, promising
}

// newTransfer makes a regular or pending transfer with a fresh id.
func (g *Generator) newTransfer() ledger.Transfer {
	g.transferIDs++
	t := ledger.Transfer{
		ID:              number(g.transferIDs),
		DebitAccountID:  g.accountID(),
		CreditAccountID: g.accountID(),
		Amount:          g.amount(),
		UserData128:     number(g.userData()),
		UserData64:      g.userData(),
		UserData32:      uint32(g.userData()),
		Ledger:          1,
		Code:            1 + uint16(g.random.IntN(2)),
	}
	for range 3 {
		if t.CreditAccountID == t.DebitAccountID {
			t.CreditAccountID = g.accountID()
		}
	}
	if g.chance(3) {
		t.Ledger = 2
	}
	for _, flag := range []struct {
		flag    ledger.TransferFlags
		percent int
	}{
		{ledger.TransferLinked, 12},
		{ledger.TransferPending, 40},
		{ledger.TransferBalancingDebit, 10},
		{ledger.TransferBalancingCredit, 10},
	} {
		if g.chance(flag.percent) {
			t.Flags |= flag.flag
		}
	}
	if t.Flags&ledger.TransferPending != 0 {
		t.Timeout = pick[uint32](g, 0, 0, 0, 1, 1, 2, 3, 1<<32-1)
		if g.chance(8) {
			t.Flags |= pick(g, ledger.TransferClosingDebit, ledger.TransferClosingCredit,
				ledger.TransferClosingDebit|ledger.TransferClosingCredit)
		}
	}
	return t
}

// resolution makes a post or void of a recent transfer, usually a pending one.
func (g *Generator) resolution() ledger.Transfer {
	p := pick(g, g.transfers...)
	for range 8 {
		if p.Flags&ledger.TransferPending == 0 {
			p = pick(g, g.transfers...)
		}
	}
	g.transferIDs++
	t := ledger.Transfer{
		ID:        number(g.transferIDs),
		PendingID: p.ID,
		Flags:     pick(g, ledger.TransferPostPendingTransfer, ledger.TransferVoidPendingTransfer),
		Amount:    pick(g, number(0), ledger.AmountMax, p.Amount, p.Amount, g.amount()),
	}
	if g.chance(30) {
		t.DebitAccountID, t.CreditAccountID, t.Ledger, t.Code = p.DebitAccountID, p.CreditAccountID, p.Ledger, p.Code
	}
	if g.chance(30) {
		t.UserData128, t.UserData64, t.UserData32 = number(g.userData()), g.userData(), uint32(g.userData())
	}
	if g.chance(8) {
		t.Flags |= ledger.TransferLinked
	}
	return t
}

// spoilTransfer makes one of the faults that creation must notice.
func (g *Generator) spoilTransfer(t *ledger.Transfer) {
	switch g.random.IntN(9) {
	case 0:
		t.ID = pick(g, number(0), maxID)
	case 1:
		t.DebitAccountID = pick(g, number(0), maxID, t.CreditAccountID, number(g.accountIDs+1))
	case 2:
		t.CreditAccountID = pick(g, number(0), maxID, t.DebitAccountID, number(g.accountIDs+1))
	case 3:
		t.PendingID = number(1)
	case 4:
		t.Timeout = 1
	case 5:
		t.Ledger = 0
	case 6:
		t.Code = 0
	case 7:
		t.Flags |= 1 << g.random.IntN(9)
	case 8:
		t.Flags |= 1 << (9 + g.random.IntN(7))
	}
}

// spoilResolution makes one of the faults that posting and voiding must
// notice.
func (g *Generator) spoilResolution(t *ledger.Transfer) {
	switch g.random.IntN(8) {
	case 0:
		t.Flags |= 1 << g.random.IntN(9)
	case 1:
		t.PendingID = pick(g, number(0), maxID, t.ID, number(g.transferIDs+1))
	case 2:
		t.Timeout = 1
	case 3:
		t.DebitAccountID = g.accountID()
	case 4:
		t.CreditAccountID = g.accountID()
	case 5:
		t.Ledger ^= 3
	case 6:
		t.Code ^= 3
	case 7:
		t.ID = g.transferID()
	}
}

// changeTransfer changes one field that a repeated request is compared by.
func (g *Generator) changeTransfer(t *ledger.Transfer) {
	switch g.random.IntN(12) {
	case 0:
		t.Flags ^= 1 << g.random.IntN(9)
	case 1:
		t.DebitAccountID = g.accountID()
	case 2:
		t.CreditAccountID = g.accountID()
	case 3:
		t.Amount.Lo++
	case 4:
		t.Amount = pick(g, number(0), ledger.AmountMax)
	case 5:
		t.PendingID = g.transferID()
	case 6:
		t.UserData128.Hi ^= 1
	case 7:
		t.UserData64 ^= 1 << 63
	case 8:
		t.UserData32 ^= 1
	case 9:
		t.Timeout ^= 1
	case 10:
		t.Ledger ^= 3
	case 11:
		t.Code ^= 3
	}
}
