package forest

import (
	"math"

	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/ledger"
)

// tables is ledger.Tables over logs in memory.
//
// Invariants:
//  1. The transfer log, the expiry log and the account table each ascend
//     strictly by timestamp.
//  2. byID names every transfer of the transfer log and every burnt id.
//  3. An account equals what the newest row of either log says of it.
//  4. Whatever else is in memory follows from the four logs; see rebuild.
type tables struct {
	accounts  accountTable
	transfers log
	expiries  log
	burnt     log
	byID      index // transfer ids to position, or to burntMark + position in burnt
	pendings  pendingTable

	lastTransfer uint64 // timestamp
	scope        scope
	row          newRow // scratch
	expected     expected
	found        []position // scratch of queries
}

// The kinds of our blocks. They are stored: append only.
const (
	kindAccounts  = 16
	kindTransfers = 17
	kindExpiries  = 18
	kindBurnt     = 19
	kindManifest  = 20
)

// burntMark tells positions in the burnt log from those in the transfer log.
const burntMark = 1 << 63

// burntRowSize is the size of a row of the burnt log: a transfer id.
const burntRowSize = u128.Size

func newTables(pageSize int) *tables {
	return &tables{
		accounts:  newAccountTable(pageSize),
		transfers: newLog(log{kind: kindTransfers, pageSize: pageSize, rowMax: rowSlack, keep: true, events: true}),
		expiries:  newLog(log{kind: kindExpiries, pageSize: pageSize, rowMax: rowSlack, keep: true, events: true}),
		burnt:     newLog(log{kind: kindBurnt, pageSize: pageSize, rowMax: burntRowSize, keep: true}),
		byID:      newIndex(),
	}
}

// FindAccount implements ledger.Accounts.
func (t *tables) FindAccount(id ledger.Uint128) (ledger.AccountRef, *ledger.Account) {
	ref, a := t.accounts.find(id)
	if a == nil {
		return 0, nil
	}
	return ref, &a.Account
}

// InsertAccount implements ledger.Accounts.
func (t *tables) InsertAccount(a *ledger.Account) { t.accounts.insert(a) }

// LastAccountTimestamp implements ledger.Accounts.
func (t *tables) LastAccountTimestamp() uint64 { return t.accounts.lastTimestamp() }

// HasAccountAt implements ledger.Accounts.
func (t *tables) HasAccountAt(timestamp uint64) bool { return t.accounts.hasAt(timestamp) }

// expectedMax bounds what ExpectTransfers looks at in one call.
const expectedMax = 64

// expected is the scratch of ExpectTransfers.
type expected struct {
	ids      [expectedMax]uint64                // hashes of the transfers' ids
	accounts [2 * expectedMax]uint64            // hashes of the accounts' ids
	refs     [2 * expectedMax]ledger.AccountRef // plus 1; 0 if there is none
	sum      uint64                             // of all that was loaded
}

// ExpectTransfers implements ledger.Transfers: it touches the memory that the
// transfers will need. A load from main memory takes as long as executing a
// transfer; but loads that do not depend on each other overlap, about ten at a
// time, when hardly any instructions lie between them. Hence the separate loops,
// and the sum, without which the compiler would leave the loads out.
func (t *tables) ExpectTransfers(events []byte) {
	const size = ledger.TransferSize
	n := min(len(events)/size, expectedMax)
	x := &t.expected
	for i := range n {
		event := events[i*size:][:size]
		x.ids[i] = hashOf(u128.FromBytes(event))
		x.accounts[2*i] = hashOf(u128.FromBytes(event[16:]))
		x.accounts[2*i+1] = hashOf(u128.FromBytes(event[32:]))
	}
	sum := uint64(0)
	for _, hash := range x.ids[:n] {
		sum += t.byID.touch(hash)
	}
	for _, hash := range x.accounts[:2*n] {
		sum += t.accounts.byID.touch(hash)
	}
	for i, hash := range x.accounts[:2*n] {
		p := t.accounts.byID.probe(hash)
		x.refs[i] = ledger.AccountRef(p.next())
	}
	for _, ref := range x.refs[:2*n] {
		if ref != 0 {
			a := t.accounts.at(ref - 1)
			sum += a.ID.Lo + a.Timestamp + a.rows // one in each cache line
		}
	}
	x.sum += sum
}

