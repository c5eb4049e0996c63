package journal

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/internal/checksum"
	"github.com/ledgerd/ledgerd/vsr/faultdisk"
	"github.com/ledgerd/ledgerd/wire"
)

// Nothing acknowledged is lost and nothing else appears, wherever the power
// fails or the process dies, and whatever one rotten record or sector of
// witnesses does on top of it.
func TestPowerCuts(t *testing.T) {
	cuts, torn, rot := 0, 0, 0
	for seed := range uint64(150) {
		config := testConfig()
		config.Slots = uint32(16 * (1 + seed%7))
		if seed%3 == 0 {
			config = withSpares(config)
		}
		w := newWriter(seed, config)
		w.mustRecover(t)
		for range 40 {
			for range w.rng.IntN(25) {
				if w.journal.InFlight() < AppendsMax {
					w.append(t, w.randomBodySize())
				}
				for range w.rng.IntN(5) {
					w.disk.Step()
				}
				if w.rng.IntN(4) == 0 {
					w.checkpoint(w.start.Op + w.rng.Uint64N(w.durable-w.start.Op+1))
				}
			}
			appended := w.head.Op
			cuts++
			if w.rng.IntN(4) == 0 {
				w.disk.Kill()
			} else {
				w.disk = w.disk.PowerCut()
			}
			rot += w.rotAndHeal(t, seed)
			w.mustRecover(t)
			w.verify(t)
			if w.journal.HeadOp() < appended {
				torn++
			}
		}
	}
	if cuts < 5000 || torn < 1000 || rot < 1000 {
		t.Errorf("%d crashes, %d torn ends, %d rotten records", cuts, torn, rot)
	}
}

// rotAndHeal damages an acknowledged record, which recovery must see, and
// repairs it again; or damages a witness for good.
func (w *writer) rotAndHeal(t *testing.T, seed uint64) int {
	if w.durable == w.start.Op || w.rng.IntN(2) == 0 {
		return 0
	}
	op := w.start.Op + 1 + w.rng.Uint64N(w.durable-w.start.Op)
	if w.rng.IntN(2) == 0 {
		slot := int64(op % uint64(w.config.Slots))
		if w.rng.IntN(2) == 0 {
			w.disk.Rot(w.config.HeadersOffset+slot*wire.HeaderSize+w.rng.Int64N(wire.HeaderSize), 1)
		} else {
			w.disk.Rot(w.config.HeadersOffset+slot/16*4096, 4096)
		}
		return 0
	}
	if w.spared(op) {
		w.rotSpared(t, op)
		return 0
	}
	if !w.witnessed(op) {
		return 0 // the power cut itself left garbage in the witnesses: a second fault
	}
	var header wire.Prepare
	if err := header.Decode(w.log[op]); err != nil {
		t.Fatal(err)
	}
	place := w.journal.place(header.Offset)
	good := w.disk.Peek(place, len(w.log[op]))
	w.disk.Rot(place+w.rng.Int64N(int64(len(good))), 1)
	err := w.recover()
	var corrupt *CorruptError
	if !errors.As(err, &corrupt) || corrupt.Op != op || corrupt.Offset != place {
		t.Fatalf("seed %d: rot of op %d: %v", seed, op, err)
	}
	w.disk.Poke(place, good)
	return 1
}

// witnessed reports whether the disk has an intact witness of op or of a later
// one.
func (w *writer) witnessed(op uint64) bool {
	for ; w.log[op] != nil; op++ {
		slot := int64(op % uint64(w.config.Slots))
		if bytes.Equal(w.disk.Peek(w.config.HeadersOffset+slot*wire.HeaderSize, wire.HeaderSize), w.log[op][:wire.HeaderSize]) {
			return true
		}
	}
	return false
}

