package node

import (
	"slices"
	"testing"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/multibatch"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/vsr"
	"github.com/ledgerd/ledgerd/wire"
)

// memoryDisk is a data file in memory that costs nothing but the copy.
type memoryDisk struct {
	content []byte
	waiting []*blockio.Request
	done    int // of waiting
}

func (d *memoryDisk) Submit(r *blockio.Request) { d.waiting = append(d.waiting, r) }

// step completes the oldest request. It reports false if there is none.
func (d *memoryDisk) step() bool {
	if d.done == len(d.waiting) {
		d.waiting, d.done = d.waiting[:0], 0
		return false
	}
	r := d.waiting[d.done]
	d.done++
	r.Err = nil
	switch r.Kind {
	case blockio.Read:
		copy(r.Buf, d.content[r.Offset:])
	case blockio.Write:
		copy(d.content[r.Offset:], r.Buf)
	}
	r.Done(r)
	return true
}

// line is one client whose next request waits for the reply to the last, and all
// that its replica has.
type line struct {
	t       testing.TB
	disk    memoryDisk
	pool    buffer.Pool
	clock   fakeClock
	jobs    []func()
	hire    func(work func()) // does the work of a job
	replica *vsr.Replica
	header  wire.Request
	reply   wire.Reply
	body    []byte
	counts  [1]uint16
}

func (l *line) SendToClient(_ u128.Uint128, message *buffer.Buffer) {
	if err := l.reply.Decode(message.Bytes); err != nil {
		l.t.Fatal(err)
	}
}

// Go implements forest.Workers: the job is done when nothing else is to be done.
func (l *line) Go(work, done func()) { l.jobs = append(l.jobs, work, done) }

func newLine(t testing.TB) *line {
	layout := vsr.LayoutDefault(false)
	l := &line{t: t, clock: fakeClock{1}, hire: func(work func()) { work() }}
	l.disk.content = make([]byte, 1<<30) // zero pages, until they are written
	copy(l.disk.content, vsr.Format(vsr.FormatConfig{ReplicaCount: 1, Layout: layout}))
	l.replica = New(Options{
		Storage: &l.disk, Bus: l, Clock: &l.clock, Pool: &l.pool, Workers: l, FileSize: layout.GridOffset(),
		GridCacheSize: 16 << 20, CacheAccounts: 16 << 20,
	})
	l.replica.Open(func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	})
	l.run()
	l.header = wire.Request{Client: u128.From64(7), Operation: wire.OperationRegister}
	l.body = make([]byte, wire.RegisterSize, wire.BodySizeMax)
	l.call()
	l.header.Session = l.reply.Commit
	return l
}

// run lets the replica, its disk and its workers go on until nothing is to do.
func (l *line) run() {
	for {
		l.clock.now++
		more := l.replica.Step()
		if err := l.replica.Err(); err != nil {
			l.t.Fatal(err)
		}
		switch {
		case l.disk.step(), more:
		case len(l.jobs) > 0:
			work, done := l.jobs[0], l.jobs[1]
			l.jobs = l.jobs[:copy(l.jobs, l.jobs[2:])]
			l.hire(work)
			done()
		default:
			return
		}
	}
}

// call sends l.body and waits for the reply.
func (l *line) call() {
	message := l.pool.Acquire(wire.HeaderSize + len(l.body))
	copy(message.Bytes[wire.HeaderSize:], l.body)
	l.header.Frame = wire.Frame{Size: uint32(len(message.Bytes)), Release: wire.Release0_17_9}
	l.header.Parent = l.reply.Context
	l.header.Encode(message.Bytes)
	l.header.Checksum = wire.Seal(message.Bytes)
	l.replica.OnMessage(message)
	message.Release()
	l.run()
	if l.reply.RequestChecksum != l.header.Checksum {
		l.t.Fatal("no reply")
	}
	l.header.Request++
}

// seal ends a body with its trailer, and calls.
func (l *line) seal(operation ledger.Operation, size, count int) {
	l.counts[0] = uint16(count)
	l.body = multibatch.AppendTrailer(l.body[:size*count], size, l.counts[:])
	l.header.Operation = wire.Operation(operation)
	l.call()
}

// teller creates transfers between its accounts, batch after batch.
type teller struct {
	*line
	accounts uint64
	id       uint64 // of the last transfer
}

func newTeller(t testing.TB, accounts int) *teller {
	l := newLine(t)
	for first := 0; first < accounts; first += tellerBatch {
		count := min(tellerBatch, accounts-first)
		for i := range count {
			a := ledger.Account{ID: u128.From64(uint64(first + i + 1)), Ledger: 1, Code: 1}
			a.Encode(l.body[:cap(l.body)][i*ledger.AccountSize:])
		}
		l.seal(ledger.OperationCreateAccounts, ledger.AccountSize, count)
	}
	return &teller{line: l, accounts: uint64(accounts)}
}

// tellerBatch is how many transfers a teller creates at a time.
const tellerBatch = 8000

// create sends the next batch, and waits for the reply.
func (l *teller) create() {
	l.fill()
	l.send()
}

// fill makes the next batch.
func (l *teller) fill() {
	body := l.body[:cap(l.body)]
	for i := range tellerBatch {
		l.id++
		transfer := ledger.Transfer{
			ID: u128.From64(l.id), DebitAccountID: u128.From64(l.id%l.accounts + 1), CreditAccountID: u128.From64(l.id*7%l.accounts + 1),
			Amount: u128.From64(1), Ledger: 1, Code: 1,
		}
		if transfer.DebitAccountID == transfer.CreditAccountID {
			transfer.CreditAccountID = u128.From64(l.id%(l.accounts-1) + 2)
		}
		transfer.Encode(body[i*ledger.TransferSize:])
	}
}

func (l *teller) send() { l.seal(ledger.OperationCreateTransfers, ledger.TransferSize, tellerBatch) }

// TestBatchAllocatesNothing sends batches through a whole replica: what is done for
// each of them, from its receipt to its reply, takes memory that is there.
func TestBatchAllocatesNothing(t *testing.T) {
	l := newTeller(t, 1000)
	for range 110 { // until the buffers for recent rows are all in use
		l.create()
	}
	// A batch allocates nothing, unless a merge or a checkpoint begins or ends
	// beside it: those keep their books.
	var allocations []float64
	total := 0.0
	for range 40 {
		n := testing.AllocsPerRun(1, l.create)
		allocations = append(allocations, n)
		total += n
	}
	slices.Sort(allocations)
	if allocations[0] != 0 || total/float64(len(allocations)) > tellerBatch/100 {
		t.Errorf("allocations of %d batches: %v", len(allocations), allocations)
	}
}
