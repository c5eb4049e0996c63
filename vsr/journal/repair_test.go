package journal

import (
	"bytes"
	"testing"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/wire"
)

func repairable(seed uint64) *writer {
	config := testConfig()
	config.Repairable = true
	return newWriter(seed, config)
}

func (w *writer) headerOf(op uint64) (header wire.Prepare) {
	if err := header.Decode(w.log[op]); err != nil {
		panic(err)
	}
	return header
}

// With peers to ask, a rotten record is part of the log, neither readable nor
// absent, until it is repaired; then it is as it was, now and after a restart.
func TestRepair(t *testing.T) {
	for rotten := uint64(1); rotten <= 6; rotten++ {
		w := repairable(rotten)
		w.mustRecover(t)
		for range 6 {
			w.append(t, 16*int(rotten)*40)
		}
		w.disk.Run()
		header := w.headerOf(rotten)
		w.disk.Rot(w.journal.place(header.Offset)+300, 1)
		w.mustRecover(t)
		if w.journal.HeadOp() != 6 || !w.journal.Faulty(rotten) || w.journal.Readable(rotten, header.Checksum) || w.journal.LostOp() != 0 {
			t.Fatalf("op %d of 6 is rotten: head %d", rotten, w.journal.HeadOp())
		}
		for op := uint64(1); op <= 6; op++ {
			if h := w.headerOf(op); op != rotten && !w.journal.Readable(op, h.Checksum) {
				t.Errorf("op %d is rotten, and op %d cannot be read", rotten, op)
			}
		}
		for range 2 {
			w.journal = New(w.disk, &testPool, w.config)
			w.mustRecover(t)
			if !w.journal.Faulty(rotten) {
				break
			}
			message := testPool.Acquire(len(w.log[rotten]))
			copy(message.Bytes, w.log[rotten])
			w.journal.Repair(message, func() {})
			message.Release()
			if w.journal.Quiet() {
				t.Error("quiet during a repair")
			}
			w.disk.Run()
			w.disk = w.disk.PowerCut()
		}
		w.verify(t)
	}
}

// A rotten record without a witness of its own, before one that has one, ends
// the log, which is known to have gone on.
func TestLostEnd(t *testing.T) {
	w := repairable(1)
	w.mustRecover(t)
	for range 20 {
		w.append(t, 0)
	}
	w.disk.Run()
	header := w.headerOf(14)
	w.disk.Rot(w.journal.place(header.Offset)+300, 1)
	w.disk.Rot(w.config.HeadersOffset, blockio.SectorSize) // witnesses of ops 1 .. 15
	w.mustRecover(t)
	if w.journal.HeadOp() != 13 || w.journal.LostOp() != 20 {
		t.Errorf("the log ends with op %d, lost is %d", w.journal.HeadOp(), w.journal.LostOp())
	}
	w.journal.Truncate(13, func() {})
	w.disk.Run()
	w.mustRecover(t)
	if w.journal.HeadOp() != 13 || w.journal.LostOp() != 0 {
		t.Errorf("after a truncation the log ends with op %d, lost is %d", w.journal.HeadOp(), w.journal.LostOp())
	}
}

// What was truncated never comes back in the middle of what took its place,
// wherever power fails; and what was not, is not lost.
func TestTruncate(t *testing.T) {
	again := 0
	for seed := range uint64(300) {
		w := repairable(seed)
		if seed%3 == 0 {
			w.config = withSpares(w.config)
		}
		w.mustRecover(t)
		for range 30 {
			w.append(t, w.randomBodySize()/4&^15)
			for range w.rng.IntN(6) {
				w.disk.Step()
			}
		}
		for !w.journal.Quiet() {
			w.disk.Step()
		}
		w.checkpoint(w.rng.Uint64N(3))
		head := w.journal.HeadOp()
		to := head - w.rng.Uint64N(min(20, head-w.start.Op)+1)
		truncated := false
		w.journal.Truncate(to, func() { truncated = true })
		for range w.rng.IntN(4) {
			w.disk.Step()
		}
		if truncated {
			w.head = w.headerOf(to)
			w.durable = to
			for range w.rng.IntN(6) {
				w.append(t, w.randomBodySize()/4&^15)
			}
			for range w.rng.IntN(10) {
				w.disk.Step()
			}
		}
		appended := w.journal.HeadOp()
		w.disk = w.disk.PowerCut()
		if !truncated {
			w.durable = to
		}
		w.mustRecover(t)
		if w.journal.LostOp() != 0 {
			t.Fatalf("seed %d: lost op %d", seed, w.journal.LostOp())
		}
		found := w.journal.HeadOp()
		if found > appended {
			again++ // records behind the head are found again: of the old log, whole
		}
		for op := w.start.Op + 1; op <= found; op++ {
			got, err := w.read(op)
			if err != nil || op <= w.durable && !bytes.Equal(got, w.log[op]) {
				t.Fatalf("seed %d: op %d of %d, truncated to %d: %v or other bytes", seed, op, found, to, err)
			}
		}
		if found < min(to, head) || truncated && found < w.durable {
			t.Fatalf("seed %d: head %d, truncated to %d, durable %d", seed, found, to, w.durable)
		}
	}
	if again == 0 {
		t.Error("no record behind the head was found again: the warning in Truncate is idle")
	}
}
