package node_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/node"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/sim/model/gen"
	"github.com/ledgerd/ledgerd/vsr"
	"github.com/ledgerd/ledgerd/vsr/faultdisk"
	"github.com/ledgerd/ledgerd/vsr/grid"
	"github.com/ledgerd/ledgerd/wire"
)

// rigLayout is so small that a checkpoint comes after five prepares or so, that both
// rings are lapped several times, and that the journal fills up now and then.
var rigLayout = vsr.Layout{
	JournalSlots: 32, JournalSpares: 4, JournalRingSize: 72 << 10, BlockSize: 4096, SessionsMax: rigCallers, RequestSizeMax: 4352,
}

const (
	rigCallers = 6
	rigStart   = 1_700_000_000_000_000_000 // ns
	// restMax is after how many steps a replica that was asked for nothing more
	// should have come to rest.
	restMax = 1_000_000
)

// errFull is what the storage says when the file cannot grow.
var errFull = fmt.Errorf("disk full: %w", syscall.ENOSPC)

// rig is a data file, the process that serves it, and its clients, who follow a
// script: each takes a request of it in turn, and waits for the reply.
type rig struct {
	disk     *faultdisk.Disk
	fileSize int64
	now      uint64
	replica  *vsr.Replica
	view     vsr.View // of the last process that served
	judge    *judge
	pool     buffer.Pool
	random   *rand.Rand
	jobs     []func() // of the process's workers
	// space is what the file may grow to, in bytes; full are the writes that
	// found no room.
	space int64
	full  []*blockio.Request

	history history
	script  []gen.Request
	next    int // request of the script
	callers [rigCallers]caller

	// crashed says that the process has come to a sudden end.
	crashed bool
	// struck says that a fault has happened; if patience is not negative, serve
	// ends quietly after so many more requests of the script. If hasty, the
	// process crashes with the next answer.
	struck, hasty bool
	patience      int
	// wrong is the first thing that must never be: a wrong answer, a lost one,
	// a panic.
	wrong error
}

// caller is a client as it should be: one request at a time.
type caller struct {
	id       u128.Uint128
	session  uint64
	frame    []byte // of its latest request
	answered bool   // by any process
	heard    bool   // an answer, from this process
	latest   wire.Reply
	body     []byte // of latest
}

// newRig formats a data file. seed is that of whatever is left to chance.
func newRig(seed uint64, script []gen.Request) *rig {
	r := &rig{
		script: script, history: newHistory(), fileSize: rigLayout.GridOffset(), space: 1 << 40,
		now: rigStart, patience: -1, random: rand.New(rand.NewPCG(seed, 4)),
	}
	r.disk = faultdisk.New(rand.New(rand.NewPCG(seed, 1)))
	r.disk.Poke(0, vsr.Format(vsr.FormatConfig{ReplicaCount: 1, Layout: rigLayout}))
	for i := range r.callers {
		r.callers[i].id = u128.From64(uint64(i + 1))
	}
	return r
}

// fork returns a copy of a rig whose process is not running, and whose disk has
// nothing in flight and nothing unstable.
func (r *rig) fork(seed uint64) *rig {
	fork := &rig{
		script: r.script, next: r.next, history: r.history.clone(), fileSize: r.fileSize, space: r.space,
		view: r.view, now: r.now, callers: r.callers, patience: -1, random: rand.New(rand.NewPCG(seed, 4)),
	}
	fork.disk = faultdisk.New(rand.New(rand.NewPCG(seed, 2)))
	fork.disk.Poke(0, r.disk.Peek(0, int(r.fileSize)))
	return fork
}

func (r *rig) fail(format string, arguments ...any) {
	if r.wrong == nil {
		r.wrong = fmt.Errorf(format, arguments...)
	}
}

// Realtime implements vsr.Clock.
func (r *rig) Realtime() uint64 { return r.now }

// Submit implements vsr.Storage: it notes how far the file reaches, and refuses
// what has no room.
func (r *rig) Submit(request *blockio.Request) {
	if request.Kind == blockio.Write {
		end := request.Offset + int64(len(request.Buf))
		if end > r.space {
			r.full = append(r.full, request)
			return
		}
		r.fileSize = max(r.fileSize, end)
	}
	r.disk.Submit(request)
}

// Go implements forest.Workers.
func (r *rig) Go(job, done func()) { r.jobs = append(r.jobs, func() { job(); done() }) }

