// Ledgersim simulates ledger clusters with their clients, on virtual time, and
// checks what they do. Equal seeds give equal runs.
//
// Exit codes: 0 all runs passed, 1 one failed, 2 a mistake in the command line.
package main

import (
	"crypto/rand"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"iter"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/ledgerd/ledgerd/sim"
)

func main() {
	debug.SetGCPercent(400) // a run needs little memory and makes much garbage
	debug.SetMemoryLimit(1 << 30)
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// arguments say which seeds to run.
type arguments struct {
	seed     uint64 // the first one
	one      bool   // only that, traced if verbose
	verbose  bool
	seeds    uint64
	duration time.Duration
	replicas int // 0 is any number
}

func parse(args []string, errors io.Writer) (a arguments, err error) {
	flags := flag.NewFlagSet("ledgersim", flag.ContinueOnError)
	flags.SetOutput(errors)
	flags.BoolVar(&a.verbose, "verbose", false, "with --seed: tell what happens")
	flags.Uint64Var(&a.seeds, "seeds", 0, "run so many seeds")
	flags.DurationVar(&a.duration, "duration", 0, "begin no run after this time")
	flags.IntVar(&a.replicas, "replicas", 0, "pass over seeds whose cluster has another number of replicas")
	seed := flags.Uint64("seed", 0, "run this seed only")
	start := flags.Uint64("start", 0, "first seed; unless given, a fresh one")
	if err := flags.Parse(args); err != nil {
		return a, err
	}
	a.seed = fresh()
	flags.Visit(func(f *flag.Flag) {
		switch f.Name {
		case "seed":
			a.seed, a.one, a.seeds = *seed, true, 1
		case "start":
			a.seed = *start
		}
	})
	if a.seeds == 0 && a.duration == 0 {
		a.seeds = 100
	}
	if a.replicas < 0 || a.replicas > 6 {
		fmt.Fprintln(errors, "ledgersim: --replicas is 1 to 6")
		return a, flag.ErrHelp
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(errors, "ledgersim: unexpected argument %q\n", flags.Arg(0))
		err = flag.ErrHelp
	}
	return a, err
}

// fresh returns a seed that nobody has used. It is short enough to be typed.
func fresh() uint64 {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return binary.LittleEndian.Uint64(b[:]) % 1_000_000_000_000
}

// run runs the seeds and returns the exit code.
func run(args []string, out, errors io.Writer) int {
	a, err := parse(args, errors)
	if err != nil {
		return 2
	}
	var trace func(string)
	if a.one && a.verbose {
		trace = func(line string) { fmt.Fprintln(out, line) }
	}
	if !a.one {
		fmt.Fprintf(out, "seeds from %d on\n", a.seed)
	}
	began, reported := time.Now(), time.Now()
	var totals sim.Totals
	done, failed := uint64(0), 0
	for result := range a.results(began, trace) {
		done++
		totals.Add(result.Totals)
		if result.Err != nil {
			failed++
			fmt.Fprintf(out, "seed %d failed %v\n    go run ./cmd/ledgersim --verbose --seed %d\n", result.Seed, result.Err, result.Seed)
		}
		if time.Since(reported) > progressEvery {
			reported = time.Now()
			fmt.Fprintf(out, "%d seeds, %d failed, after %v\n", done, failed, time.Since(began).Round(time.Second))
		}
	}
	report(out, done, failed, time.Since(began), &totals)
	if failed > 0 {
		return 1
	}
	return 0
}

// progressEvery is how often a long run tells how far it is.
const progressEvery = time.Minute

// results runs the seeds on all processors, and yields what came of each in the
// order of the seeds.
func (a *arguments) results(began time.Time, trace func(string)) iter.Seq[sim.Result] {
	workers := runtime.GOMAXPROCS(0)
	waiting := make(chan chan sim.Result, workers) // one for each run, in order
	go func() {
		defer close(waiting)
		running := make(chan struct{}, workers)
		for seed := range a.chosen(began) {
			running <- struct{}{}
			result := make(chan sim.Result, 1)
			waiting <- result
			go func() {
				result <- sim.Run(seed, trace)
				<-running
			}()
		}
	}()
	return func(yield func(sim.Result) bool) {
		for result := range waiting {
			if !yield(<-result) {
				return
			}
		}
	}
}

// chosen yields the seeds to run, until there were as many as asked for, or the
// time is over.
func (a *arguments) chosen(began time.Time) iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		for seed, count := a.seed, uint64(0); (a.seeds == 0 || count < a.seeds) && (a.duration == 0 || time.Since(began) < a.duration); seed++ {
			if !a.one && a.replicas != 0 && sim.Replicas(seed) != a.replicas {
				continue
			}
			count++
			if !yield(seed) {
				return
			}
		}
	}
}

func report(out io.Writer, seeds uint64, failed int, took time.Duration, t *sim.Totals) {
	fmt.Fprintf(out, "%d seeds, %d failed, in %v: %v of virtual time\n", seeds, failed,
		took.Round(time.Millisecond), t.Virtual.Round(time.Second))
	fmt.Fprintf(out, "%d messages, %d requests, %d executed again, %d calls answered, %d sessions evicted\n",
		t.Packets, t.Requests, t.Replayed, t.Answers, t.Evictions)
	fmt.Fprintf(out, "%d starts, %d crashes, %d pauses, %d stops by disk faults, %d files lost to them, %d checkpoints, %d taken over, %d disks lost\n",
		t.Starts, t.Crashes, t.Pauses, t.Failures, t.Lost, t.Checkpoints, t.Syncs, t.DisksLost)
}
