package journal

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/checksum"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/vsr/faultdisk"
	"github.com/ledgerd/ledgerd/wire"
)

var testPool buffer.Pool

func testConfig() Config {
	return Config{
		Cluster:       u128.From64(5),
		HeadersOffset: 8192,
		Slots:         48,
		RecordsOffset: 64 << 10,
		RingSize:      128 << 10,
		Fault:         func(err error) { panic(err) },
	}
}

func newDisk(seed uint64) *faultdisk.Disk {
	return faultdisk.New(rand.New(rand.NewPCG(seed, 4)))
}

// writer appends prepares of random content and remembers them.
type writer struct {
	config  Config
	disk    *faultdisk.Disk
	journal *Journal
	rng     *rand.Rand

	log     map[uint64][]byte // what was appended last as each op
	head    wire.Prepare
	durable uint64 // highest op acknowledged
	start   Start  // the last checkpoint
}

func newWriter(seed uint64, config Config) *writer {
	w := &writer{
		config: config, disk: newDisk(seed), rng: rand.New(rand.NewPCG(seed, 5)),
		log: make(map[uint64][]byte), start: Start{Checksum: checksum.Of(nil)},
	}
	w.head.Checksum = w.start.Checksum
	return w
}

// recover opens the journal anew and takes its head as the writer's. What was
// appended beyond it never happened.
func (w *writer) recover() (err error) {
	w.journal = New(w.disk, &testPool, w.config)
	err = errors.New("recovery did not complete")
	w.journal.Recover(w.start, func(_ uint64, e error) { err = e })
	w.disk.Run()
	if err != nil {
		return err
	}
	w.head = wire.Prepare{Op: w.start.Op, Offset: w.start.Offset}
	w.head.Checksum = w.start.Checksum
	if op := w.journal.HeadOp(); op > w.start.Op {
		w.head = w.journal.Header(op)
	}
	return nil
}

func (w *writer) mustRecover(t *testing.T) {
	t.Helper()
	if err := w.recover(); err != nil {
		t.Fatal(err)
	}
}

// prepare makes the next prepare with a body of bodySize bytes.
func (w *writer) prepare(bodySize int) *buffer.Buffer {
	size := wire.HeaderSize + bodySize + wire.EntrySize
	message := testPool.Acquire(size)
	for i := range bodySize {
		message.Bytes[wire.HeaderSize+i] = byte(w.rng.Uint32())
	}
	op := w.head.Op + 1
	entry := wire.Entry{Timestamp: op, BodySize: uint32(bodySize), Operation: 128}
	entry.Encode(message.Bytes[wire.HeaderSize+bodySize:])
	end := OffsetEnd(&w.head)
	if w.head.Op == w.start.Op {
		end = w.start.Offset
	}
	header := wire.Prepare{
		Frame:  wire.Frame{Cluster: w.config.Cluster, Size: uint32(size)},
		Parent: w.head.Checksum, Op: op, Offset: w.journal.NextOffset(end, size),
		Timestamp: op, Ordinal: op, RequestCount: 1,
	}
	header.Encode(message.Bytes)
	header.Checksum = wire.Seal(message.Bytes)
	if !w.journal.Fits(op, header.Offset, size) {
		message.Release()
		return nil
	}
	w.head = header
	return message
}

// append appends one prepare and reports whether it fits.
func (w *writer) append(t *testing.T, bodySize int) bool {
	message := w.prepare(bodySize)
	if message == nil {
		return false
	}
	w.log[w.head.Op] = bytes.Clone(message.Bytes)
	w.journal.Append(message, func(op uint64) {
		if op != w.durable+1 {
			t.Errorf("op %d is durable after op %d", op, w.durable)
		}
		w.durable = op
	})
	message.Release()
	return true
}

// checkpoint takes op as the last checkpoint.
func (w *writer) checkpoint(op uint64) {
	if op == w.start.Op {
		return
	}
	header := w.journal.Header(op)
	kept := Mark{w.start.Op, w.start.Checksum, w.start.Offset}
	w.start = Start{Op: op, Checksum: header.Checksum, Offset: OffsetEnd(&header), Kept: kept}
	w.journal.CheckpointDurable(op, w.start.Offset)
}

