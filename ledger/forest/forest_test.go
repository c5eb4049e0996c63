package forest

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ledgerd/ledgerd/internal/multibatch"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/ledger"
)

// story executes requests on one forest or several, with one clock.
type story struct {
	t         *testing.T
	random    *rand.Rand
	timestamp uint64
	nextID    uint64
	pending   []uint64 // ids that a post or void may name
}

const storyAccounts = 30

func newStory(t *testing.T) *story {
	return &story{t: t, random: rand.New(rand.NewPCG(7, 7)), timestamp: 1_000_000}
}

// execute runs an operation on all forests, demands equal replies and returns
// the payload of the first.
func (s *story) execute(operation ledger.Operation, events []byte, forests ...*Forest) []byte {
	s.t.Helper()
	body := multibatch.AppendTrailer(slices.Clone(events), operation.EventSize(),
		[]uint16{uint16(len(events) / operation.EventSize())})
	var first []byte
	for i, f := range forests {
		slots, known, valid := f.Check(byte(operation), body, ledger.BodySizeMax)
		if !known || !valid {
			s.t.Fatalf("%v: known %t, valid %t", operation, known, valid)
		}
		if i == 0 {
			s.timestamp += uint64(slots) + 1
		}
		reply := execute(f, operation, s.timestamp, body, nil)
		if i == 0 {
			first = reply
		} else if !bytes.Equal(reply, first) {
			s.t.Fatalf("%v: replies differ", operation)
		}
	}
	_, payload, err := multibatch.Decode(first, operation.ResultSize(), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return payload
}

// pulse lets time pass and expires what is due.
func (s *story) pulse(nanoseconds uint64, forests ...*Forest) {
	s.timestamp += nanoseconds
	for first := true; ; first = false {
		slots, due := forests[0].Pulse(s.timestamp)
		if !due {
			return
		}
		if !first && slots != ledger.PulseSlots {
			s.t.Fatalf("pulse of %d slots", slots)
		}
		s.timestamp += uint64(slots)
		for _, f := range forests {
			execute(f, ledger.OperationPulse, s.timestamp, nil, nil)
		}
	}
}

func (s *story) createAccounts(forests ...*Forest) {
	var events []byte
	for id := uint64(1); id <= storyAccounts; id++ {
		a := ledger.Account{ID: u128.From64(id), Ledger: 1, Code: 1, Flags: ledger.AccountHistory, UserData32: uint32(id)}
		if id%5 == 0 {
			a.Flags |= ledger.AccountDebitsMustNotExceedCredits
		}
		events = a.Append(events)
	}
	s.execute(ledger.OperationCreateAccounts, events, forests...)
}

// transfers creates n transfers of all kinds; account 1 is in every second.
func (s *story) transfers(n int, forests ...*Forest) {
	r := s.random
	var events []byte
	for i := range n {
		s.nextID++
		x := ledger.Transfer{
			ID:              u128.From64(s.nextID),
			DebitAccountID:  u128.From64(1 + r.Uint64N(storyAccounts+1)),
			CreditAccountID: u128.From64(1 + r.Uint64N(storyAccounts)),
			Amount:          u128.From64(r.Uint64N(1000)),
			UserData64:      r.Uint64N(4),
			Ledger:          1,
			Code:            uint16(1 + r.Uint64N(3)),
		}
		if i%2 == 0 {
			x.DebitAccountID = u128.From64(1)
		}
		switch kind := r.IntN(10); {
		case kind == 0:
			x.Flags, x.Timeout = ledger.TransferPending, uint32(r.Uint64N(3))
			s.pending = append(s.pending, s.nextID)
		case kind <= 2 && len(s.pending) > 0:
			x = ledger.Transfer{ID: x.ID, PendingID: u128.From64(s.pending[r.IntN(len(s.pending))])}
			x.Flags, x.Amount = ledger.TransferPostPendingTransfer, ledger.AmountMax
			if kind == 2 {
				x.Flags, x.Amount = ledger.TransferVoidPendingTransfer, ledger.Uint128{}
			}
		}
		if i < n-1 && r.IntN(4) == 0 {
			x.Flags |= ledger.TransferLinked
		}
		events = x.Append(events)
	}
	s.execute(ledger.OperationCreateTransfers, events, forests...)
}

// checkpoint makes a durable one, of which it returns the root.
func checkpoint(t *testing.T, f *Forest, grid *memoryGrid) []byte {
	t.Helper()
	var root []byte
	f.Checkpoint(func(r []byte) { root = bytes.Clone(r) })
	grid.run()
	if root == nil || len(root) > 512 {
		t.Fatalf("root of %d bytes", len(root))
	}
	grid.durable()
	return root
}

func open(grid *memoryGrid, root []byte) (*Forest, error) {
	f := newTestForest(grid)
	var result error
	done := false
	f.Open(root, func(err error) { result, done = err, true })
	grid.run()
	if !done {
		panic("Open is not done")
	}
	return f, result
}

// answers asks a forest everything that there is to ask.
func (s *story) answers(f *Forest) []byte {
	var answers []byte
	q := ledger.QueryFilter{Limit: 8189}
	b := make([]byte, ledger.QueryFilterSize)
	q.Encode(b)
	for _, operation := range []ledger.Operation{ledger.OperationQueryAccounts, ledger.OperationQueryTransfers} {
		answers = append(answers, s.execute(operation, b, f)...)
	}
	e := ledger.ChangeEventsFilter{Limit: 8189}
	e.Encode(b)
	answers = execute(f, ledger.OperationGetChangeEvents, s.timestamp, b, answers)
	for id := uint64(1); id <= storyAccounts; id++ {
		a := ledger.AccountFilter{AccountID: u128.From64(id), Limit: 8189, Flags: ledger.AccountFilterDebits | ledger.AccountFilterCredits}
		b := make([]byte, ledger.AccountFilterSize)
		a.Encode(b)
		answers = append(answers, s.execute(ledger.OperationGetAccountBalances, b, f)...)
	}
	return answers
}

const smallPage = 4096 - 96

// TestReopen demands that a forest opened from a checkpoint cannot be told
// from the one that made it, then and later.
func TestReopen(t *testing.T) {
	s := newStory(t)
	grid := newMemoryGrid(smallPage)
	f := newTestForest(grid)
	s.createAccounts(f)
	for range 8 {
		s.transfers(200, f)
		s.pulse(700_000_000, f)
		root := checkpoint(t, f, grid)
		opened, err := open(grid, root)
		if err != nil {
			t.Fatal(err)
		}
		if err := verify(opened); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(s.answers(opened), s.answers(f)) {
			t.Fatal("answers differ")
		}
		f = opened
	}
	var kinds [rowBurnt + 1]int
	f.tables.events.Scan(0, f.tables.events.End(), false, func(_ position, row []byte) bool {
		kinds[rowKindOf(row)]++
		return true
	}, func(err error) {
		if err != nil {
			t.Error(err)
		}
	})
	grid.run()
	if slices.Contains(kinds[:], 0) || f.tables.pendings == 0 {
		t.Errorf("the story has %v rows of each kind, and %d pending transfers", kinds, f.tables.pendings)
	}
}

// TestReopenWarm does so where all accounts fit the cache, and the replay does
// not reach back to the newest rows of all of them: those must not stay in it as
// they were created.
func TestReopenWarm(t *testing.T) {
	s := newStory(t)
	grid := newMemoryGrid(smallPage)
	f := newTestForest(grid)
	s.createAccounts(f)
	s.transfers(200, f)
	checkpoint(t, f, grid)
	opened := newTestForest(grid)
	opened.tables.cache.budget = 10 * storyAccounts
	var failed error
	opened.Open(f.root.encode(), func(err error) { failed = err })
	grid.run()
	if failed != nil {
		t.Fatal(failed)
	}
	newest := position(0)
	for i := range slot(storyAccounts) {
		newest = max(newest, opened.tables.heads.at(i))
	}
	for i := range slot(storyAccounts) {
		if a := opened.tables.cache.ofSlot(i); a == nil {
			t.Fatalf("account %d is not cached", i)
		}
	}
	replayed := &replay{tables: opened.tables, warm: true, done: func(error) {}}
	replayed.drop(newest) // as if the replay had begun at the newest row
	cached := 0
	for i := range slot(storyAccounts) {
		head := opened.tables.heads.at(i)
		has := opened.tables.cache.ofSlot(i) != nil
		if has != (head == 0 || head >= newest) {
			t.Errorf("account %d with head %d is cached: %t", i, head, has)
		}
		if has {
			cached++
		}
	}
	if cached == storyAccounts {
		t.Error("nothing was dropped")
	}
	if !bytes.Equal(s.answers(opened), s.answers(f)) {
		t.Error("answers differ")
	}
}

// TestDeterminism demands that equal operations give equal blocks at equal
// addresses, whenever writes complete.
func TestDeterminism(t *testing.T) {
	s := newStory(t)
	var grids [3]*memoryGrid
	var forests [3]*Forest
	for i := range grids {
		random := rand.New(rand.NewPCG(uint64(i), 0))
		grids[i] = newMemoryGrid(smallPage)
		grids[i].shuffle = random.IntN
		forests[i] = newTestForest(grids[i])
	}
	s.createAccounts(forests[:]...)
	for range 6 {
		for range 5 {
			s.transfers(100, forests[:]...)
			grids[1].run()
		}
		s.pulse(700_000_000, forests[:]...)
		var roots [3][]byte
		for i := range grids {
			roots[i] = checkpoint(t, forests[i], grids[i])
			if !bytes.Equal(roots[i], roots[0]) || !maps.Equal(grids[i].blocks, grids[0].blocks) {
				t.Fatalf("grid %d differs from grid 0", i)
			}
		}
		var err error
		if forests[2], err = open(grids[2], roots[2]); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOpenDamaged changes bytes of what is stored, behind the grid's checksums.
// Open must say so or make a ledger of it, and never panic.
func TestOpenDamaged(t *testing.T) {
	s := newStory(t)
	grid := newMemoryGrid(smallPage)
	f := newTestForest(grid)
	s.createAccounts(f)
	s.transfers(300, f)
	s.pulse(3_000_000_000, f)
	root := checkpoint(t, f, grid)
	if _, err := open(grid, root[:len(root)-1]); err == nil {
		t.Error("a short root was opened")
	}
	addresses := slices.Sorted(maps.Keys(grid.blocks))
	refused := 0
	for range 2000 {
		damaged := *grid
		damaged.blocks = maps.Clone(grid.blocks)
		a := addresses[s.random.IntN(len(addresses))]
		b := damaged.blocks[a]
		payload := []byte(b.payload)
		payload[s.random.IntN(len(payload))] ^= 1 << s.random.IntN(8)
		damaged.blocks[a] = memoryBlock{b.kind, string(payload)}
		damaged.unchecked = true
		if _, err := open(&damaged, root); err != nil {
			refused++
		}
	}
	if refused < 500 {
		t.Errorf("%d of 2000 damages were found", refused)
	}
	if _, err := open(grid, root); err != nil {
		t.Error(err)
	}
}

// TestCommitAllocations demands that a batch allocates nothing, apart from the
// chunks by which the tables grow.
func TestCommitAllocations(t *testing.T) {
	grid := newDiscardGrid()
	f := New(grid, grid, Options{})
	timestamp := uint64(1)
	createAccounts(f, 1000, &timestamp)
	reply := make([]byte, 0, ledger.BodySizeMax)
	l := newWorkload(1000)
	l.flags = func(i int) ledger.TransferFlags {
		return [...]ledger.TransferFlags{0, ledger.TransferPending, ledger.TransferPostPendingTransfer,
			ledger.TransferLinked | ledger.TransferPending, ledger.TransferPostPendingTransfer}[i%5]
	}
	commit := func() {
		body := l.batch(100)
		timestamp += 100
		reply = execute(f, ledger.OperationCreateTransfers, timestamp, body, reply[:0])
	}
	for range 100 {
		commit()
	}
	// Making the body, and what lasts for many batches.
	if n := testing.AllocsPerRun(50, commit); n > 3 {
		t.Errorf("%v allocations a batch of creates", n)
	}
}

// TestReleaseOfOldBlocks demands that of all but trees a checkpoint keeps as
// many blocks as the manifest names, and gives all others back.
func TestReleaseOfOldBlocks(t *testing.T) {
	s := newStory(t)
	grid := newMemoryGrid(smallPage)
	f := newTestForest(grid)
	s.createAccounts(f)
	for range 20 {
		s.transfers(50, f)
		checkpoint(t, f, grid)
		kinds := map[uint8]int{}
		for _, b := range grid.blocks {
			kinds[b.kind]++
		}
		accounts, events := f.tables.accounts.Stats(), f.tables.events.Stats()
		for kind, want := range map[uint8]int{
			kindAccounts: accounts.Blocks, kindAccountsDirectory: accounts.DirectoryBlocks,
			kindEvents: events.Blocks, kindEventsDirectory: events.DirectoryBlocks,
			kindHeads: written(&f.tables.heads.array), kindStatuses: written(&f.tables.statuses.array),
			kindManifest: len(grid.streams[f.root.manifest.Address]),
		} {
			if kinds[kind] != want {
				t.Fatalf("%d blocks of %s are in use, not %d", kinds[kind], KindName(kind), want)
			}
		}
	}
}

// written returns how many chunks of an array have a block.
func written(a *array) (n int) {
	for i := range a.chunks {
		if !a.chunks[i].ref.IsZero() {
			n++
		}
	}
	return n
}
