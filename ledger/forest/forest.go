package forest

import (
	"fmt"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/lsm"
	"github.com/ledgerd/ledgerd/lsm/rowlog"
)

// Grid is where the forest keeps its state: numbered blocks of one size, each
// written once. The contract is that of block.Grid.
type Grid interface {
	block.Grid
	Streams
}

// Streams is the side of a Grid that keeps more than a block.
type Streams interface {
	// WriteStream writes bytes into a chain of blocks, named by its head. The
	// content must not change until done, which is called when it is on its way
	// to the disk, perhaps before WriteStream returns.
	WriteStream(kind uint8, content []byte, done func(head block.Ref))
	// ReadStream reads what WriteStream wrote; the content is the caller's.
	ReadStream(head block.Ref, done func(content []byte, err error))
	// ReleaseStream releases all blocks of a stream.
	ReleaseStream(head block.Ref)
}

// Workers merge the tables of the trees beside the replica: see lsm.Workers.
type Workers = lsm.Workers

// Options are the sizes of what a forest keeps in memory, and whom it tells that
// it cannot go on. The sizes have no effect on what is written.
type Options struct {
	// CacheAccounts bounds the accounts in memory, in bytes; 0 is a default.
	CacheAccounts int64
	// RecentSize is how much of the newest rows stays in memory, in bytes; 0 is
	// a default.
	RecentSize int
	// Fault is told why a Prefetch or a Checkpoint will never be done: a block
	// cannot be read. The replica must stop. nil panics.
	Fault func(error)
}

// The defaults of Options, in bytes.
const (
	CacheAccountsDefault = 256 << 20
	RecentSizeDefault    = 64 << 20
)

// accountsRecentSize is how much of the newest full blocks of accounts stays in
// memory, in bytes: what a request adds is there when the next one indexes it.
const accountsRecentSize = 2 * batchMax * accountRowSize

// scale is the sizes that show on the grid. They follow from the size of its
// blocks, which a data file keeps for life: with small blocks all is small, so
// that the simulator's ledgers go through what large ones do.
type scale struct {
	beatRows        int // rows that are indexed in a beat at most
	memtableEntries int // of each tree, at least 8 for each of beatRows
	idEntries       int // of a memtable of transfer ids
	pageSize        int // of the trees' tables, in bytes
	replayBlocks    int // of a log that a restart reads for a tree at most; see also array
}

var (
	fullScale = scale{batchMax, lsm.MemtableEntriesDefault, 2 * lsm.MemtableEntriesDefault, lsm.PageSizeDefault, 512}
	tinyScale = scale{64, 512, 512, 256, 64}
)

// fullScalePayload is from which payload of a block on all is of full scale, in
// bytes. It must never change.
const fullScalePayload = 32 << 10

func scaleOf(payloadSize int) scale {
	if payloadSize < fullScalePayload {
		return tinyScale
	}
	return fullScale
}

func (o Options) withDefaults() Options {
	if o.CacheAccounts == 0 {
		o.CacheAccounts = CacheAccountsDefault
	}
	if o.RecentSize == 0 {
		o.RecentSize = RecentSizeDefault
	}
	if o.Fault == nil {
		o.Fault = func(err error) { panic(err) }
	}
	return o
}

// Forest is the ledger as a replicated service: a ledger.Machine on tables that
// live on the grid. Its methods are those that the replica expects of a state
// machine; one goroutine calls them.
type Forest struct {
	tables   *tables
	grid     Grid
	options  Options
	machine  *ledger.Machine
	indexer  *indexer
	resolver *resolver

	request  request // that is being prefetched
	root     root    // of the last checkpoint
	manifest []byte  // of the last checkpoint

	// The steps of Prefetch, made once.
	indexed, resolved              func(error)
	accountsSettled, eventsSettled func()
}

// request is what Prefetch was asked for.
type request struct {
	operation ledger.Operation
	timestamp uint64
	body      []byte
	done      func()
}

