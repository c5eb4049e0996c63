package lsm

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/ledgerd/ledgerd/vsr/grid"
)

// plant is the trees of a ledger on a disk without delay, with one worker whose
// time is simulated: a job takes as long as it has taken the processor, and
// begins when the job before has ended.
type plant struct {
	disk    *yard // its disk only
	trees   []*Tree
	now     time.Duration
	busy    time.Duration // until when the worker has work
	worked  time.Duration
	longest time.Duration
	jobs    []finishing
}

type finishing struct {
	at   time.Duration
	done func()
}

func (p *plant) Go(job, done func()) {
	start := processorTime()
	job()
	took := processorTime() - start
	p.longest = max(p.longest, took)
	p.worked += took
	p.busy = max(p.busy, p.now) + took
	p.jobs = append(p.jobs, finishing{p.busy, done})
}

// advance completes what happens up to a time.
func (p *plant) advance(to time.Duration) {
	for p.disk.complete(); len(p.jobs) > 0 && p.jobs[0].at <= to; p.disk.complete() {
		p.now = max(p.now, p.jobs[0].at)
		done := p.jobs[0].done
		p.jobs = p.jobs[1:]
		done()
	}
	p.now = max(p.now, to)
}

// beat ends an op and returns how long it waits.
func (p *plant) beat(mark uint64) time.Duration {
	start := p.now
	for _, t := range p.trees {
		done := false
		t.Beat(mark, func(err error) { done = err == nil })
		for !done {
			if p.disk.complete(); !done && len(p.jobs) > 0 {
				p.advance(max(p.now, p.jobs[0].at))
			}
		}
	}
	return p.now - start
}

// BenchmarkBeatWaits inserts batches of transfers at a million a second into
// the trees of a ledger, in simulated time, and reports how long Beats wait.
func BenchmarkBeatWaits(b *testing.B) {
	for _, random := range []bool{false, true} {
		b.Run(fmt.Sprintf("random ids %v", random), func(b *testing.B) {
			for b.Loop() {
				beatWaits(b, random, max(200, entriesOfBenchmarks()/8189))
			}
		})
	}
}

func beatWaits(b *testing.B, random bool, batches int) {
	const batch = 8189
	p := &plant{disk: &yard{}}
	p.disk.grid = grid.New(p.disk, grid.Config{BlockSize: 256 << 10, CacheSize: 64 << 20, Fault: func(err error) { panic(err) }})
	for i := range 7 {
		config := benchConfig(i == 0)
		config.Name, config.Kind = fmt.Sprint("tree ", i), uint8(16+i)
		p.trees = append(p.trees, New(p.disk.grid, p, config))
	}
	rng := rand.New(rand.NewPCG(1, 2))
	var waits []time.Duration
	for n := range uint64(batches) {
		for i := range uint64(batch) {
			position := n*batch + i
			id := Key{position / 1000, position}
			if random {
				id = Key{rng.Uint64(), rng.Uint64()}
			}
			p.trees[0].Put(id, position)
			p.trees[1].Put(Key{rng.Uint64N(1_000_000), position}, 0)
			p.trees[1].Put(Key{rng.Uint64N(1_000_000), position}, 1)
			p.trees[2].Put(Key{rng.Uint64(), position}, 0)
			p.trees[3].Put(Key{rng.Uint64(), position}, 0)
			p.trees[4].Put(Key{rng.Uint64N(100_000), position}, 0)
			p.trees[5].Put(Key{rng.Uint64N(3), position}, 0)
			p.trees[6].Put(Key{rng.Uint64N(100), position}, 0)
		}
		p.advance(p.now + batch*time.Microsecond)
		waits = append(waits, p.beat((n+1)*batch))
	}
	slices.Sort(waits)
	milliseconds := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	for _, percent := range []int{50, 90, 99} {
		b.ReportMetric(milliseconds(waits[len(waits)*percent/100]), fmt.Sprintf("p%d-ms", percent))
	}
	b.ReportMetric(milliseconds(waits[len(waits)-1]), "max-ms")
	b.ReportMetric(milliseconds(p.longest), "longest-job-ms")
	b.ReportMetric(float64(p.worked)/float64(p.now), "worker-busy")
	b.ReportMetric(float64(p.worked.Nanoseconds())/float64(batches*batch), "worker-ns/transfer")
}

// complete completes all requests of the disk.
func (y *yard) complete() {
	for len(y.queue) > 0 {
		queue := y.queue
		y.queue = nil
		y.rounds++
		for _, r := range queue {
			y.perform(r)
			r.Done(r)
		}
	}
}
