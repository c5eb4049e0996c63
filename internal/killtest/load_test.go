package killtest

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

const (
	clusterWorkers = 2
	clusterTellers = 2 * tillCount
)

// A load is clients that use a cluster while things happen to it: workers, who
// send batches, and tellers, whose history is judged.
type load struct {
	*cluster
	workers []*worker
	tellers []*teller
	watch   stopwatch
	stop    context.CancelFunc
	halt    atomic.Bool
	ended   chan error
}

// newLoad makes the accounts and lets the clients begin. Tellers wait for an
// answer for up to atMost.
func newLoad(c *cluster, atMost time.Duration) *load {
	c.Helper()
	l := &load{cluster: c}
	v, done := l.verifier()
	defer done()
	if err := createTills(v.ctx, v.client); err != nil {
		c.fail("%v", err)
	}
	if err := createAccounts(v.ctx, v.client); err != nil {
		c.fail("%v", err)
	}
	for i := range clusterWorkers {
		l.workers = append(l.workers, &worker{number: i, random: l.stream(i), client: c.connect()})
	}
	for i := range clusterTellers {
		l.tellers = append(l.tellers, &teller{number: i, random: l.stream(clusterWorkers + i), client: c.connect(),
			watch: &l.watch, atMost: atMost})
	}
	l.resume()
	return l
}

// stream is where one client draws from.
func (l *load) stream(i int) *rand.Rand { return rand.New(rand.NewPCG(*seed, uint64(i)+2)) }

// resume lets the clients begin, or go on.
func (l *load) resume() {
	ctx, stop := context.WithCancel(l.Context())
	l.stop = stop
	l.halt.Store(false)
	l.ended = make(chan error, len(l.workers)+len(l.tellers))
	for _, w := range l.workers {
		go func() { l.ended <- w.run(l.Context(), &l.halt) }()
	}
	for _, w := range l.tellers {
		go func() { l.ended <- w.run(ctx) }()
	}
}

// pause returns when every client has its last answer.
func (l *load) pause() {
	l.Helper()
	l.stop()
	l.halt.Store(true)
	for range cap(l.ended) {
		select {
		case err := <-l.ended:
			if err != nil {
				l.fail("%v", err)
			}
		case <-time.After(patience):
			l.fail("a client still waits")
		}
	}
}

// verifier connects a verifier.
func (l *load) verifier() (v *verifier, done func()) {
	l.Helper()
	ctx, cancel := context.WithTimeout(l.Context(), patience)
	connected := l.connect()
	return &verifier{ctx, connected}, func() {
		connected.Close()
		cancel()
	}
}

// verify compares the ledger with what the paused clients know: each transfer if
// everything is set, the newest ones and the balances if it is not.
func (l *load) verify(everything bool) {
	l.Helper()
	v, done := l.verifier()
	defer done()
	for _, w := range l.workers {
		if everything {
			w.verified = 0
		}
		if _, err := v.transfers(w, w.verified); err != nil {
			l.fail("%v", err)
		}
		w.verified = len(w.records)
	}
	if err := v.balances(l.workers); err != nil {
		l.fail("%v", err)
	}
	for _, w := range l.tellers {
		if err := v.teller(w); err != nil {
			l.fail("%v", err)
		}
	}
}

// conclude ends the load and judges all of it. Each replica in turn has to be the
// primary, which answers by what it has executed itself: the first for everything,
// the others for all balances and what tellers have done.
func (l *load) conclude() {
	l.Helper()
	l.pause()
	checkHistory(l.T, l.tellers)
	for turn := range l.replicas {
		l.awaitAll()
		l.verify(turn == 0)
		leader := l.awaitLeader()
		l.kill(leader)
		l.awaitLeader()
		l.start(leader)
	}
	l.awaitAll()
	for _, m := range l.members {
		l.terminate(m)
	}
	l.compareFiles()
	acknowledged := l.watch.count()
	for _, w := range l.workers {
		acknowledged += w.acknowledged
	}
	l.Logf("%d acknowledged transfers are there", acknowledged)
}
