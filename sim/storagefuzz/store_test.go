package storagefuzz

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/ledger/forest"
	"github.com/ledgerd/ledgerd/sim/model/gen"
	"github.com/ledgerd/ledgerd/vsr/faultdisk"
	"github.com/ledgerd/ledgerd/vsr/grid"
)

var _ gen.Pumped = (*store)(nil)

// store is a forest on a simulated disk, with simulated workers, and with what a
// replica keeps beside it: the last durable checkpoint and the requests since. Its
// methods are those of gen.Pumped.
type store struct {
	*forest.Forest
	options options
	random  *rand.Rand
	disk    *faultdisk.Disk
	grid    *grid.Grid
	tasks   []func() // jobs of workers not begun, and outcomes not told
	state   grid.State
	root    []byte
	since   []request

	crashes, checkpoints int
}

// options have no effect on what is stored, but for the size of blocks.
type options struct {
	blockSize     int
	gridCacheSize int
	cacheAccounts int64
	recentSize    int
	// haste is how much happens on disk and workers, at most, between two
	// requests that do not wait for it.
	haste int
	// preferDisk is how often, in a hundred, the disk goes before workers.
	preferDisk int
}

func drawOptions(random *rand.Rand) options {
	return options{
		blockSize:     oneOf(random, 4096, 8192, 16384),
		gridCacheSize: oneOf(random, 0, grid.CacheSizeMin, 16*grid.CacheSizeMin),
		cacheAccounts: oneOf[int64](random, 1, 4096, 1<<20),
		recentSize:    oneOf(random, 1, 1<<20),
		haste:         oneOf(random, 0, 2, 10, 100),
		preferDisk:    oneOf(random, 2, 50, 98),
	}
}

func oneOf[T any](random *rand.Rand, items ...T) T { return items[random.IntN(len(items))] }

// request is one that was executed, with its reply.
type request struct {
	operation   byte
	timestamp   uint64
	body, reply []byte
}

// errCrash says that the process has come to a sudden end.
var errCrash = errors.New("crash")

func newStore(options options, random *rand.Rand) (*store, error) {
	s := &store{options: options, random: random, disk: faultdisk.New(random)}
	return s, s.open(-1)
}

// open starts a process at the last checkpoint. It ends in errCrash if patience
// things have happened before it is open; if patience is negative, it never does.
func (s *store) open(patience int) error {
	s.tasks = nil
	s.grid = grid.New(s.disk, grid.Config{
		BlockSize: s.options.blockSize, CacheSize: s.options.gridCacheSize, Fault: func(err error) { panic(err) },
	})
	s.Forest = forest.New(s.grid, s, forest.Options{
		CacheAccounts: s.options.cacheAccounts, RecentSize: s.options.recentSize,
		Fault: func(err error) { panic(err) },
	})
	var failed error
	opened := false
	s.grid.Open(s.state, func(err error) {
		if failed = err; err != nil {
			opened = true
			return
		}
		s.Forest.Open(s.root, func(err error) { opened, failed = true, err })
	})
	return errors.Join(s.await(&opened, patience), failed)
}

// Go implements forest.Workers.
func (s *store) Go(job, done func()) {
	s.tasks = append(s.tasks, func() {
		job()
		s.tasks = append(s.tasks, done)
	})
}

// Pump lets the disk or a worker do one thing.
func (s *store) Pump() bool {
	if n := len(s.tasks); n > 0 && (s.disk.InFlight() == 0 || s.random.IntN(100) >= s.options.preferDisk) {
		i := s.random.IntN(n)
		task := s.tasks[i]
		s.tasks = slices.Delete(s.tasks, i, i+1)
		task()
		return true
	}
	return s.disk.Step()
}

// await pumps until done, or until patience things have happened.
func (s *store) await(done *bool, patience int) error {
	for ; !*done; patience-- {
		if patience == 0 {
			return errCrash
		}
		if !s.Pump() {
			return errors.New("it waits for nothing")
		}
	}
	return nil
}

// Commit executes and remembers a request, while disk and workers go on.
func (s *store) Commit(operation byte, timestamp uint64, body, reply []byte) []byte {
	before := len(reply)
	reply = s.Forest.Commit(operation, timestamp, body, reply)
	s.since = append(s.since, request{operation, timestamp, bytes.Clone(body), bytes.Clone(reply[before:])})
	s.pumpSome()
	return reply
}

// pumpSome lets disk and workers do what nobody waits for.
func (s *store) pumpSome() {
	for range s.random.IntN(s.options.haste + 1) {
		s.Pump()
	}
}

// checkpoint makes a durable checkpoint, or ends in errCrash, which leaves the one
// before; patience is as for open.
func (s *store) checkpoint(patience int) error {
	done := false
	sync := blockio.Request{Kind: blockio.Sync}
	s.Forest.Checkpoint(func(root []byte) {
		root = bytes.Clone(root)
		s.grid.Checkpoint(func(state grid.State) {
			sync.Done = func(*blockio.Request) {
				s.root, s.state, s.since, done = root, state, nil, true
				s.grid.CheckpointDurable()
			}
			s.disk.Submit(&sync)
		})
	})
	if err := s.await(&done, patience); err != nil {
		return err
	}
	s.checkpoints++
	return nil
}

// restart ends the process or cuts the power, opens the last checkpoint and executes what came after
// it, which must have the same results as before. It crashes again on its way, up
// to again times.
func (s *store) restart(again int) error {
	for {
		s.crashes++
		if s.random.IntN(4) == 0 {
			s.disk.Kill()
		} else {
			s.disk = s.disk.PowerCut()
		}
		patience := -1
		if again > 0 {
			again--
			patience = s.random.IntN(oneOf(s.random, 10, 1000))
		}
		if err := s.reopen(patience); !errors.Is(err, errCrash) {
			return err
		}
	}
}

func (s *store) reopen(patience int) error {
	if err := s.open(patience); err != nil {
		return err
	}
	for i, was := range s.since {
		ready := false
		s.Prefetch(was.operation, was.timestamp, was.body, func() { ready = true })
		if err := s.await(&ready, patience); err != nil {
			return err
		}
		reply := s.Forest.Commit(was.operation, was.timestamp, was.body, nil)
		s.pumpSome()
		if !bytes.Equal(reply, was.reply) {
			return fmt.Errorf("request %d of %d after the restart (%v at %d) has another reply:\n%x, was\n%x",
				i, len(s.since), ledger.Operation(was.operation), was.timestamp, reply, was.reply)
		}
		if patience >= 0 && s.random.IntN(len(s.since)+1) == 0 {
			return errCrash
		}
	}
	return nil
}

// verify demands that the whole ledger is sound.
func (s *store) verify() error {
	var verdict error
	done := false
	s.Verify(func(err error) { done, verdict = true, err })
	return errors.Join(s.await(&done, -1), verdict)
}
