package vsr

import (
	"errors"
	"fmt"
	"time"

	"github.com/ledgerd/ledgerd/vsr/grid"
)

// TickInterval is the time between two calls of Tick.
const TickInterval = 10 * time.Millisecond

const (
	// scrubTicks is after how many ticks the next block is looked at: 2.5 MB a
	// second of blocks of the default size, which no disk feels.
	scrubTicks = 10
	// tourTicks is after how many ticks at least a tour follows the one before:
	// an hour. A large file takes longer.
	tourTicks = 360_000
)

// Tick lets time pass. The owner calls it every TickInterval, and Step after it.
// Ticks that are late or left out slow down what they pace, and nothing else.
func (r *Replica) Tick() {
	if r.err != nil || r.status == statusOpening {
		return
	}
	if !r.alone() {
		r.tickGroup()
	}
	if r.status == statusNormal && r.err == nil {
		r.scrub.tick()
	}
}

// scrub tours the blocks of the grid, all the time, so that rot is found while
// there is a backup to restore, and not years later when somebody asks for the
// record. It only reads: its timing never reaches the state.
type scrub struct {
	scrubber *grid.Scrubber
	// ticks counts those since the tour began; ended says that it has ended.
	ticks int
	ended bool
}

func (s *scrub) tick() {
	s.ticks++
	switch {
	case s.ended && s.ticks >= tourTicks:
		s.ticks, s.ended = 0, false
	case !s.ended && s.ticks%scrubTicks == 0:
		s.ended = s.scrubber.Tick()
	}
}

// startScrub begins the first tour. A block that is damaged is fetched from
// elsewhere; where that cannot be it stops the replica, which must not serve on a
// file that it knows to be broken.
func (r *Replica) startScrub() {
	r.scrub.scrubber = r.grid.NewScrubber(grid.Whole, 1, func(_ grid.BlockInfo, err error) {
		var damage *grid.CorruptError
		if err != nil && !(errors.As(err, &damage) && r.grid.Mend(damage)) {
			r.damaged(err)
		}
	})
}

// damaged stops the replica because what it needs of the grid cannot be read as
// it was written, nor had from elsewhere by its reference. If there are peers, all
// of the grid is compared with theirs.
func (r *Replica) damaged(err error) {
	if errors.Is(err, grid.ErrCorrupt) && !r.alone() {
		r.mendGrid()
		return
	}
	if errors.Is(err, grid.ErrCorrupt) {
		err = fmt.Errorf("%w; what this block holds is lost, as this file has no other copy of it", r.explain(err))
	}
	r.fail(err)
}
