package journal

import (
	"testing"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/checksum"
	"github.com/ledgerd/ledgerd/wire"
)

// blackHole completes writes in order and stores nothing; reads give zeros.
type blackHole struct {
	pending []*blockio.Request
}

func (d *blackHole) Submit(r *blockio.Request) { d.pending = append(d.pending, r) }

func (d *blackHole) run() {
	for i := 0; i < len(d.pending); i++ {
		d.pending[i].Done(d.pending[i])
	}
	d.pending = d.pending[:0]
}

// appender appends prepares of one size without making garbage.
type appender struct {
	disk    blackHole
	journal *Journal
	message *buffer.Buffer
	header  wire.Prepare
	done    func(uint64)
}

func newAppender(tb testing.TB, size int) *appender {
	a := &appender{}
	config := testConfig()
	config.Slots, config.RingSize = 8192, 48<<20
	a.journal = New(&a.disk, &testPool, config)
	a.journal.Recover(Start{Checksum: checksum.Of(nil)}, func(_ uint64, err error) {
		if err != nil {
			tb.Fatal(err)
		}
	})
	a.disk.run()
	a.message = testPool.Acquire(size)
	a.header = wire.Prepare{
		Frame:     wire.Frame{Cluster: config.Cluster, Size: uint32(size), Checksum: checksum.Of(nil)},
		Timestamp: 1, Ordinal: 1, RequestCount: 1,
	}
	a.done = func(op uint64) { a.journal.CheckpointDurable(op, a.journal.headEnd) }
	return a
}

func (a *appender) append() {
	a.header.Offset = a.journal.NextOffset(a.journal.headEnd, int(a.header.Size))
	a.header.Parent = a.header.Checksum
	a.header.Op++
	a.header.Encode(a.message.Bytes)
	a.header.Checksum = wire.SealHeader(a.message.Bytes)
	a.journal.Append(a.message, a.done)
	a.disk.run()
}

func TestAppendAllocatesNothing(t *testing.T) {
	a := newAppender(t, 4096)
	a.append()
	if n := testing.AllocsPerRun(1000, a.append); n != 0 {
		t.Errorf("%v allocations for an append", n)
	}
}

// BenchmarkAppend is the work of the journal itself, without a disk.
func BenchmarkAppend(b *testing.B) {
	a := newAppender(b, 4096)
	b.ReportAllocs()
	for b.Loop() {
		a.append()
	}
}

// BenchmarkRecover reads back a full ring of records of 64 KiB from memory.
func BenchmarkRecover(b *testing.B) {
	config := testConfig()
	config.Slots, config.RingSize, config.RecordsOffset = 8192, 48<<20, 4<<20
	w := newWriter(1, config)
	if err := w.recover(); err != nil {
		b.Fatal(err)
	}
	for {
		message := w.prepare(64<<10 - wire.HeaderSize - wire.EntrySize)
		if message == nil {
			break
		}
		w.journal.Append(message, func(uint64) {})
		w.disk.Run()
		message.Release()
	}
	b.SetBytes(int64(config.RingSize))
	for b.Loop() {
		if err := w.recover(); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzDecodeHeader(f *testing.F) {
	f.Add(make([]byte, wire.HeaderSize))
	f.Fuzz(func(t *testing.T, data []byte) {
		var b [wire.HeaderSize]byte
		copy(b[:], data)
		wire.SealHeader(b[:]) // a way past the checksum
		header, ok := decodeHeader(b[:])
		if !ok {
			return
		}
		var again [wire.HeaderSize]byte
		header.Encode(again[:])
		if again != b {
			t.Fatal("two encodings of one header")
		}
	})
}