// verify checks that the journal has all that was acknowledged, and nothing but
// what was appended.
func (w *writer) verify(t *testing.T) {
	t.Helper()
	head := w.journal.HeadOp()
	if head < w.durable {
		t.Fatalf("op %d was acknowledged, the log ends at op %d", w.durable, head)
	}
	for op := w.start.Op + 1; op <= head; op++ {
		got, err := w.read(op)
		if err != nil || !bytes.Equal(got, w.log[op]) {
			t.Fatalf("op %d of %d, acknowledged up to %d: %v, or other bytes", op, head, w.durable, err)
		}
	}
	w.durable = head
}

func (w *writer) read(op uint64) (got []byte, err error) {
	err = errors.New("read did not complete")
	w.journal.Read(op, func(message *buffer.Buffer, e error) {
		if err = e; err == nil {
			got = bytes.Clone(message.Bytes)
			message.Release()
		}
	})
	w.disk.Run()
	return got, err
}

func (w *writer) randomBodySize() int {
	if w.rng.IntN(8) == 0 {
		return 16 * w.rng.IntN(2000)
	}
	return 16 * w.rng.IntN(600)
}

func TestAppendAndRead(t *testing.T) {
	w := newWriter(1, testConfig())
	w.mustRecover(t)
	for range 500 {
		for w.journal.InFlight() < AppendsMax && w.append(t, w.randomBodySize()) {
		}
		w.disk.Run()
		if w.durable != w.head.Op {
			t.Fatalf("op %d of %d is durable", w.durable, w.head.Op)
		}
		w.verify(t)
		if w.durable > w.start.Op {
			w.checkpoint(w.start.Op + 1 + w.rng.Uint64N(w.durable-w.start.Op))
			continue
		}
		w.start.Kept = Mark{w.start.Op, w.start.Checksum, w.start.Offset} // nobody lacks anything
		w.journal.CheckpointDurable(w.start.Op, w.start.Offset)
	}
	if w.head.Offset < 20*w.config.RingSize || w.head.Op < 20*uint64(w.config.Slots) {
		t.Errorf("only %d ops, %d bytes: the rings did not wrap often", w.head.Op, w.head.Offset)
	}
}

// Witnesses are written in groups: far fewer writes than records.
func TestGroupCommit(t *testing.T) {
	w := newWriter(1, testConfig())
	w.mustRecover(t)
	records, witnesses := 0, 0
	w.disk.Inject = func(_ int, r *blockio.Request) faultdisk.Fault {
		if r.Offset < w.config.RecordsOffset {
			witnesses++
		} else {
			records++
		}
		return faultdisk.Fault{}
	}
	for range 200 {
		for w.journal.InFlight() < 8 && w.append(t, 0) {
		}
		for range 4 {
			w.disk.Step()
		}
		w.checkpoint(max(w.start.Op, w.durable))
	}
	if records < 300 || witnesses*2 > records {
		t.Errorf("%d witness writes for %d records", witnesses, records)
	}
}

// settled returns a writer whose journal holds ops 1 .. count, all durable.
func settled(t *testing.T, seed uint64, count int) *writer {
	w := newWriter(seed, testConfig())
	w.mustRecover(t)
	for range count {
		if !w.append(t, 16*int(seed)) {
			t.Fatal("does not fit")
		}
	}
	w.disk.Run()
	return w
}

