package cases

import (
	"testing"

	"github.com/ledgerd/ledgerd/internal/multibatch"
	"github.com/ledgerd/ledgerd/ledger"
)

// waiting is a state machine that is done with a prefetch at the third Pump.
type waiting struct {
	done  func()
	left  int
	stuck bool
}

func (w *waiting) Check(byte, []byte, int) (slots int, known, valid bool) { return 1, true, true }
func (w *waiting) Pulse(uint64) (slots int, due bool)                     { return 0, false }

func (w *waiting) Prefetch(_ byte, _ uint64, _ []byte, done func()) { w.done, w.left = done, 3 }

func (w *waiting) Pump() bool {
	if w.stuck || w.left == 0 {
		return false
	}
	if w.left--; w.left == 0 {
		w.done()
	}
	return true
}

func (w *waiting) Commit(_ byte, _ uint64, _, reply []byte) []byte {
	if w.left != 0 {
		panic("committed before the prefetch was done")
	}
	return multibatch.AppendTrailer(reply, ledger.CreateResultSize, []uint16{0})
}

// TestLocalWaits demands that Local waits for a prefetch, but not for ever.
func TestLocalWaits(t *testing.T) {
	target := &waiting{}
	if _, err := NewLocal(target).Execute(ledger.OperationCreateAccounts, nil); err != nil {
		t.Error(err)
	}
	defer func() {
		if recover() == nil {
			t.Error("waits for nothing")
		}
	}()
	target.stuck = true
	NewLocal(target).Execute(ledger.OperationCreateAccounts, nil)
}
