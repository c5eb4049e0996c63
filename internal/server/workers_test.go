package server

import (
	"log/slog"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// TestWorkers does many jobs, each once, and then what follows each.
func TestWorkers(t *testing.T) {
	posted := make(chan func(), jobsMax)
	w := startWorkers(func(done func()) { posted <- done })
	defer w.close()
	worked := make([]atomic.Int32, jobsMax)
	followed := 0
	for i := range worked {
		w.Go(func() { worked[i].Add(1) }, func() {
			if worked[i].Load() != 1 {
				t.Errorf("job %d was done %d times before what follows", i, worked[i].Load())
			}
			followed++
		})
	}
	for range worked {
		(<-posted)()
	}
	if followed != jobsMax {
		t.Errorf("%d jobs were followed up", followed)
	}
}

// TestWorkersClose waits for the job that runs and drops those that wait, though
// nobody takes what is posted any more.
func TestWorkersClose(t *testing.T) {
	before := runtime.NumGoroutine()
	l := newLoop(slog.New(slog.DiscardHandler))
	w := startWorkers(l.worked)
	begun, end, ended := make(chan bool), make(chan bool), false
	w.Go(func() { close(begun); <-end; ended = true }, func() { t.Error("posted to a loop that has ended") })
	for range inboxMax + 1 {
		w.Go(func() {}, func() {})
	}
	<-begun
	l.end()
	time.AfterFunc(10*time.Millisecond, func() { close(end) })
	w.close()
	if !ended {
		t.Error("closed before the job had ended")
	}
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}

// TestWorkersBound panics rather than hold more jobs than there can be.
func TestWorkersBound(t *testing.T) {
	w := &workers{jobs: make(chan job, jobsMax)}
	for range jobsMax {
		w.Go(nil, nil)
	}
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	w.Go(nil, nil)
}
