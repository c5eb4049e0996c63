// Package gen makes up requests that search the rules of the ledger for
// corners: valid and invalid ones, of every operation, over so few ids,
// amounts and moments that they keep running into each other.
//
// It owns no clock, no ledger and no randomness: the caller passes a seeded
// generator, tells the time and executes the requests, usually on two ledgers
// that have to agree. The same seed and the same calls give the same requests.
// It remembers what it asked for, not what became of it.
package gen

import (
	"math/rand/v2"
	"time"

	"github.com/ledgerd/ledgerd/internal/multibatch"
	"github.com/ledgerd/ledgerd/ledger"
)

// How many of the latest records later events refer to. Small numbers make
// collisions likely; that the window moves leaves overdrawn, overflown and
// closed accounts behind.
const (
	accountWindow   = 12
	transferWindow  = 40
	timestampWindow = 32
)

// Generator makes one sequence of requests. It belongs to one goroutine.
type Generator struct {
	random *rand.Rand

	accounts    []ledger.Account  // asked for lately, latest last
	transfers   []ledger.Transfer // asked for lately, latest last
	timestamps  []uint64          // of operations lately, latest last
	accountIDs  uint64            // the last fresh one
	transferIDs uint64            // the last fresh one
}

// New returns a Generator that draws from random, which nobody else may use
// from then on.
func New(random *rand.Rand) *Generator {
	return &Generator{random: random, timestamps: []uint64{1}}
}

// Elapse returns how much time should pass after now before the next request:
// mostly microseconds, sometimes nothing, sometimes seconds, and sometimes
// until just before or after a transfer expires.
func (g *Generator) Elapse(now uint64) time.Duration {
	switch roll := g.random.IntN(100); {
	case roll < 10:
		return 0
	case roll < 85:
		return 100*time.Microsecond + time.Duration(g.random.IntN(1_000_000))
	case roll < 95:
		return time.Duration(g.random.Int64N(int64(3 * time.Second)))
	}
	// Timeouts are 1 to 3 seconds. A pulse is dated thousands of timestamps
	// after the moment that it was due.
	due := pick(g, g.timestamps...) + uint64(1+g.random.IntN(3))*uint64(time.Second)
	due -= pick(g, 0, g.random.Uint64N(10), g.random.Uint64N(10_000))
	if due <= now {
		return 0
	}
	return min(time.Duration(due-now), 3*time.Second)
}

// Saw tells the generator of an operation's timestamp, so that imports and
// filters can refer to it. Pulses are of interest, too.
func (g *Generator) Saw(timestamp uint64) {
	g.timestamps = remember(g.timestamps, timestamp, timestampWindow)
}

// kinds are the operations that share a form of events.
var kinds = []struct {
	share      int // in 100
	operations []ledger.Operation
}{
	{12, []ledger.Operation{ledger.OperationCreateAccounts, ledger.OperationCreateAccounts,
		ledger.OperationCreateAccountsSparse, ledger.OperationCreateAccountsUnbatched}},
	{58, []ledger.Operation{ledger.OperationCreateTransfers, ledger.OperationCreateTransfers, ledger.OperationCreateTransfers,
		ledger.OperationCreateTransfersSparse, ledger.OperationCreateTransfersUnbatched}},
	{8, []ledger.Operation{ledger.OperationLookupAccounts, ledger.OperationLookupTransfers,
		ledger.OperationLookupAccountsUnbatched, ledger.OperationLookupTransfersUnbatched}},
	{10, []ledger.Operation{ledger.OperationGetAccountTransfers, ledger.OperationGetAccountBalances,
		ledger.OperationGetAccountTransfersUnbatched, ledger.OperationGetAccountBalancesUnbatched}},
	{8, []ledger.Operation{ledger.OperationQueryAccounts, ledger.OperationQueryTransfers,
		ledger.OperationQueryAccountsUnbatched, ledger.OperationQueryTransfersUnbatched}},
	{3, []ledger.Operation{ledger.OperationGetChangeEvents}},
	{1, []ledger.Operation{0, ledger.OperationPulse, 127, 128, 148, 255}}, // nothing for clients
}

