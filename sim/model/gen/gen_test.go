package gen_test

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ledgerd/ledgerd/internal/multibatch"
	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/sim/model"
	"github.com/ledgerd/ledgerd/sim/model/gen"
)

// coverage counts what came of the requests.
type coverage struct {
	accounts  map[ledger.CreateAccountStatus]int
	transfers map[ledger.CreateTransferStatus]int
	refused   map[ledger.Operation]int
	results   map[ledger.Operation]int // replies with at least one result
	events    map[ledger.ChangeEventType]int
	pulses    int
}

// explore runs requests of one seed on the model, from the time now on.
func (c *coverage) explore(seed, now uint64, requests int) {
	m, g := model.New(), gen.New(rand.New(rand.NewPCG(seed, 0)))
	var last uint64
	run := func(operation ledger.Operation, slots int, body []byte) []byte {
		last = max(last+1, now) + uint64(slots)
		g.Saw(last)
		return m.Commit(byte(operation), last, body, nil)
	}
	for range requests {
		now += uint64(g.Elapse(now))
		for slots, due := m.Pulse(max(last+1, now)); due; slots, due = m.Pulse(max(last+1, now)) {
			run(ledger.OperationPulse, slots, nil)
			c.pulses++
		}
		operation, body := g.Next(max(last+1, now))
		slots, known, valid := m.Check(byte(operation), body, 1<<20-256)
		if !known || !valid {
			c.refused[operation]++
			continue
		}
		c.count(operation, run(operation, slots, body))
	}
}

func (c *coverage) count(operation ledger.Operation, reply []byte) {
	if len(reply) > 128 || operation < ledger.OperationGetChangeEvents && len(reply) > 0 {
		c.results[operation]++
	}
	payload := reply
	switch operation {
	case ledger.OperationCreateAccounts, ledger.OperationCreateTransfers:
		_, payload, _ = multibatch.Decode(reply, ledger.CreateResultSize, nil)
	case ledger.OperationCreateAccountsSparse, ledger.OperationCreateTransfersSparse:
		counts, _, _ := multibatch.Decode(reply, ledger.CreateErrorResultSize, nil)
		if slices.Max(counts) > 0 {
			c.results[operation]++
		}
	}
	switch operation {
	case ledger.OperationCreateAccounts:
		for ; len(payload) > 0; payload = payload[ledger.CreateResultSize:] {
			var r ledger.CreateAccountResult
			r.Decode(payload)
			c.accounts[r.Status]++
		}
	case ledger.OperationCreateTransfers:
		for ; len(payload) > 0; payload = payload[ledger.CreateResultSize:] {
			var r ledger.CreateTransferResult
			r.Decode(payload)
			c.transfers[r.Status]++
		}
	case ledger.OperationGetChangeEvents:
		for ; len(payload) > 0; payload = payload[ledger.ChangeEventSize:] {
			var e ledger.ChangeEvent
			e.Decode(payload)
			c.events[e.Type]++
		}
	}
}

// TestCoverage demands that the requests reach every status, every type of
// change event, results of every operation, and refusals. One seed starts so
// late that the largest timeouts overflow (SEMANTICS.md section 7.3, row 33).
func TestCoverage(t *testing.T) {
	c := coverage{
		accounts:  make(map[ledger.CreateAccountStatus]int),
		transfers: make(map[ledger.CreateTransferStatus]int),
		refused:   make(map[ledger.Operation]int),
		results:   make(map[ledger.Operation]int),
		events:    make(map[ledger.ChangeEventType]int),
	}
	const year = 365 * 24 * 3600 * 1_000_000_000
	for seed := range uint64(12) {
		now := uint64(1_700_000_000_000_000_000)
		if seed%4 == 3 {
			now = ledger.TimestampMax - year
		}
		c.explore(seed, now, 900)
	}
	for status := ledger.CreateAccountStatus(1); status <= 26; status++ {
		if c.accounts[status] == 0 {
			t.Errorf("account status %v not reached", status)
		}
	}
	for status := ledger.CreateTransferStatus(1); status <= 68; status++ {
		if c.transfers[status] == 0 && status != 18 { // 18 is not in use
			t.Errorf("transfer status %v not reached", status)
		}
	}
	for kind := range ledger.ChangeEventTwoPhaseExpired + 1 {
		if c.events[kind] == 0 {
			t.Errorf("no change event of type %v", kind)
		}
	}
	for operation := ledger.OperationCreateAccountsUnbatched; operation <= ledger.OperationCreateTransfers; operation++ {
		if c.results[operation] == 0 {
			t.Errorf("no results of %v", operation)
		}
	}
	if c.refused[ledger.OperationCreateTransfers] == 0 || c.refused[ledger.OperationPulse] == 0 || c.pulses == 0 {
		t.Errorf("refused %v, %d pulses", c.refused, c.pulses)
	}
	if created := c.transfers[ledger.TransferCreated]; created < c.transfers[ledger.TransferLinkedEventFailed] {
		t.Errorf("only %d transfers created", created)
	}
	for status := ledger.CreateTransferStatus(1); status <= 68; status++ {
		t.Logf("%6d %v", c.transfers[status], status)
	}
	t.Logf("%6d created; accounts %v; refused %v; results %v; events %v; %d pulses",
		c.transfers[ledger.TransferCreated], c.accounts, c.refused, c.results, c.events, c.pulses)
}

// TestSeeds proves that a seed repeats, and that seeds differ.
func TestSeeds(t *testing.T) {
	make := func(seed uint64) (all []byte) {
		g := gen.New(rand.New(rand.NewPCG(seed, 0)))
		for now := uint64(1e18); len(all) < 50_000; now += uint64(g.Elapse(now)) {
			operation, body := g.Next(now)
			g.Saw(now)
			all = append(append(all, byte(operation)), body...)
		}
		return all
	}
	if !bytes.Equal(make(1), make(1)) {
		t.Error("one seed gave two sequences")
	}
	if bytes.Equal(make(1), make(2)) {
		t.Error("two seeds gave one sequence")
	}
}