// Every write fails, not persisted or persisted all the same: the fault is told
// once, nothing is acknowledged any more, and nothing acknowledged is lost.
func TestWriteFaults(t *testing.T) {
	for _, effect := range []faultdisk.Effect{faultdisk.Refused, faultdisk.Stored} {
		for step := range 40 {
			w := newWriter(uint64(step), testConfig())
			faults := 0
			w.config.Fault = func(err error) {
				if !errors.Is(err, faultdisk.ErrInjected) {
					t.Errorf("fault %v", err)
				}
				faults++
			}
			w.mustRecover(t)
			base := w.disk.Submitted()
			w.disk.Inject = func(n int, _ *blockio.Request) faultdisk.Fault {
				if n-base == step {
					return faultdisk.Fault{Effect: effect}
				}
				return faultdisk.Fault{}
			}
			for range 10 {
				w.append(t, 96)
				w.append(t, 4992)
				w.disk.Step()
			}
			w.disk.Run()
			if acknowledged := w.durable; faults == 1 {
				w.append(t, 96)
				w.disk.Run()
				if w.durable != acknowledged {
					t.Error("acknowledged after the fault")
				}
			}
			if faults > 1 || faults == 0 && w.disk.Submitted()-base > step {
				t.Fatalf("step %d: %d faults", step, faults)
			}
			w.disk = w.disk.PowerCut()
			w.mustRecover(t)
			w.verify(t)
		}
	}
}

func TestReadFault(t *testing.T) {
	w := settled(t, 1, 3)
	place := w.journal.place(w.journal.Header(2).Offset)
	w.disk.Rot(place+300, 1)
	var corrupt *CorruptError
	if _, err := w.read(2); !errors.As(err, &corrupt) || corrupt.Op != 2 || corrupt.Offset != place {
		t.Errorf("rot: %v", err)
	}
	w.disk.Inject = func(int, *blockio.Request) faultdisk.Fault { return faultdisk.Fault{Effect: faultdisk.Unreadable} }
	if _, err := w.read(3); !errors.Is(err, ErrCorrupt) || !errors.Is(err, faultdisk.ErrInjected) {
		t.Errorf("unreadable: %v", err)
	}
	// A record of another op in the place of this one.
	w.disk.Inject = nil
	w.disk.Poke(w.journal.place(w.journal.Header(1).Offset), w.log[3])
	if _, err := w.read(1); !errors.Is(err, ErrCorrupt) {
		t.Errorf("another op: %v", err)
	}
}

func TestNextOffset(t *testing.T) {
	j := New(newDisk(1), &testPool, testConfig())
	ring := j.config.RingSize
	for _, test := range []struct {
		end  uint64
		size int
		want uint64
	}{
		{0, 256, 0},
		{4096, 4096, 4096},
		{ring - 4096, 4096, ring - 4096},
		{ring - 4096, 4097, ring},
		{ring, 1, ring},
		{3*ring - 8192, int(ring), 3 * ring},
	} {
		if got := j.NextOffset(test.end, test.size); got != test.want {
			t.Errorf("NextOffset(%d, %d) = %d, want %d", test.end, test.size, got, test.want)
		}
	}
}

func TestMisuse(t *testing.T) {
	for name, misuse := range map[string]func(*testing.T, *writer){
		"the same op again": func(t *testing.T, w *writer) {
			message := testPool.Acquire(len(w.log[3]))
			copy(message.Bytes, w.log[3])
			w.journal.Append(message, nil)
		},
		"too many appends": func(t *testing.T, _ *writer) {
			config := testConfig()
			config.RingSize *= 2
			w := newWriter(1, config)
			w.mustRecover(t)
			for range AppendsMax + 1 {
				w.append(t, 0)
			}
		},
		"too many reads": func(t *testing.T, w *writer) {
			for range ReadsMax + 1 {
				w.journal.Read(1, func(*buffer.Buffer, error) {})
			}
		},
		"read before durable":        func(t *testing.T, w *writer) { w.journal.Read(4, nil) },
		"read behind the head":       func(t *testing.T, w *writer) { w.journal.Read(9, nil) },
		"checkpoint before durable":  func(t *testing.T, w *writer) { w.journal.CheckpointDurable(4, w.start.Offset) },
		"checkpoint that goes back":  func(t *testing.T, w *writer) { w.checkpoint(2); w.journal.CheckpointDurable(1, 0) },
		"append behind a checkpoint": func(t *testing.T, w *writer) { w.head.Op--; w.append(t, 0) },
	} {
		w := settled(t, 1, 3)
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			misuse(t, w)
		}()
	}
}