// Next returns a request to be made at the cluster time now, in nanoseconds.
// About one in fifty must be refused for its shape.
func (g *Generator) Next(now uint64) (operation ledger.Operation, body []byte) {
	roll := g.random.IntN(100)
	for _, kind := range kinds {
		if roll -= kind.share; roll < 0 {
			operation = pick(g, kind.operations...)
			break
		}
	}
	body = g.body(operation, now)
	if g.chance(1) && len(body) > 0 {
		return operation, g.damage(body)
	}
	return operation, body
}

// body makes the batches of a request and the trailer if it has one.
func (g *Generator) body(operation ledger.Operation, now uint64) (body []byte) {
	batches := 1
	if g.chance(30) {
		batches = 2 + g.random.IntN(3)
	}
	size := 0
	switch operation {
	case ledger.OperationCreateAccountsUnbatched:
		return g.accountEvents(now)
	case ledger.OperationCreateTransfersUnbatched:
		return g.transferEvents(now)
	case ledger.OperationLookupAccountsUnbatched, ledger.OperationLookupTransfersUnbatched:
		return g.ids(operation)
	case ledger.OperationGetAccountTransfersUnbatched, ledger.OperationGetAccountBalancesUnbatched:
		return g.accountFilter(batches)
	case ledger.OperationQueryAccountsUnbatched, ledger.OperationQueryTransfersUnbatched:
		return g.queryFilter(batches)
	case ledger.OperationGetChangeEvents:
		return g.changeEventsFilter()
	case ledger.OperationCreateAccounts, ledger.OperationCreateAccountsSparse:
		size = ledger.AccountSize
	case ledger.OperationCreateTransfers, ledger.OperationCreateTransfersSparse:
		size = ledger.TransferSize
	case ledger.OperationLookupAccounts, ledger.OperationLookupTransfers:
		size = idSize
	case ledger.OperationGetAccountTransfers, ledger.OperationGetAccountBalances:
		size = ledger.AccountFilterSize
	case ledger.OperationQueryAccounts, ledger.OperationQueryTransfers:
		size = ledger.QueryFilterSize
	default:
		return nil
	}
	var counts []uint16
	for range batches {
		batch := g.batch(operation, now, batches)
		body = append(body, batch...)
		counts = append(counts, uint16(len(batch)/size))
	}
	return multibatch.AppendTrailer(body, size, counts)
}

// batch makes one of several batches of a multi-batch operation.
func (g *Generator) batch(operation ledger.Operation, now uint64, batches int) []byte {
	switch operation {
	case ledger.OperationCreateAccounts, ledger.OperationCreateAccountsSparse:
		return g.accountEvents(now)
	case ledger.OperationCreateTransfers, ledger.OperationCreateTransfersSparse:
		return g.transferEvents(now)
	case ledger.OperationLookupAccounts, ledger.OperationLookupTransfers:
		return g.ids(operation)
	case ledger.OperationGetAccountTransfers, ledger.OperationGetAccountBalances:
		return g.accountFilter(batches)
	}
	return g.queryFilter(batches)
}

// damage breaks the form of a body, or at least tries to.
func (g *Generator) damage(body []byte) []byte {
	switch g.random.IntN(4) {
	case 0:
		return body[:g.random.IntN(len(body))]
	case 1:
		return append(body, make([]byte, 1+g.random.IntN(128))...)
	case 2:
		return append(body, body...)
	default:
		tail := min(len(body), 12) // the trailer
		body[len(body)-1-g.random.IntN(tail)] ^= 1 << g.random.IntN(8)
		return body
	}
}

// chance is true so many times in a hundred.
func (g *Generator) chance(percent int) bool { return g.random.IntN(100) < percent }

// pick returns one of the options, all equally likely.
func pick[T any](g *Generator, options ...T) T { return options[g.random.IntN(len(options))] }

// remember appends item, and forgets the oldest beyond window.
func remember[T any](items []T, item T, window int) []T {
	if len(items) == window {
		copy(items, items[1:])
		items = items[:window-1]
	}
	return append(items, item)
}
