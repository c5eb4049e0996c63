package forest

import (
	"encoding/binary"

	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/ledger"
)

// Offsets of what is needed of an event before it is decoded. Accounts and
// transfers have their flags and timestamps at the same place.
const (
	eventSize            = ledger.TransferSize
	eventDebitAccountID  = 16
	eventCreditAccountID = 32
	eventPendingID       = 64
	eventFlags           = 118
	eventTimestamp       = 120
)

func eventTransferFlags(event []byte) ledger.TransferFlags {
	return ledger.TransferFlags(binary.LittleEndian.Uint16(event[eventFlags:]))
}

// createAccounts resolves ids that may exist, and timestamps of imports.
func (r *resolver) createAccounts(events []byte) {
	r.times.reset()
	for ; len(events) > 0; events = events[eventSize:] {
		r.loader.needID(u128.FromBytes(events))
		if flags := ledger.AccountFlags(binary.LittleEndian.Uint16(events[eventFlags:])); flags&ledger.AccountImported != 0 {
			r.times.add(binary.LittleEndian.Uint64(events[eventTimestamp:]))
		}
	}
	r.wave.begin(r.finish)
	r.loader.load(r.wave.read())
	r.times.ofTransfers(r.wave.read())
	r.wave.end()
}

// createTransfers resolves the ids of the transfers, of what they post or void,
// and of their accounts. Of a plain transfer with a new id and cached accounts
// it learns just that, without a wait, in at most 120 ns:
//
//	touch the lines of its accounts    35 ns
//	find both in the cache             20 ns
//	look its id up in the tree         60 ns
func (r *resolver) createTransfers(events []byte) {
	r.creating = true
	r.times.reset()
	var frames []frameNumber // of the accounts of this event and those after it
	for i := 0; i < len(events); i += eventSize {
		if len(frames) == 0 {
			frames = r.tables.expect(events[i:])
		}
		event := events[i:][:eventSize]
		flags := eventTransferFlags(event)
		r.ids = append(r.ids, idKey(u128.FromBytes(event)))
		if isResolution(flags) {
			r.ids = append(r.ids, idKey(u128.FromBytes(event[eventPendingID:])))
		} else {
			if frames[debitSide] == 0 {
				r.loader.needID(u128.FromBytes(event[eventDebitAccountID:]))
			}
			if frames[creditSide] == 0 {
				r.loader.needID(u128.FromBytes(event[eventCreditAccountID:]))
			}
		}
		frames = frames[2:]
		if flags&ledger.TransferImported != 0 {
			r.times.add(binary.LittleEndian.Uint64(event[eventTimestamp:]))
		}
	}
	r.wave.begin(r.idsFound)
	r.findTransfers(r.wave.read())
	r.loader.load(r.wave.read())
	if len(r.times.asked) > 0 {
		r.times.ofAccounts(r.wave.read())
		r.times.ofExpiries(r.wave.read())
	}
	r.wave.end()
}
