package vsr_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/checksum"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/vsr"
	"github.com/ledgerd/ledgerd/vsr/faultdisk"
	"github.com/ledgerd/ledgerd/vsr/grid"
	"github.com/ledgerd/ledgerd/wire"
)

// trio is replicas, three unless a test wants another number, of the example's
// store in one process, with a network that loses nothing but what is for a replica that is down.
type trio struct {
	t           *testing.T
	layout      vsr.Layout
	pool        buffer.Pool
	now         uint64
	replicas    int // without standbys
	disks       []*faultdisk.Disk
	stalled     [wire.MembersMax]stall
	nodes       []*vsr.Replica // nil: down
	packets     []packet
	replies     map[u128.Uint128][]byte // the last one to each client
	lastPrepare []byte                  // that was sent
	// held, unless nil, says whether a message has to wait for the next pass.
	held func(packet) bool
	// restarts counts the replicas that wanted to be opened again.
	restarts int
	// lost, if not nil, says of a message between replicas that it does not arrive.
	lost func(from, to uint8, command wire.Command) bool
	// slow makes each Prefetch take until the next tick; prefetches are those that
	// wait for it.
	slow       bool
	prefetches []func()
}

// tardyStore is a store that takes its time if the trio is slow.
type tardyStore struct {
	vsr.StateMachine
	*trio
}

func (s tardyStore) Prefetch(_ byte, _ uint64, _ []byte, done func()) {
	if !s.slow {
		done()
		return
	}
	s.prefetches = append(s.prefetches, done)
}

type packet struct {
	to    uint8
	frame []byte
}

// member is what one replica sees of the trio.
type member struct {
	*trio
	index uint8
}

func (m member) Realtime() uint64 { return m.now }

func (m member) SendToReplica(to uint8, message *buffer.Buffer) {
	if m.lost != nil && m.lost(m.index, to, wire.CommandOf(message.Bytes)) {
		return
	}
	m.packets = append(m.packets, packet{to, bytes.Clone(message.Bytes)})
	if wire.CommandOf(message.Bytes) == wire.CommandPrepare {
		m.lastPrepare = bytes.Clone(message.Bytes)
	}
}

func (m member) SendToClient(client u128.Uint128, message *buffer.Buffer) {
	m.replies[client] = bytes.Clone(message.Bytes)
}

func newTrio(t *testing.T) *trio { return newCluster(t, 3) }

func newCluster(t *testing.T, count int) *trio { return newClusterWithStandbys(t, count, 0) }

func newClusterWithStandbys(t *testing.T, replicas, standbys int) *trio {
	count := replicas + standbys
	c := &trio{t: t, layout: smallLayout(), now: 1_000_000, replicas: replicas, replies: map[u128.Uint128][]byte{}}
	c.disks, c.nodes = make([]*faultdisk.Disk, count), make([]*vsr.Replica, count)
	for i := range c.disks {
		c.format(uint8(i), 0)
		c.start(uint8(i))
	}
	return c
}

// newSettled returns a cluster where all have executed the patron's first request,
// which has set a key to 1.
func newSettled(t *testing.T, replicas, standbys int) (c *trio, p *patron, primary uint8) {
	c = newClusterWithStandbys(t, replicas, standbys)
	p = c.newPatron(7)
	p.do(opSet, "key=1")
	c.settle()
	return c, p, c.primary()
}

// format gives a replica a new disk.
func (c *trio) format(i uint8, recovery uint64) {
	c.disks[i] = faultdisk.New(rand.New(rand.NewPCG(uint64(i), 7+recovery)))
	c.disks[i].Poke(0, vsr.Format(vsr.FormatConfig{
		Replica: i, ReplicaCount: uint8(c.replicas), Layout: c.layout, Recovery: recovery,
	}))
}

