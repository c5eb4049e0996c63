package node_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/internal/node"
	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/sim/model"
	"github.com/ledgerd/ledgerd/sim/model/gen"
	"github.com/ledgerd/ledgerd/vsr/faultdisk"
	"github.com/ledgerd/ledgerd/vsr/grid"
	"github.com/ledgerd/ledgerd/vsr/journal"
	"github.com/ledgerd/ledgerd/vsr/superblock"
	"github.com/ledgerd/ledgerd/wire"
)

const (
	scriptSeed     = 8
	scriptRequests = 50
	bulkEvents     = 30
)

// newScript returns requests that a client may send, of all kinds.
func newScript() []gen.Request {
	shapes := model.New()
	script := gen.Record(scriptSeed, rigStart, scriptRequests, model.New())
	script = slices.DeleteFunc(script, func(r gen.Request) bool {
		_, known, valid := shapes.Check(byte(r.Operation), r.Body, int(rigLayout.RequestSizeMax)-wire.HeaderSize)
		return !known || !valid
	})
	return gen.WithBulk(script, scriptSeed, gen.Bulk{Accounts: 8, Events: bulkEvents})
}

// tally counts what became of the cases of one test.
type tally struct {
	t                                          *testing.T
	cases, failures, restarts, refusals, wrong int
}

// finish prints the counts.
func (n *tally) finish() {
	n.t.Logf("%d cases: %d stopped by the fault, %d restarts, %d refused with the place named, %d wrong",
		n.cases, n.failures, n.restarts, n.refusals, n.wrong)
}

// check reports what was wrong in one case.
func (n *tally) check(r *rig, format string, arguments ...any) {
	n.cases++
	if r.wrong == nil {
		return
	}
	n.wrong++
	if n.wrong <= 10 {
		n.t.Errorf("%s: %v", fmt.Sprintf(format, arguments...), r.wrong)
	}
}

// step is one request to the disk in a run without faults.
type step struct {
	kind   blockio.Kind
	offset int64
	size   int
}

// record notes the steps of a run of r from open on.
func (r *rig) record() (steps []step) {
	r.disk.Inject = func(_ int, request *blockio.Request) faultdisk.Fault {
		steps = append(steps, step{request.Kind, request.Offset, len(request.Buf)})
		return faultdisk.Fault{}
	}
	if r.open() {
		r.serve()
	}
	r.disk.Inject = nil
	if r.wrong == nil && r.replica.Err() != nil {
		r.fail("without a fault: %w", r.replica.Err())
	}
	return steps
}

// strike lets one request to the disk go wrong.
func (r *rig) strike(at int, fault faultdisk.Fault) {
	r.disk.Inject = func(step int, _ *blockio.Request) faultdisk.Fault {
		if step == at {
			r.struck = true
			return fault
		}
		return faultdisk.Fault{}
	}
}

// crash lets the process end suddenly, soon after it has submitted a request.
func (r *rig) crash(at int) {
	r.disk.Inject = func(step int, _ *blockio.Request) faultdisk.Fault {
		r.crashed = r.crashed || step == at
		return faultdisk.Fault{}
	}
}

// effects are what can go wrong with a step and be known to go wrong.
func (s *step) effects() []faultdisk.Effect {
	if s.kind == blockio.Read {
		return []faultdisk.Effect{faultdisk.Unreadable, faultdisk.Rotten}
	}
	return []faultdisk.Effect{faultdisk.Refused, faultdisk.Stored}
}

// zones are where the zones of the data file begin; the grid ends nowhere.
var zones = [...]int64{0, rigLayout.JournalHeadersOffset(), rigLayout.JournalRecordsOffset(), rigLayout.GridOffset(), 1 << 40}

// zone returns the index in zones of the one that has an offset.
func zone(offset int64) int {
	i := 0
	for zones[i+1] <= offset {
		i++
	}
	return i
}

// elsewhere returns another place for a step in the same zone, by a seed.
func (s *step) elsewhere(seed int) int64 {
	random := rand.New(rand.NewPCG(uint64(seed), 3))
	low, high := zones[zone(s.offset)], min(zones[zone(s.offset)+1], s.offset+32*blockio.SectorSize)
	sectors := (high - low - int64(s.size)) / blockio.SectorSize
	return low + blockio.SectorSize*random.Int64N(sectors+1)
}

// place is a part of the data file.
type place struct{ offset, size int64 }

func (s *step) place() place { return place{s.offset, int64(s.size)} }

// misplaced is where elsewhere puts a step.
func (s *step) misplaced(seed int) place { return place{s.elsewhere(seed), int64(s.size)} }

// overlaps reports whether p has a byte of the size bytes from offset on.
func (p place) overlaps(offset, size int64) bool {
	return p.offset < offset+size && offset < p.offset+p.size
}

