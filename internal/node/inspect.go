package node

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/ledgerd/ledgerd/internal/blockio"
	"github.com/ledgerd/ledgerd/internal/buffer"
	"github.com/ledgerd/ledgerd/ledger/forest"
	"github.com/ledgerd/ledgerd/vsr"
	"github.com/ledgerd/ledgerd/vsr/grid"
	"github.com/ledgerd/ledgerd/vsr/journal"
	"github.com/ledgerd/ledgerd/vsr/superblock"
)

const (
	// inspectDepth is how many blocks are read at a time.
	inspectDepth = 8
	// inspectCacheSize is what parts of blocks that were read may take, in
	// bytes: rows are looked up in no order.
	inspectCacheSize = 64 << 20
)

// InspectOptions say what to inspect. All but Progress must be set.
type InspectOptions struct {
	// Storage is the data file, which nothing else writes meanwhile. It is
	// given reads only.
	Storage vsr.Storage
	// FileSize is its size in bytes.
	FileSize int64
	// Pump waits for at least one request that was submitted to Storage and
	// calls its Done. Its error ends the inspection.
	Pump func() error
	// Progress, unless nil, is told from time to time by Verify how many bytes
	// were verified, and of how many, which is the same in all calls.
	Progress func(done, total int64)
}

// Inspect reads what a data file says of itself: its superblock, its journal from
// the checkpoint on, the session table, and the headers of its blocks. It takes
// the same decisions as a replica that opens the file, and writes nothing.
//
// Damage is in the report. The error says that the file is none of this release,
// or is that of Pump.
func Inspect(options InspectOptions) (*Report, error) {
	i := newInspection(options)
	return &i.report, i.run(grid.HeadersOnly)
}

// Verify is Inspect, but reads all of every block in use. If there is no damage
// it opens the ledger that is in them, and checks its sums: that takes the memory
// of an open ledger.
func Verify(options InspectOptions) (*Report, error) {
	i := newInspection(options)
	err := i.run(grid.Whole)
	if err == nil && len(i.report.Damage) == 0 {
		err = i.verifyLedger()
		i.progress(i.total - i.done)
	}
	return &i.report, err
}

// inspection is an Inspect or a Verify on its way.
type inspection struct {
	options InspectOptions
	storage *readOnly
	workers queue
	report  Report
	grid    *grid.Grid
	// done and total are what Progress is told.
	done, total int64
}

func newInspection(options InspectOptions) *inspection {
	return &inspection{options: options, storage: &readOnly{storage: options.Storage}}
}

// run inspects the zones one after the other, as far as the one before leads.
func (i *inspection) run(scope grid.Scope) error {
	if err := i.superblock(); err != nil || i.report.Root.Sequence == 0 {
		return err
	}
	if err := i.journal(); err != nil {
		return err
	}
	opened, err := i.openGrid()
	if err != nil || !opened {
		return err
	}
	if err := i.sessions(); err != nil {
		return err
	}
	return i.tour(scope)
}

// await calls start and lets the storage work until done was called.
func (i *inspection) await(start func(done func())) error {
	finished := false
	start(func() { finished = true })
	for !finished {
		if i.storage.step() || i.workers.step() {
			continue
		}
		if err := i.options.Pump(); err != nil {
			return err
		}
	}
	return nil
}

// progress adds to what was verified.
func (i *inspection) progress(bytes int64) {
	i.done += bytes
	if i.options.Progress != nil {
		i.options.Progress(i.done, i.total)
	}
}

// fault is told of writes that failed, of which there are none.
func fault(err error) { panic("node: an inspection has written: " + err.Error()) }

func (i *inspection) superblock() error {
	s := superblock.New(i.storage, fault)
	var opened error
	err := i.await(func(done func()) {
		s.Open(i.options.FileSize, func(err error) { opened = err; done() })
	})
	if err != nil {
		return err
	}
	i.report.FileSize, i.report.Copies = i.options.FileSize, s.Copies()
	switch {
	case errors.Is(opened, superblock.ErrQuorum) || errors.Is(opened, superblock.ErrTruncated):
		i.report.Damage = append(i.report.Damage, Damage{Zone: ZoneSuperblock, Offset: -1, Err: opened})
		return nil
	case opened != nil:
		return opened
	}
	i.report.Root = s.State()
	i.report.CheckpointID = i.report.Root.Checkpoint.ID()
	for n, c := range i.report.Copies {
		if c.State == superblock.CopyBad {
			i.report.Damage = append(i.report.Damage, Damage{Zone: ZoneSuperblock, Offset: c.Offset,
				Err: fmt.Errorf("copy %d at offset %d is %s; the next start rewrites it", n, c.Offset, c.Reason)})
		}
	}
	return nil
}

func (i *inspection) journal() error {
	root, report := &i.report.Root, &i.report.Journal
	layout, checkpoint := &root.Layout, &root.Checkpoint
	j := journal.New(i.storage, new(buffer.Pool), journal.Config{
		Cluster:       root.Cluster,
		HeadersOffset: layout.JournalHeadersOffset(), Slots: layout.JournalSlots,
		RecordsOffset: layout.JournalRecordsOffset(), RingSize: layout.JournalRingSize,
		Fault: fault,
	})
	var recovered error
	err := i.await(func(done func()) {
		j.Recover(journal.Start{
			Op: checkpoint.Op, Checksum: checkpoint.HeaderChecksum, Offset: checkpoint.JournalOffset,
			CommitMax: root.CommitMax,
		}, func(head uint64, err error) { report.HeadOp, recovered = head, err; done() })
	})
	if err != nil {
		return err
	}
	if recovered != nil {
		i.report.damaged(ZoneJournal, recovered)
		return nil
	}
	report.WitnessesStale = i.storage.writes
	report.HeadTimestamp = checkpoint.Timestamp
	for op := checkpoint.Op + 1; op <= report.HeadOp; op++ {
		header := j.Header(op)
		report.Prepares++
		report.Requests += int(header.RequestCount)
		report.HeadTimestamp = header.Timestamp
		report.Bytes = journal.OffsetEnd(&header) - checkpoint.JournalOffset
	}
	i.done = int64(report.Bytes)
	return nil
}