func (c *trio) start(i uint8) {
	m := member{c, i}
	c.nodes[i] = vsr.New(vsr.Options{
		Storage: &stallingDisk{c.disks[i], &c.stalled[i]}, Bus: m, Peers: m, Clock: m, Pool: &c.pool,
		NewStateMachine: func(g *grid.Grid, fault func(error)) vsr.StateMachine { return tardyStore{newStore(g, fault), c} },
		Release:         wire.Release0_17_9, ReleaseClientMin: wire.ReleaseMin, FileSize: 1 << 40,
	})
	c.nodes[i].Open(func(err error) {
		if err != nil && err != vsr.ErrRestart {
			c.t.Fatal(err)
		}
	})
}

// kill cuts the power of one replica.
func (c *trio) kill(i uint8) {
	c.nodes[i] = nil
	c.disks[i] = c.disks[i].PowerCut()
}

// pass lets 10 ms pass, and everything happen that can.
func (c *trio) pass() {
	c.now += uint64(vsr.TickInterval)
	for _, done := range c.prefetches {
		done()
	}
	c.prefetches = nil
	for _, node := range c.nodes {
		if node != nil {
			node.Tick()
		}
	}
	var later []packet
	for busy := true; busy; {
		busy = false
		for len(c.packets) > 0 {
			p := c.packets[0]
			c.packets = c.packets[1:]
			if c.held != nil && c.held(p) {
				later = append(later, p)
				continue
			}
			if node := c.nodes[p.to]; node != nil {
				c.deliver(node, p.frame)
			}
			busy = true
		}
		for i, node := range c.nodes {
			if node == nil {
				continue
			}
			busy = node.Step() || c.disks[i].Step() || busy
			switch err := node.Err(); err {
			case nil:
				c.checkPrimary(node)
			case vsr.ErrRestart:
				c.restarts++
				c.start(uint8(i))
				busy = true
			default:
				c.t.Fatalf("replica %d: %v", i, err)
			}
		}
	}
	c.packets = later
}

// checkPrimary demands that a primary has executed all that it knows to be
// committed.
func (c *trio) checkPrimary(node *vsr.Replica) {
	var view, logView, checkpoint, head, certain, committed, executed uint64
	_, err := fmt.Sscanf(node.String(), "normal in view %d, log view %d, checkpoint %d, head %d, certain %d, committed %d, executed %d",
		&view, &logView, &checkpoint, &head, &certain, &committed, &executed)
	if err == nil && uint8(view)%node.ReplicaCount() == node.Index() && executed != committed {
		c.t.Fatalf("a primary has not executed what is committed: %v", node)
	}
}

func (c *trio) deliver(node *vsr.Replica, frame []byte) {
	message := c.pool.Acquire(len(frame))
	copy(message.Bytes, frame)
	node.OnMessage(message)
	message.Release()
}

// call sends a request to all replicas, again and again, until it is answered.
func (c *trio) call(header wire.Request, body []byte) wire.Reply {
	c.t.Helper()
	delete(c.replies, header.Client)
	for tick := range 3000 {
		if tick%20 == 0 {
			c.request(header, body)
		}
		c.pass()
		if b := c.replies[header.Client]; b != nil {
			var reply wire.Reply
			if err := reply.Decode(b); err != nil {
				c.t.Fatal(err)
			}
			if reply.Request == header.Request { // not a former one, executed again
				return reply
			}
		}
	}
	c.t.Fatalf("no answer: %v", c.nodes)
	return wire.Reply{}
}

// request sends a request to all replicas, once.
func (c *trio) request(header wire.Request, body []byte) {
	header.Release, header.Size = wire.Release0_17_9, uint32(wire.HeaderSize+len(body))
	frame := make([]byte, header.Size)
	copy(frame[wire.HeaderSize:], body)
	header.Encode(frame)
	wire.Seal(frame)
	for i := range c.nodes {
		c.packets = append(c.packets, packet{uint8(i), frame})
	}
}