// work lets the disk or a worker complete something, and reports whether there was
// anything to complete.
func (r *rig) work() bool {
	if n := len(r.full); n > 0 {
		request := r.full[n-1]
		r.full = r.full[:n-1]
		request.Err = errFull
		request.Done(request)
		return true
	}
	if n := len(r.jobs); n > 0 && (r.disk.InFlight() == 0 || r.random.IntN(4) == 0) {
		i := r.random.IntN(n)
		job := r.jobs[i]
		r.jobs = slices.Delete(r.jobs, i, i+1)
		job()
		return true
	}
	return r.disk.Step()
}

// alive reports whether the process goes on.
func (r *rig) alive() bool { return r.wrong == nil && !r.crashed && r.replica.Err() == nil }

// guard turns a panic of the product into a finding.
func (r *rig) guard() {
	if reason := recover(); reason != nil {
		r.fail("panic: %v", reason)
	}
}

// settle lets replica and disk work until nothing is left to do, or the process
// has ended.
func (r *rig) settle() {
	defer r.guard()
	for n := 0; r.alive() && (r.replica.Step() || r.work()); n++ {
		if n > restMax {
			r.fail("nobody comes to rest")
		}
	}
}

// open starts a process on the disk as it is. It reports whether it serves; if
// not, it has crashed, or the error of the replica says why.
func (r *rig) open() bool {
	r.crashed, r.judge, r.jobs, r.full = false, nil, nil, nil
	r.replica = node.New(node.Options{
		Storage: r, Bus: r, Clock: r, Pool: &r.pool, Workers: r,
		FileSize: r.fileSize, GridCacheSize: grid.CacheSizeMin, CacheAccounts: 1,
		Watch: func(inner vsr.StateMachine) vsr.StateMachine {
			r.judge = &judge{StateMachine: inner, rig: r, next: -1}
			return r.judge
		},
	})
	opened := false
	r.replica.Open(func(err error) { opened = err == nil })
	r.settle()
	if r.alive() && !opened {
		r.fail("the replica neither opens nor fails")
	}
	if opened && r.alive() {
		r.judge.opened()
		if r.replica.View() <= r.view {
			r.fail("serves in view %d, which was there before: %d", r.replica.View(), r.view)
		}
		r.view = r.replica.View()
	}
	return r.alive()
}

// powerCut ends the process and loses what the disk may lose; kill ends only the
// process.
func (r *rig) powerCut() { r.disk = r.disk.PowerCut() }
func (r *rig) kill()     { r.disk.Inject = nil; r.disk.Kill() }

// serve sends what is out again, reads everything back, and goes on with the
// script to its end. It reports whether the process lives to see that.
func (r *rig) serve() bool {
	for i := range r.callers {
		if r.callers[i].frame == nil {
			r.callers[i].register()
		}
	}
	return r.send(rigCallers) && r.audit() && r.play() && r.audit()
}

// play lets callers send requests of the script while the replica is at work, each
// when it has the answer to the one before.
func (r *rig) play() bool {
	defer r.guard()
	for r.alive() {
		c := r.idle()
		ready := c != nil && r.next < len(r.script) && !(r.struck && r.patience == 0)
		switch {
		case ready && r.random.IntN(8) == 0:
			r.ask(c)
		case r.replica.Step() || r.work():
		case ready:
			r.ask(c)
		default:
			for i := range r.callers {
				if r.alive() && !r.callers[i].answered {
					r.fail("caller %d waits for ever", i)
				}
			}
			return r.alive() && r.next == len(r.script)
		}
	}
	return false
}

// idle returns a caller that waits for nothing, or nil.
func (r *rig) idle() *caller {
	for i := range r.callers {
		if r.callers[i].answered {
			return &r.callers[i]
		}
	}
	return nil
}

// ask lets a caller send the next request of the script.
func (r *rig) ask(c *caller) {
	request := &r.script[r.next]
	r.next++
	if r.struck && r.patience > 0 {
		r.patience--
	}
	r.now = max(r.now, request.Now)
	c.ask(request.Operation, request.Body)
	r.deliver(c.frame)
}

// send sends the latest requests of the first count callers, and waits for the
// replies.
func (r *rig) send(count int) bool {
	for i := range count {
		r.callers[i].heard = false
		r.deliver(r.callers[i].frame)
	}
	r.settle()
	for i := range count {
		if r.alive() && !r.callers[i].heard {
			r.fail("caller %d waits for ever", i)
		}
	}
	return r.alive()
}

func (r *rig) deliver(frame []byte) {
	defer r.guard()
	message := r.pool.Acquire(len(frame))
	copy(message.Bytes, frame)
	r.replica.OnMessage(message)
	message.Release()
}

