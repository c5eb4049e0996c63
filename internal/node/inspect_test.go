package node

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/internal/multibatch"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/vsr"
	"github.com/ledgerd/ledgerd/vsr/faultdisk"
	"github.com/ledgerd/ledgerd/vsr/grid"
	"github.com/ledgerd/ledgerd/vsr/superblock"
	"github.com/ledgerd/ledgerd/wire"
)

// dataFile is a simulated data file, and the one client that fills it.
type dataFile struct {
	t       *testing.T
	disk    *faultdisk.Disk
	layout  vsr.Layout
	replica *vsr.Replica
	workers queue
	pool    buffer.Pool
	now     uint64
	session uint64
	latest  wire.Reply
}

func (f *dataFile) Realtime() uint64 { f.now += 1000; return f.now }

func (f *dataFile) SendToClient(_ u128.Uint128, message *buffer.Buffer) {
	if err := f.latest.Decode(message.Bytes); err != nil {
		f.t.Fatal(err)
	}
}

// newDataFile formats a disk. Checkpoints come after 21 prepares.
func newDataFile(t *testing.T) *dataFile {
	f := &dataFile{t: t, disk: faultdisk.New(rand.New(rand.NewPCG(1, 2)))}
	f.layout = vsr.Layout{JournalSlots: 64, JournalRingSize: 1 << 20, BlockSize: 8192, SessionsMax: 4, RequestSizeMax: 32 << 10}
	f.disk.Poke(0, vsr.Format(vsr.FormatConfig{Cluster: u128.From64(7), ReplicaCount: 1, Layout: f.layout}))
	return f
}

// newLedger makes a data file with two accounts and count requests of 20
// transfers each between them.
func newLedger(t *testing.T, count int) *dataFile {
	f := newDataFile(t)
	f.replica = New(Options{Storage: f.disk, Bus: f, Clock: f, Pool: &f.pool, Workers: &f.workers, FileSize: f.layout.GridOffset()})
	f.replica.Open(func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	})
	f.settle()
	f.request(wire.OperationRegister, make([]byte, wire.RegisterSize))
	f.session = f.latest.Commit
	body := (&ledger.Account{ID: u128.From64(1), Ledger: 1, Code: 1}).Append(nil)
	body = (&ledger.Account{ID: u128.From64(2), Ledger: 1, Code: 1}).Append(body)
	f.request(wire.Operation(ledger.OperationCreateAccounts), multibatch.AppendTrailer(body, ledger.AccountSize, []uint16{2}))
	for n := range count {
		f.transfers(1 + 20*n)
	}
	return f
}

// transfers requests 20 transfers, with ids from first on.
func (f *dataFile) transfers(first int) {
	f.t.Helper()
	var body []byte
	for i := range 20 {
		body = (&ledger.Transfer{
			ID: u128.From64(uint64(first + i)), DebitAccountID: u128.From64(1), CreditAccountID: u128.From64(2),
			Amount: u128.From64(1), Ledger: 1, Code: 1,
		}).Append(body)
	}
	f.request(wire.Operation(ledger.OperationCreateTransfers), multibatch.AppendTrailer(body, ledger.TransferSize, []uint16{20}))
}

// request sends a request and waits for its reply.
func (f *dataFile) request(operation wire.Operation, body []byte) {
	f.t.Helper()
	header := wire.Request{Client: u128.From64(1), Session: f.session, Parent: f.latest.Context, Operation: operation}
	header.Cluster, header.Release, header.Size = u128.From64(7), wire.Release0_17_9, uint32(wire.HeaderSize+len(body))
	if f.session != 0 {
		header.Request = f.latest.Request + 1
	}
	message := f.pool.Acquire(int(header.Size))
	copy(message.Bytes[wire.HeaderSize:], body)
	header.Encode(message.Bytes)
	wire.Seal(message.Bytes)
	f.replica.OnMessage(message)
	message.Release()
	f.settle()
	if f.latest.Request != header.Request || f.latest.Operation != operation {
		f.t.Fatalf("no reply to request %d", header.Request)
	}
}