// FindTransfer implements ledger.Transfers. The ref is the position.
func (t *tables) FindTransfer(id ledger.Uint128, into *ledger.Transfer) ledger.TransferRef {
	p := t.byID.probe(hashOf(id))
	for v := p.next(); v != 0; v = p.next() {
		if v&burntMark != 0 {
			if u128.FromBytes(t.burnt.at(position(v&^burntMark))) == id {
				return ledger.TransferBurnt
			}
			continue
		}
		if row := t.transfers.at(position(v)); rowID(row) == id {
			t.readTransfer(row, into)
			return ledger.TransferRef(v)
		}
	}
	return ledger.TransferAbsent
}

// readTransfer decodes a row of the transfer log.
func (t *tables) readTransfer(row []byte, into *ledger.Transfer) {
	r := readRow(row, 0)
	debit := t.accounts.at(rowAccount(row, debitSide))
	credit := t.accounts.at(rowAccount(row, creditSide))
	into.Flags = rowFlags(row)
	into.ID = r.next()
	into.DebitAccountID, into.CreditAccountID = debit.ID, credit.ID
	into.Amount = r.next()
	into.PendingID = r.next()
	if into.Flags&ledger.TransferPending != 0 {
		into.PendingID = ledger.Uint128{} // the field holds its number
	}
	into.UserData128 = r.next()
	into.UserData64 = r.next64()
	v := r.next64()
	into.UserData32, into.Timeout = uint32(v), uint32(v>>32)
	into.Ledger = debit.Ledger
	into.Code = rowCode(row)
	into.Timestamp = rowTimestamp(row)
}

// InsertTransfer implements ledger.Transfers.
func (t *tables) InsertTransfer(x *ledger.Transfer, debitRef, creditRef ledger.AccountRef) {
	debit, credit := t.accounts.at(debitRef), t.accounts.at(creditRef)
	pending := x.Flags&ledger.TransferPending != 0
	r := &t.row
	r.code, r.flags, r.timestamp = x.Code, x.Flags, x.Timestamp
	r.fields[fieldID], r.fields[fieldAmount], r.fields[fieldPending] = x.ID, x.Amount, x.PendingID
	if pending {
		r.fields[fieldPending] = u128.From64(t.pendings.count)
	}
	r.fields[fieldUserData128] = x.UserData128
	r.fields[fieldUserData64] = u128.From64(x.UserData64)
	r.fields[fieldUserData32] = u128.From64(uint64(x.Timeout)<<32 | uint64(x.UserData32))
	t.setAccounts(r, debitRef, creditRef)
	r.debitLinks, r.creditLinks = debit.next(), credit.next()
	r.fields[fieldDebitLink] = u128.From64(uint64(r.debitLinks.previous))
	r.fields[fieldCreditLink] = u128.From64(uint64(r.creditLinks.previous))
	at := t.transfers.push(encodeRow(t.transfers.tail(), r))
	debit.chain(at)
	credit.chain(at)
	t.lastTransfer = x.Timestamp
	t.byID.insert(hashOf(x.ID), uint64(at))
	if pending {
		t.insertPending(x, at)
	}
}

// setAccounts puts both accounts as they are into a row.
func (t *tables) setAccounts(r *newRow, debitRef, creditRef ledger.AccountRef) {
	debit, credit := t.accounts.at(debitRef), t.accounts.at(creditRef)
	r.debit, r.credit = debitRef, creditRef
	r.debitFlags, r.creditFlags = debit.Flags, credit.Flags
	r.setBalances(fieldDebit, debit)
	r.setBalances(fieldCredit, credit)
}

func (t *tables) insertPending(x *ledger.Transfer, at position) {
	number := t.pendings.count
	t.pendings.insert(at)
	if x.Timeout != 0 {
		t.pendings.schedule.push(scheduled{expiry(x.Timestamp, x.Timeout), number})
	}
}

// expiry returns when a transfer with a timeout in seconds expires.
func expiry(timestamp uint64, timeout uint32) uint64 {
	return timestamp + uint64(timeout)*1_000_000_000
}

