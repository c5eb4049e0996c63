package bench

import (
	"math/rand/v2"

	"github.com/ledgerd/ledgerd/ledger"
)

// All accounts and transfers of a workload are of one ledger and one code.
const (
	workloadLedger = 1
	workloadCode   = 1
)

// amountMax bounds a transfer's amount, so that sums over any run fit 64 bits.
const amountMax = 1 << 10

// totals are sums of amounts: what is reserved, and what was moved.
type totals struct{ pending, posted uint64 }

// accountID returns the id of account i. run keeps the ids of one run apart
// from those of others on the same server.
func accountID(run uint64, i int) ledger.Uint128 {
	return ledger.Uint128{Hi: run, Lo: uint64(i) + 1}
}

// generator makes one client's share of a workload, batch by batch, in one
// buffer. It belongs to one goroutine.
type generator struct {
	workload  Workload
	run       uint64
	client    int
	random    *rand.PCG
	pairs     pairs
	ids       ids
	marks     marks
	remaining int               // transfers not yet generated
	batch     []ledger.Transfer // what next returned last
	posting   bool              // batch posts the reservations of the one before
	reserved  []ledger.Uint128  // ids of the last batch of reservations
	amount    uint64            // sum over batch, or over the reservations that it posts
	totals    totals            // over the batches acknowledged
}

// newGenerator returns the generator of one client in 0 .. w.Clients-1 for a
// valid workload. It makes the transfers that count; restart has it make others
// first.
func newGenerator(w Workload, run uint64, client int) *generator {
	g := &generator{
		workload:  w,
		run:       run,
		client:    client,
		random:    rand.NewPCG(w.Seed, uint64(client)),
		pairs:     newPairs(w),
		ids:       ids{order: w.IDOrder, run: run, client: uint64(client), clients: uint64(w.Clients), random: rand.NewPCG(run, uint64(client))},
		remaining: w.share(w.Transfers, client),
		batch:     make([]ledger.Transfer, w.Batch),
	}
	g.marks = newMarks(w, client, w.share(w.WarmUp, client)+g.remaining)
	if w.Phase == PhaseTwo {
		g.reserved = make([]ledger.Uint128, 0, w.Batch)
	}
	return g
}

// restart has the generator go on with the client's share of so many transfers.
func (g *generator) restart(transfers int) {
	g.remaining = g.workload.share(transfers, g.client)
}

// next returns the next batch, or nil after the last. It is valid until the
// next call.
func (g *generator) next() []ledger.Transfer {
	g.batch = g.batch[:min(g.workload.Batch, g.remaining)]
	if len(g.batch) == 0 {
		return nil
	}
	g.posting = len(g.reserved) != 0
	if g.posting {
		g.batch = g.batch[:min(len(g.batch), len(g.reserved))]
	}
	g.remaining -= len(g.batch)
	g.ids.startBatch()
	switch {
	case g.posting:
		g.fillPosts()
	case g.workload.Phase.reserves():
		g.fill(ledger.TransferPending)
	default:
		g.fill(0)
	}
	if g.workload.Phase == PhaseLinked {
		g.link()
	}
	g.marks.mark(g.batch)
	return g.batch
}

// fill makes transfers between random pairs of accounts.
func (g *generator) fill(flags ledger.TransferFlags) {
	g.amount = 0
	for i := range g.batch {
		draw, amount := g.random.Uint64(), g.random.Uint64()%amountMax+1
		debit, credit := g.pairs.next(draw, g.random)
		g.batch[i] = ledger.Transfer{
			ID:              g.ids.next(),
			DebitAccountID:  accountID(g.run, int(debit)),
			CreditAccountID: accountID(g.run, int(credit)),
			Amount:          ledger.Uint128{Lo: amount},
			Ledger:          workloadLedger,
			Code:            workloadCode,
			Flags:           flags,
		}
		g.amount += amount
	}
}

// fillPosts makes the transfers that post what the batch before reserved. A
// last batch may be too short to post all.
func (g *generator) fillPosts() {
	g.amount = 0
	for i := range g.batch {
		amount := g.batch[i].Amount.Lo
		g.batch[i] = ledger.Transfer{
			ID:        g.ids.next(),
			PendingID: g.reserved[i],
			Amount:    ledger.Uint128{Lo: amount},
			Flags:     ledger.TransferPostPendingTransfer,
		}
		g.amount += amount
	}
}

// link makes chains of chainLength out of the batch, the last of them perhaps
// shorter: a chain that is open at the end of a batch would be refused.
func (g *generator) link() {
	for i := range len(g.batch) - 1 {
		if (i+1)%chainLength != 0 {
			g.batch[i].Flags |= ledger.TransferLinked
		}
	}
}

// acknowledge notes that all transfers of the last batch were created.
func (g *generator) acknowledge() {
	switch {
	case g.posting:
		g.totals.pending -= g.amount
		g.totals.posted += g.amount
		g.reserved = g.reserved[:0]
	case g.workload.Phase.reserves():
		g.totals.pending += g.amount
	default:
		g.totals.posted += g.amount
	}
	if g.workload.Phase == PhaseTwo && !g.posting {
		for i := range g.batch {
			g.reserved = append(g.reserved, g.batch[i].ID)
		}
	}
}

// ids draws transfer ids in one order. Its fields up to random are set once.
type ids struct {
	order           IDOrder
	run             uint64 // milliseconds at the run's start: no two runs share ids
	client, clients uint64
	random          *rand.PCG

	drawn   uint64         // ids drawn so far
	batches uint64         // batches started so far
	last    ledger.Uint128 // last time-ordered id
}

// startBatch lets a virtual millisecond pass, and with it starts a new random
// part for time-ordered ids.
func (s *ids) startBatch() {
	millisecond := s.run + s.batches
	s.batches++
	s.last = ledger.Uint128{Hi: millisecond<<16 | s.random.Uint64()&0xffff, Lo: s.random.Uint64()}
}

func (s *ids) next() ledger.Uint128 {
	position := s.drawn*s.clients + s.client
	s.drawn++
	switch s.order {
	case IDSequential:
		return ledger.Uint128{Hi: s.run, Lo: position + 1}
	case IDReversed:
		return ledger.Uint128{Hi: s.run, Lo: ^uint64(0) - position}
	case IDRandom:
		return ledger.Uint128{Hi: s.random.Uint64(), Lo: s.random.Uint64()}
	}
	s.last, _ = s.last.Add(ledger.Uint128{Lo: 1})
	return s.last
}