// Recovery itself loses power, again and again.
func TestPowerCutsDuringRecovery(t *testing.T) {
	for seed := range uint64(50) {
		w := newWriter(seed, testConfig())
		w.mustRecover(t)
		for range 15 {
			for range 12 {
				w.append(t, w.randomBodySize())
				w.disk.Step()
				w.disk.Step()
			}
			w.disk = w.disk.PowerCut()
			if w.durable > 0 { // so that there is a witness to repair
				w.disk.Rot(w.config.HeadersOffset+w.rng.Int64N(int64(w.config.Slots))*wire.HeaderSize, 1)
			}
			for range 5 {
				New(w.disk, &testPool, w.config).Recover(w.start, func(uint64, error) {})
				for range w.rng.IntN(40) {
					w.disk.Step()
				}
				w.disk = w.disk.PowerCut()
			}
			w.mustRecover(t)
			w.verify(t)
			w.checkpoint(w.start.Op + w.rng.Uint64N(w.durable-w.start.Op+1))
		}
	}
}

// One fault on each record and on each witness: the first is an error that
// names it, the second is repaired so well that afterwards the first is seen
// again.
func TestRotIsNeverTheEnd(t *testing.T) {
	const count = 20
	for op := uint64(1); op <= count; op++ {
		w := settled(t, op, count)
		header := w.journal.Header(op)
		for _, at := range []int64{0, 96, 130, 255, 256, int64(header.Size) - 1} {
			w.disk.Rot(w.config.HeadersOffset+int64(op)*wire.HeaderSize+at%wire.HeaderSize, 1)
			w.mustRecover(t)
			w.verify(t)

			place := w.journal.place(header.Offset)
			good := w.disk.Peek(place, int(header.Size))
			w.disk.Rot(place+at, 1)
			var corrupt *CorruptError
			if err := w.recover(); !errors.As(err, &corrupt) || corrupt.Op != op || corrupt.Offset != place {
				t.Fatalf("op %d, byte %d: %v", op, at, err)
			}
			w.disk.Poke(place, good)
		}
		w.mustRecover(t)
		w.verify(t)
	}
}

// A witness is worth nothing if a power cut takes it back: neither one that was
// acknowledged nor one that recovery has rewritten.
func TestWitnessesAreDurable(t *testing.T) {
	for seed := range uint64(30) {
		w := settled(t, seed, 10)
		if seed%2 == 1 {
			w.disk.Rot(w.config.HeadersOffset, 4096)
			w.mustRecover(t)
		}
		last := w.journal.place(w.journal.Header(10).Offset)
		w.disk = w.disk.PowerCut()
		w.disk.Rot(last+300, 1)
		if err := w.recover(); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// A log that is whole, but does not continue the checkpoint.
func TestOtherHistory(t *testing.T) {
	w := settled(t, 1, 10)
	w.start.Checksum = checksum.Of([]byte("another parent"))
	if err := w.recover(); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "op 1,") {
		t.Error(err)
	}
}

// With its record and its own witness gone, an op is still missed if there is a
// witness of a later op, or if the superblock knows of its commit.
func TestTwoFaults(t *testing.T) {
	w := settled(t, 1, 20)
	destroy := func(op uint64) {
		header := w.journal.Header(op)
		w.disk.Rot(w.journal.place(header.Offset), wire.HeaderSize)
		w.disk.Rot(w.config.HeadersOffset+int64(op)*wire.HeaderSize, wire.HeaderSize)
	}
	destroy(20)
	w.start.CommitMax = 20
	if err := w.recover(); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "committed") {
		t.Errorf("the last op, committed: %v", err)
	}
	w.start.CommitMax = 19
	if err := w.recover(); err != nil || w.journal.HeadOp() != 19 {
		t.Errorf("the last op, not known to be committed: head %d, %v", w.journal.HeadOp(), err)
	}
	destroy(7)
	if err := w.recover(); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "op 7") || !strings.Contains(err.Error(), "witness of op 19") {
		t.Errorf("op 7: %v", err)
	}
}

