package forest

import (
	"fmt"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/lsm"
	"github.com/ledgerd/ledgerd/lsm/rowlog"
)

// Grid is where the forest keeps its state: numbered blocks of one size, each
// written once. The contract is that of lsm.Grid.
type Grid interface {
	lsm.Grid
	Streams
}

// Streams is the side of a Grid that keeps more than a block.
type Streams interface {
	// WriteStream writes bytes into a chain of blocks, named by its head. The
	// content must not change until done.
	WriteStream(kind uint8, content []byte, done func(head block.Ref))
	// ReadStream reads what WriteStream wrote; the content is the caller's.
	ReadStream(head block.Ref, done func(content []byte, err error))
	// ReleaseStream releases all blocks of a stream.
	ReleaseStream(head block.Ref)
}

// Options are the shape and the budgets of a forest. The zero value of a field
// stands for its default.
type Options struct {
	// AccountsSize is how much memory cached accounts may take, in bytes.
	AccountsSize int
	// RecentSize is how much memory the newest full blocks of events take, in
	// bytes.
	RecentSize int
	// Fault is told when state cannot be read back. The forest does nothing
	// more then; the replica must stop. nil panics.
	Fault func(error)

	// What follows must be the same for the life of a data file. It is not the
	// default in tests only, where small files should have all that large ones
	// have.

	// EventsMax is how many events a request has at most.
	EventsMax int
	// MemtableEntries is the size of the memtables of trees, at least 8 times
	// EventsMax.
	MemtableEntries int
	// PageSize is what a point read of a tree fetches, in bytes.
	PageSize int
}

// The defaults of Options.
const (
	AccountsSizeDefault = 256 << 20
	RecentSizeDefault   = 64 << 20
)

func (o Options) withDefaults() Options {
	set := func(field *int, value int) {
		if *field == 0 {
			*field = value
		}
	}
	set(&o.AccountsSize, AccountsSizeDefault)
	set(&o.RecentSize, RecentSizeDefault)
	set(&o.EventsMax, batchMax)
	set(&o.MemtableEntries, lsm.MemtableEntriesDefault)
	set(&o.PageSize, lsm.PageSizeDefault)
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
	resolver *resolver

	request  request // that is being prefetched
	beaten   func(error)
	resolved func(error)
	root     root   // of the last checkpoint
	manifest []byte // of the last checkpoint
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
func New(grid Grid, workers lsm.Workers, options Options) *Forest {
	options = options.withDefaults()
	f := &Forest{grid: grid, options: options}
	f.tables = newTables(grid, workers, options)
	f.machine = ledger.NewMachine(f.tables)
	f.resolver = newResolver(f.tables, f.machine)
	f.beaten, f.resolved = f.resolveRequest, f.finishPrefetch
	return f
}

func newTables(grid Grid, workers lsm.Workers, o Options) *tables {
	t := &tables{
		accounts: rowlog.New(grid, rowlog.Config{
			Name: "accounts", Kind: kindAccounts, DirectoryKind: kindAccountsDirectory,
			RowMax: accountRowSize,
		}),
		events: rowlog.New(grid, rowlog.Config{
			Name: "events", Kind: kindEvents, DirectoryKind: kindEventsDirectory,
			RowMax: rowSlack, RecentSize: o.RecentSize,
		}),
		trees:      newTrees(grid, workers, o),
		heads:      heads{newArray(kindHeads, grid.PayloadSize())},
		statuses:   statuses{newArray(kindStatuses, grid.PayloadSize())},
		cache:      newCache(o.AccountsSize),
		nextExpiry: noExpiry,
	}
	t.visitAccount, t.visitEvent = t.indexAccount, t.indexEvent
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
	t := f.tables
	t.cache.evict()
	t.begin()
	if t.trees.unbeaten {
		t.trees.endBeat(t.began.accounts, t.began.events, f.beaten)
		return
	}
	f.beaten(nil)
}

// resolveRequest continues Prefetch after the beat.
func (f *Forest) resolveRequest(err error) {
	if err != nil {
		f.fail(err)
		return
	}
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
	f.tables.end()
	return reply
}
