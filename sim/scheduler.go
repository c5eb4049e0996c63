package sim

import (
	"container/heap"
	"time"
)

// scheduler is virtual time. What is due at the same moment happens in the
// order in which it was asked for.
type scheduler struct {
	now    time.Duration // since the beginning of the run
	queue  eventQueue
	asked  uint64
	events int // that have happened
}

type event struct {
	at       time.Duration
	sequence uint64
	happen   func()
}

// after lets something happen when d has passed.
func (s *scheduler) after(d time.Duration, happen func()) {
	s.asked++
	heap.Push(&s.queue, event{s.now + d, s.asked, happen})
}

// next lets the next event happen, and reports whether there was one.
func (s *scheduler) next() bool {
	if len(s.queue) == 0 {
		return false
	}
	e := heap.Pop(&s.queue).(event)
	s.now = e.at
	s.events++
	e.happen()
	return true
}

// eventQueue implements heap.Interface.
type eventQueue []event

func (q eventQueue) Len() int { return len(q) }

func (q eventQueue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].sequence < q[j].sequence
}

func (q eventQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

func (q *eventQueue) Push(x any) { *q = append(*q, x.(event)) }

func (q *eventQueue) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last] = event{}
	*q = (*q)[:last]
	return e
}