// patron is a client of a trio.
type patron struct {
	*trio
	id      u128.Uint128
	session uint64
	latest  wire.Reply
}

func (c *trio) newPatron(id uint64) *patron {
	p := &patron{trio: c, id: u128.From64(id)}
	p.latest = c.call(wire.Request{Client: p.id, Operation: wire.OperationRegister}, make([]byte, wire.RegisterSize))
	p.session = p.latest.Commit
	return p
}

func (p *patron) do(operation byte, s string) string {
	p.t.Helper()
	p.latest = p.call(p.next(operation), text(s))
	return string(p.replies[p.id][wire.HeaderSize:])
}

// next returns the header of the next request.
func (p *patron) next(operation byte) wire.Request {
	return wire.Request{
		Client: p.id, Session: p.session, Parent: p.latest.Context, Request: p.latest.Request + 1, Operation: wire.Operation(operation),
	}
}

// The backups execute a long op when the primary does, and a short one with the
// next.
func TestBackupsAreToldOfALongOp(t *testing.T) {
	c := newTrio(t)
	p := c.newPatron(7)
	c.settle()
	for _, test := range []struct {
		size int
		told bool
	}{{6000, true}, {10, false}, {6000, true}} {
		p.do(opSet, "key="+strings.Repeat("x", test.size))
		for i, node := range c.nodes {
			if primary := p.latest.View%3 == uint32(i); !primary && (node.CommitMin() == c.nodes[p.latest.View%3].CommitMin()) != test.told {
				t.Errorf("size %d: %v", test.size, node)
			}
		}
	}
}

// The primary dies, again and again: what was acknowledged is there, and the
// others go on within seconds. One that comes back catches up, by the journal or
// by a checkpoint.
func TestPrimaryDies(t *testing.T) {
	c := newTrio(t)
	p := c.newPatron(7)
	padding := strings.Repeat("x", 900)
	for round := range 12 {
		for i := range 1 + round*4 {
			value := fmt.Sprint(round, "-", i, padding)
			if got := p.do(opSet, "key="+value); got != value {
				t.Fatalf("round %d: set returned %.20q", round, got)
			}
		}
		primary := uint8(p.latest.View % 3)
		began := c.now
		c.kill(primary)
		value := fmt.Sprint(round, "-", round*4, padding)
		if got := p.do(opGet, "key"); got != value {
			t.Fatalf("round %d: the value is %.20q, not %.20q", round, got, value)
		}
		if took := (c.now - began) / uint64(vsr.TickInterval); took > 500 {
			t.Errorf("round %d: no answer for %d ticks", round, took)
		}
		c.start(primary)
		c.settle()
	}
}

// A primary that dies after a calm does not count: the next one is missed after
// the least patience, too.
func TestCalmMakesImpatient(t *testing.T) {
	c := newTrio(t)
	p := c.newPatron(7)
	const (
		calm   = 250 // ticks
		atMost = 90  // patience, a beat, and as long as the patron takes to ask again
	)
	for range calm {
		c.pass()
	}
	for round := range 2 {
		primary := uint8(p.latest.View % 3)
		began := c.now
		c.kill(primary)
		p.do(opGet, "key")
		if took := (c.now - began) / uint64(vsr.TickInterval); took > atMost {
			t.Errorf("round %d: no answer for %d ticks", round, took)
		}
		c.start(primary)
		c.settle()
	}
}

