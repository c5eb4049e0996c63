// Package model is the oracle: a second, naive implementation of the ledger
// that the real one is compared with.
//
// It is written straight from SEMANTICS.md, with slices, maps and scans, so
// that each rule can be held against its sentence; speed and memory do not
// matter. It must never import the real machine or its storage, and it must
// not become clever: whatever both sides share, they get wrong together.
// Records, flags and status codes are package ledger's, and so is the meaning
// of the methods of Model, which are those of vsr.StateMachine.
//
// Everything is deterministic. A Model belongs to one goroutine.
package model

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/ledgerd/ledgerd/ledger"
)

// Model is a whole ledger in memory. The zero value is not usable: see New.
type Model struct {
	state
	// burnt holds the ids that failed for transient reasons. It lies outside
	// of state because no rollback touches it (SEMANTICS.md section 9).
	burnt map[ledger.Uint128]bool
}

// state is all that a broken chain takes back. It obeys:
//
//  1. accounts ascend by timestamp, and so do transfers (section 5.3);
//  2. accountIndex and transferIndex name each record by its id;
//  3. events holds one element per transfer and per expiry, as they happened.
type state struct {
	accounts      []ledger.Account
	transfers     []transfer
	events        []event
	accountIndex  map[ledger.Uint128]int
	transferIndex map[ledger.Uint128]int
}

// transfer is a stored transfer with the state that its record does not show.
type transfer struct {
	ledger.Transfer
	resolution resolution // of a pending transfer
}

// resolution says what became of a pending transfer.
type resolution uint8

const (
	unresolved resolution = iota
	posted
	voided
	expired
)

// event is a change event: a transfer as stored, or when it expired, with its
// accounts as they were right after it.
type event struct {
	kind          ledger.ChangeEventType
	timestamp     uint64
	transfer      ledger.Transfer
	debit, credit ledger.Account
}

// New returns an empty ledger.
func New() *Model {
	return &Model{
		state: state{
			accountIndex:  make(map[ledger.Uint128]int),
			transferIndex: make(map[ledger.Uint128]int),
		},
		burnt: make(map[ledger.Uint128]bool),
	}
}

// Clone returns a copy: what happens to one does not show in the other.
func (m *Model) Clone() *Model {
	return &Model{state: m.state.clone(), burnt: maps.Clone(m.burnt)}
}

// clone copies what can change. Events never do, and clipped they are not
// appended to in place.
func (s *state) clone() state {
	return state{
		accounts:      slices.Clone(s.accounts),
		transfers:     slices.Clone(s.transfers),
		events:        slices.Clip(s.events),
		accountIndex:  maps.Clone(s.accountIndex),
		transferIndex: maps.Clone(s.transferIndex),
	}
}

// account returns the account with this id, or nil. The pointer serves until
// the next account is added.
func (s *state) account(id ledger.Uint128) *ledger.Account {
	if i, ok := s.accountIndex[id]; ok {
		return &s.accounts[i]
	}
	return nil
}

// transfer returns the transfer with this id, or nil. The pointer serves
// until the next transfer is added.
func (s *state) transfer(id ledger.Uint128) *transfer {
	if i, ok := s.transferIndex[id]; ok {
		return &s.transfers[i]
	}
	return nil
}

func (s *state) addAccount(a ledger.Account) {
	if n := len(s.accounts); n > 0 && s.accounts[n-1].Timestamp >= a.Timestamp {
		panic(fmt.Sprintf("model: account at %d after %d", a.Timestamp, s.accounts[n-1].Timestamp))
	}
	s.accountIndex[a.ID] = len(s.accounts)
	s.accounts = append(s.accounts, a)
}

// addTransfer stores t and records its change event. The balances and flags
// of its accounts must be the new ones already.
func (s *state) addTransfer(t ledger.Transfer, kind ledger.ChangeEventType) {
	if n := len(s.transfers); n > 0 && s.transfers[n-1].Timestamp >= t.Timestamp {
		panic(fmt.Sprintf("model: transfer at %d after %d", t.Timestamp, s.transfers[n-1].Timestamp))
	}
	s.transferIndex[t.ID] = len(s.transfers)
	s.transfers = append(s.transfers, transfer{Transfer: t})
	s.addEvent(t, kind, t.Timestamp)
}

