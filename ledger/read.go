package ledger

import (
	"fmt"

	"github.com/ledgerd/ledgerd/internal/u128"
)

func idOf(event []byte) Uint128 { return u128.FromBytes(event) }

// lookupAccounts appends the accounts that exist, in the order asked for.
func (m *Machine) lookupAccounts(ids, reply []byte) []byte {
	for ; len(ids) > 0; ids = ids[idSize:] {
		if _, a := m.tables.FindAccount(idOf(ids)); a != nil {
			reply = a.Append(reply)
		}
	}
	return reply
}

// lookupTransfers appends the transfers that exist, in the order asked for.
func (m *Machine) lookupTransfers(ids, reply []byte) []byte {
	for ; len(ids) > 0; ids = ids[idSize:] {
		ref := m.tables.FindTransfer(idOf(ids), &m.existing)
		if ref != TransferAbsent && ref != TransferBurnt {
			reply = m.existing.Append(reply)
		}
	}
	return reply
}

// Plan tells plan which queries executing a request will ask, in order, by
// asking it. The request passed Check and is a query; whatever plan appends is
// dropped. So who must read from a disk can have the answers ready.
func (m *Machine) Plan(operation Operation, body []byte, plan Queries) {
	size := operation.EventSize()
	for filters := m.Events(operation, body); len(filters) > 0; filters = filters[size:] {
		ask(plan, operation, filters[:size], nil)
	}
}

// Events returns the events of a request that passed Check, those of all its
// batches back to back. They are a part of body.
func (m *Machine) Events(operation Operation, body []byte) []byte {
	counts, events, err := operation.shape().split(body, m.counts[:0])
	if err != nil {
		panic(fmt.Sprintf("ledger: events of %v without Check: %v", operation, err))
	}
	m.counts = counts
	return events
}

// ask puts the question of one filter to tables, unless the filter is invalid.
func ask(tables Queries, operation Operation, filter, reply []byte) []byte {
	limit := func(wanted uint32) int { return int(min(uint64(wanted), uint64(operation.ResultsMax()))) }
	switch operation {
	case OperationGetAccountTransfers, OperationGetAccountTransfersUnbatched,
		OperationGetAccountBalances, OperationGetAccountBalancesUnbatched:
		var f AccountFilter
		if f.Decode(filter); !f.Valid() {
			return reply
		}
		switch operation {
		case OperationGetAccountTransfers, OperationGetAccountTransfersUnbatched:
			return tables.AppendAccountTransfers(&f, limit(f.Limit), reply)
		}
		return tables.AppendAccountBalances(&f, limit(f.Limit), reply)
	case OperationGetChangeEvents:
		var f ChangeEventsFilter
		if f.Decode(filter); !f.Valid() {
			return reply
		}
		return tables.AppendChangeEvents(&f, limit(f.Limit), reply)
	}
	var f QueryFilter
	if f.Decode(filter); !f.Valid() {
		return reply
	}
	switch operation {
	case OperationQueryAccounts, OperationQueryAccountsUnbatched:
		return tables.AppendAccounts(&f, limit(f.Limit), reply)
	}
	return tables.AppendTransfers(&f, limit(f.Limit), reply)
}
