package grid

import (
	"encoding/binary"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/checksum"
)

const (
	// RefsMax is how many blocks one question may be about.
	RefsMax = 128
	// sendsMax bounds the blocks, and sendQuestionsMax the questions, that are
	// read for others at a time. Who gets no answer asks again.
	sendsMax         = 32
	sendQuestionsMax = 4
)

// Sender reads blocks for other replicas. It knows nothing of the state of the
// grid, and works also while there is none.
type Sender struct {
	storage   Storage
	config    Config
	buffers   [][]byte // of a block each, idle
	blocks    int      // in flight
	questions int      // in flight
}

// NewSender returns a Sender for the grid that config tells of.
func NewSender(storage Storage, config Config) *Sender {
	return &Sender{storage: storage, config: config}
}

func (c *Config) offsetOf(a block.Address) int64 {
	return c.ZoneOffset + int64(a-1)*int64(c.BlockSize)
}

// Block fetches the block that ref names: header and payload, as they are on the
// disk. whole is valid during done only; it is nil if another block is there, or
// none. done is not called if too much is being read already.
func (s *Sender) Block(ref block.Ref, done func(whole []byte)) {
	if s.blocks == sendsMax {
		return
	}
	s.blocks++
	if len(s.buffers) == 0 {
		s.buffers = append(s.buffers, buffer.Aligned(s.config.BlockSize))
	}
	buf := s.buffers[len(s.buffers)-1]
	s.buffers = s.buffers[:len(s.buffers)-1]
	s.storage.Submit(&blockio.Request{Kind: blockio.Read, Offset: s.config.offsetOf(ref.Address), Buf: buf, Done: func(r *blockio.Request) {
		var whole []byte
		if payload, _, wrong := unseal(buf, ref); r.Err == nil && wrong == "" {
			whole = buf[:HeaderSize+len(payload)]
		}
		done(whole)
		s.buffers = append(s.buffers, buf)
		s.blocks--
	}})
}

// Refs finds out which blocks are at these addresses, RefsMax at most, by their
// headers alone: a reference is right if the block is, and if there is one. Those
// whose header cannot be read are left out. refs is valid during done only; done
// is not called if too much is being read already.
func (s *Sender) Refs(addresses []block.Address, done func(refs []block.Ref)) {
	if s.questions == sendQuestionsMax || len(addresses) == 0 || len(addresses) > RefsMax {
		return
	}
	s.questions++
	sectors := buffer.Aligned(len(addresses) * blockio.SectorSize)
	refs, pending := make([]block.Ref, 0, len(addresses)), len(addresses)
	for i, a := range addresses {
		buf := sectors[i*blockio.SectorSize:][:blockio.SectorSize]
		s.storage.Submit(&blockio.Request{Kind: blockio.Read, Offset: s.config.offsetOf(a), Buf: buf, Done: func(r *blockio.Request) {
			if r.Err == nil && binary.LittleEndian.Uint64(buf[16:]) == uint64(a) {
				refs = append(refs, block.Ref{Address: a, Checksum: checksum.Sum(buf[:checksum.Size])})
			}
			if pending--; pending == 0 {
				s.questions--
				done(refs)
			}
		}})
	}
}
