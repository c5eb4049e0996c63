package vsr_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/vsr"
	"github.com/ledgerd/ledgerd/vsr/faultdisk"
	"github.com/ledgerd/ledgerd/vsr/superblock"
	"github.com/ledgerd/ledgerd/wire"
)

// smallLayout has a journal that wraps within a few requests.
func smallLayout() vsr.Layout {
	layout := vsr.LayoutDefault(true)
	layout.JournalSlots, layout.JournalSpares = 32, 8
	layout.JournalRingSize = 384 << 10
	layout.BlockSize = 4096
	layout.SessionsMax = 4
	return layout
}

// What waits together becomes one prepare: one record, one witness, one reply
// for each request, with ordinals and timestamps of its own.
func TestRequestsThatWaitTogetherAreOnePrepare(t *testing.T) {
	layout := smallLayout()
	layout.SessionsMax = 64
	h := newHarness(t, layout)
	var users []*user
	for i := range 32 {
		users = append(users, h.newUser(uint64(100+i)))
	}
	before, writes := h.replica.CommitMin(), h.disk.Submitted()
	for i, u := range users {
		u.send(wire.Operation(opSet), text(fmt.Sprintf("key%d=%d", i, i)))
	}
	h.run()
	if got := h.replica.CommitMin() - before; got != 1 {
		t.Errorf("32 requests took %d prepares", got)
	}
	if got := h.disk.Submitted() - writes; got != 2 {
		t.Errorf("32 requests took %d operations on the disk, want a record and its spare", got)
	}
	var last wire.Reply
	for i, u := range users {
		if got := u.take(); got != fmt.Sprint(i) {
			t.Errorf("reply %d is %q", i, got)
		}
		if i > 0 && (u.latest.Op != last.Op+1 || u.latest.Timestamp <= last.Timestamp) {
			t.Errorf("op %d at %d follows op %d at %d", u.latest.Op, u.latest.Timestamp, last.Op, last.Timestamp)
		}
		last = u.latest
	}
}

// A second prepare does not join one in flight until much is waiting, and a
// lone request waits for nothing.
func TestSmallRequestsWaitForTheWriteInFlight(t *testing.T) {
	h := newHarness(t, smallLayout())
	a, b, c := h.newUser(1), h.newUser(2), h.newUser(3)
	before := h.disk.Submitted()
	a.send(wire.Operation(opSet), text("a=1"))
	h.replica.Step()
	if got := h.disk.Submitted() - before; got != 2 {
		t.Fatalf("a lone request led to %d operations on the disk", got)
	}
	b.send(wire.Operation(opSet), text("b=2"))
	c.send(wire.Operation(opSet), text("c=3"))
	h.replica.Step()
	if got := h.disk.Submitted() - before; got != 2 {
		t.Fatalf("what came after did not wait: %d operations", got)
	}
	op := h.replica.CommitMin()
	h.run()
	if got := h.replica.CommitMin() - op; got != 2 {
		t.Errorf("%d prepares, want one for the first and one for the rest", got)
	}
}

// Everything acknowledged survives power cuts while the journal wraps many
// times: values, sessions, and the answer to the latest request.
func TestPowerCutsWhileTheJournalWraps(t *testing.T) {
	h := newHarness(t, smallLayout())
	u := h.newUser(7)
	padding := strings.Repeat("x", 3000)
	for round := range 200 {
		value := fmt.Sprint(round, padding)
		if got := u.call(opSet, "key="+value); got != value {
			t.Fatalf("round %d: set returned %.20q", round, got)
		}
		if round%7 != 0 {
			continue
		}
		h.powerCut()
		u.resend()
		h.run()
		view := u.latest.View
		if got := u.take(); got != value {
			t.Fatalf("round %d: the stored reply is %.20q", round, got)
		}
		if u.latest.View != view+1 {
			t.Fatalf("round %d: the stored reply came in view %d after view %d", round, u.latest.View, view)
		}
		if got := u.call(opGet, "key"); got != value {
			t.Fatalf("round %d: the value is %.20q", round, got)
		}
	}
}

// A request that was executed is not executed again, whatever comes twice.
func TestDuplicateIsAnsweredAndNotExecuted(t *testing.T) {
	h := newHarness(t, smallLayout())
	u, other := h.newUser(1), h.newUser(2)
	u.call(opSet, "key=old")
	first := u.latest
	other.call(opSet, "key=new")
	u.resend()
	u.resend()
	h.run()
	if got := len(h.sent[u.id]); got != 2 {
		t.Fatalf("%d answers to 2 duplicates", got)
	}
	h.sent[u.id] = h.sent[u.id][:1]
	if got := u.take(); got != "old" || u.latest != first {
		t.Errorf("the duplicate was answered with %q", got)
	}
	if got := other.call(opGet, "key"); got != "new" {
		t.Errorf("the value is %q: the duplicate was executed", got)
	}
}

// A full table evicts the client that was served least recently.
func TestSessionEviction(t *testing.T) {
	h := newHarness(t, smallLayout())
	users := []*user{h.newUser(1), h.newUser(2), h.newUser(3), h.newUser(4)}
	users[0].call(opGet, "key")
	h.newUser(5)
	for i, u := range users {
		u.send(wire.Operation(opGet), text("key"))
		h.run()
		evicted := wire.CommandOf(h.sent[u.id][0]) == wire.CommandEviction
		if evicted != (i == 1) {
			t.Errorf("client %v evicted: %v", u.id, evicted)
		}
	}
}

