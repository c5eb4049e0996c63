package storagefuzz

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"testing"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/sim/model"
	"github.com/ledgerd/ledgerd/sim/model/gen"
	"github.com/ledgerd/ledgerd/vsr/grid"
)

var _ gen.Pumped = (*twins)(nil)

// twins are two stores that execute the same requests: one undisturbed, the other
// with another pace of disk and workers, other caches, and crashes.
type twins struct{ calm, wild *store }

// Check implements gen.StateMachine.
func (w *twins) Check(operation byte, body []byte, bodySizeLimit int) (slots int, known, valid bool) {
	return w.calm.Check(operation, body, bodySizeLimit)
}

// Pulse implements gen.StateMachine: what one of them wants, both get.
func (w *twins) Pulse(now uint64) (slots int, due bool) {
	if slots, due = w.calm.Pulse(now); due {
		return slots, due
	}
	return w.wild.Pulse(now)
}

// Prefetch implements gen.StateMachine.
func (w *twins) Prefetch(operation byte, timestamp uint64, body []byte, done func()) {
	w.calm.Prefetch(operation, timestamp, body, func() { w.wild.Prefetch(operation, timestamp, body, done) })
}

// Pump implements gen.Pumped.
func (w *twins) Pump() bool {
	calm, wild := w.calm.Pump(), w.wild.Pump()
	return calm || wild
}

// Commit implements gen.StateMachine.
func (w *twins) Commit(operation byte, timestamp uint64, body, reply []byte) []byte {
	first := w.calm.Commit(operation, timestamp, body, nil)
	second := w.wild.Commit(operation, timestamp, body, nil)
	if !bytes.Equal(first, second) {
		panic(fmt.Sprintf("twins reply\n%x and\n%x", first, second))
	}
	return append(reply, first...)
}

// checkpoint makes one of each and demands that they are equal in every byte. The
// wild one crashes on its way sometimes.
func (w *twins) checkpoint() error {
	if err := w.calm.checkpoint(-1); err != nil {
		return err
	}
	for patience := w.wild.random.IntN(60); ; patience = -1 {
		if w.wild.random.IntN(3) > 0 {
			patience = -1
		}
		err := w.wild.checkpoint(patience)
		if err == nil {
			break
		}
		if !errors.Is(err, errCrash) {
			return err
		}
		if err := w.wild.restart(0); err != nil {
			return err
		}
	}
	return w.compare()
}

// compare looks at the checkpoints, and at each block that they name.
func (w *twins) compare() error {
	used, err := w.calm.used()
	if err != nil {
		return err
	}
	different := ""
	for _, a := range used {
		if one, other := w.calm.block(a), w.wild.block(a); !bytes.Equal(one, other) {
			different += fmt.Sprintf(" %v (kind %d, kind %d)", a, one[28], other[28])
		}
	}
	switch {
	case different != "":
		return fmt.Errorf("checkpoint %d: twins differ in%s", w.calm.checkpoints, different)
	case w.calm.state != w.wild.state || !bytes.Equal(w.calm.root, w.wild.root):
		return fmt.Errorf("checkpoint %d: twins have equal blocks, and the roots %x, %x and %x, %x",
			w.calm.checkpoints, w.calm.state, w.calm.root, w.wild.state, w.wild.root)
	}
	return nil
}

// used returns the blocks that the last checkpoint has in use, as the bitmap in it
// says.
func (s *store) used() (addresses []block.Address, err error) {
	done := false
	s.grid.ReadStream(block.RefFrom(s.state[:]), func(bitmap []byte, failed error) {
		for i := 0; i+8 <= len(bitmap); i += 8 {
			for word := binary.LittleEndian.Uint64(bitmap[i:]); word != 0; word &= word - 1 {
				addresses = append(addresses, block.Address(8*i+bits.TrailingZeros64(word)+1))
			}
		}
		done, err = true, failed
	})
	return addresses, errors.Join(s.await(&done, -1), err)
}

// block returns the header and the payload of a block; what is behind them means
// nothing.
func (s *store) block(a block.Address) []byte {
	size := s.options.blockSize
	b := s.disk.Peek(int64(a-1)*int64(size), size)
	return b[:min(size, grid.HeaderSize+int(binary.LittleEndian.Uint32(b[24:])))]
}

// TestTwins demands that the same requests give the same bytes, whatever disk and
// workers do, whatever the caches hold, and whatever a crash takes back.
func TestTwins(t *testing.T) {
	each(t, func(seed uint64, list []gen.Request) (totals, error) {
		random, calm, wild := rand.New(rand.NewPCG(seed, 2)), drawOptions(rand.New(rand.NewPCG(seed, 3))), options{}
		wild = drawOptions(random)
		wild.blockSize = calm.blockSize
		w := &twins{}
		var errs [2]error
		w.calm, errs[0] = newStore(calm, rand.New(rand.NewPCG(seed, 4)))
		w.wild, errs[1] = newStore(wild, random)
		if err := errors.Join(errs[:]...); err != nil {
			return totals{}, err
		}
		err := gen.Compare(list, model.New(), w, func(index int) error {
			switch list[index].Now % 23 {
			case 0, 1, 2:
				return w.checkpoint()
			case 3:
				return w.wild.restart(int(list[index].Now % 3))
			}
			return nil
		})
		if err == nil {
			err = errors.Join(w.checkpoint(), w.calm.verify(), w.wild.verify())
		}
		return w.wild.totals(), err
	})
}
