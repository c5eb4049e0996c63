package sim

import (
	"time"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/vsr/faultdisk"
)

type storageOptions struct {
	delayMax time.Duration
	stalls   int // in a thousand requests, how many take up to a second
}

const storageDelayMin = 30 * time.Microsecond

// storage is what a process sees of its disk. Requests complete in random
// order, each after a time of its own. It dies with the process.
type storage struct {
	options   storageOptions
	random    random
	scheduler *scheduler
	disk      *faultdisk.Disk
	calm      bool
	dead      bool

	submitted  int
	running    func(func()) // lets something happen in the process, unless it is dead
	onComplete func()       // is told of each request that is complete
}

// Submit implements vsr.Storage.
func (s *storage) Submit(r *blockio.Request) {
	if s.dead {
		return
	}
	s.disk.Submit(r)
	s.submitted++
	delay := s.random.duration(storageDelayMin, s.options.delayMax)
	if !s.calm && s.random.IntN(1000) < s.options.stalls {
		delay = s.random.duration(0, time.Second)
	}
	s.scheduler.after(delay, func() {
		s.running(func() {
			if s.disk.Step() {
				s.onComplete()
			}
		})
	})
}