// stopped judges the error by which a replica has stopped after a fault at one
// of the places.
func (n *tally) stopped(r *rig, places ...place) {
	n.failures++
	err := r.replica.Err()
	if r.wrong == nil && !errors.Is(err, faultdisk.ErrInjected) && !isAt(err, places) {
		r.fail("stopped by a fault at one of %v, without naming it: %w", places, err)
	}
}

// isAt reports whether an error names one of the places.
func isAt(err error, places []place) bool {
	var badBlock *grid.CorruptError
	var badRecord *journal.CorruptError
	for _, p := range places {
		found := false
		switch zone(p.offset) {
		case 0:
			found = errors.Is(err, superblock.ErrReadBack) || errors.Is(err, superblock.ErrQuorum)
		case 2:
			found = errors.As(err, &badRecord) && p.overlaps(badRecord.Offset, recordMax)
		case 3:
			size := int64(rigLayout.BlockSize)
			found = errors.As(err, &badBlock) && p.overlaps(zones[3]+int64(badBlock.Address-1)*size, size)
		}
		if found {
			return true
		}
	}
	return false
}

// recordMax is the size of the largest record of the journal.
var recordMax = int64(blockio.RoundUp(int(rigLayout.PrepareSizeMax())))

// live lets a rig whose disk has lied, or has rotted, go through three lives. Each
// ends when nothing is in flight, but for a crash of the process: what a power cut
// destroys would be another fault.
func (n *tally) live(r *rig, places ...place) {
	for range 3 {
		n.restarts++
		ok := r.open() && r.serve()
		switch {
		case r.wrong != nil:
			return
		case !ok && r.replica.Err() != nil:
			n.stopped(r, places...)
			n.refusals++
			return
		}
		if r.crashed {
			r.kill()
			r.hasty = false
			continue
		}
		r.disk.Run()
		r.powerCut()
	}
}

// recover demands that a process starts, serves to the end of the script, does so
// once more, and that the file is sound then.
func (n *tally) recover(r *rig) {
	for life := range 2 {
		n.restarts++
		if !r.open() || !r.serve() || life > 0 && !r.readAll() {
			if r.wrong == nil {
				r.fail("a restart on a sound disk: %w", r.replica.Err())
			}
			return
		}
		r.powerCut()
	}
	report := r.verify()
	if r.wrong == nil && (len(report.Damage) != 0 || !report.LedgerVerified) {
		r.fail("the file is not sound: %v", report.Damage)
	}
}

// verify inspects the data file offline.
func (r *rig) verify() *node.Report {
	defer r.guard()
	report, err := node.Verify(node.InspectOptions{
		Storage: r.disk, FileSize: r.fileSize,
		Pump: func() error {
			if !r.disk.Step() {
				return errors.New("nothing is under way")
			}
			return nil
		},
	})
	if err != nil {
		r.fail("verify: %w", err)
	}
	return report
}

// some returns about so many of n steps, evenly spread: few of them, or, if the
// whole matrix is wanted, many.
func some(n, few, many int) (steps []int) {
	count := few
	if *faultsFull {
		count = many
	}
	for i := range min(n, count) {
		steps = append(steps, i*n/min(n, count))
	}
	return steps
}

// all is as many as there are.
const all = 1 << 30

// baseline runs the script without a fault, and demands that there is something
// to it: without that, the matrix proves nothing.
func baseline(t *testing.T) (script []gen.Request, steps []step) {
	script = newScript()
	r := newRig(1, script)
	steps = r.record()
	if r.wrong != nil {
		t.Fatal(r.wrong)
	}
	var kinds [8]int
	for _, c := range r.history.commits {
		if ledger.Operation(c.operation) != ledger.OperationGetChangeEvents {
			continue
		}
		for b := c.reply; len(b) > 0; b = b[ledger.ChangeEventSize:] {
			var event ledger.ChangeEvent
			event.Decode(b)
			kinds[event.Type]++
		}
	}
	for _, kind := range []ledger.ChangeEventType{
		ledger.ChangeEventSinglePhase, ledger.ChangeEventTwoPhasePending, ledger.ChangeEventTwoPhasePosted,
		ledger.ChangeEventTwoPhaseVoided, ledger.ChangeEventTwoPhaseExpired,
	} {
		if kinds[kind] == 0 {
			t.Errorf("the script has no event of type %v", kind)
		}
	}
	var counts [blockio.Sync + 1]int
	for _, s := range steps {
		counts[s.kind]++
	}
	if counts[blockio.Sync] < 5 {
		t.Errorf("%d checkpoints", counts[blockio.Sync])
	}
	t.Logf("%d requests, %d executed; %d reads, %d writes, %d syncs",
		len(script), len(r.history.commits), counts[blockio.Read], counts[blockio.Write], counts[blockio.Sync])
	return script, steps
}
