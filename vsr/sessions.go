package vsr

import (
	"encoding/binary"
	"fmt"

	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/wire"
)

// session is one entry of the session table (PROTOCOL.md section 7): who
// registered, and the reply to the latest request, by which a repeated request
// is recognised and answered without being executed again.
type session struct {
	// number is the ordinal of the registration; it is at most reply.Op.
	number Ordinal
	// reply is the decoded header of message. Its client and release are
	// those of the session: the client that registered, and its release then.
	reply wire.Reply
	// message is the latest reply, whole. The session holds a reference.
	message *buffer.Buffer
}

// sessions is the table of all sessions. It is part of the replicated state:
// the same prepares give the same table on every replica, slot for slot.
//
// Invariants:
//  1. bySlot[slot] is empty (nil message) or byClient[its client] == slot.
//  2. At most cap(bySlot) sessions exist.
type sessions struct {
	bySlot   []session
	byClient map[u128.Uint128]int
}

func newSessions(max int) *sessions {
	return &sessions{bySlot: make([]session, max), byClient: make(map[u128.Uint128]int, max)}
}

// find returns the session of a client, or nil. The pointer is valid until
// the next register.
func (s *sessions) find(client u128.Uint128) *session {
	slot, ok := s.byClient[client]
	if !ok {
		return nil
	}
	return &s.bySlot[slot]
}

// register creates the session of a client that has none. When the table is
// full the session that was served least recently gives way: all replicas
// choose the same one, because they have executed the same requests. The entry
// becomes part of the table when its first reply is stored.
func (s *sessions) register(client u128.Uint128, number Ordinal) *session {
	if _, ok := s.byClient[client]; ok {
		panic(fmt.Sprintf("vsr: client %v registers while it has a session", client))
	}
	slot := s.place()
	s.byClient[client] = slot
	entry := &s.bySlot[slot]
	if entry.message != nil {
		entry.message.Release()
	}
	*entry = session{number: number}
	return entry
}

// place returns the first free slot, after evicting a session if there is none.
func (s *sessions) place() int {
	oldest := 0
	for slot := range s.bySlot {
		if s.bySlot[slot].message == nil {
			return slot
		}
		if s.bySlot[slot].reply.Commit < s.bySlot[oldest].reply.Commit {
			oldest = slot
		}
	}
	delete(s.byClient, s.bySlot[oldest].reply.Client)
	return oldest
}

// store makes reply the session's latest one. It takes a reference to message.
func (e *session) store(reply wire.Reply, message *buffer.Buffer) {
	if e.message != nil {
		e.message.Release()
	}
	e.reply = reply
	e.message = message.Retain()
}

// Encoding in a checkpoint, a stream of all sessions by slot:
//
//	offset  size  field
//	     0     8  slot
//	     8     8  session number (ordinal)
//	    16     n  the latest reply: a whole frame, checksums included
//
// The client and its release are in the reply's frame.
const sessionHeadSize = 16

// encodedSize returns the length of what encode appends.
func (s *sessions) encodedSize() int {
	n := 0
	for slot := range s.bySlot {
		if m := s.bySlot[slot].message; m != nil {
			n += sessionHeadSize + len(m.Bytes)
		}
	}
	return n
}

// encode appends the table to b.
func (s *sessions) encode(b []byte) []byte {
	for slot := range s.bySlot {
		entry := &s.bySlot[slot]
		if entry.message == nil {
			continue
		}
		b = binary.LittleEndian.AppendUint64(b, uint64(slot))
		b = binary.LittleEndian.AppendUint64(b, uint64(entry.number))
		b = append(b, entry.message.Bytes...)
	}
	return b
}

// decode fills an empty table from what encode wrote.
func (s *sessions) decode(b []byte, pool *buffer.Pool) error {
	for len(b) > 0 {
		if len(b) < sessionHeadSize+wire.HeaderSize {
			return fmt.Errorf("session table ends within a session (%d bytes left)", len(b))
		}
		slot, number := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
		b = b[sessionHeadSize:]
		if slot >= uint64(len(s.bySlot)) || s.bySlot[slot].message != nil {
			return fmt.Errorf("session table names slot %d, of %d, twice or wrongly", slot, len(s.bySlot))
		}
		frame, err := wire.VerifyHeader(b[:wire.HeaderSize])
		if err != nil {
			return fmt.Errorf("reply of session %d: %w", number, err)
		}
		if int(frame.Size) > len(b) {
			return fmt.Errorf("reply of session %d is cut short", number)
		}
		if err := s.restore(int(slot), Ordinal(number), b[:frame.Size], pool); err != nil {
			return fmt.Errorf("reply of session %d: %w", number, err)
		}
		b = b[frame.Size:]
	}
	return nil
}

func (s *sessions) restore(slot int, number Ordinal, frame []byte, pool *buffer.Pool) error {
	if err := wire.VerifyBody(frame); err != nil {
		return err
	}
	var reply wire.Reply
	if err := reply.Decode(frame); err != nil {
		return err
	}
	if _, ok := s.byClient[reply.Client]; ok {
		return fmt.Errorf("client %v has two sessions", reply.Client)
	}
	message := pool.Acquire(len(frame))
	copy(message.Bytes, frame)
	s.byClient[reply.Client] = slot
	s.bySlot[slot] = session{number: number, reply: reply, message: message}
	return nil
}
