package storagefuzz

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/sim/model"
	"github.com/ledgerd/ledgerd/sim/model/gen"
)

var (
	firstSeed = flag.Uint64("storage.seed", 1, "first seed; 0 for one by the clock")
	seeds     = flag.Int("storage.seeds", 5, "how many seeds each test tries")
	requests  = flag.Int("storage.requests", 250, "requests for each seed")
	shorten   = flag.Bool("storage.shrink", false, "look for the shortest list of requests that fails")
)

// bodySizeMax is the largest body of a request, in bytes: 31 events and a trailer.
// Few are larger, and the model takes its time for those.
const (
	bodySizeMax = 32 * ledger.TransferSize
	bulkEvents  = 31
)

// each calls test with the requests of each seed, and tells how to do it again.
func each(t *testing.T, test func(seed uint64, requests []gen.Request) (totals, error)) {
	first := *firstSeed
	if first == 0 {
		first = uint64(time.Now().UnixNano())
	}
	var sum totals
	for seed := first; seed < first+uint64(*seeds); seed++ {
		start := uint64(1_700_000_000_000_000_000)
		if seed%8 == 7 { // so late that long timeouts overflow
			start = ledger.TimestampMax - uint64(365*24*time.Hour)
		}
		list := slices.DeleteFunc(gen.Record(seed, start, *requests, model.New()), func(r gen.Request) bool {
			return len(r.Body) > bodySizeMax
		})
		bulk := gen.Bulk{Accounts: 8, Events: bulkEvents}
		if seed%2 == 0 {
			bulk.Accounts = 1500 // more than a checkpoint writes of what there is for each
		}
		list = gen.WithBulk(list, seed, bulk)
		run := func(list []gen.Request) (done totals, err error) {
			defer func() { // so that a panic shrinks like any other failure
				if reason := recover(); reason != nil {
					err = fmt.Errorf("panic: %v", reason)
				}
			}()
			return test(seed, list)
		}
		done, err := run(list)
		if err == nil {
			sum.add(done)
			continue
		}
		t.Errorf("seed %d: %v\n\tgo test ./sim/storagefuzz -run '^%s$' -storage.seeds 1 -storage.seed %d -storage.requests %d",
			seed, err, t.Name(), seed, *requests)
		if *shorten {
			short := gen.Shrink(list, func(list []gen.Request) bool { _, err := run(list); return err != nil })
			_, err := run(short)
			t.Errorf("of %d requests these are enough:\n%s%v", len(list), gen.Describe(short), err)
		}
	}
	t.Logf("%d seeds from %d: %d checkpoints, %d crashes, %d blocks in use at the end",
		*seeds, first, sum.checkpoints, sum.crashes, sum.blocks)
}

// totals is what happened in one run, or in several.
type totals struct{ checkpoints, crashes, blocks int }

func (n *totals) add(more totals) {
	n.checkpoints += more.checkpoints
	n.crashes += more.crashes
	n.blocks += more.blocks
}

func (s *store) totals() totals { return totals{s.checkpoints, s.crashes, s.grid.BlocksInUse()} }

// TestFuzz compares every reply, and everything that is read back at the end, with
// the model. When the store makes a checkpoint or crashes follows from the times
// of the requests, so that it stays the same when some are left out.
func TestFuzz(t *testing.T) {
	each(t, func(seed uint64, list []gen.Request) (totals, error) {
		random := rand.New(rand.NewPCG(seed, 1))
		rare := oneOf[uint64](random, 1, 3, 10)
		s, err := newStore(drawOptions(random), random)
		if err != nil {
			return totals{}, err
		}
		audit := slices.IndexFunc(list, func(r gen.Request) bool { return r.Now == list[len(list)-1].Now })
		err = gen.Compare(list, model.New(), s, func(index int) error {
			switch list[index].Now / rare % 31 {
			case 0, 1, 2:
				return s.checkpoint(-1)
			case 3:
				return s.restart(0)
			case 4:
				return s.restart(3)
			case 5: // crashes on its way, perhaps
				if err := s.checkpoint(random.IntN(40)); !errors.Is(err, errCrash) {
					return err
				}
				return s.restart(0)
			}
			if index == audit { // what follows reads all
				return errors.Join(s.checkpoint(-1), s.verify(), s.restart(0))
			}
			return nil
		})
		if err == nil {
			err = s.verify()
		}
		return s.totals(), err
	})
}
