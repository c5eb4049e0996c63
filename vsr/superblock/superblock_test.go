package superblock

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/internal/checksum"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/vsr/faultdisk"
)

func testState() State {
	return State{
		Sequence: 1, Cluster: u128.From64(77), Replica: 1, ReplicaCount: 3,
		Layout: DefaultLayout(true), Checkpoint: Checkpoint{NextOrdinal: 1},
	}
}

func newDisk(seed uint64) *faultdisk.Disk {
	return faultdisk.New(rand.New(rand.NewPCG(seed, 3)))
}

func formatted(seed uint64) *faultdisk.Disk {
	disk := newDisk(seed)
	disk.Poke(0, Format(testState()))
	return disk
}

const bigFile = 1 << 30

// open opens and, if that went well, repairs.
func open(disk *faultdisk.Disk) (*Superblock, error) {
	s := New(disk, func(err error) { panic(err) })
	err := errors.New("open did not complete")
	s.Open(bigFile, func(e error) { err = e })
	disk.Run()
	if err != nil {
		return nil, err
	}
	repaired := false
	s.Repair(func() { repaired = true })
	disk.Run()
	if !repaired {
		return nil, errors.New("repair did not complete")
	}
	return s, nil
}

func mustOpen(t *testing.T, disk *faultdisk.Disk) *Superblock {
	t.Helper()
	s, err := open(disk)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func setView(view uint32) func(*State) { return func(s *State) { s.View = view } }

func TestUpdateAndReopen(t *testing.T) {
	disk := formatted(1)
	s := mustOpen(t, disk)
	old := s.State()
	previous := old.Checkpoint.ID()
	checkpoint := Checkpoint{
		Parent: previous, Op: 9, HeaderChecksum: checksum.Of([]byte{1}), NextOrdinal: 12, Timestamp: 13,
		JournalOffset: 40960, Grid: [40]byte{1, 2, 3},
	}
	checkpoint.SetRoot([]byte("root"))
	updated := false
	s.Update(func(s *State) {
		s.View, s.LogView, s.CommitMax, s.Checkpoint, s.Previous = 5, 4, 11, checkpoint, s.Checkpoint
	}, func() { updated = true })
	if updated {
		t.Fatal("done before Update returned")
	}
	disk.Run()
	if !updated {
		t.Fatal("not done")
	}
	want := s.State()
	if want.Sequence != 2 || want.View != 5 || want.LogView != 4 || want.CommitMax != 11 || want.Checkpoint != checkpoint ||
		want.Previous != old.Checkpoint {
		t.Fatalf("%+v", want)
	}
	disk = disk.PowerCut()
	if got := mustOpen(t, disk).State(); got != want {
		t.Fatalf("reopened as %+v", got)
	}
}

// Updates that come while one is in flight are written together after it, and
// each learns of it only then.
func TestUpdatesAreMerged(t *testing.T) {
	disk := formatted(1)
	s := mustOpen(t, disk)
	var order []uint64
	note := func() { order = append(order, s.State().Sequence) }
	s.Update(setView(1), func() {
		note()
		s.Update(setView(4), note)
	})
	s.Update(setView(2), note)
	s.Update(func(s *State) { s.CommitMax = 7 }, note)
	disk.Run()
	if len(order) != 4 || order[0] != 2 || order[1] != 3 || order[2] != 3 || order[3] != 4 {
		t.Fatalf("durable with sequences %v", order)
	}
	if got := s.State(); got.View != 4 || got.CommitMax != 7 {
		t.Fatalf("%+v", got)
	}
}

// A completion may ask for many updates and disturbs no other completion.
func TestUpdatesFromCompletions(t *testing.T) {
	disk := formatted(1)
	s := mustOpen(t, disk)
	calls, third := 0, 0
	s.Update(setView(1), func() {})
	s.Update(setView(2), func() {
		for range 5 {
			s.Update(func(s *State) { s.View++ }, func() { calls++ })
		}
	})
	s.Update(setView(3), func() { third++ })
	disk.Run()
	if calls != 5 || third != 1 || s.State().View != 8 {
		t.Fatalf("%d and %d completions, view %d", calls, third, s.State().View)
	}
}

func TestUpdateRefusesBugs(t *testing.T) {
	for name, change := range map[string]func(*State){
		"other cluster":           func(s *State) { s.Cluster = u128.From64(1) },
		"other layout":            func(s *State) { s.Layout.SessionsMax++ },
		"view backwards":          func(s *State) { s.View = 1 },
		"a promise forgotten":     func(s *State) { s.Recovery = 1 },
		"log view above view":     func(s *State) { s.LogView = 9 },
		"commit backwards":        func(s *State) { s.CommitMax = 0 },
		"checkpoint replaced":     func(s *State) { s.Checkpoint.Timestamp++ },
		"checkpoint orphaned":     func(s *State) { s.Checkpoint.Op = 2 },
		"another one before":      func(s *State) { s.Checkpoint = Checkpoint{Op: 2, Parent: s.Checkpoint.ID()}; s.Previous.Op = 1 },
		"one before replaced":     func(s *State) { s.Previous.Timestamp++ },
		"checkpoint above commit": func(s *State) { s.Checkpoint = Checkpoint{Op: 9, Parent: s.Checkpoint.ID()} },
		"journal offset":          func(s *State) { s.Checkpoint = Checkpoint{Op: 1, Parent: s.Checkpoint.ID(), JournalOffset: 1} },
	} {
		disk := formatted(1)
		s := mustOpen(t, disk)
		s.Update(func(s *State) { s.View, s.CommitMax = 3, 3 }, func() {})
		disk.Run()
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			s.Update(change, func() {})
		}()
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	version := func(disk *faultdisk.Disk, v uint32, copies int) {
		for i := range copies {
			disk.Poke(int64(i)*CopySlotSize+offsetVersion, binary.LittleEndian.AppendUint32(nil, v))
		}
	}
	for _, test := range []struct {
		name   string
		damage func(disk *faultdisk.Disk)
		size   int64
		want   error
		text   string
	}{
		{"zeros", func(d *faultdisk.Disk) { d.Poke(0, make([]byte, ZoneSize)) }, bigFile, ErrNotDataFile, ""},
		{"empty", func(d *faultdisk.Disk) { d.Poke(0, make([]byte, ZoneSize)) }, 0, ErrNotDataFile, ""},
		{"text", func(d *faultdisk.Disk) { d.Poke(0, bytes.Repeat([]byte("words "), ZoneSize/6)) }, bigFile, ErrNotDataFile, ""},
		{"newer", func(d *faultdisk.Disk) { version(d, FormatVersion+1, 4) }, bigFile, ErrFormatNewer, ""},
		{"older", func(d *faultdisk.Disk) { version(d, FormatVersion-1, 4) }, bigFile, ErrFormatOlder, ""},
		{"three damaged", func(d *faultdisk.Disk) {
			for i := range int64(3) {
				d.Rot(i*CopySlotSize+40, 1)
			}
		}, bigFile, ErrQuorum, "copy 2 at offset 131072 is damaged"},
		{"unreadable", func(d *faultdisk.Disk) {
			d.Inject = func(int, *blockio.Request) faultdisk.Fault { return faultdisk.Fault{Effect: faultdisk.Unreadable} }
		}, bigFile, ErrQuorum, "injected fault"},
		{"one copy left of a short file", func(d *faultdisk.Disk) { d.Poke(CopySlotSize, make([]byte, 3*CopySlotSize)) }, CopySlotSize, ErrTruncated, "65536"},
		{"journal cut off", func(*faultdisk.Disk) {}, ZoneSize, ErrTruncated, "262144"},
		{"a byte short", func(*faultdisk.Disk) {}, 262144 + 1024*256 + 64*SpareSize + 8<<20 - 1, ErrTruncated, ""},
		{"whole", func(*faultdisk.Disk) {}, 262144 + 1024*256 + 64*SpareSize + 8<<20, nil, ""},
		{"copies in each other's place", func(d *faultdisk.Disk) {
			first := d.Peek(0, copySize)
			for i := range int64(Copies) {
				d.Poke(i*CopySlotSize, first)
			}
		}, bigFile, ErrQuorum, ""},
		{"two pairs of one sequence", func(d *faultdisk.Disk) {
			other := testState()
			other.View = 3
			d.Poke(0, Format(other)[:2*CopySlotSize])
		}, bigFile, ErrQuorum, "sequence 1"},
		{"two rotten", func(d *faultdisk.Disk) { d.Rot(40, 1); d.Rot(2*CopySlotSize+4095, 1) }, bigFile, nil, ""},
		{"two with another version", func(d *faultdisk.Disk) { version(d, 9, 2) }, bigFile, nil, ""},
	} {
		disk := formatted(1)
		test.damage(disk)
		before := disk.Peek(0, ZoneSize)
		err := errors.New("open did not complete")
		New(disk, func(err error) { panic(err) }).Open(test.size, func(e error) { err = e })
		disk.Run()
		if !errors.Is(err, test.want) || err != nil && !strings.Contains(err.Error(), test.text) {
			t.Errorf("%s: %v", test.name, err)
		}
		if !bytes.Equal(before, disk.Peek(0, ZoneSize)) {
			t.Errorf("%s: Open wrote", test.name)
		}
	}
}

func TestIdentity(t *testing.T) {
	s := testState()
	if err := s.CheckIdentity(s.Cluster, s.Replica); err != nil {
		t.Error(err)
	}
	if err := s.CheckIdentity(u128.From64(78), s.Replica); !errors.Is(err, ErrCluster) || !strings.Contains(err.Error(), "77") {
		t.Error(err)
	}
	if err := s.CheckIdentity(s.Cluster, 2); !errors.Is(err, ErrReplica) {
		t.Error(err)
	}
}

// Each byte of a copy matters: any change of any of them is seen.
func TestEveryByteIsChecked(t *testing.T) {
	state := testState()
	var b [copySize]byte
	state.encode(b[:], 2)
	if got, _, v := decodeCopy(b[:], 2); v != copyGood || got != state {
		t.Fatalf("%v: %+v", v, got)
	}
	for i := range b {
		b[i] ^= 4
		if _, _, v := decodeCopy(b[:], 2); v == copyGood {
			t.Errorf("byte %d changed: still good", i)
		}
		b[i] ^= 4
	}
}

func FuzzDecodeCopy(f *testing.F) {
	zone := Format(testState())
	f.Add(zone[:copySize])
	f.Add(zone[CopySlotSize:][:copySize])
	f.Fuzz(func(t *testing.T, data []byte) {
		var b [copySize]byte
		copy(b[:], data)
		// Give the fuzzer a way past the checksum.
		var summed [copySize]byte
		copy(summed[:], b[:])
		clear(summed[offsetCopy:offsetSummed])
		sum := checksum.Of(summed[:])
		copy(b[offsetChecksum:], sum[:])
		index := int(b[offsetCopy]) % Copies
		state, _, v := decodeCopy(b[:], index)
		if v != copyGood {
			return
		}
		var again [copySize]byte
		state.encode(again[:], index)
		if !bytes.Equal(again[:], b[:]) {
			t.Fatal("two encodings of one state")
		}
	})
}

func BenchmarkUpdate(b *testing.B) {
	disk := formatted(1)
	s, err := open(disk)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s.Update(func(s *State) { s.CommitMax++ }, func() {})
		disk.Run()
	}
}

// The mark of a file that replaces a lost one stays until it is taken away, for
// good.
func TestRecoveryMark(t *testing.T) {
	state := testState()
	state.ReplicaCount, state.Recovery = 3, 1<<63+5
	disk := newDisk(1)
	disk.Poke(0, Format(state))
	s := mustOpen(t, disk)
	s.Update(setView(3), func() {})
	disk.Run()
	disk = disk.PowerCut()
	s = mustOpen(t, disk)
	if got := s.State(); got.Recovery != state.Recovery || got.View != 3 {
		t.Fatalf("recovery %d, view %d", got.Recovery, got.View)
	}
	s.Update(func(s *State) { s.Recovery = 0 }, func() {})
	disk.Run()
	if got := mustOpen(t, disk.PowerCut()).State(); got.Recovery != 0 {
		t.Fatalf("recovery %d", got.Recovery)
	}
	state.Recovery, state.ReplicaCount = 1, 1
	if state.Validate() == nil {
		t.Error("a cluster of one recovers from itself")
	}
}