func (s *state) addEvent(t ledger.Transfer, kind ledger.ChangeEventType, timestamp uint64) {
	s.events = append(s.events, event{
		kind: kind, timestamp: timestamp, transfer: t,
		debit: *s.account(t.DebitAccountID), credit: *s.account(t.CreditAccountID),
	})
}

// Commit executes a request at its timestamp and appends the reply's body to
// reply. The body must have passed Check; a malformed one panics.
func (m *Model) Commit(operation byte, timestamp uint64, body, reply []byte) []byte {
	op := ledger.Operation(operation)
	if op == ledger.OperationPulse {
		m.expire(timestamp)
		return reply
	}
	shape, ok := shapes[op]
	if !ok {
		panic(fmt.Sprintf("model: operation %d", operation))
	}
	batches, err := shape.split(body)
	if err != nil {
		panic(fmt.Sprintf("model: %v body: %v", op, err))
	}
	slot := timestamp + 1 // of the first event
	for _, batch := range batches {
		slot -= uint64(shape.slots(batch))
	}
	var counts []uint16
	for _, batch := range batches {
		before := len(reply)
		reply = m.execute(op, batch, slot, reply)
		counts = append(counts, uint16((len(reply)-before)/shape.resultSize))
		slot += uint64(shape.slots(batch))
	}
	if shape.plain {
		return reply
	}
	return appendTrailer(reply, shape.resultSize, counts)
}

// execute runs one batch, whose first event owns slot, and appends its
// results.
func (m *Model) execute(op ledger.Operation, batch []byte, slot uint64, reply []byte) []byte {
	switch op {
	case ledger.OperationCreateAccounts:
		return appendResults(reply, m.createAccounts(batch, slot))
	case ledger.OperationCreateTransfers:
		return appendResults(reply, m.createTransfers(batch, slot))
	case ledger.OperationCreateAccountsSparse, ledger.OperationCreateAccountsUnbatched:
		return appendFailures(reply, m.createAccounts(batch, slot))
	case ledger.OperationCreateTransfersSparse, ledger.OperationCreateTransfersUnbatched:
		return appendFailures(reply, m.createTransfers(batch, slot))
	case ledger.OperationLookupAccounts, ledger.OperationLookupAccountsUnbatched:
		return m.lookupAccounts(batch, reply)
	case ledger.OperationLookupTransfers, ledger.OperationLookupTransfersUnbatched:
		return m.lookupTransfers(batch, reply)
	case ledger.OperationGetAccountTransfers, ledger.OperationGetAccountTransfersUnbatched:
		return m.getAccountTransfers(batch, shapes[op].resultsMax(), reply)
	case ledger.OperationGetAccountBalances, ledger.OperationGetAccountBalancesUnbatched:
		return m.getAccountBalances(batch, shapes[op].resultsMax(), reply)
	case ledger.OperationQueryAccounts, ledger.OperationQueryAccountsUnbatched:
		return m.queryAccounts(batch, shapes[op].resultsMax(), reply)
	case ledger.OperationQueryTransfers, ledger.OperationQueryTransfersUnbatched:
		return m.queryTransfers(batch, shapes[op].resultsMax(), reply)
	case ledger.OperationGetChangeEvents:
		return m.getChangeEvents(batch, shapes[op].resultsMax(), reply)
	}
	panic(fmt.Sprintf("model: operation %v", op))
}

// appendResults encodes one result per event (PROTOCOL.md section 14.3).
func appendResults(reply []byte, results []result) []byte {
	for _, r := range results {
		reply = binary.LittleEndian.AppendUint64(reply, r.timestamp)
		reply = binary.LittleEndian.AppendUint32(reply, r.status)
		reply = binary.LittleEndian.AppendUint32(reply, 0)
	}
	return reply
}

// appendFailures encodes what the deprecated create operations tell: the
// events that were not created (PROTOCOL.md section 15.3).
func appendFailures(reply []byte, results []result) []byte {
	for i, r := range results {
		if r.status != created {
			reply = binary.LittleEndian.AppendUint32(reply, uint32(i))
			reply = binary.LittleEndian.AppendUint32(reply, r.status)
		}
	}
	return reply
}