// A drive that lies: it reports a write as done that it lost, tore or put
// elsewhere.
func TestLyingWrites(t *testing.T) {
	for _, effect := range []faultdisk.Effect{faultdisk.Lost, faultdisk.Torn, faultdisk.Misdirected} {
		for step := range 20 {
			w := newWriter(uint64(step), testConfig())
			w.mustRecover(t)
			base := w.disk.Submitted()
			var victim int64
			w.disk.Inject = func(n int, r *blockio.Request) faultdisk.Fault {
				if n-base != step {
					return faultdisk.Fault{}
				}
				victim = r.Offset
				// Elsewhere is the ring of records, behind what is used.
				return faultdisk.Fault{Effect: effect, Elsewhere: w.config.RecordsOffset + int64(w.config.RingSize) - 16384}
			}
			for range 10 {
				w.append(t, 4000)
				w.disk.Run()
			}
			w.disk = w.disk.PowerCut()
			err := w.recover()
			if victim < w.config.RecordsOffset { // a witness
				if err != nil {
					t.Fatalf("effect %d at step %d: %v", effect, step, err)
				}
				w.verify(t)
				continue
			}
			if !errors.Is(err, ErrCorrupt) && effect != faultdisk.Torn {
				t.Fatalf("effect %d at step %d: %v", effect, step, err)
			}
			if err == nil { // torn, but in no piece that matters
				w.verify(t)
			}
		}
	}
}

// Op 8 is torn, op 9 is whole, another op 8 is written: op 9 must not come back.
func TestRecordsBeyondTheHeadStayDead(t *testing.T) {
	w := settled(t, 1, 7)
	w.append(t, 96)
	torn := w.head
	w.append(t, 96)
	whole := bytes.Clone(w.log[9])
	w = settled(t, 1, 7) // the same again, as if of op 8 nothing were left
	w.disk.Poke(w.journal.place(OffsetEnd(&torn)), whole)
	w.mustRecover(t)
	if w.journal.HeadOp() != 7 {
		t.Fatalf("head %d", w.journal.HeadOp())
	}
	w.rng = rand.New(rand.NewPCG(99, 99)) // another content
	w.append(t, 96)
	w.disk.Run()
	w.mustRecover(t)
	if w.journal.HeadOp() != 8 {
		t.Fatalf("head %d", w.journal.HeadOp())
	}
	w.verify(t)
}

// What is read from the wrong place is not taken for what belongs there: a
// witness has its slot by its op, a record its place by its offset.
func TestMisdirectedReads(t *testing.T) {
	w := settled(t, 1, 20)
	record := func(op uint64) int64 { return w.journal.place(w.journal.Header(op).Offset) }
	misdirect := func(from, to int64) {
		w.disk.Inject = func(_ int, r *blockio.Request) faultdisk.Fault {
			if r.Kind == blockio.Read && r.Offset == from {
				return faultdisk.Fault{Effect: faultdisk.Misdirected, Elsewhere: to}
			}
			return faultdisk.Fault{}
		}
	}
	misdirect(w.config.HeadersOffset, w.config.HeadersOffset+4096)
	w.mustRecover(t)
	w.verify(t)
	misdirect(record(7), record(8))
	if err := w.recover(); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "op 7,") {
		t.Error(err)
	}
}

// An unreadable sector of witnesses costs nothing, an unreadable record is rot.
func TestUnreadableSectors(t *testing.T) {
	w := settled(t, 1, 20)
	unreadable := func(offset int64) {
		w.disk.Inject = func(_ int, r *blockio.Request) faultdisk.Fault {
			if r.Kind == blockio.Read && r.Offset <= offset && offset < r.Offset+int64(len(r.Buf)) {
				return faultdisk.Fault{Effect: faultdisk.Unreadable}
			}
			return faultdisk.Fault{}
		}
	}
	unreadable(w.config.HeadersOffset)
	w.mustRecover(t)
	w.verify(t)
	unreadable(w.journal.place(w.journal.Header(20).Offset))
	if err := w.recover(); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "op 20") {
		t.Errorf("%v", err)
	}
}