// New returns an empty ledger that keeps its state on grid and merges trees by
// workers. Open follows.
func New(grid Grid, workers Workers, options Options) *Forest {
	options = options.withDefaults()
	f := &Forest{grid: grid, options: options}
	f.tables = newTables(grid, workers, options)
	f.machine = ledger.NewMachine(f.tables)
	f.resolver = newResolver(f.tables, f.machine)
	f.indexer = newIndexer(f.tables, scaleOf(grid.PayloadSize()))
	f.indexed, f.resolved = f.settleAccounts, f.finishPrefetch
	f.accountsSettled, f.eventsSettled = f.settleEvents, f.resolveRequest
	return f
}

func newTables(grid Grid, workers lsm.Workers, o Options) *tables {
	t := &tables{
		accounts: rowlog.New(grid, rowlog.Config{
			Name: "accounts", Kind: kindAccounts, DirectoryKind: kindAccountsDirectory,
			RowMax: accountRowSize, RecentSize: min(o.RecentSize, accountsRecentSize),
		}),
		events: rowlog.New(grid, rowlog.Config{
			Name: "events", Kind: kindEvents, DirectoryKind: kindEventsDirectory,
			RowMax: rowSlack, Key: rowID, RecentSize: o.RecentSize,
		}),
		trees:      newTrees(grid, workers, scaleOf(grid.PayloadSize())),
		heads:      heads{newArray(kindHeads, grid.PayloadSize(), scaleOf(grid.PayloadSize()))},
		statuses:   statuses{newArray(kindStatuses, grid.PayloadSize(), scaleOf(grid.PayloadSize()))},
		cache:      newCache(o.CacheAccounts),
		nextExpiry: noExpiry,
	}
	t.indexed = ends{t.accounts.End(), t.events.End()}
	return t
}

// Check judges a client's request by its shape alone: see ledger.Machine.Check.
func (f *Forest) Check(operation byte, body []byte, bodySizeLimit int) (slots int, known, valid bool) {
	return f.machine.Check(ledger.Operation(operation), body, bodySizeLimit)
}

// Pulse reports whether transfers are due to expire at cluster time now, and
// how many timestamps that takes. It may err on the side of a pulse that finds
// nothing to do, but not twice in a row.
func (f *Forest) Pulse(now uint64) (slots int, due bool) { return f.machine.Pulse(now) }

// Prefetch ends the request before, and then brings into memory what Commit of
// this one needs. done is called before Prefetch returns if nothing must be
// waited for. When something cannot be read Options.Fault is told, and done is
// never called. body must stay as it is until Commit.
func (f *Forest) Prefetch(operation byte, timestamp uint64, body []byte, done func()) {
	f.request = request{ledger.Operation(operation), timestamp, body, done}
	f.tables.cache.evict()
	f.indexer.run(f.indexed)
}

// settleAccounts continues Prefetch after the end of the request before: it waits
// until few enough blocks of rows are on their way to the grid, so that memory is
// bounded when the disk is slow.
func (f *Forest) settleAccounts(err error) {
	if err != nil {
		f.fail(err)
		return
	}
	f.tables.accounts.Settle(f.accountsSettled)
}

func (f *Forest) settleEvents() { f.tables.events.Settle(f.eventsSettled) }

// resolveRequest begins with the request at hand.
func (f *Forest) resolveRequest() {
	f.tables.begin()
	r := &f.request
	f.resolver.resolve(r.operation, r.timestamp, r.body, f.resolved)
}

// finishPrefetch ends Prefetch.
func (f *Forest) finishPrefetch(err error) {
	if err != nil {
		f.fail(err)
		return
	}
	f.request.done()
}

func (f *Forest) fail(err error) { f.options.Fault(fmt.Errorf("the ledger cannot be read: %w", err)) }

// Commit executes a request that passed Check and was prefetched, and appends
// the body of its reply to reply. timestamp is the request's last slot. Blocks
// of rows that it fills are written to the grid in the background.
func (f *Forest) Commit(operation byte, timestamp uint64, body, reply []byte) []byte {
	reply = f.machine.Execute(ledger.Operation(operation), timestamp, body, reply)
	f.tables.accounts.Flush()
	f.tables.events.Flush()
	return reply
}
