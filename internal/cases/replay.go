package cases

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"testing"

	"github.com/ledgerd/ledgerd/ledger"
)

// Executor is what the cases are replayed against.
type Executor interface {
	// Execute runs one batch: events and results are encoded records back to
	// back, without a multi-batch trailer. The replayer does not keep
	// results, and the executor does not keep events.
	Execute(operation ledger.Operation, events []byte) (results []byte, err error)
	// Wait lets time pass, and lets transfers expire that are due by then. A
	// transfer due less than 0.1 s before may be left alone.
	Wait(seconds float64) error
}

// ConcurrentExecutor is an Executor that can have several batches of one
// operation in flight together. Other executors get them one by one.
type ConcurrentExecutor interface {
	Executor
	// ExecuteConcurrent starts the batches in order without waiting for
	// results in between, and returns the results of each.
	ExecuteConcurrent(operation ledger.Operation, batches [][]byte) (results [][]byte, err error)
}

// Tally counts what a replay did.
type Tally struct {
	Steps   int // steps replayed
	Skipped int // steps that only a client can refuse (too much data)
}

// Mismatch is a result other than the recorded one.
type Mismatch struct {
	Index     int    // of the result within its batch; -1 when the number of results is wrong
	Field     string // as in SEMANTICS.md section 2
	Want, Got string
}

func (m *Mismatch) Error() string {
	if m.Index < 0 {
		return fmt.Sprintf("%s: want %s, got %s", m.Field, m.Want, m.Got)
	}
	return fmt.Sprintf("result %d: %s: want %s, got %s", m.Index, m.Field, m.Want, m.Got)
}

// ReplayAll runs every file, each Fresh one against a new executor and the
// others together against one. newExecutor returns an executor for an empty
// ledger. A recorded result that is not met fails t.
func ReplayAll(t testing.TB, newExecutor func() Executor) Tally {
	t.Helper()
	files, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	var tally Tally
	shared := newExecutor()
	for _, file := range files {
		executor := shared
		if file.Fresh() {
			executor = newExecutor()
		}
		one := Replay(t, file, executor)
		tally.Steps += one.Steps
		tally.Skipped += one.Skipped
	}
	return tally
}

// Replay runs file against executor. A mismatch fails t and ends its
// scenario, because later steps build on it; other scenarios still run.
func Replay(t testing.TB, file File, executor Executor) Tally {
	t.Helper()
	var tally Tally
	for _, scenario := range file.Scenarios {
		if err := replayScenario(scenario, executor, &tally); err != nil {
			t.Errorf("%s: %v", file.Name, err)
		}
	}
	return tally
}

func replayScenario(scenario Scenario, executor Executor, tally *Tally) error {
	r := replayer{executor: executor, symbols: make(map[string]*big.Int), tally: tally}
	for _, step := range scenario.Steps {
		if err := r.step(step); err != nil {
			return fmt.Errorf("%s step %d (%s): %w", scenario.Name, step.Number, step.Operation, err)
		}
	}
	return nil
}

// operations maps the names in the files.
var operations = map[string]struct {
	operation     ledger.Operation
	event, result layout
}{
	"create_accounts":       {ledger.OperationCreateAccounts, layoutAccount, layoutCreateResult},
	"create_transfers":      {ledger.OperationCreateTransfers, layoutTransfer, layoutCreateResult},
	"lookup_accounts":       {ledger.OperationLookupAccounts, layoutID, layoutAccount},
	"lookup_transfers":      {ledger.OperationLookupTransfers, layoutID, layoutTransfer},
	"get_account_transfers": {ledger.OperationGetAccountTransfers, layoutAccountFilter, layoutTransfer},
	"get_account_balances":  {ledger.OperationGetAccountBalances, layoutAccountFilter, layoutAccountBalance},
	"query_accounts":        {ledger.OperationQueryAccounts, layoutQueryFilter, layoutAccount},
	"query_transfers":       {ledger.OperationQueryTransfers, layoutQueryFilter, layoutTransfer},
	"get_change_events":     {ledger.OperationGetChangeEvents, layoutChangeEventsFilter, layoutChangeEvent},
}

// replayer is the state of one scenario.
type replayer struct {
	executor Executor
	symbols  map[string]*big.Int // labels bound so far
	tally    *Tally
}

func (r *replayer) step(step Step) error {
	if step.Operation == "timestamp_order" {
		r.tally.Steps++
		return r.timestampOrder(step)
	}
	if step.Operation == "wait" {
		r.tally.Steps++
		return r.executor.Wait(step.Seconds)
	}
	if step.Operation == "concurrent" {
		r.tally.Steps++
		return r.concurrent(step)
	}
	want, refused, err := readRecords(step.Results)
	if err != nil {
		return err
	}
	if refused {
		r.tally.Skipped++
		return nil
	}
	r.tally.Steps++
	events, err := r.encode(step.Operation, step.Events)
	if err != nil {
		return err
	}
	results, err := r.executor.Execute(operations[step.Operation].operation, events)
	if err != nil {
		return err
	}
	return r.compare(step.Operation, want, results)
}