// openGrid reads the free set. It reports false if that is damaged: which blocks
// are in use is not known then.
func (i *inspection) openGrid() (opened bool, err error) {
	layout := &i.report.Root.Layout
	i.grid = grid.New(i.storage, grid.Config{
		ZoneOffset: layout.GridOffset(), BlockSize: int(layout.BlockSize), CacheSize: inspectCacheSize, Fault: fault,
	})
	var damage error
	err = i.await(func(done func()) {
		i.grid.Open(i.report.Root.Checkpoint.Grid, func(err error) { damage = err; done() })
	})
	if err == nil && damage != nil {
		i.report.damaged(ZoneGrid, damage)
	}
	return err == nil && damage == nil, err
}

func (i *inspection) sessions() error {
	table := i.report.Root.Checkpoint.Sessions
	if table.IsZero() {
		return nil
	}
	return i.await(func(done func()) {
		i.grid.ReadStream(table, func(content []byte, err error) {
			if err == nil {
				i.report.Sessions, err = vsr.DecodeSessions(content, i.report.Root.Layout.SessionsMax)
			}
			if err != nil {
				i.report.damaged(ZoneGrid, fmt.Errorf("read the sessions: %w", err))
			}
			done()
		})
	})
}

// tour visits every block in use.
func (i *inspection) tour(scope grid.Scope) error {
	report, blockSize := &i.report.Grid, int64(i.report.Root.Layout.BlockSize)
	report.BlockSize, report.BlocksInUse = int(blockSize), i.grid.BlocksAcquired()
	// verifyLedger reads most of them again.
	i.total = i.done + 2*blockSize*int64(report.BlocksInUse)
	var kinds [256]Kind
	tour := i.grid.NewScrubber(scope, inspectDepth, func(info grid.BlockInfo, err error) {
		i.progress(blockSize)
		report.Size = max(report.Size, int64(info.Address)*blockSize)
		if err != nil {
			i.report.damaged(ZoneGrid, err)
			return
		}
		kinds[info.Kind].Blocks++
		kinds[info.Kind].PayloadBytes += int64(info.PayloadSize)
	})
	for !tour.Tick() {
		if err := i.options.Pump(); err != nil {
			return err
		}
	}
	for number, kind := range kinds {
		if kind.Blocks > 0 {
			kind.Number, kind.Name = uint8(number), kindName(uint8(number))
			report.Kinds = append(report.Kinds, kind)
		}
	}
	slices.SortStableFunc(i.report.Damage, func(a, b Damage) int {
		return cmp.Compare(a.Address, b.Address) // reads complete in any order
	})
	return nil
}

// verifyLedger opens the ledger of the checkpoint, which reads its blocks by
// their references, so that an older block in the place of a newer one is seen;
// and checks what must hold for any ledger.
func (i *inspection) verifyLedger() error {
	checkpoint := &i.report.Root.Checkpoint
	var damage error
	end := func() {}
	ledger := forest.New(i.grid, &i.workers, forest.Options{Fault: func(err error) { damage = err; end() }})
	i.storage.reads = func(bytes int) { i.progress(min(int64(bytes), i.total-i.done)) }
	open := func(done func(error)) { ledger.Open(checkpoint.Root[:checkpoint.RootSize], done) }
	for _, check := range []func(done func(error)){open, ledger.Verify} {
		if damage != nil {
			break
		}
		if err := i.await(func(done func()) {
			end = done
			check(func(err error) { damage = err; done() })
		}); err != nil {
			return err
		}
	}
	if damage != nil {
		i.report.damaged(ZoneLedger, damage)
	}
	i.report.LedgerVerified = damage == nil
	return nil
}

// queue is forest.Workers for who has nothing else to do: a job runs when step is
// called.
type queue struct{ waiting []func() }

// Go implements forest.Workers.
func (q *queue) Go(job, done func()) {
	q.waiting = append(q.waiting, func() { job(); done() })
}

// step does the first job that waits, and reports whether there was one.
func (q *queue) step() bool {
	if len(q.waiting) == 0 {
		return false
	}
	next := q.waiting[0]
	q.waiting = q.waiting[1:]
	next()
	return true
}

// readOnly passes reads on to a storage, and completes everything else without
// doing it.
type readOnly struct {
	storage vsr.Storage
	reads   func(bytes int) // told of each, unless nil
	writes  int             // how many there were
	waiting []*blockio.Request
}

// Submit implements vsr.Storage.
func (s *readOnly) Submit(r *blockio.Request) {
	if r.Kind == blockio.Read {
		if s.reads != nil {
			s.reads(len(r.Buf))
		}
		s.storage.Submit(r)
		return
	}
	if r.Kind == blockio.Write {
		s.writes++
	}
	s.waiting = append(s.waiting, r)
}

// step completes one request that was not passed on, and reports whether there
// was one.
func (s *readOnly) step() bool {
	if len(s.waiting) == 0 {
		return false
	}
	r := s.waiting[0]
	s.waiting = s.waiting[1:]
	r.Err = nil
	r.Done(r)
	return true
}