// audit asks for all accounts, and for transfers and events from some time on, or
// before it. The judge compares.
func (r *rig) audit() bool {
	from, reversed := uint64(0), ledger.QueryFilterFlags(0)
	if n := len(r.history.commits); n > 0 {
		from = r.history.commits[r.random.IntN(n)].timestamp
	}
	if r.random.IntN(2) == 0 {
		reversed = ledger.QueryFilterReversed
	}
	r.callers[0].ask(query(ledger.OperationQueryAccountsUnbatched, ledger.QueryFilter{Limit: 1000}))
	r.callers[1].ask(query(ledger.OperationQueryTransfersUnbatched,
		ledger.QueryFilter{TimestampMin: from, Limit: 200, Flags: reversed}))
	r.callers[2].ask(changes(from, 100))
	return r.send(3)
}

// readAll asks for all transfers and all events, page by page.
func (r *rig) readAll() bool {
	const page = 500
	for from := uint64(1); ; {
		r.callers[0].ask(query(ledger.OperationQueryTransfersUnbatched, ledger.QueryFilter{TimestampMin: from, Limit: page}))
		r.callers[1].ask(changes(from, page))
		if !r.send(2) {
			return false
		}
		body := r.callers[1].body
		if len(body) < page*ledger.ChangeEventSize {
			return true
		}
		var last ledger.ChangeEvent
		last.Decode(body[len(body)-ledger.ChangeEventSize:])
		from = last.Timestamp + 1
	}
}

func query(operation ledger.Operation, filter ledger.QueryFilter) (ledger.Operation, []byte) {
	body := make([]byte, ledger.QueryFilterSize)
	filter.Encode(body)
	return operation, body
}

func changes(from uint64, limit uint32) (ledger.Operation, []byte) {
	body := make([]byte, ledger.ChangeEventsFilterSize)
	(&ledger.ChangeEventsFilter{TimestampMin: from, Limit: limit}).Encode(body)
	return ledger.OperationGetChangeEvents, body
}

func (c *caller) register() {
	c.request(wire.Request{Operation: wire.OperationRegister}, make([]byte, wire.RegisterSize))
}

func (c *caller) ask(operation ledger.Operation, body []byte) {
	c.request(wire.Request{
		Session: c.session, Parent: c.latest.Context, Request: c.latest.Request + 1, Operation: wire.Operation(operation),
	}, body)
}

// request makes the caller's next frame.
func (c *caller) request(header wire.Request, body []byte) {
	header.Client, header.Release = c.id, wire.Release0_17_9
	header.Size = uint32(wire.HeaderSize + len(body))
	c.frame = make([]byte, header.Size)
	copy(c.frame[wire.HeaderSize:], body)
	header.Encode(c.frame)
	wire.Seal(c.frame)
	c.answered = false
}

// SendToClient implements vsr.Bus.
func (r *rig) SendToClient(client u128.Uint128, message *buffer.Buffer) {
	c := &r.callers[client.Lo-1]
	var reply wire.Reply
	if _, err := wire.VerifyHeader(message.Bytes); err != nil {
		r.fail("caller %v: %w", client, err)
	} else if err := wire.VerifyBody(message.Bytes); err != nil {
		r.fail("caller %v: %w", client, err)
	} else if err := reply.Decode(message.Bytes); err != nil { // an eviction, for example
		r.fail("caller %v is sent a %v: %w", client, wire.CommandOf(message.Bytes), err)
	} else if err := r.receive(c, reply, message.Bytes[wire.HeaderSize:]); err != nil {
		r.fail("caller %v, request %d: %w", client, reply.Request, err)
	}
}

// receive judges a reply.
func (r *rig) receive(c *caller, reply wire.Reply, body []byte) error {
	var request wire.Request
	if err := request.Decode(c.frame); err != nil {
		return err
	}
	if reply.RequestChecksum != request.Checksum {
		return fmt.Errorf("reply to another request than %d", request.Request)
	}
	if c.answered {
		before, again := c.latest, reply
		before.Frame, again.Frame = wire.Frame{}, wire.Frame{} // the view moves on
		if before != again || !bytes.Equal(c.body, body) {
			return fmt.Errorf("answered in two ways: %+v, then %+v", c.latest, reply)
		}
		c.heard = true
		return nil
	}
	if request.Operation == wire.OperationRegister {
		c.session = reply.Commit
	} else {
		index, ok := r.history.byTime[reply.Timestamp]
		if !ok {
			return fmt.Errorf("reply of %d, when nothing was executed", reply.Timestamp)
		}
		done := commit{byte(request.Operation), reply.Timestamp, c.frame[wire.HeaderSize:], body}
		if err := r.history.commits[index].differs(&done); err != nil {
			return err
		}
	}
	c.answered, c.heard = true, true
	r.crashed = r.crashed || r.struck && r.hasty
	c.latest, c.body = reply, slices.Clone(body)
	return nil
}
