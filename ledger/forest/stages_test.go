package forest

import (
	"testing"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/internal/stages"
	"github.com/ledgerd/ledgerd/ledger"
)

// meteredGrid is a discardGrid that counts what it is given to write, and what
// its jobs cost.
type meteredGrid struct {
	*discardGrid
	meter       *stages.Meter
	rows, trees int // bytes
}

func (g *meteredGrid) Write(a block.Address, kind uint8, fill func(dst []byte) int, done func(block.Ref)) {
	g.discardGrid.Write(a, kind, func(dst []byte) int {
		n := fill(dst)
		if kind >= kindTrees {
			g.trees += n
		} else {
			g.rows += n
		}
		return n
	}, done)
}

func (g *meteredGrid) Go(job, done func()) {
	g.discardGrid.Go(func() { g.meter.Measure("merge", job) }, done)
}

// BenchmarkStage measures what a transfer costs in the ledger, stage by stage: run
// it with -benchtime=5000000x for a ledger that grows to so many.
//
//	index     entries put into the trees, and their beats
//	prefetch  accounts and ids looked up
//	decode    a transfer out of its request
//	encode    its row, and its id for the rest of the request
//	execute   the rules, the balances and the reply, decode and encode included
//	merge     by workers
func BenchmarkStage(b *testing.B) {
	for _, c := range []struct {
		name     string
		accounts int
		randomID bool
	}{
		{"plain", 10_000, false},
		{"random_ids", 10_000, true},
		{"1M_accounts", 1_000_000, false},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := newStaged(b, c.accounts, c.randomID)
			done := 0
			for ; done < b.N; done += stages.Batch {
				s.batch()
			}
			s.meter.Report(done)
			b.ReportMetric(float64(s.grid.rows)/float64(done), "rows-B/transfer")
			b.ReportMetric(float64(s.grid.trees)/float64(done), "trees-B/transfer")
		})
	}
}

// staged is a forest whose stages are measured.
type staged struct {
	*workload
	meter     *stages.Meter
	grid      *meteredGrid
	forest    *Forest
	timestamp uint64
	reply     []byte
	indexed   func() // called between the stages of Prefetch
}

func newStaged(b *testing.B, accounts int, randomID bool) *staged {
	s := &staged{workload: newWorkload(accounts), meter: stages.NewMeter(b), timestamp: 1}
	s.randomID, s.high = randomID, 1_700_000_000_000 // as clients make them: a clock, and a part that counts
	s.grid = &meteredGrid{discardGrid: newDiscardGrid(), meter: s.meter}
	s.forest = New(s.grid, s.grid, Options{})
	resolve := s.forest.eventsSettled
	s.indexed = func() {}
	s.forest.eventsSettled = func() { s.indexed(); resolve() }
	s.createAccounts(s.forest, &s.timestamp)
	s.grid.run()
	s.reply = make([]byte, 0, ledger.BodySizeMax)
	return s
}

// batch sends one batch through the forest.
func (s *staged) batch() {
	s.grid.run() // nothing waits for a merge
	body := s.workload.batch(stages.Batch)
	s.timestamp += stages.Batch
	ready := false
	from := s.meter.Now()
	s.indexed = func() {
		now := s.meter.Now()
		s.meter.Add("index", from, now)
		from = now
	}
	s.forest.Prefetch(byte(ledger.OperationCreateTransfers), s.timestamp, body, func() { ready = true })
	s.meter.Add("prefetch", from, s.meter.Now())
	if !ready {
		s.grid.run()
	}
	s.meter.Measure("execute", func() {
		s.reply = s.forest.Commit(byte(ledger.OperationCreateTransfers), s.timestamp, body, s.reply[:0])
	})
	s.again(body[:stages.Batch*ledger.TransferSize])
}

// again does by itself what is a part of execution, a few events at a time: as
// there, their accounts are close at hand.
func (s *staged) again(events []byte) {
	t := s.forest.tables
	mark, last := t.events.Mark(), t.lastTransfer
	t.batch.truncate(0)
	var transfers [64]ledger.Transfer
	var refs [len(transfers)][2]ledger.AccountRef
	for len(events) > 0 {
		n := min(len(events)/ledger.TransferSize, len(transfers))
		s.meter.Measure("decode", func() {
			for i := range n {
				transfers[i].Decode(events[i*ledger.TransferSize:])
			}
		})
		for i := range n {
			x := &transfers[i]
			refs[i][debitSide], _ = t.FindAccount(x.DebitAccountID)
			refs[i][creditSide], _ = t.FindAccount(x.CreditAccountID)
		}
		s.meter.Measure("encode", func() {
			for i := range n {
				t.InsertTransfer(&transfers[i], refs[i][debitSide], refs[i][creditSide])
			}
		})
		events = events[n*ledger.TransferSize:]
	}
	t.batch.truncate(0)
	t.events.Truncate(mark)
	t.lastTransfer = last
}