// concurrent submits several batches of one operation together.
func (r *replayer) concurrent(step Step) error {
	var parts []struct {
		Operation string
		Events    json.RawMessage
	}
	var wants []json.RawMessage
	if err := errors.Join(json.Unmarshal(step.Events, &parts), json.Unmarshal(step.Results, &wants)); err != nil {
		return err
	}
	batches := make([][]byte, len(parts))
	for i, part := range parts {
		var err error
		if batches[i], err = r.encode(part.Operation, part.Events); err != nil {
			return fmt.Errorf("batch %d: %w", i, err)
		}
	}
	name := parts[0].Operation
	results, err := executeConcurrent(r.executor, operations[name].operation, batches)
	if err != nil {
		return err
	}
	if len(results) != len(wants) {
		return &Mismatch{-1, "number of result lists", fmt.Sprint(len(wants)), fmt.Sprint(len(results))}
	}
	for i := range wants {
		want, _, err := readRecords(wants[i])
		if err == nil {
			err = r.compare(name, want, results[i])
		}
		if err != nil {
			return fmt.Errorf("batch %d: %w", i, err)
		}
	}
	return nil
}

func executeConcurrent(executor Executor, operation ledger.Operation, batches [][]byte) ([][]byte, error) {
	if together, ok := executor.(ConcurrentExecutor); ok {
		return together.ExecuteConcurrent(operation, batches)
	}
	results := make([][]byte, len(batches))
	for i, batch := range batches {
		var err error
		if results[i], err = executor.Execute(operation, batch); err != nil {
			return nil, err
		}
		results[i] = append([]byte(nil), results[i]...) // the executor may reuse its buffer
	}
	return results, nil
}

// encode turns the events of a step into records back to back.
func (r *replayer) encode(operation string, raw json.RawMessage) ([]byte, error) {
	records, _, err := readRecords(raw)
	if err != nil {
		return nil, err
	}
	known, ok := operations[operation]
	if !ok {
		return nil, fmt.Errorf("unknown operation %q", operation)
	}
	size := known.event.size
	body := make([]byte, len(records)*size)
	for i, rec := range records {
		found := 0
		for _, f := range known.event.fields {
			v, ok := rec[f.name]
			if !ok {
				continue
			}
			found++
			number, bound := r.resolve(v)
			if !bound {
				return nil, fmt.Errorf("event %d: %s: label %v is not bound", i, f.name, v)
			}
			if err := f.put(body[i*size:][:size], number); err != nil {
				return nil, fmt.Errorf("event %d: %w", i, err)
			}
		}
		if found != len(rec) {
			return nil, fmt.Errorf("event %d has fields that %s does not know: %v", i, operation, rec)
		}
	}
	return body, nil
}

// compare demands that results hold exactly the records of want, and binds
// the labels that occur for the first time.
func (r *replayer) compare(operation string, want []record, results []byte) error {
	format := operations[operation].result
	if len(results) != len(want)*format.size {
		return &Mismatch{-1, "number of results", fmt.Sprint(len(want)),
			fmt.Sprintf("%g (%d bytes)", float64(len(results))/float64(format.size), len(results))}
	}
	for i, rec := range want {
		got := results[i*format.size:][:format.size]
		found := 0
		for _, f := range format.fields {
			v, ok := rec[f.name]
			if ok {
				found++
			} else {
				v = value{number: new(big.Int)}
			}
			if err := r.compareField(i, f, v, f.value(got)); err != nil {
				return err
			}
		}
		if found != len(rec) {
			return fmt.Errorf("result %d has fields that %s does not know: %v", i, operation, rec)
		}
	}
	return nil
}

func (r *replayer) compareField(index int, f field, want value, got *big.Int) error {
	number, bound := r.resolve(want)
	if !bound && f.isTimestamp() {
		r.symbols[want.symbol] = new(big.Int).Sub(got, want.number)
		return nil
	}
	if !bound || number.Cmp(got) != 0 {
		return &Mismatch{index, f.name, fmt.Sprintf("%v (%v)", want, number), got.String()}
	}
	return nil
}

// resolve returns the number that v stands for; bound is false while its
// symbol is unknown.
func (r *replayer) resolve(v value) (number *big.Int, bound bool) {
	if v.symbol == "" {
		return v.number, true
	}
	base, bound := r.symbols[v.symbol]
	if !bound {
		return nil, false
	}
	return new(big.Int).Add(base, v.number), true
}

// timestampOrder demands that the listed labels ascend strictly.
func (r *replayer) timestampOrder(step Step) error {
	var labels []string
	if err := json.Unmarshal(step.Results, &labels); err != nil {
		return err
	}
	last := new(big.Int)
	for i, label := range labels {
		v, err := parseValue(label)
		if err != nil {
			return err
		}
		number, bound := r.resolve(v)
		if !bound {
			return fmt.Errorf("label %v is not bound", v)
		}
		if number.Cmp(last) <= 0 {
			return &Mismatch{i, label, fmt.Sprintf("more than %v", last), number.String()}
		}
		last = number
	}
	return nil
}
