package forest_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/ledger/forest"
	"github.com/ledgerd/ledgerd/sim/model"
	"github.com/ledgerd/ledgerd/sim/model/gen"
	"github.com/ledgerd/ledgerd/vsr/faultdisk"
	"github.com/ledgerd/ledgerd/vsr/grid"
)

// To look for longer:  go test ./ledger/forest -run TestModel -model.time 10m
// To repeat a seed:    go test ./ledger/forest -run TestModel -model.seed 17 -model.time 0
var (
	modelSeed     = flag.Uint64("model.seed", 1, "first seed of TestModel")
	modelTime     = flag.Duration("model.time", 8*time.Second, "how long TestModel tries seeds; it tries one at least")
	modelRequests = flag.Int("model.requests", 600, "requests for each seed of TestModel")
)

// TestModel runs random requests on a forest and on the model, and demands
// equal replies, refusals and pulses. At random moments the forest makes a
// checkpoint, or loses power, whereupon it opens the last checkpoint and
// executes again what came after.
func TestModel(t *testing.T) {
	began := time.Now()
	seed := *modelSeed
	for ; seed == *modelSeed || time.Since(began) < *modelTime; seed++ {
		start := uint64(1_700_000_000_000_000_000)
		if seed%8 == 7 { // so late that long timeouts overflow
			start = ledger.TimestampMax - uint64(365*24*time.Hour)
		}
		requests := gen.Record(seed, start, *modelRequests, model.New())
		err := compare(requests)
		if err == nil {
			continue
		}
		t.Errorf("seed %d: %v", seed, err)
		short := gen.Shrink(requests, func(requests []gen.Request) bool { return compare(requests) != nil })
		t.Fatalf("of %d requests these are enough:\n%s%v", len(requests), gen.Describe(short), compare(short))
	}
	t.Logf("%d seeds of %d requests", seed-*modelSeed, *modelRequests)
}

// compare runs requests on a model and on a service. When the service is
// interrupted follows from the times of the requests, so that it stays the same
// when some are left out.
func compare(requests []gen.Request) (err error) {
	defer func() { // so that a panic shrinks like any other failure
		if reason := recover(); reason != nil {
			err = fmt.Errorf("panic: %v", reason)
		}
	}()
	oracle := model.New()
	s := newService(oracle)
	return gen.Compare(requests, oracle, s, func(index int) error {
		switch requests[index].Now % 31 {
		case 0, 1:
			return s.checkpoint()
		case 2:
			return s.restart()
		case 3:
			return errors.Join(s.checkpoint(), s.restart())
		}
		return nil
	})
}

// service is a forest with everything small on a simulated disk, with workers,
// and with what a replica keeps beside it: the last checkpoint, and what was
// committed since.
type service struct {
	*forest.Forest
	oracle *model.Model
	random *rand.Rand
	disk   *faultdisk.Disk
	grid   *grid.Grid
	jobs   []func()
	state  grid.State
	root   []byte
	since  []commit
}

type commit struct {
	operation   byte
	timestamp   uint64
	body, reply []byte
}

func newService(oracle *model.Model) *service {
	random := rand.New(rand.NewPCG(1, 0))
	s := &service{oracle: oracle, random: random, disk: faultdisk.New(random)}
	if err := s.open(); err != nil {
		panic(err) // nothing is read
	}
	return s
}

// Go takes a job of a tree.
func (s *service) Go(job, done func()) {
	s.jobs = append(s.jobs, func() {
		job()
		done()
	})
}

// Pump lets one thing happen, and reports whether there was one.
func (s *service) Pump() bool {
	if n := len(s.jobs); n > 0 && (s.disk.InFlight() == 0 || s.random.IntN(3) == 0) {
		i := s.random.IntN(n)
		job := s.jobs[i]
		s.jobs = slices.Delete(s.jobs, i, i+1)
		job()
		return true
	}
	return s.disk.Step()
}

// wait lets things happen until done.
func (s *service) wait(done *bool) error {
	for !*done {
		if !s.Pump() {
			return errors.New("something waits, and nothing happens")
		}
	}
	return nil
}

// Pulse says what the model says: the forest may ask for a pulse in vain.
func (s *service) Pulse(now uint64) (slots int, due bool) {
	slots, due = s.Forest.Pulse(now)
	if _, want := s.oracle.Pulse(now); want == due || !due {
		return slots, due
	}
	return 0, false
}

// Prefetch does not return before it is done.
func (s *service) Prefetch(operation byte, timestamp uint64, body []byte, done func()) {
	ready := false
	s.Forest.Prefetch(operation, timestamp, body, func() { ready = true })
	if err := s.wait(&ready); err != nil {
		panic(err)
	}
	done()
}

// Commit executes and remembers a request, while the disk works on.
func (s *service) Commit(operation byte, timestamp uint64, body, reply []byte) []byte {
	reply = s.Forest.Commit(operation, timestamp, body, reply)
	s.since = append(s.since, commit{operation, timestamp, bytes.Clone(body), bytes.Clone(reply)})
	for range s.random.IntN(10) {
		s.Pump()
	}
	return reply
}

// open opens the last checkpoint.
func (s *service) open() error {
	s.grid = grid.New(s.disk, grid.Config{
		BlockSize: 2 * blockio.SectorSize,
		Fault:     func(err error) { panic(err) },
	})
	s.jobs = nil
	s.Forest = forest.New(s.grid, s, forest.Options{CacheAccounts: int64(s.random.IntN(10_000)), RecentSize: 1 << 14})
	done, failed := false, error(nil)
	s.grid.Open(s.state, func(err error) {
		if failed = err; err != nil {
			done = true
			return
		}
		s.Forest.Open(s.root, func(err error) { done, failed = true, err })
	})
	return errors.Join(s.wait(&done), failed)
}

// checkpoint makes a durable checkpoint.
func (s *service) checkpoint() error {
	done := false
	s.Forest.Checkpoint(func(root []byte) {
		root = bytes.Clone(root)
		s.grid.Checkpoint(func(state grid.State) {
			s.disk.Submit(&blockio.Request{Kind: blockio.Sync, Done: func(*blockio.Request) {
				s.root, s.state, s.since, done = root, state, nil, true
				s.grid.CheckpointDurable()
			}})
		})
	})
	return s.wait(&done)
}

// restart cuts the power, opens the last checkpoint and executes what came
// after it, which must have the same results as before.
func (s *service) restart() error {
	s.disk = s.disk.PowerCut()
	if err := s.open(); err != nil {
		return err
	}
	again := s.since
	s.since = nil
	for i, c := range again {
		if _, _, valid := s.Check(c.operation, c.body, 1<<20); !valid && c.operation != byte(ledger.OperationPulse) {
			return fmt.Errorf("commit %d of %d after the restart is refused", i, len(again))
		}
		s.Prefetch(c.operation, c.timestamp, c.body, func() {})
		reply := s.Commit(c.operation, c.timestamp, c.body, nil)
		if !bytes.Equal(reply, c.reply) {
			return fmt.Errorf("commit %d of %d after the restart (%v at %d) has another reply:\n%x, was\n%x",
				i, len(again), ledger.Operation(c.operation), c.timestamp, reply, c.reply)
		}
	}
	return nil
}