// BurnTransfer implements ledger.Transfers.
func (t *tables) BurnTransfer(id ledger.Uint128) {
	id.PutBytes(t.burnt.tail())
	t.byID.insert(hashOf(id), burntMark|uint64(t.burnt.push(burntRowSize)))
}

// LastTransferTimestamp implements ledger.Transfers.
func (t *tables) LastTransferTimestamp() uint64 { return t.lastTransfer }

// HasTransferAt implements ledger.Transfers.
func (t *tables) HasTransferAt(timestamp uint64) bool { return t.transfers.hasAt(timestamp) }

// pendingNumber returns the number of a pending transfer.
func (t *tables) pendingNumber(ref ledger.TransferRef) uint64 {
	r := readRow(t.transfers.at(position(ref)), fieldPending)
	return r.next64()
}

// PendingStatus implements ledger.Pendings.
func (t *tables) PendingStatus(ref ledger.TransferRef) ledger.PendingStatus {
	return t.pendings.at(t.pendingNumber(ref)).status()
}

// ResolvePending implements ledger.Pendings.
func (t *tables) ResolvePending(ref ledger.TransferRef, status ledger.PendingStatus) {
	number := t.pendingNumber(ref)
	if t.pendings.at(number).status() != ledger.PendingOpen {
		panic("forest: a pending transfer is resolved twice")
	}
	t.pendings.setStatus(number, status)
	if t.scope.open {
		t.scope.resolved = append(t.scope.resolved, number)
	}
}

// NextExpiry implements ledger.Pendings.
func (t *tables) NextExpiry() uint64 {
	h := &t.pendings.schedule
	for h.count > 0 {
		if t.scheduledRow(*h.at(0)) != nil {
			return h.at(0).at
		}
		h.pop()
	}
	return math.MaxUint64
}

// scheduledRow returns the row of a scheduled transfer, or nil if it need not
// expire: it was resolved, or rolled back, and another may have its number.
func (t *tables) scheduledRow(s scheduled) []byte {
	if s.number >= t.pendings.count {
		return nil
	}
	p := *t.pendings.at(s.number)
	if p.status() != ledger.PendingOpen {
		return nil
	}
	row := t.transfers.at(p.position())
	if s.at != rowExpiry(row) {
		return nil
	}
	return row
}

// rowExpiry returns when a pending transfer expires, math.MaxUint64 if never.
func rowExpiry(row []byte) uint64 {
	timeout := rowTimeout(row)
	if timeout == 0 {
		return math.MaxUint64
	}
	return expiry(rowTimestamp(row), timeout)
}

// TakeExpired implements ledger.Pendings.
func (t *tables) TakeExpired(now uint64, limit int, expired []ledger.ExpiredTransfer) []ledger.ExpiredTransfer {
	h := &t.pendings.schedule
	for limit > 0 && t.NextExpiry() <= now {
		s := h.pop()
		expired = append(expired, ledger.ExpiredTransfer{})
		e := &expired[len(expired)-1]
		e.Ref = ledger.TransferRef(t.pendings.at(s.number).position())
		t.readTransfer(t.scheduledRow(s), &e.Transfer)
		limit--
		// The same transfer may be scheduled twice, if it was rolled back
		// and another took its number and its time.
		for h.count > 0 && *h.at(0) == s {
			h.pop()
		}
	}
	return expired
}

// InsertExpiry implements ledger.Pendings.
func (t *tables) InsertExpiry(timestamp uint64, ref ledger.TransferRef, debitRef, creditRef ledger.AccountRef) {
	r := &t.row
	*r = newRow{timestamp: timestamp}
	r.fields[fieldPending] = u128.From64(t.pendingNumber(ref))
	r.fields[fieldDebitLink] = u128.From64(uint64(t.transfers.end()))
	t.setAccounts(r, debitRef, creditRef)
	t.expiries.push(encodeRow(t.expiries.tail(), r))
}

// HasExpiryAt implements ledger.Pendings.
func (t *tables) HasExpiryAt(timestamp uint64) bool { return t.expiries.hasAt(timestamp) }
