package gen_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/ledgerd/ledgerd/sim/model"
	"github.com/ledgerd/ledgerd/sim/model/gen"
)

// slow is a model whose prefetches are done later, among other things that
// happen in random order.
type slow struct {
	*model.Model
	random  *rand.Rand
	waiting []func()
	stuck   bool // a prefetch is never done
	idle    int  // how often a pulse is due for nothing
}

func (s *slow) Prefetch(_ byte, _ uint64, _ []byte, done func()) {
	if s.stuck {
		return
	}
	if s.random.IntN(4) == 0 {
		done()
		return
	}
	s.waiting = append(s.waiting, func() {}, done, func() {})
}

func (s *slow) Pump() bool {
	if len(s.waiting) == 0 {
		return false
	}
	i := s.random.IntN(len(s.waiting))
	happen := s.waiting[i]
	s.waiting = slices.Delete(s.waiting, i, i+1)
	happen()
	return true
}

func (s *slow) Pulse(now uint64) (slots int, due bool) {
	if s.idle > 0 {
		s.idle--
		return 8190, true
	}
	return s.Model.Pulse(now)
}

func newSlow() *slow { return &slow{Model: model.New(), random: rand.New(rand.NewPCG(1, 0))} }

// TestCompareWaits demands that what waits is waited for, and that a pulse may be
// due for nothing, but not twice in a row.
func TestCompareWaits(t *testing.T) {
	requests := gen.Record(3, start, 300, model.New())
	subject := newSlow()
	if err := gen.Compare(requests, model.New(), subject, func(index int) error {
		subject.idle = index % 2
		return nil
	}); err != nil {
		t.Error(err)
	}
	for text, subject := range map[string]*slow{
		"waits for nothing":                    {stuck: true},
		"want due false (0 slots), got due tr": {idle: 2},
	} {
		subject.Model, subject.random = model.New(), newSlow().random
		err := gen.Compare(requests, model.New(), subject, nil)
		var difference *gen.Difference
		if !errors.As(err, &difference) || !strings.Contains(err.Error(), text) {
			t.Errorf("got %v, want %q", err, text)
		}
	}
}