// What the checkpoint before lacks is kept, over a restart too, for others who
// have no later one; what cannot be known to be right is not told.
func TestLogOfTheCheckpointBeforeIsKept(t *testing.T) {
	w := settled(t, 1, 9)
	w.checkpoint(3)
	w.checkpoint(7)
	readable := func() (ops []uint64) {
		for op := uint64(1); op <= 9; op++ {
			var header wire.Prepare
			if err := header.Decode(w.log[op]); err != nil {
				t.Fatal(err)
			}
			if !w.journal.Readable(op, header.Checksum) {
				continue
			}
			if got, err := w.read(op); err != nil || !bytes.Equal(got, w.log[op]) {
				t.Errorf("op %d: %v", op, err)
			}
			ops = append(ops, op)
		}
		return ops
	}
	w.mustRecover(t)
	if got := fmt.Sprint(readable()); got != "[4 5 6 7 8 9]" {
		t.Errorf("ops %s can be read", got)
	}
	var header wire.Prepare
	if err := header.Decode(w.log[5]); err != nil {
		t.Fatal(err)
	}
	witness, record := w.config.HeadersOffset+5*wire.HeaderSize+40, w.journal.place(header.Offset)
	w.disk.Rot(witness, 1)
	w.mustRecover(t)
	if got := fmt.Sprint(readable()); got != "[4 5 6 7 8 9]" {
		t.Errorf("with a rotten witness, ops %s can be read", got)
	}
	w.disk.Rot(witness, 1)
	w.disk.Rot(record, 1)
	w.mustRecover(t)
	if got := fmt.Sprint(readable()); got != "[6 7 8 9]" {
		t.Errorf("with a rotten witness and record, ops %s can be read", got)
	}
	for w.append(t, 4000) {
		w.disk.Run()
	}
	if header := w.journal.Header(w.durable); OffsetEnd(&header) <= w.start.Offset {
		t.Fatal("nothing was appended")
	}
	if got := fmt.Sprint(readable()); got != "[6 7 8 9]" {
		t.Errorf("with a full journal, ops %s can be read", got)
	}
}

// Witnesses that a spare has put off are written before a checkpoint is named: the
// log before it is found by them.
func TestWitnessesBeforeACheckpoint(t *testing.T) {
	w := newWriter(1, withSpares(testConfig()))
	w.mustRecover(t)
	for range 3 {
		w.append(t, 16)
	}
	w.disk.Run()
	if w.journal.Witnessed(3) {
		t.Fatal("the witnesses were not put off")
	}
	w.disk.Run()
	if !w.journal.Witnessed(3) {
		t.Fatal("they are not written")
	}
	w.checkpoint(3)
	w.disk = w.disk.PowerCut()
	w.mustRecover(t)
	for op := uint64(1); op <= 3; op++ {
		if got, err := w.read(op); err != nil || !bytes.Equal(got, w.log[op]) {
			t.Errorf("op %d: %v", op, err)
		}
	}
}

// A power cut can tear a sector of witnesses. Those of the log before a checkpoint
// are found again by the records: others may lack what they name.
func TestTornWitnessesBeforeACheckpoint(t *testing.T) {
	for _, config := range []Config{testConfig(), withSpares(testConfig())} {
		w := newWriter(1, config)
		w.mustRecover(t)
		for range 6 {
			w.append(t, 16)
			w.disk.Run()
		}
		w.journal.Witnessed(6)
		w.disk.Run()
		w.checkpoint(2)
		w.checkpoint(5)
		w.disk.Rot(config.HeadersOffset+4*wire.HeaderSize, 1)
		for range 2 { // the second time they are on the disk
			w.mustRecover(t)
			for op := uint64(3); op <= 6; op++ {
				if got, err := w.read(op); err != nil || !bytes.Equal(got, w.log[op]) {
					t.Errorf("op %d: %v", op, err)
				}
			}
		}
	}
}