func (f *dataFile) settle() {
	for f.replica.Step() || f.workers.step() || f.disk.Step() {
	}
	if err := f.replica.Err(); err != nil {
		f.t.Fatal(err)
	}
}

// options are those of an inspection, during which nothing but reads must reach
// the disk.
func (f *dataFile) options() InspectOptions {
	f.disk.Inject = func(_ int, r *blockio.Request) faultdisk.Fault {
		if r.Kind != blockio.Read {
			f.t.Errorf("%v at offset %d", r.Kind, r.Offset)
		}
		return faultdisk.Fault{}
	}
	return InspectOptions{Storage: f.disk, FileSize: f.layout.GridOffset(), Pump: func() error {
		if !f.disk.Step() {
			return errors.New("nothing is under way")
		}
		return nil
	}}
}

func (f *dataFile) inspect(run func(InspectOptions) (*Report, error)) *Report {
	f.t.Helper()
	report, err := run(f.options())
	if err != nil {
		f.t.Fatal(err)
	}
	return report
}

func TestInspectNewFile(t *testing.T) {
	f := newDataFile(t)
	for _, run := range []func(InspectOptions) (*Report, error){Inspect, Verify} {
		r := f.inspect(run)
		if len(r.Damage) != 0 || r.Root.Cluster != u128.From64(7) || r.Root.Sequence != 1 ||
			r.Journal != (JournalReport{}) || r.Grid.BlocksInUse != 0 || len(r.Sessions) != 0 {
			t.Errorf("report %+v", r)
		}
	}
}

// An inspection finds what the replica that wrote the file knows.
func TestInspectLedger(t *testing.T) {
	const requests = 60
	f := newLedger(t, requests)
	for name, run := range map[string]func(InspectOptions) (*Report, error){"Inspect": Inspect, "Verify": Verify} {
		r := f.inspect(run)
		if len(r.Damage) != 0 || r.LedgerVerified != (name == "Verify") {
			t.Fatalf("%s: damage %v, ledger verified: %v", name, r.Damage, r.LedgerVerified)
		}
		for n, c := range r.Copies {
			if c.State != superblock.CopyCurrent || c.Sequence != r.Root.Sequence || c.Offset != int64(n)*superblock.CopySlotSize {
				t.Errorf("copy %d: %+v", n, c)
			}
		}
		j, checkpoint := r.Journal, r.Root.Checkpoint
		if checkpoint.Op < requests/2 || j.HeadOp != uint64(f.replica.CommitMin()) || j.Prepares != int(j.HeadOp-checkpoint.Op) ||
			j.Requests != j.Prepares || j.HeadTimestamp != f.latest.Timestamp || j.Bytes != uint64(j.Prepares)*4096 || j.WitnessesStale != 0 {
			t.Errorf("checkpoint at op %d, journal %+v", checkpoint.Op, j)
		}
		if r.CheckpointID != checkpoint.ID() {
			t.Errorf("checkpoint id %v", r.CheckpointID)
		}
		if len(r.Sessions) != 1 || r.Sessions[0].Client != u128.From64(1) || uint64(r.Sessions[0].Number) != f.session {
			t.Errorf("sessions %+v", r.Sessions)
		}
		var names []string
		blocks, bytes := 0, int64(0)
		for _, kind := range r.Grid.Kinds {
			names = append(names, kind.Name)
			blocks += kind.Blocks
			bytes += kind.PayloadBytes
		}
		if got := strings.Join(names, ", "); got != "free set, sessions, accounts, events, manifest, newest rows of accounts, "+
			"tree of transfer ids, tree of transfers by account, tree of transfers by ledger, tree of transfers by code" {
			t.Errorf("kinds of blocks: %s", got)
		}
		if blocks != r.Grid.BlocksInUse || bytes < 30_000 || r.Grid.Size < int64(blocks)*8192 {
			t.Errorf("grid %+v", r.Grid)
		}
	}
}

