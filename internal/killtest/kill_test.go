package killtest

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ledgerd/ledgerd/client"
)

var (
	rounds = flag.Int("kill.rounds", 4, "rounds of TestKill")
	seed   = flag.Uint64("kill.seed", 0, "what the tests draw from; 0 for a fresh one. Moments vary all the same")
	folder = flag.String("kill.folder", "", "where TestKill keeps its data files; default a temporary folder")
)

const (
	mortals   = 4 // workers whose client dies with the server
	survivors = 4 // workers whose client lives on
	// trialRounds is after how many rounds a new data file is begun: restarts
	// take longer the more there is in it.
	trialRounds = 10
	// loadMax is how long a round lasts that waits for a moment in vain.
	loadMax = time.Second
)

// A trial is rounds on one data file.
type trial struct {
	*testing.T
	random  *rand.Rand
	path    string
	port    string
	file    dataFile
	server  *process
	workers []*worker
	tally   *tally
}

// A tally is what is printed at the end.
type tally struct {
	acknowledged, verified int // transfers
	answered               int // requests in flight across a kill that were answered after it
	executedBefore         int // of these, executed before it
	resolved               int // requests that were never answered
	resolvedThere          int // of these, executed
	kills, killsInRecovery int
	tornSuperblocks        int
	checkpoints            int
	journalWraps           int
	restarts               []time.Duration // from start to serving
}

// TestKill is described in the package comment.
func TestKill(t *testing.T) {
	drawSeed()
	var all tally
	for first := 0; first < *rounds && !t.Failed(); first += trialRounds {
		t.Run(fmt.Sprintf("seed=%d", *seed), func(t *testing.T) {
			newTrial(t, *seed, &all).run(min(trialRounds, *rounds-first))
		})
		*seed++
	}
	if !t.Failed() {
		all.print(t)
	}
}

// drawSeed draws a seed if none is given.
func drawSeed() {
	if *seed == 0 {
		*seed = rand.Uint64()
	}
}

// run is rounds, a comparison of everything, and a stop in good order.
func (k *trial) run(count int) {
	for round := range count {
		k.round(round)
		if k.Failed() {
			k.Fatalf("round %d failed; the last log of the server:\n%s", round, k.server.output())
		}
	}
	root, _ := k.file.root(k.T)
	k.tally.checkpoints += checkpoints(root)
	k.tally.journalWraps += wraps(root)
	k.verifyAll()
	if code := k.server.signal(k.T, syscall.SIGTERM); code != 0 {
		k.Errorf("stopped with exit code %d\n%s", code, k.server.output())
	}
}

func newTrial(t *testing.T, seed uint64, all *tally) *trial {
	home := *folder
	if home == "" {
		home = t.TempDir()
	}
	k := &trial{T: t, random: rand.New(rand.NewPCG(seed, 0)), tally: all, port: freePort(t)}
	k.path = filepath.Join(home, fmt.Sprintf("%d.ledger", seed))
	format(t, k.path)
	k.file = openDataFile(t, k.path)
	k.server = start(t, k.path, k.port)
	for i := range mortals + survivors {
		k.workers = append(k.workers, &worker{
			number:  i,
			address: k.port,
			random:  rand.New(rand.NewPCG(seed, uint64(i)+1)),
			mortal:  i < mortals,
		})
	}
	t.Cleanup(func() {
		for _, w := range k.workers {
			w.disconnect()
		}
	})
	v, done := k.verifier()
	defer done()
	if err := createAccounts(v.ctx, v.client); err != nil {
		t.Fatal(err)
	}
	return k
}

func (w *worker) disconnect() {
	if w.client != nil {
		w.client.Close()
		w.client = nil
	}
}

// verifier connects a verifier.
func (k *trial) verifier() (v *verifier, done func()) {
	ctx, cancel := context.WithTimeout(k.Context(), patience)
	c, err := client.Connect(ctx, client.Config{Addresses: []string{k.port}})
	if err != nil {
		k.Fatal(err)
	}
	return &verifier{ctx, c}, func() {
		c.Close()
		cancel()
	}
}

// round is load, kill, restart and comparison.
func (k *trial) round(round int) {
	mortal, dieNow := context.WithCancel(k.Context())
	defer dieNow()
	immortal, giveUp := context.WithTimeout(k.Context(), loadMax+2*patience)
	defer giveUp()
	var halt atomic.Bool
	mortalsEnded, survivorsEnded := make(chan error, mortals), make(chan error, survivors)
	for _, w := range k.workers {
		ctx, ended := immortal, survivorsEnded
		if w.mortal {
			ctx, ended = mortal, mortalsEnded
		}
		go func() { ended <- w.run(ctx, &halt) }()
	}

	k.awaitMoment(round)
	k.server.kill()
	killedAt := time.Now()
	halt.Store(true)
	dieNow()
	k.wait(mortalsEnded)
	for _, w := range k.workers[:mortals] {
		w.disconnect() // so that it cannot send again what it has given up
	}
	k.inspect()
	k.restart(round)
	k.wait(survivorsEnded)
	k.countAnswers(killedAt)
	k.verify()
}

