package ledger

import (
	"fmt"

	"github.com/ledgerd/ledgerd/internal/multibatch"
)

// PulseSlots is how many timestamps a pulse takes, and so how many transfers
// it expires at most: as many as the largest create_transfers body holds.
const PulseSlots = 8190

// Machine applies the rules of the ledger to Tables. It is deterministic: the
// same operations with the same timestamps give the same replies and the same
// tables. One goroutine uses it.
type Machine struct {
	tables    Tables
	accounts  creation
	transfers creation

	// What follows is scratch, so that no batch allocates.

	counts       []uint16
	resultCounts []uint16
	expired      []ExpiredTransfer
	account      Account  // the event at hand
	request      Transfer // the event at hand
	existing     Transfer // the stored transfer with the event's id
	pending      Transfer // the pending transfer of a post or void
	scoped       bool     // a scope is open
}

// NewMachine returns a Machine over tables, which it alone may change from
// then on.
func NewMachine(tables Tables) *Machine {
	m := &Machine{tables: tables, expired: make([]ExpiredTransfer, 0, PulseSlots)}
	m.accounts = m.accountCreation()
	m.transfers = m.transferCreation()
	return m
}

// Check judges a request by its shape alone, before it is ordered. known is
// false if clients may not ask for the operation, valid is false if the body
// is malformed or asks for more than a reply holds (PROTOCOL.md section 12.3).
// slots is how many timestamps the request takes: one for each event to create.
// bodySizeLimit is the largest request body of this server.
func (m *Machine) Check(operation Operation, body []byte, bodySizeLimit int) (slots int, known, valid bool) {
	s := operation.shape()
	if s.eventSize == 0 {
		return 0, false, false
	}
	counts, payload, err := s.split(body, m.counts[:0])
	if err != nil {
		return 0, true, false
	}
	m.counts = counts
	if !s.fits(counts, payload, bodySizeLimit) {
		return 0, true, false
	}
	if s.creates {
		slots = len(payload) / s.eventSize
	}
	return slots, true, true
}

// Pulse reports whether transfers are due to expire at cluster time now, and
// how many timestamps the pulse takes.
func (m *Machine) Pulse(now uint64) (slots int, due bool) {
	return PulseSlots, m.tables.NextExpiry() <= now
}

// Execute carries out one operation and appends the body of its reply to
// reply. The request passed Check; OperationPulse comes with an empty body.
// timestamp is the operation's own, and the last slot of what it creates.
func (m *Machine) Execute(operation Operation, timestamp uint64, body, reply []byte) []byte {
	if operation == OperationPulse {
		m.expire(timestamp)
		return reply
	}
	s := operation.shape()
	counts, payload, err := s.split(body, m.counts[:0])
	if err != nil {
		panic(fmt.Sprintf("ledger: %v executed without Check: %v", operation, err))
	}
	m.counts, m.resultCounts = counts, m.resultCounts[:0]
	slot := timestamp
	if s.creates {
		slot -= uint64(len(payload) / s.eventSize)
	}
	for _, count := range counts {
		size := int(count) * s.eventSize
		if s.creates {
			slot += uint64(count)
		}
		start := len(reply)
		reply = m.executeBatch(operation, slot, payload[:size], reply)
		m.resultCounts = append(m.resultCounts, uint16((len(reply)-start)/s.resultSize))
		payload = payload[size:]
	}
	if s.framed {
		reply = multibatch.AppendTrailer(reply, s.resultSize, m.resultCounts)
	}
	return reply
}

// executeBatch carries out one batch as if it were alone. last is the slot of
// its last event.
func (m *Machine) executeBatch(operation Operation, last uint64, events, reply []byte) []byte {
	switch operation {
	case OperationCreateAccounts:
		return m.createBatch(&m.accounts, last, events, reply, false)
	case OperationCreateTransfers:
		return m.createBatch(&m.transfers, last, events, reply, false)
	case OperationCreateAccountsSparse, OperationCreateAccountsUnbatched:
		return m.createBatch(&m.accounts, last, events, reply, true)
	case OperationCreateTransfersSparse, OperationCreateTransfersUnbatched:
		return m.createBatch(&m.transfers, last, events, reply, true)
	case OperationLookupAccounts, OperationLookupAccountsUnbatched:
		return m.lookupAccounts(events, reply)
	case OperationLookupTransfers, OperationLookupTransfersUnbatched:
		return m.lookupTransfers(events, reply)
	}
	return ask(m.tables, operation, events, reply)
}