// Each damage is found, in its place, by those that can see it.
func TestInspectFindsDamage(t *testing.T) {
	f := newLedger(t, 60)
	whole := f.inspect(Verify)
	layout, checkpoint := &whole.Root.Layout, &whole.Root.Checkpoint
	gridAt := func(a block.Address) int64 { return layout.GridOffset() + int64(a-1)*8192 }
	recordAt := layout.JournalRecordsOffset() + int64(checkpoint.JournalOffset%layout.JournalRingSize)
	freeSet := block.RefFrom(checkpoint.Grid[:]).Address
	transfers, table := f.blockOfKind(17), f.blockOfKind(32)
	for _, test := range []struct {
		name     string
		offset   int64 // where a bit rots
		zone     string
		address  block.Address
		at       int64
		unseen   bool // by Inspect
		complain string
	}{
		{name: "superblock copy", offset: 2*superblock.CopySlotSize + 50, zone: ZoneSuperblock, at: 2 * superblock.CopySlotSize,
			complain: "superblock: copy 2 at offset 131072 is damaged"},
		{name: "journal record", offset: recordAt + 300, zone: ZoneJournal, at: recordAt,
			complain: fmt.Sprintf("journal: the record of op %d, at offset %d ", checkpoint.Op+1, recordAt)},
		{name: "free set", offset: gridAt(freeSet) + 100, zone: ZoneGrid, address: freeSet, at: gridAt(freeSet),
			complain: fmt.Sprintf("grid: read the free set: grid: %v at offset %d: ", freeSet, gridAt(freeSet))},
		{name: "sessions", offset: gridAt(checkpoint.Sessions.Address) + 100, zone: ZoneGrid,
			address: checkpoint.Sessions.Address, at: gridAt(checkpoint.Sessions.Address), complain: "grid: read the sessions: "},
		{name: "header of a block", offset: gridAt(transfers) + 16, zone: ZoneGrid, address: transfers, at: gridAt(transfers),
			complain: fmt.Sprintf("grid: %v at offset %d: ", transfers, gridAt(transfers))},
		{name: "payload of a block", offset: gridAt(transfers) + 4000, zone: ZoneGrid, address: transfers, at: gridAt(transfers),
			unseen: true, complain: fmt.Sprintf("grid: %v at offset %d: ", transfers, gridAt(transfers))},
		{name: "payload of a table", offset: gridAt(table) + 100, zone: ZoneGrid, address: table, at: gridAt(table),
			unseen: true, complain: fmt.Sprintf("grid: %v at offset %d: ", table, gridAt(table))},
	} {
		before := f.disk.Peek(test.offset, 1)
		f.disk.Rot(test.offset, 1)
		for name, run := range map[string]func(InspectOptions) (*Report, error){"Inspect": Inspect, "Verify": Verify} {
			r := f.inspect(run)
			if test.unseen && name == "Inspect" {
				continue
			}
			if len(r.Damage) != 1 || r.LedgerVerified {
				t.Errorf("%s: %s found %v", test.name, name, r.Damage)
				continue
			}
			if d := r.Damage[0]; d.Zone != test.zone || d.Address != test.address || d.Offset != test.at || !strings.HasPrefix(d.String(), test.complain) {
				t.Errorf("%s: %s found %+v: %v", test.name, name, d, d)
			}
		}
		f.disk.Poke(test.offset, before)
	}
}

// blockOfKind returns the first block of a kind that is in use.
func (f *dataFile) blockOfKind(kind uint8) (first block.Address) {
	f.t.Helper()
	i := newInspection(f.options())
	if err := i.run(grid.HeadersOnly); err != nil {
		f.t.Fatal(err)
	}
	tour := i.grid.NewScrubber(grid.HeadersOnly, 1, func(info grid.BlockInfo, _ error) {
		if info.Kind == kind && first == 0 {
			first = info.Address
		}
	})
	for !tour.Tick() {
		f.disk.Step()
	}
	if first == 0 {
		f.t.Fatalf("no block of kind %d", kind)
	}
	return first
}

