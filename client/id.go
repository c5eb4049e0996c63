package client

import (
	"crypto/rand"
	"encoding/binary"
	"sync"
	"time"

	"github.com/ledgerd/ledgerd/ledger"
)

// ID returns a new id for an account or a transfer. It is safe for concurrent
// use, and never 0 or 2^128-1.
//
// The id is a ULID: 48 bits of milliseconds since the Unix epoch, then 80
// random bits. Within one process each id is greater than the one before, also
// within a millisecond (where it is the one before plus one) and when the
// clock is set back. Ids that grow with time are the cheapest for the server.
// Two processes draw the same id with a chance of 2^-80 for each pair drawn
// fresh in the same millisecond.
//
// For calls that must be safe to repeat after a crash, draw the id once and
// store it before the transfer is sent.
func ID() ledger.Uint128 { return ids.next(time.Now().UnixMilli()) }

var ids idSource

// idSource draws increasing ids.
type idSource struct {
	mu   sync.Mutex
	ms   int64 // of the last fresh draw; never goes back
	last ledger.Uint128
}

func (s *idSource) next(nowMS int64) ledger.Uint128 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if nowMS > s.ms {
		fresh := freshID(nowMS)
		s.ms = nowMS
		// An overflow of the random bits may have carried last beyond now.
		if s.last.Less(fresh) {
			s.last = fresh
			return fresh
		}
	}
	s.last, _ = s.last.Add(ledger.Uint128{Lo: 1})
	return s.last
}

func freshID(ms int64) ledger.Uint128 {
	var random [10]byte
	rand.Read(random[:]) // never fails: it would end the program
	return ledger.Uint128{
		Hi: uint64(ms)<<16 | uint64(binary.LittleEndian.Uint16(random[8:])),
		Lo: binary.LittleEndian.Uint64(random[:8]),
	}
}
