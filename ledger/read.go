package ledger

import "github.com/ledgerd/ledgerd/internal/u128"

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

// queryAccount answers get_account_transfers and get_account_balances.
func (m *Machine) queryAccount(operation Operation, filter, reply []byte) []byte {
	var f AccountFilter
	f.Decode(filter)
	if !f.Valid() {
		return reply
	}
	limit := min(int(f.Limit), operation.ResultsMax())
	switch operation {
	case OperationGetAccountTransfers, OperationGetAccountTransfersUnbatched:
		return m.tables.AppendAccountTransfers(&f, limit, reply)
	}
	if _, a := m.tables.FindAccount(f.AccountID); a == nil || a.Flags&AccountHistory == 0 {
		return reply
	}
	return m.tables.AppendAccountBalances(&f, limit, reply)
}

// query answers query_accounts and query_transfers.
func (m *Machine) query(operation Operation, filter, reply []byte) []byte {
	var f QueryFilter
	f.Decode(filter)
	if !f.Valid() {
		return reply
	}
	limit := min(int(f.Limit), operation.ResultsMax())
	switch operation {
	case OperationQueryAccounts, OperationQueryAccountsUnbatched:
		return m.tables.AppendAccounts(&f, limit, reply)
	}
	return m.tables.AppendTransfers(&f, limit, reply)
}

// queryChangeEvents answers get_change_events.
func (m *Machine) queryChangeEvents(operation Operation, filter, reply []byte) []byte {
	var f ChangeEventsFilter
	f.Decode(filter)
	if !f.Valid() {
		return reply
	}
	return m.tables.AppendChangeEvents(&f, min(int(f.Limit), operation.ResultsMax()), reply)
}
