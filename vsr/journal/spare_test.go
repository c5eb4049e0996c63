package journal

import (
	"bytes"
	"errors"
	"testing"

	"github.com/ledgerd/ledgerd/vsr/faultdisk"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/wire"
)

// withSpares adds a few spares, between headers and records.
func withSpares(config Config) Config {
	config.Spares, config.SpareSize = 6, blockio.SectorSize
	config.SparesOffset = config.RecordsOffset - int64(config.Spares)*int64(config.SpareSize)
	return config
}

// spared reports whether the disk has an intact spare of op.
func (w *writer) spared(op uint64) bool {
	if w.config.Spares == 0 || len(w.log[op]) > w.config.SpareSize {
		return false
	}
	return bytes.Equal(w.disk.Peek(w.journal.sparePlace(op), len(w.log[op])), w.log[op])
}

// rotSpared damages a record that has a spare, or the spare: recovery must not
// even notice.
func (w *writer) rotSpared(t *testing.T, op uint64) {
	t.Helper()
	var header wire.Prepare
	if err := header.Decode(w.log[op]); err != nil {
		t.Fatal(err)
	}
	place := w.journal.place(header.Offset)
	if w.rng.IntN(2) == 0 {
		place = w.journal.sparePlace(op)
	}
	w.disk.Rot(place+w.rng.Int64N(int64(header.Size)), 1)
	w.mustRecover(t)
	w.verify(t)
}

// A small record is acknowledged when it is durable in two places, which are
// written at the same time; witnesses follow, many at once.
func TestSpares(t *testing.T) {
	w := newWriter(1, withSpares(testConfig()))
	w.mustRecover(t)
	const count = 24
	witnesses := 0
	w.disk.Inject = func(_ int, r *blockio.Request) faultdisk.Fault {
		if r.Kind == blockio.Write && r.Offset < w.config.SparesOffset {
			witnesses++
		}
		return faultdisk.Fault{}
	}
	for op := uint64(1); op <= count; op++ {
		before := w.disk.Submitted()
		w.append(t, 512)
		if got := w.disk.Submitted() - before; got != 2 {
			t.Fatalf("op %d began with %d writes", op, got)
		}
		w.disk.Run()
		if w.durable != op {
			t.Fatalf("op %d is not acknowledged", op)
		}
	}
	if witnesses == 0 || witnesses > count/int(w.config.Spares/2) {
		t.Errorf("%d writes of witnesses for %d records", witnesses, count)
	}
	w.append(t, 5120)
	w.disk.Run()
	if w.durable != count+1 || !w.witnessed(count+1) {
		t.Errorf("a large record is acknowledged up to op %d; witnessed: %v", w.durable, w.witnessed(count+1))
	}
	w.mustRecover(t)
	w.verify(t)
}

// An op whose record and spare are both torn was never acknowledged: it is the
// end of the log, as is one that was never begun.
func TestSpareAndRecordTorn(t *testing.T) {
	w := newWriter(1, withSpares(testConfig()))
	w.mustRecover(t)
	for range 3 {
		w.append(t, 512)
		w.disk.Run()
	}
	header := w.journal.Header(3)
	w.disk.Rot(w.journal.place(header.Offset), 1)
	w.disk.Rot(w.journal.sparePlace(3), 1)
	w.mustRecover(t)
	if w.journal.HeadOp() != 2 {
		t.Errorf("head %d", w.journal.HeadOp())
	}
}

// A spare from before a truncation does not come back in place of what was
// appended instead of it.
func TestSpareOfTruncatedOp(t *testing.T) {
	w := newWriter(1, withSpares(testConfig()))
	w.mustRecover(t)
	for range 5 {
		w.append(t, 512)
		w.disk.Run()
	}
	for !w.journal.Quiet() {
		w.disk.Run()
	}
	done := false
	w.journal.Truncate(3, func() { done = true })
	w.disk.Run()
	if !done {
		t.Fatal("truncation did not end")
	}
	w.head, w.durable = w.journal.Header(3), 3
	w.append(t, 5120)
	w.disk.Run()
	place := w.journal.place(w.journal.Header(4).Offset)
	w.disk.Rot(place+300, 1)
	var corrupt *CorruptError
	if err := w.recover(); !errors.As(err, &corrupt) || corrupt.Op != 4 {
		t.Errorf("another op 4 has rotted: head %d, %v", w.journal.HeadOp(), err)
	}
}

// Who asks for witnesses while a truncation erases others gets them when it has:
// both may be in one sector.
func TestWitnessedDuringTruncation(t *testing.T) {
	w := newWriter(1, withSpares(testConfig()))
	w.mustRecover(t)
	for range 2 {
		w.append(t, 512)
		w.disk.Run()
	}
	w.journal.Truncate(1, func() {})
	if w.journal.Witnessed(1) {
		t.Fatal("the witness is not missing")
	}
	w.disk.Run()
	if !w.journal.Witnessed(1) || !w.witnessed(1) {
		t.Error("the witness is missing")
	}
}

// A drive that lies about any one write of small records is found out, and
// mended.
func TestLyingWritesOfSpares(t *testing.T) {
	for _, effect := range []faultdisk.Effect{faultdisk.Lost, faultdisk.Torn, faultdisk.Misdirected} {
		for step := range 20 {
			w := newWriter(uint64(step), withSpares(testConfig()))
			w.mustRecover(t)
			base := w.disk.Submitted()
			w.disk.Inject = func(n int, r *blockio.Request) faultdisk.Fault {
				if n-base != step {
					return faultdisk.Fault{}
				}
				return faultdisk.Fault{Effect: effect, Elsewhere: w.config.RecordsOffset + int64(w.config.RingSize) - 16384}
			}
			for range 6 { // as many as there are slots
				w.append(t, 2000)
				w.disk.Run()
			}
			w.disk = w.disk.PowerCut()
			w.mustRecover(t)
			w.verify(t)
		}
	}
}
