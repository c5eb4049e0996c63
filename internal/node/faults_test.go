package node_test

import (
	"errors"
	"flag"
	"strings"
	"syscall"
	"testing"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/vsr/faultdisk"
)

// The fault matrix: a whole replica follows a script, and at each single request
// to its disk, one run for each, something goes wrong. Whatever it is, after a
// restart all that was acknowledged is there, or the replica refuses to start or
// to go on, and names the place. It never gives a wrong answer.
//
//	go test ./internal/node -run TestFault             a part of the matrix
//	go test ./internal/node -run TestFault -faults.full -v   all of it
var faultsFull = flag.Bool("faults.full", false, "strike at every request to the disk, not at some")

// TestFaultOfWrites lets each write and each Sync fail, when it was carried out
// and when it was not. The replica must stop, and nothing may be missing after
// the restart: of the process, or of the machine.
func TestFaultOfWrites(t *testing.T) {
	script, steps := baseline(t)
	n := tally{t: t}
	for _, at := range some(len(steps), 40, all) {
		if steps[at].kind == blockio.Read {
			continue
		}
		for _, effect := range []faultdisk.Effect{faultdisk.Refused, faultdisk.Stored} {
			for _, end := range []func(*rig){(*rig).powerCut, (*rig).kill} {
				r := newRig(1, script)
				r.strike(at, faultdisk.Fault{Effect: effect})
				if r.open() && r.serve() {
					r.fail("the replica goes on")
				}
				n.stopped(r, steps[at].place())
				end(r)
				n.recover(r)
				n.check(r, "step %d (%+v) effect %d", at, steps[at], effect)
			}
		}
	}
	n.finish()
}

// TestFaultOfPower ends the process, or cuts the power, while each request is in
// flight. Whatever is in flight happens wholly, in part, or not at all.
func TestFaultOfPower(t *testing.T) {
	script, steps := baseline(t)
	n := tally{t: t}
	for _, at := range some(len(steps), 40, all) {
		for seed := range uint64(4) {
			r := newRig(seed, script)
			r.crash(at)
			if r.open() && r.serve() {
				continue // other choices of the disk, fewer steps
			}
			n.end(r, seed%2 == 0)
			if seed >= 2 { // and once more, soon, in the other way
				r.crash(r.random.IntN(60))
				if r.open() && r.serve() {
					r.crashed = true // it has come through; at rest, then
				}
				n.end(r, seed%2 == 1)
			}
			n.recover(r)
			n.check(r, "power fails at step %d with seed %d", at, seed)
		}
	}
	n.finish()
}

// end lets some more complete, and then the process or the machine ends.
func (n *tally) end(r *rig, machine bool) {
	if r.wrong == nil && !r.crashed {
		r.fail("stopped before the power failed: %w", r.replica.Err())
	}
	for range r.random.IntN(3) {
		r.disk.Step()
	}
	if machine {
		r.powerCut()
	} else {
		r.kill()
	}
}

// TestFaultOfReads lets each read of a run fail, find a flipped bit, or find
// other bytes. The replica may stop; the next start must find everything.
func TestFaultOfReads(t *testing.T) {
	script, steps := baseline(t)
	n := tally{t: t}
	for _, at := range some(len(steps), 100, all) {
		s := &steps[at]
		if s.kind != blockio.Read {
			continue
		}
		for _, effect := range []faultdisk.Effect{faultdisk.Unreadable, faultdisk.Rotten, faultdisk.Misdirected} {
			r := newRig(1, script)
			r.strike(at, faultdisk.Fault{Effect: effect, Elsewhere: s.elsewhere(at)})
			if !r.open() || !r.serve() {
				n.stopped(r, s.place())
			}
			r.powerCut()
			n.recover(r)
			n.check(r, "step %d (%+v) effect %d", at, *s, effect)
		}
	}
	n.finish()
}

// TestFaultOfLies lets each write be reported as done when it was lost, torn, or
// stored elsewhere in its zone. Later, perhaps after a restart, the replica may
// find that out, and must name the place then. A disk that lies at once to a
// record and to its witness is beyond what one file can survive.
func TestFaultOfLies(t *testing.T) {
	script, steps := baseline(t)
	n := tally{t: t}
	for _, at := range some(len(steps), 70, all) {
		s := &steps[at]
		if s.kind != blockio.Write {
			continue
		}
		for i, effect := range []faultdisk.Effect{faultdisk.Lost, faultdisk.Torn, faultdisk.Misdirected} {
			r := newRig(1, script)
			r.strike(at, faultdisk.Fault{Effect: effect, Elsewhere: s.elsewhere(at)})
			switch (at + i) % 3 {
			case 0:
				r.hasty = true
			case 1:
				r.patience = 0
			}
			n.live(r, s.place(), s.misplaced(at))
			n.check(r, "step %d (%+v) effect %d", at, *s, effect)
		}
	}
	n.finish()
}

// TestFaultOfRestarts crashes the process, and then lets each request to the disk
// go wrong by which the next one opens the file.
func TestFaultOfRestarts(t *testing.T) {
	script, steps := baseline(t)
	n := tally{t: t}
	for _, crash := range some(len(steps), 2, 20) {
		before := newRig(uint64(crash), script)
		before.crash(crash)
		if before.open() && before.serve() {
			continue
		}
		before.kill() // garbage of a power cut beside a read that fails would be two faults
		before.script = script[:before.next]
		for at, s := range before.fork(1).record() {
			for _, effect := range s.effects() {
				r := before.fork(1)
				r.strike(at, faultdisk.Fault{Effect: effect})
				if !r.open() || !r.serve() {
					n.stopped(r, s.place())
				} else if s.kind != blockio.Read {
					r.fail("the replica goes on")
				}
				r.powerCut()
				n.recover(r)
				n.check(r, "crash at step %d, then step %d (%+v) effect %d", crash, at, s, effect)
			}
		}
	}
	n.finish()
}

// TestFaultOfSpace lets the file grow so far and no further: at every block of the
// grid in turn. The replica must stop and say why, and, once there is space,
// everything must be there.
func TestFaultOfSpace(t *testing.T) {
	script, _ := baseline(t)
	whole := newRig(1, script)
	whole.record()
	n := tally{t: t}
	blocks := int(whole.fileSize-zones[3]) / int(rigLayout.BlockSize)
	for _, block := range some(blocks, 20, all) {
		r := newRig(1, script)
		r.space = zones[3] + int64(block)*int64(rigLayout.BlockSize)
		for range 2 { // a restart does not make space
			if r.open() && r.serve() {
				r.fail("the replica goes on")
			}
			n.failures++
			err := r.replica.Err()
			if r.wrong == nil && (!errors.Is(err, syscall.ENOSPC) || !strings.HasPrefix(err.Error(), "grid: write block ")) {
				r.fail("on a full disk: %w", err)
			}
			r.powerCut()
		}
		r.space = 1 << 40
		n.recover(r)
		n.check(r, "space for %d blocks", block)
	}
	n.finish()
}