// A lost write leaves an older block, whole and of the same address: only its
// reference tells.
func TestVerifyFindsOlderBlock(t *testing.T) {
	f := newLedger(t, 60)
	a := f.blockOfKind(17)
	f.disk.Inject = nil
	offset := f.layout.GridOffset() + int64(a-1)*8192
	// The oldest content that passes is one that another grid has written.
	other := grid.New(f.disk, grid.Config{ZoneOffset: f.layout.GridOffset(), BlockSize: 8192, Fault: func(err error) { t.Fatal(err) }})
	for other.Acquire() != a {
	}
	other.Write(a, 17, func(dst []byte) int { return copy(dst, "older") }, func(block.Ref) {})
	f.disk.Run()
	r := f.inspect(Verify)
	if len(r.Damage) != 1 || r.Damage[0].Address != a || r.Damage[0].Offset != offset+grid.HeaderSize {
		t.Errorf("damage %v", r.Damage)
	}
	if r := f.inspect(Inspect); len(r.Damage) != 0 {
		t.Errorf("damage %v", r.Damage)
	}
}

// What a crash leaves is no damage: an update of the superblock half done, a
// witness not written.
func TestInspectAfterCrash(t *testing.T) {
	f := newLedger(t, 5)
	whole := f.inspect(Inspect)
	for n := range 2 {
		offset := int64(n) * superblock.CopySlotSize
		f.disk.Poke(offset, superblock.Format(whole.Root)[offset:][:blockio.SectorSize]) // sequence 1
	}
	witness := whole.Root.Layout.JournalHeadersOffset() + int64(whole.Journal.HeadOp%64)*wire.HeaderSize
	f.disk.Poke(witness, make([]byte, wire.HeaderSize))
	r := f.inspect(Inspect)
	if len(r.Damage) != 0 || r.Journal.HeadOp != whole.Journal.HeadOp || r.Journal.WitnessesStale != 1 ||
		r.Copies[0].State != superblock.CopyStale || r.Copies[0].Sequence != 1 || r.Copies[2].State != superblock.CopyCurrent {
		t.Errorf("report %+v", r)
	}
}

// The superblock knows of a committed op of which the journal has nothing left.
func TestInspectFindsLostCommit(t *testing.T) {
	f := newDataFile(t)
	root := f.inspect(Inspect).Root
	root.CommitMax = 3
	f.disk.Poke(0, superblock.Format(root))
	r := f.inspect(Inspect)
	if len(r.Damage) != 1 || r.Damage[0].Zone != ZoneJournal || r.Journal.DamagedOp != 1 || r.Damage[0].Offset != f.layout.JournalRecordsOffset() {
		t.Errorf("report %+v", r)
	}
}

func TestInspectWithoutRoot(t *testing.T) {
	f := newLedger(t, 5)
	for n := range 3 {
		f.disk.Rot(int64(n)*superblock.CopySlotSize+100, 1)
	}
	r := f.inspect(Verify)
	if len(r.Damage) != 1 || !errors.Is(r.Damage[0].Err, superblock.ErrQuorum) || r.Damage[0].Zone != ZoneSuperblock ||
		r.Copies[0].State != superblock.CopyBad || r.Copies[3].State != superblock.CopyStale {
		t.Errorf("report %+v", r)
	}
	truncated := newDataFile(t)
	options := truncated.options()
	options.FileSize--
	if r, err := Inspect(options); err != nil || len(r.Damage) != 1 || !errors.Is(r.Damage[0].Err, superblock.ErrTruncated) {
		t.Errorf("report %+v, %v", r, err)
	}
}

func TestInspectRefuses(t *testing.T) {
	f := newDataFile(t)
	f.disk.Poke(0, make([]byte, superblock.ZoneSize))
	if _, err := Inspect(f.options()); !errors.Is(err, superblock.ErrNotDataFile) {
		t.Errorf("a file of zeros: %v", err)
	}
	f = newLedger(t, 60)
	for stop := range 40 {
		options, why := f.options(), errors.New("interrupted")
		pump, n := options.Pump, 0
		options.Pump = func() error {
			if n++; n > stop {
				return why
			}
			return pump()
		}
		if _, err := Verify(options); !errors.Is(err, why) {
			t.Fatalf("interrupted after %d steps: %v", stop, err)
		}
		f.disk.Run()
	}
}