// wait returns when the workers that tell ended have done so.
func (k *trial) wait(ended chan error) {
	for range cap(ended) {
		select {
		case err := <-ended:
			if err != nil {
				k.Fatalf("%v\n%s", err, k.server.output())
			}
		case <-time.After(patience):
			k.Fatalf("a client still waits\n%s", k.server.output())
		}
	}
}

// awaitMoment returns when the server is to be killed.
func (k *trial) awaitMoment(round int) {
	headers, records := zones(k.file.sector(k.T, 0))
	time.Sleep(time.Duration(k.random.IntN(100)) * time.Millisecond)
	switch round % 4 {
	case 0: // whatever it is doing
		time.Sleep(time.Duration(k.random.IntN(300)) * time.Millisecond)
	case 1: // a checkpoint is being written to the superblock
		k.file.watch(k.T, 0, loadMax)
	case 2: // the ring of records has just wrapped
		k.file.watch(k.T, records, loadMax)
	case 3: // the ring of headers has, or some time after a checkpoint
		if k.random.IntN(2) == 0 {
			k.file.watch(k.T, headers, loadMax)
		} else {
			k.file.watch(k.T, 0, loadMax)
			time.Sleep(time.Duration(k.random.IntN(50)) * time.Millisecond)
		}
	}
	time.Sleep(time.Duration(k.random.IntN(3)) * 100 * time.Microsecond)
}

// inspect looks at the file that the kill has left behind.
func (k *trial) inspect() {
	k.tally.kills++
	if _, torn := k.file.root(k.T); torn {
		k.tally.tornSuperblocks++
	}
}

// restart starts the server again, in some rounds after a kill in the middle of
// its recovery.
func (k *trial) restart(round int) {
	if round%3 == 2 {
		usual := 20 * time.Millisecond
		if len(k.tally.restarts) > 0 {
			usual = k.tally.restarts[len(k.tally.restarts)-1]
		}
		k.server = launch(k.T, k.path, k.port)
		time.Sleep(time.Duration(k.random.Int64N(int64(usual))))
		k.server.kill()
		k.tally.killsInRecovery++
	}
	k.server = launch(k.T, k.path, k.port)
	k.tally.restarts = append(k.tally.restarts, k.server.awaitServing(k.T))
}

// countAnswers counts the answers to requests that were in flight when the
// server was killed.
func (k *trial) countAnswers(killedAt time.Time) {
	for _, w := range k.workers[mortals:] {
		if w.sentAt.Before(killedAt) && w.answeredAt.After(killedAt) {
			k.tally.answered++
			if w.answerTimestamp < uint64(killedAt.UnixNano()) {
				k.tally.executedBefore++
			}
		}
	}
}

// verify compares what this round has added, and all balances.
func (k *trial) verify() {
	v, done := k.verifier()
	defer done()
	for _, w := range k.workers {
		if w.unanswered < len(w.records) {
			k.tally.resolved++
			executed, err := v.resolve(w)
			if err != nil {
				k.Error(err)
			}
			if executed {
				k.tally.resolvedThere++
			}
		}
		if _, err := v.transfers(w, w.verified); err != nil {
			k.Error(err)
		}
		w.verified = len(w.records)
	}
	if err := v.balances(k.workers); err != nil {
		k.Error(err)
	}
}

// verifyAll compares every transfer of every round.
func (k *trial) verifyAll() {
	v, done := k.verifier()
	defer done()
	for _, w := range k.workers {
		count, err := v.transfers(w, 0)
		if err != nil {
			k.Error(err)
		}
		k.tally.verified += count
		k.tally.acknowledged += w.acknowledged
	}
}

// print says what has been tested. A trial in which nothing was in flight has
// tested nothing.
func (c *tally) print(t *testing.T) {
	slices.Sort(c.restarts)
	t.Logf("%d kills under load, of which %d cut an update of the superblock; %d kills in recovery",
		c.kills, c.tornSuperblocks, c.killsInRecovery)
	t.Logf("%d transfers acknowledged, %d found in the end", c.acknowledged, c.verified)
	t.Logf("%d requests in flight across a kill answered after it, %d of which were executed before it",
		c.answered, c.executedBefore)
	t.Logf("%d requests never answered, %d of which were executed", c.resolved, c.resolvedThere)
	t.Logf("%d checkpoints, the journal went round %d times", c.checkpoints, c.journalWraps)
	t.Logf("restart: median %v, longest %v", c.restarts[len(c.restarts)/2].Round(time.Millisecond),
		c.restarts[len(c.restarts)-1].Round(time.Millisecond))
	if c.answered == 0 || c.resolved == 0 || c.checkpoints == 0 {
		t.Error("no request in flight across a kill, or no checkpoint")
	}
}