// A failed write stops the replica; what it acknowledged before is found by
// the next one, whether the write was carried out or not.
func TestFailedWriteStopsTheReplica(t *testing.T) {
	for _, effect := range []faultdisk.Effect{faultdisk.Refused, faultdisk.Stored} {
		for step := range 2 {
			h := newHarness(t, smallLayout())
			u := h.newUser(1)
			u.call(opSet, "key=good")
			count := 0
			h.disk.Inject = func(_ int, r *blockio.Request) (fault faultdisk.Fault) {
				if r.Kind == blockio.Write && count == step {
					fault.Effect = effect
				}
				count++
				return fault
			}
			u.send(wire.Operation(opSet), text("key=doubtful"))
			h.run()
			if !errors.Is(h.replica.Err(), faultdisk.ErrInjected) || len(h.sent[u.id]) != 0 {
				t.Fatalf("effect %d at write %d: error %v, %d messages", effect, step, h.replica.Err(), len(h.sent[u.id]))
			}
			h.disk.Inject = nil
			h.powerCut()
			got := h.newUser(2).call(opGet, "key")
			if got != "good" && got != "doubtful" {
				t.Errorf("effect %d at write %d: the value is %q", effect, step, got)
			}
		}
	}
}

// A file of somebody else is refused and left as it is.
func TestIdentity(t *testing.T) {
	h := newHarness(t, smallLayout())
	for _, test := range []struct {
		identity vsr.Identity
		want     error
	}{
		{vsr.Identity{Cluster: u128.From64(9)}, superblock.ErrCluster},
		{vsr.Identity{Replica: 1}, superblock.ErrReplica},
	} {
		replica := vsr.New(vsr.Options{
			Storage: h.disk, Bus: h, Clock: h, Pool: &h.pool, NewStateMachine: newStore,
			Release: wire.Release0_17_9, ReleaseClientMin: wire.ReleaseMin,
			FileSize: h.layout.GridOffset(), Identity: &test.identity,
		})
		h.disk.Inject = func(_ int, r *blockio.Request) faultdisk.Fault {
			if r.Kind != blockio.Read {
				t.Errorf("%v: a %v", test.want, r.Kind)
			}
			return faultdisk.Fault{}
		}
		var got error
		replica.Open(func(err error) { got = err })
		h.disk.Run()
		if !errors.Is(got, test.want) {
			t.Errorf("error %v, want %v", got, test.want)
		}
	}
}

// A file that was cut within the grid is called truncated, not rotten.
func TestTruncatedGrid(t *testing.T) {
	h := newHarness(t, smallLayout())
	u := h.newUser(1)
	for i := range 40 {
		u.call(opSet, fmt.Sprintf("key=%d%s", i, strings.Repeat("x", 3000)))
	}
	size := h.layout.GridOffset() + 4096
	h.disk.Poke(size, make([]byte, 1<<20))
	h.fileSize = size
	if err := h.open(); !errors.Is(err, superblock.ErrTruncated) {
		t.Errorf("error %v", err)
	}
}

// FuzzOnMessage sends frames that are whole but otherwise arbitrary: nothing
// that a client can say stops the replica or keeps it from serving others.
func FuzzOnMessage(f *testing.F) {
	f.Add(uint8(wire.CommandRequest), []byte{0: 1, 127: 0}, []byte("key=value       "))
	f.Add(uint8(wire.CommandPingClient), []byte{0: 1, 127: 0}, []byte{})
	f.Add(uint8(wire.CommandReply), []byte{0: 1, 127: 0}, []byte{})
	f.Fuzz(func(t *testing.T, command uint8, area, body []byte) {
		if len(body) > 64<<10 || !wire.Command(command).Known() {
			t.Skip() // the bus closes such a connection
		}
		h := newHarness(t, smallLayout())
		h.newUser(1)
		frame := make([]byte, wire.HeaderSize+len(body))
		ping := wire.PingClient{Client: u128.From64(1)}
		ping.Size, ping.Release = wire.HeaderSize, wire.Release0_17_9
		ping.Encode(frame)
		frame[114] = command
		frame[96], frame[97], frame[98] = byte(len(frame)), byte(len(frame)>>8), byte(len(frame)>>16)
		copy(frame[128:wire.HeaderSize], area)
		copy(frame[wire.HeaderSize:], body)
		wire.Seal(frame)
		h.deliver(frame)
		h.run()
		clear(h.sent) // also of what the frame got, whoever it claims to be from
		if got := h.newUser(0x9e3779b97f4a7c15).call(opSet, "key=value"); got != "value" || h.replica.Err() != nil {
			t.Errorf("the next client got %q, error %v", got, h.replica.Err())
		}
	})
}

// More than a whole small journal can hold waits: it is prepared piece by
// piece, and everyone is answered.
func TestBacklogLargerThanTheJournal(t *testing.T) {
	layout := smallLayout()
	layout.SessionsMax = 32
	h := newHarness(t, layout)
	var users []*user
	for i := range 32 {
		users = append(users, h.newUser(uint64(1+i)))
	}
	value := strings.Repeat("v", 30<<10)
	for i, u := range users {
		u.send(wire.Operation(opSet), text(fmt.Sprintf("key%d=%s", i, value)))
	}
	h.run()
	for _, u := range users {
		if got := u.take(); got != value {
			t.Fatalf("client %v got %.20q", u.id, got)
		}
	}
}
