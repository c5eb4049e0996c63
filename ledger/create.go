package ledger

import "encoding/binary"

// Accounts and transfers are laid out alike where a batch needs it.
const (
	eventSize       = 128
	eventFlags      = 118
	eventTimestamp  = 120
	eventLinked     = 1
	eventsExpected  = 64 // ExpectTransfers looks that far ahead
	statusCreated   = 1<<32 - 1
	statusLinked    = uint32(AccountLinkedEventFailed)
	statusChainOpen = uint32(AccountLinkedEventChainOpen)
	statusTimestamp = uint32(AccountTimestampMustBeZero)
)

// Both sizes are eventSize, or this does not compile.
var _ = [1]struct{}{}[(AccountSize-eventSize)|(TransferSize-eventSize)]

// creation is what differs between creating accounts and transfers.
type creation struct {
	imported uint16 // the flag

	importedExpected, importedNotExpected uint32 // statuses
	outOfRange, mustNotAdvance            uint32 // statuses

	// create applies the rules to one event. It returns the status and the
	// timestamp that the result bears.
	create func(event []byte, slot uint64) (status uint32, timestamp uint64)
	// failed is told of each event that was not created, after its chain was
	// undone; nil if nobody cares.
	failed func(event []byte, status uint32)
	// expect is told of events that are to come; nil if nobody cares.
	expect func(events []byte)
}

// chain is the state of the linked chain at hand (SEMANTICS.md section 5.1).
type chain struct {
	open   bool
	broken bool
	start  int // index of its first event
	result int // where the reply was when it began
}

// createBatch creates the events of one batch in order; last is the slot of
// the last one. It appends a result for each event, or, if sparse, an error
// for each event that was not created.
func (m *Machine) createBatch(c *creation, last uint64, events, reply []byte, sparse bool) []byte {
	n := len(events) / eventSize
	var batchImported bool
	if n > 0 {
		batchImported = flagsOf(events)&c.imported != 0
	}
	var link chain
	for i := range n {
		if c.expect != nil && i%eventsExpected == 0 {
			c.expect(events[i*eventSize : min(i+eventsExpected, n)*eventSize])
		}
		event := events[i*eventSize : (i+1)*eventSize]
		slot := last - uint64(n-1-i)
		linked := flagsOf(event)&eventLinked != 0
		if linked && !link.open {
			link = chain{open: true, start: i, result: len(reply)}
			m.beginScope()
		}

		status, timestamp := uint32(0), slot
		switch {
		case linked && i == n-1:
			status = statusChainOpen
		case link.broken:
			status = statusLinked
		default:
			status = c.admit(event, slot, batchImported)
			if status == 0 {
				status, timestamp = c.create(event, slot)
			}
		}

		if status != statusCreated && link.open && !link.broken {
			link.broken = true
			m.endScope(false)
			reply = link.fail(i, reply, sparse)
		}
		if status != statusCreated && c.failed != nil {
			c.failed(event, status)
		}
		reply = appendResult(reply, i, status, timestamp, sparse)
		if link.open && (!linked || status == statusChainOpen) {
			if !link.broken {
				m.endScope(true)
			}
			link = chain{}
		}
	}
	return reply
}

// admit judges what concerns an event's place in the batch: whether it may be
// imported, and its timestamp. It returns 0 if the event may be created.
//
// An imported timestamp must lie before the event's own slot. That is stricter
// than before the batch's last slot, and keeps slots and imported timestamps
// apart (SEMANTICS.md section 16.3).
func (c *creation) admit(event []byte, slot uint64, batchImported bool) uint32 {
	imported := flagsOf(event)&c.imported != 0
	timestamp := binary.LittleEndian.Uint64(event[eventTimestamp:])
	switch {
	case imported && !batchImported:
		return c.importedNotExpected
	case !imported && batchImported:
		return c.importedExpected
	case !imported && timestamp != 0:
		return statusTimestamp
	case !imported:
		return 0
	case timestamp == 0 || timestamp > TimestampMax:
		return c.outOfRange
	case timestamp >= slot:
		return c.mustNotAdvance
	}
	return 0
}

// fail makes linked_event_failed of the results that the chain has so far,
// when event i breaks it. Sparse replies have none yet, so they are added.
func (l *chain) fail(i int, reply []byte, sparse bool) []byte {
	for j := l.start; j < i; j++ {
		if sparse {
			reply = appendResult(reply, j, statusLinked, 0, true)
		} else {
			at := l.result + (j-l.start)*CreateResultSize
			binary.LittleEndian.PutUint32(reply[at+8:], statusLinked)
		}
	}
	return reply
}

func appendResult(reply []byte, i int, status uint32, timestamp uint64, sparse bool) []byte {
	if !sparse {
		reply = binary.LittleEndian.AppendUint64(reply, timestamp)
		return binary.LittleEndian.AppendUint64(reply, uint64(status))
	}
	if status == statusCreated {
		return reply
	}
	reply = binary.LittleEndian.AppendUint32(reply, uint32(i))
	return binary.LittleEndian.AppendUint32(reply, status)
}

func flagsOf(event []byte) uint16 { return binary.LittleEndian.Uint16(event[eventFlags:]) }

func (m *Machine) beginScope() {
	m.tables.BeginScope()
	m.scoped = true
}

func (m *Machine) endScope(keep bool) {
	m.scoped = false
	if keep {
		m.tables.KeepScope()
	} else {
		m.tables.RollbackScope()
	}
}

// touch prepares an account for change.
func (m *Machine) touch(a AccountRef) {
	if m.scoped {
		m.tables.TouchAccount(a)
	}
}