// A backup that catches up with the help of another one notices that the primary
// is dead: prepares that were asked for are no sign of it.
func TestRepairIsNoSignOfThePrimary(t *testing.T) {
	c := newTrio(t)
	p := c.newPatron(7)
	c.settle()
	primary := uint8(p.latest.View % 3)
	lagging, other := (primary+1)%3, (primary+2)%3
	c.kill(lagging)
	for i := range 12 {
		p.do(opSet, fmt.Sprint("key=", i))
	}
	c.start(lagging)
	budget := 0 // of prepares that reach it
	c.held = func(p packet) bool {
		if p.to != lagging || wire.CommandOf(p.frame) != wire.CommandPrepare {
			return false
		}
		budget--
		return budget < 0
	}
	for range 20 {
		c.pass()
	}
	c.kill(primary)
	view := c.nodes[other].View()
	for tick := 0; c.nodes[other].View() == view; tick++ {
		if tick > 80 {
			t.Fatalf("nobody has left the view after %d ticks: %v", tick, c.nodes)
		}
		if tick%20 == 0 {
			budget = 1
		}
		c.pass()
	}
}

// settle waits until all replicas have executed the same.
func (c *trio) settle() {
	c.t.Helper()
	for range 2000 {
		c.pass()
		together := true
		for _, node := range c.nodes {
			first := c.nodes[0]
			together = together && node.CommitMin() == first.CommitMin() && node.View() == first.View() &&
				strings.HasPrefix(node.String(), "normal")
		}
		if together {
			return
		}
	}
	c.t.Fatalf("they do not come together: %v", c.nodes)
}

// All lose power at once, and each finds another record rotten: together they
// have everything.
func TestRotInEveryReplica(t *testing.T) {
	c := newTrio(t)
	p := c.newPatron(7)
	for i := range 6 {
		p.do(opSet, fmt.Sprintf("key%d=%d", i, i))
	}
	c.settle()
	for i := range c.disks {
		c.kill(uint8(i))
		at := c.layout.JournalRecordsOffset() + int64(3+i)*4096 // records of one sector each
		if !bytes.Contains(c.disks[i].Peek(at, 4096), []byte("key")) {
			t.Fatalf("replica %d: no record at offset %d", i, at)
		}
		c.disks[i].Rot(at+300, 1)
	}
	for i := range c.disks {
		c.start(uint8(i))
	}
	for i := range 6 {
		if got := p.do(opGet, fmt.Sprintf("key%d", i)); got != fmt.Sprint(i) {
			t.Errorf("key%d is %q", i, got)
		}
	}
	c.settle()
}

// One replica has a rotten grid when it starts. It compares it with the others', or
// takes over a checkpoint, if they have not those blocks any more.
func TestRottenGridIsMended(t *testing.T) {
	for name, requests := range map[string]int{"of now": 1, "of long ago": 120} {
		c := newTrio(t)
		p := c.newPatron(7)
		for i := range 40 {
			p.do(opSet, fmt.Sprintf("key%d=%d", i, i))
		}
		c.settle()
		c.kill(1)
		c.disks[1].Rot(c.layout.GridOffset(), 8*4096)
		for i := range requests {
			p.do(opSet, fmt.Sprintf("key%d=%d", i, i))
		}
		for range 2 {
			c.start(1)
			p.do(opSet, "last=one")
			c.settle()
			if c.restarts != 1 {
				t.Fatalf("%s: %d replicas wanted to be opened again", name, c.restarts)
			}
			c.kill(1)
		}
	}
}

// A replica that serves finds a damaged block on its tour, and mends it.
func TestDamageIsFoundOnATour(t *testing.T) {
	c := newTrio(t)
	p := c.newPatron(7)
	for i := range 40 {
		p.do(opSet, fmt.Sprintf("key%d=%d", i, i))
	}
	c.settle()
	asked := 0
	c.lost = func(_, _ uint8, command wire.Command) bool {
		if command == wire.CommandBlock {
			asked++
		}
		return command == wire.CommandBlock && asked == 1
	}
	c.kill(1) // so that the tour begins anew
	c.start(1)
	c.pass()
	const blocks = 8 // some of which are in use
	at := func(i int) int64 { return c.layout.GridOffset() + int64(i)*4096 + grid.HeaderSize }
	for i := range blocks {
		c.disks[1].Rot(at(i), 1)
	}
	mended := func() (count int) {
		for i := range blocks {
			if bytes.Equal(c.disks[1].Peek(at(i), 1), c.disks[0].Peek(at(i), 1)) {
				count++
			}
		}
		return count
	}
	c.passUntil(600, "nothing is mended", func() bool { return mended() > 0 && asked > 1 })
	if c.restarts != 0 {
		t.Error("a replica wanted to be opened again")
	}
}

