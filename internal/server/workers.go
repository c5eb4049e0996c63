package server

import (
	"runtime"
	"sync"
)

// jobsMax bounds the jobs that wait for a worker. Each tree of the ledger has a
// few at a time.
const jobsMax = 1024

// workers compute beside the loop, as many at a time as there are processors but
// for the loop's own. What follows a job is posted, so that the loop does it.
type workers struct {
	jobs    chan job
	post    func(done func())
	running sync.WaitGroup
	stop    chan struct{}
}

type job struct{ work, done func() }

// startWorkers starts workers that call post, from any of them, with what
// follows each job.
func startWorkers(post func(done func())) *workers {
	w := &workers{jobs: make(chan job, jobsMax), post: post, stop: make(chan struct{})}
	for range max(1, runtime.NumCPU()-1) {
		w.running.Go(w.run)
	}
	return w
}

// Go implements node.Options.Workers. It never waits, and panics if jobsMax jobs
// wait already: that is a bug.
func (w *workers) Go(work, done func()) {
	select {
	case w.jobs <- job{work, done}:
	default:
		panic("server: too many jobs wait for a worker")
	}
}

func (w *workers) run() {
	for {
		select {
		case <-w.stop:
			return
		case next := <-w.jobs:
			next.work()
			w.post(next.done)
		}
	}
}

// close waits until the jobs that were begun have ended. Those that wait are
// dropped: they belong to a loop that has ended.
func (w *workers) close() {
	close(w.stop)
	w.running.Wait()
}
