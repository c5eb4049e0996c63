package model

import "github.com/ledgerd/ledgerd/ledger"

// The statuses that accounts and transfers have in common.
const (
	created              = uint32(ledger.AccountCreated)
	linkedEventFailed    = uint32(ledger.AccountLinkedEventFailed)
	linkedEventChainOpen = uint32(ledger.AccountLinkedEventChainOpen)
	timestampMustBeZero  = uint32(ledger.AccountTimestampMustBeZero)
)

// importStatuses are the statuses that mean the same for accounts and
// transfers but have different numbers.
type importStatuses struct {
	expected, notExpected, outOfRange, mustNotAdvance uint32
}

// input is what the common rules look at in an account or a transfer.
type input struct {
	linked, imported bool
	timestamp        uint64
}

// result is the outcome of one event.
type result struct {
	status    uint32
	timestamp uint64
}

// creation is one batch of a create operation.
type creation struct {
	inputs   []input
	slot     uint64 // of the first event
	statuses importStatuses
	// create applies the rules of its own to event i. The timestamp is what a
	// new record gets: the slot, or for imported events the client's.
	create func(i int, slot, timestamp uint64) result
	// finish is told how event i ended, rolled back or not.
	finish func(i int, status uint32)
}

// run evaluates a batch as SEMANTICS.md section 5.1 says.
func (m *Model) run(c creation) []result {
	var (
		results    []result
		chainStart = -1
		broken     bool
		before     state // when the chain was opened
	)
	for i, in := range c.inputs {
		slot := c.slot + uint64(i)
		if in.linked && chainStart < 0 {
			chainStart, broken, before = i, false, m.state.clone()
		}
		r := result{linkedEventFailed, slot}
		if in.linked && i == len(c.inputs)-1 {
			r.status = linkedEventChainOpen
		} else if chainStart < 0 || !broken {
			r = c.judge(i)
		}
		if r.status != created && chainStart >= 0 && !broken {
			broken = true
			m.state = before
			for j := chainStart; j < i; j++ {
				results[j].status = linkedEventFailed
			}
		}
		c.finish(i, r.status)
		results = append(results, r)
		if !in.linked || r.status == linkedEventChainOpen {
			chainStart = -1
		}
	}
	return results
}

// judge applies rows 4 to 7 of SEMANTICS.md section 5.1 to event i.
func (c creation) judge(i int) result {
	in := c.inputs[i]
	slot := c.slot + uint64(i)
	switch batchImported := c.inputs[0].imported; {
	case in.imported && !batchImported:
		return result{c.statuses.notExpected, slot}
	case !in.imported && batchImported:
		return result{c.statuses.expected, slot}
	case !in.imported && in.timestamp != 0:
		return result{timestampMustBeZero, slot}
	case !in.imported:
		return c.create(i, slot, slot)
	case in.timestamp < 1 || in.timestamp > ledger.TimestampMax:
		return result{c.statuses.outOfRange, slot}
	case in.timestamp >= slot:
		// The rule is "not before the last slot of the batch", and section 16.3
		// adds "not before the event's own slot", which implies it.
		return result{c.statuses.mustNotAdvance, slot}
	}
	return c.create(i, slot, in.timestamp)
}