// forge gives a replica a message as another one might have sent it.
func (c *trio) forge(to, from uint8, peer wire.Peer, command wire.Command) {
	peer.Frame = wire.Frame{
		Size: wire.HeaderSize, View: max(peer.View, uint32(c.nodes[to].View())), Release: wire.Release0_17_9, Command: command, Replica: from,
	}
	frame := make([]byte, wire.HeaderSize)
	peer.Encode(frame)
	wire.Seal(frame)
	c.deliver(c.nodes[to], frame)
}

// An acknowledgement of another log with the same op commits nothing; that of
// this one does.
func TestAcknowledgementNamesThePrepare(t *testing.T) {
	c := newTrio(t)
	p := c.newPatron(7)
	c.settle()
	primary := c.primary()
	other := (primary + 1) % 3
	c.kill(other)
	c.kill((primary + 2) % 3)
	before := c.nodes[primary].CommitMin()
	c.deliver(c.nodes[primary], p.frame("key=1"))
	c.pass()
	c.forge(primary, other, wire.Peer{Op: uint64(before + 1), ChecksumOf: checksum.Of([]byte("another"))}, wire.CommandPrepareOK)
	c.pass()
	if got := c.nodes[primary].CommitMin(); got != before {
		t.Fatalf("%v is committed by an acknowledgement of another one", got)
	}
	var ordered wire.Prepare
	if err := ordered.Decode(c.lastPrepare); err != nil {
		t.Fatal(err)
	}
	c.forge(primary, other, wire.Peer{Op: ordered.Op, ChecksumOf: ordered.Checksum}, wire.CommandPrepareOK)
	c.pass()
	if got := c.nodes[primary].CommitMin(); got != before+1 {
		t.Errorf("%v is committed, want %v", got, before+1)
	}
}

// A prepare of a former view that nobody has asked for is not appended, though
// it would fit.
func TestPrepareOfAFormerViewIsNotAppended(t *testing.T) {
	c := newTrio(t)
	p := c.newPatron(7)
	p.do(opSet, "key=1")
	c.settle()
	var stale wire.Prepare
	if err := stale.Decode(c.lastPrepare); err != nil {
		t.Fatal(err)
	}
	for range 2 { // so that the view is a later one
		primary := c.primary()
		c.kill(primary)
		p.do(opGet, "key")
		c.start(primary)
		c.settle()
	}
	backup := uint8((c.nodes[0].View() + 1) % 3)
	body := c.lastPrepare[wire.HeaderSize:]
	var last wire.Prepare
	if err := last.Decode(c.lastPrepare); err != nil {
		t.Fatal(err)
	}
	forged := last
	forged.View, forged.Replica, forged.Op, forged.Commit = stale.View, stale.Replica, last.Op+1, last.Op
	forged.Parent, forged.Offset, forged.Ordinal = last.Checksum, last.Offset+4096, last.Ordinal+uint64(last.RequestCount)
	frame := append(make([]byte, wire.HeaderSize), body...)
	forged.Encode(frame)
	wire.Seal(frame)
	if !strings.Contains(c.nodes[backup].String(), fmt.Sprintf("head %d,", last.Op)) {
		t.Fatalf("the head is not op %d: %v", last.Op, c.nodes[backup])
	}
	c.deliver(c.nodes[backup], frame)
	if !strings.Contains(c.nodes[backup].String(), fmt.Sprintf("head %d,", last.Op)) {
		t.Errorf("appended: %v", c.nodes[backup])
	}
}
