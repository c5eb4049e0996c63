package node

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

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
	// verifyReads is how many times as much as there is the verification of a
	// ledger reads, by a guess for Progress.
	verifyReads = 4
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

// InspectLedger is Inspect, and if there is no damage it opens the ledger and
// counts what is in it.
func InspectLedger(options InspectOptions) (*Report, error) {
	i := newInspection(options)
	return &i.report, i.runLedger(grid.HeadersOnly, (*inspection).openLedger)
}

// Verify is InspectLedger, but reads all of every block in use, and checks the
// sums of the ledger and that all that is said in two places is the same.
func Verify(options InspectOptions) (*Report, error) {
	i := newInspection(options)
	return &i.report, i.runLedger(grid.Whole, (*inspection).openLedger, (*inspection).countBlocks, (*inspection).verifyLedger)
}

// inspection is one of these on its way.
type inspection struct {
	options InspectOptions
	storage *readOnly
	workers queue
	report  Report
	grid    *grid.Grid
	ledger  *forest.Forest
	broken  func(error) // told why the ledger cannot go on
	// done and total are what Progress is told.
	done, total int64
}

func newInspection(options InspectOptions) *inspection {
	return &inspection{options: options, storage: &readOnly{storage: options.Storage, written: make(map[int64][]byte)}}
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

// runLedger runs, and then takes further steps until there is damage.
func (i *inspection) runLedger(scope grid.Scope, steps ...func(*inspection) error) error {
	defer func() { i.report.BytesRead = i.storage.bytesRead }()
	if err := i.run(scope); err != nil {
		return err
	}
	for _, step := range steps {
		if len(i.report.Damage) > 0 {
			return nil
		}
		if err := step(i); err != nil {
			return err
		}
	}
	i.progress(i.total - i.done)
	return nil
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
		SparesOffset: layout.JournalSparesOffset(), Spares: layout.JournalSpares, SpareSize: superblock.SpareSize,
		RecordsOffset: layout.JournalRecordsOffset(), RingSize: layout.JournalRingSize,
		Fault: fault,
	})
	var recovered error
	err := i.await(func(done func()) {
		j.Recover(vsr.JournalStart(root), func(head uint64, err error) { report.HeadOp, recovered = head, err; done() })
	})
	if err != nil {
		return err
	}
	if recovered != nil {
		i.report.damaged(ZoneJournal, recovered)
		return nil
	}
	report.RecordsRestored = j.Restored()
	report.WitnessesStale = i.storage.writes - j.Restored()
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
	report.BlockSize, report.BlocksInUse = int(blockSize), i.grid.BlocksInUse()
	room := i.report.FileSize - i.report.Root.Layout.GridOffset()
	report.BlocksFree = max(0, int(room/blockSize)-report.BlocksInUse)
	i.total = i.done + (1+verifyReads)*blockSize*int64(report.BlocksInUse)
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

// openLedger opens the ledger of the checkpoint, which reads its blocks by their
// references, so that an older block in the place of a newer one is seen.
func (i *inspection) openLedger() error {
	checkpoint := &i.report.Root.Checkpoint
	i.ledger = forest.New(i.grid, &i.workers, forest.Options{
		CacheAccounts: 1, Fault: func(err error) { i.broken(err) },
	})
	i.storage.reads = func(bytes int) { i.progress(min(int64(bytes), i.total-i.done)) }
	opened, err := i.awaitLedger(func(done func(error)) {
		i.ledger.Open(checkpoint.Root[:checkpoint.RootSize], done)
	})
	if opened {
		stats := i.ledger.Stats()
		i.report.Ledger = &stats
	}
	return err
}

// countBlocks demands that all blocks in use of a kind of the ledger's are those
// that the ledger names.
func (i *inspection) countBlocks() error {
	inUse := make(map[uint8]int)
	for _, kind := range i.report.Grid.Kinds {
		inUse[kind.Number] = kind.Blocks
	}
	for _, s := range i.report.Ledger.Structures {
		if n := inUse[s.Kind]; n != s.Blocks {
			i.report.damaged(ZoneLedger, fmt.Errorf("%d blocks are in use for %s, which has %d", n, s.Name, s.Blocks))
		}
	}
	return nil
}

// verifyLedger checks what must hold for any ledger.
func (i *inspection) verifyLedger() (err error) {
	i.report.LedgerVerified, err = i.awaitLedger(i.ledger.Verify)
	return err
}

// awaitLedger is await for a check of the ledger, of which it notes what is
// damaged. It reports false if something is.
func (i *inspection) awaitLedger(check func(done func(error))) (sound bool, err error) {
	var damage error
	err = i.await(func(done func()) {
		i.broken = func(err error) { damage = err; done() }
		check(i.broken)
	})
	if damage != nil {
		i.report.damaged(ZoneLedger, damage)
	}
	return err == nil && damage == nil, err
}
