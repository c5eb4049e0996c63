package bus

import (
	"sync"
	"sync/atomic"
)

// A budget bounds the bytes that several goroutines hold together. Those that
// wait are served in turn, so that a large share is not starved by small ones.
type budget struct {
	// turn is held by the one who waits for bytes, and waited for by those
	// behind.
	turn sync.Mutex
	// waiting runs while the holder of turn waits.
	waiting stopwatch

	mu    sync.Mutex
	freed sync.Cond
	free  int // bytes, guarded by mu
}

func newBudget(size int) *budget {
	b := &budget{free: size}
	b.freed.L = &b.mu
	return b
}

// acquire takes size bytes, which is at most the whole budget, and waits for
// them if need be.
func (b *budget) acquire(size int, clock *atomic.Int64) {
	b.turn.Lock()
	defer b.turn.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.free < size {
		b.waiting.start(clock)
		b.freed.Wait()
	}
	b.free -= size
	b.waiting.stop()
}

// release gives size bytes back.
func (b *budget) release(size int) {
	if size == 0 {
		return
	}
	b.mu.Lock()
	b.free += size
	b.mu.Unlock()
	b.freed.Signal()
}
