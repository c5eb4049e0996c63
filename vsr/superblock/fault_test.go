package superblock

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/vsr/faultdisk"
)

// The new root or the old one is found, whole, whatever happens at whichever
// step of an update, and whichever one or two copies rot afterwards.
func TestFaultMatrix(t *testing.T) {
	const steps = 2 * Copies // four writes, four reads
	effects := map[string]faultdisk.Effect{
		"good": faultdisk.Good, "lost": faultdisk.Lost, "torn": faultdisk.Torn, "misdirected": faultdisk.Misdirected,
		"refused": faultdisk.Refused, "stored but reported failed": faultdisk.Stored,
		"rotten read": faultdisk.Rotten, "unreadable": faultdisk.Unreadable,
	}
	for name, effect := range effects {
		for step := range steps {
			for crash := 0; crash <= steps; crash++ {
				for seed := range uint64(Copies) {
					matrixCase(t, name, effect, step, crash, seed)
				}
			}
		}
	}
}

// matrixCase runs one update in which request number step meets with effect,
// and power fails when crash requests have completed.
func matrixCase(t *testing.T, name string, effect faultdisk.Effect, step, crash int, seed uint64) {
	disk := formatted(seed)
	faulted, acknowledged := false, false
	s := mustOpen(t, disk)
	s.fault = func(error) { faulted = true }
	base := disk.Submitted()
	disk.Inject = func(n int, r *blockio.Request) faultdisk.Fault {
		if n-base != step {
			return faultdisk.Fault{}
		}
		// A misdirected write lands in the slot of the next copy.
		return faultdisk.Fault{Effect: effect, Elsewhere: (r.Offset + CopySlotSize) % ZoneSize}
	}
	old := s.State()
	s.Update(setView(9), func() { acknowledged = true })
	for range crash {
		disk.Step()
	}
	if faulted && acknowledged {
		t.Fatalf("%s at step %d: acknowledged and faulted", name, step)
	}
	disk = disk.PowerCut()
	state := func(disk *faultdisk.Disk) State {
		got, err := open(disk)
		if err != nil {
			t.Fatalf("%s at step %d, power cut after %d, seed %d: %v", name, step, crash, seed, err)
		}
		return got.State()
	}
	if acknowledged {
		// One copy may rot on top of what the fault did.
		disk.Rot(int64(seed)*CopySlotSize+100, 1)
	}
	got := state(disk)
	isNew := got.View == 9 && got.Sequence == 2
	if !isNew && got != old || acknowledged && !isNew {
		t.Fatalf("%s at step %d, power cut after %d, seed %d: acknowledged %v, found %+v", name, step, crash, seed, acknowledged, got)
	}
	// Repaired: all four copies are equal now, and any two may rot.
	disk.Rot(int64(seed)*CopySlotSize+100, 1)
	disk.Rot(int64((seed+1)%Copies)*CopySlotSize+100, 1)
	if again := state(disk); again != got {
		t.Fatalf("%s at step %d, power cut after %d, seed %d: then found %+v", name, step, crash, seed, again)
	}
}

// A power cut during Repair, then another update: its copies must not be mixed
// with stray ones of the same sequence.
func TestStrayCopyDoesNotResurrect(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 0))
		disk := formatted(seed)
		acknowledged := uint32(0)
		for view := uint32(1); view < 12; view++ {
			s := New(disk, func(err error) { panic(err) })
			var err error
			s.Open(bigFile, func(e error) { err = e })
			disk.Run()
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if s.State().View < acknowledged {
				t.Fatalf("seed %d: view %d after %d was acknowledged", seed, s.State().View, acknowledged)
			}
			s.Repair(func() {
				s.Update(setView(view), func() { acknowledged = view })
			})
			for range rng.IntN(14) {
				disk.Step()
			}
			if rng.IntN(3) == 0 {
				disk.Kill()
			} else {
				disk = disk.PowerCut()
			}
		}
	}
}

// What Repair leaves is as safe as an acknowledged update, also when the process
// and not the machine died before: a power cut and one rotten copy lose nothing.
func TestRepairedIsDurable(t *testing.T) {
	for seed := range uint64(300) {
		disk := formatted(seed)
		s := mustOpen(t, disk)
		s.Update(setView(5), func() {})
		for range seed % 5 {
			disk.Step()
		}
		disk.Kill()
		want := mustOpen(t, disk).State()
		disk = disk.PowerCut()
		disk.Rot(int64(seed/5%Copies)*CopySlotSize+100, 1)
		if got := mustOpen(t, disk).State(); got != want {
			t.Fatalf("seed %d: view %d became view %d", seed, want.View, got.View)
		}
	}
}

// A fault is told once, and nothing completes after it.
func TestFaultsStop(t *testing.T) {
	for _, effect := range []faultdisk.Effect{faultdisk.Refused, faultdisk.Stored} {
		for first := range Copies {
			disk := formatted(1)
			s := mustOpen(t, disk)
			var faults []error
			s.fault = func(err error) { faults = append(faults, err) }
			base := disk.Submitted()
			disk.Inject = func(n int, _ *blockio.Request) faultdisk.Fault {
				if n-base >= first {
					return faultdisk.Fault{Effect: effect}
				}
				return faultdisk.Fault{}
			}
			s.Update(setView(1), func() { t.Error("a failed update was acknowledged") })
			disk.Run()
			s.Update(setView(2), func() { t.Error("an update after the fault was acknowledged") })
			disk.Run()
			if len(faults) != 1 || !errors.Is(faults[0], faultdisk.ErrInjected) {
				t.Errorf("faults %v", faults)
			}
		}
	}
}

// Two lying writes: one copy short of what is demanded.
func TestReadBackDemandsThree(t *testing.T) {
	disk := formatted(1)
	s := mustOpen(t, disk)
	var fault error
	s.fault = func(err error) { fault = err }
	base := disk.Submitted()
	disk.Inject = func(n int, _ *blockio.Request) faultdisk.Fault {
		if n-base < 2 {
			return faultdisk.Fault{Effect: faultdisk.Lost}
		}
		return faultdisk.Fault{}
	}
	s.Update(setView(1), func() { t.Error("acknowledged") })
	disk.Run()
	if !errors.Is(fault, ErrReadBack) {
		t.Errorf("fault %v", fault)
	}
}
