package forest_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
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
	s := newService()
	return gen.Compare(requests, model.New(), s, func(index int) error {
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

// service is a forest on a simulated disk, with what a replica keeps beside
// it: the last checkpoint, and what was committed since.
type service struct {
	*forest.Forest
	random *rand.Rand
	disk   *faultdisk.Disk
	grid   *grid.Grid
	state  grid.State
	root   []byte
	since  []commit
}

type commit struct {
	operation   byte
	timestamp   uint64
	body, reply []byte
}

func newService() *service {
	random := rand.New(rand.NewPCG(1, 0))
	s := &service{random: random, disk: faultdisk.New(random)}
	if err := s.open(); err != nil {
		panic(err) // nothing is read
	}
	return s
}

// Commit executes and remembers a request, while the disk works on.
func (s *service) Commit(operation byte, timestamp uint64, body, reply []byte) []byte {
	reply = s.Forest.Commit(operation, timestamp, body, reply)
	s.since = append(s.since, commit{operation, timestamp, bytes.Clone(body), bytes.Clone(reply)})
	for range s.random.IntN(4) {
		s.disk.Step()
	}
	return reply
}

// open opens the last checkpoint.
func (s *service) open() error {
	s.grid = grid.New(s.disk, grid.Config{
		BlockSize: blockio.SectorSize,
		Fault:     func(err error) { panic(err) },
	})
	s.Forest = forest.New(s.grid, nil, forest.Options{})
	opened := errors.New("open is not done")
	s.grid.Open(s.state, func(err error) {
		if opened = err; err == nil {
			opened = errors.New("open of the forest is not done")
			s.Forest.Open(s.root, func(err error) { opened = err })
		}
	})
	s.disk.Run()
	return opened
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
	s.disk.Run()
	if !done {
		return errors.New("the checkpoint is not done")
	}
	return nil
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
		reply := s.Commit(c.operation, c.timestamp, c.body, nil)
		if !bytes.Equal(reply, c.reply) {
			return fmt.Errorf("commit %d of %d after the restart (%v at %d) has another reply:\n%x, was\n%x",
				i, len(again), ledger.Operation(c.operation), c.timestamp, reply, c.reply)
		}
	}
	return nil
}
