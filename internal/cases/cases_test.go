package cases

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/ledgerd/ledgerd/ledger"
)

func TestLoad(t *testing.T) {
	files, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	scenarios, steps, fresh := 0, 0, 0
	for _, file := range files {
		scenarios += len(file.Scenarios)
		if file.Fresh() {
			fresh++
		}
		for _, scenario := range file.Scenarios {
			steps += len(scenario.Steps)
			if last := scenario.Steps[len(scenario.Steps)-1]; last.Operation != "timestamp_order" {
				t.Errorf("%s ends with %s: is it complete?", scenario.Name, last.Operation)
			}
		}
	}
	if len(files) != 17 || fresh != 3 || scenarios != 127 || steps != 5305 {
		t.Errorf("%d files, %d of them fresh, with %d scenarios and %d steps; want 17, 3, 127, 5305", len(files), fresh, scenarios, steps)
	}
}

func TestLayoutSizes(t *testing.T) {
	for _, test := range []struct {
		name   string
		layout layout
		size   int
	}{
		{"id", layoutID, 16},
		{"account", layoutAccount, ledger.AccountSize},
		{"transfer", layoutTransfer, ledger.TransferSize},
		{"create result", layoutCreateResult, ledger.CreateResultSize},
		{"account balance", layoutAccountBalance, ledger.AccountBalanceSize},
		{"account filter", layoutAccountFilter, ledger.AccountFilterSize},
		{"query filter", layoutQueryFilter, ledger.QueryFilterSize},
		{"change events filter", layoutChangeEventsFilter, ledger.ChangeEventsFilterSize},
		{"change event", layoutChangeEvent, ledger.ChangeEventSize},
	} {
		if test.layout.size != test.size {
			t.Errorf("%s: %d bytes, want %d", test.name, test.layout.size, test.size)
		}
	}
}

func TestParseValue(t *testing.T) {
	for _, test := range []struct{ text, symbol, number string }{
		{"5", "", "5"},
		{"340282366920938463463374607431768211455", "", "340282366920938463463374607431768211455"},
		{"T3", "T3", "0"},
		{"T12+17", "T12", "17"},
		{"T3-1", "T3", "-1"},
	} {
		v, err := parseValue(test.text)
		if err != nil || v.symbol != test.symbol || v.number.String() != test.number || v.String() != test.text {
			t.Errorf("%q: %q %v %v, %v", test.text, v.symbol, v.number, v, err)
		}
	}
	for _, text := range []string{"", "x", "T1+", "T1*2"} {
		if _, err := parseValue(text); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}

// scripted answers requests from a list, whatever they are.
type scripted struct {
	answers  [][]byte
	requests [][]byte
	waited   float64
}

func (s *scripted) Execute(_ ledger.Operation, events []byte) ([]byte, error) {
	if len(s.answers) == 0 {
		return nil, errors.New("no answer left")
	}
	s.requests = append(s.requests, events)
	answer := s.answers[0]
	s.answers = s.answers[1:]
	return answer, nil
}

func (s *scripted) Wait(seconds float64) error {
	s.waited += seconds
	return nil
}

func createResult(timestamp uint64, status ledger.CreateAccountStatus) []byte {
	b := make([]byte, ledger.CreateResultSize)
	(&ledger.CreateAccountResult{Timestamp: timestamp, Status: status}).Encode(b)
	return b
}

// scenario reads steps from JSON lines.
func scenario(t *testing.T, lines string) Scenario {
	t.Helper()
	s := Scenario{Name: "s"}
	for i, line := range strings.Split(strings.TrimSpace(lines), "\n") {
		step := Step{Scenario: "s", Number: i}
		if err := json.Unmarshal([]byte(line), &step); err != nil {
			t.Fatal(err)
		}
		s.Steps = append(s.Steps, step)
	}
	return s
}

// TestReplay proves that the replayer notices what it must notice: each row
// is a scenario, the answers to it, and the complaint ("" for none).
func TestReplay(t *testing.T) {
	const (
		create    = `{"operation":"create_accounts","events":[{"id":"1","ledger":2,"code":3}],"results":[{"timestamp":"T0","status":4294967295,"name":"created"}]}`
		createTwo = `{"operation":"create_accounts","events":{"count":2,"first":{"id":"1"},"increment":{"id":1}},"results":{"count":2,"first":{"timestamp":"T0","status":4294967295},"increment":{"timestamp":1}}}`
		concur    = `{"operation":"concurrent","events":[{"operation":"create_accounts","events":[{"id":"1"}]},{"operation":"create_accounts","events":[{"id":"2"}]}],"results":[[{"timestamp":"T0","status":4294967295}],[{"timestamp":"T1","status":21}]]}`
		order     = `{"operation":"timestamp_order","results":["T0","T1"]}`
		lookup    = `{"operation":"lookup_accounts","events":["1"],"results":[{"id":"1","ledger":2,"code":3,"timestamp":"T0"}]}`
		lookupAt  = `{"operation":"query_accounts","events":[{"timestamp_min":"T0+1","limit":1}],"results":[]}`
		tooMuch   = `{"operation":"create_accounts","events":[{"id":"1"}],"results":{"error":"too_much_data"}}`
		wait      = `{"operation":"wait","seconds":1.5,"events":[],"results":[]}`
		misspelt  = `{"operation":"lookup_accounts","events":["1"],"results":[{"idd":"1"}]}`
	)
	account := func(edit func(*ledger.Account)) []byte {
		a := ledger.Account{ID: ledger.Uint128{Lo: 1}, Ledger: 2, Code: 3, Timestamp: 100}
		edit(&a)
		b := make([]byte, ledger.AccountSize)
		a.Encode(b)
		return b
	}
	one, two, exists := createResult(100, ledger.AccountCreated), createResult(101, ledger.AccountCreated), createResult(102, ledger.AccountExists)
	join := func(parts ...[]byte) (all []byte) {
		for _, part := range parts {
			all = append(all, part...)
		}
		return all
	}
	for _, test := range []struct {
		name, steps string
		answers     [][]byte
		complaint   string
	}{
		{"created and found", create + "\n" + lookup, [][]byte{one, account(func(*ledger.Account) {})}, ""},
		{"wrong status", create, [][]byte{createResult(100, ledger.AccountExists)}, "status: want 4294967295 (4294967295), got 21"},
		{"wrong number", create, [][]byte{nil}, "number of results: want 1, got 0"},
		{"half a result", create, [][]byte{one[:8]}, "number of results: want 1, got 0.5"},
		{"wrong timestamp", create + "\n" + lookup, [][]byte{one, account(func(a *ledger.Account) { a.Timestamp++ })}, "result 0: timestamp: want T0 (100), got 101"},
		{"absent is zero", create + "\n" + lookup, [][]byte{one, account(func(a *ledger.Account) { a.Reserved = 1 })}, "reserved: want 0 (0), got 1"},
		{"compact", createTwo, [][]byte{join(one, two)}, ""},
		{"compact, slots apart", createTwo, [][]byte{join(one, exists)}, "result 1: timestamp: want T0+1 (101), got 102"},
		{"concurrent", concur + "\n" + order, [][]byte{one, exists}, ""},
		{"concurrent, second wrong", concur, [][]byte{one, two}, "batch 1: result 0: status: want 21 (21), got 4294967295"},
		{"out of order", concur + "\n" + order, [][]byte{one, createResult(100, ledger.AccountExists)}, "want more than 100, got 100"},
		{"unbound label in event", lookupAt, nil, "timestamp_min: label T0+1 is not bound"},
		{"wait", wait, nil, ""},
		{"too much data", tooMuch, nil, ""},
		{"misspelt field", misspelt, [][]byte{make([]byte, ledger.AccountSize)}, "does not know"},
		{"fault", create, nil, "no answer left"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := replayScenario(scenario(t, test.steps), &scripted{answers: test.answers}, new(Tally))
			if test.complaint == "" && err != nil || test.complaint != "" && (err == nil || !strings.Contains(err.Error(), test.complaint)) {
				t.Errorf("got %v, want %q", err, test.complaint)
			}
		})
	}
}

// TestReplayEncodes checks what the executor is given.
func TestReplayEncodes(t *testing.T) {
	steps := `
		{"operation":"create_accounts","events":{"count":2,"first":{"id":"7","user_data_64":"9"},"increment":{"id":1}},"results":{"count":2,"first":{"timestamp":"T0","status":4294967295},"increment":{"timestamp":1}}}
		{"operation":"wait","seconds":1.5,"events":[],"results":[]}
		{"operation":"get_account_transfers","events":[{"account_id":"7","reserved":"256","timestamp_min":"T0-1","limit":3,"flags":2}],"results":[]}`
	executor := &scripted{answers: [][]byte{append(createResult(100, ledger.AccountCreated), createResult(101, ledger.AccountCreated)...), nil}}
	var tally Tally
	if err := replayScenario(scenario(t, steps), executor, &tally); err != nil {
		t.Fatal(err)
	}
	var second ledger.Account
	second.Decode(executor.requests[0][ledger.AccountSize:])
	if want := (ledger.Account{ID: ledger.Uint128{Lo: 8}, UserData64: 9}); second != want {
		t.Errorf("second account %+v, want %+v", second, want)
	}
	var filter ledger.AccountFilter
	filter.Decode(executor.requests[1])
	want := ledger.AccountFilter{AccountID: ledger.Uint128{Lo: 7}, TimestampMin: 99, Limit: 3, Flags: ledger.AccountFilterCredits}
	want.Reserved[1] = 1
	if filter != want {
		t.Errorf("filter %+v, want %+v", filter, want)
	}
	if executor.waited != 1.5 || tally != (Tally{Steps: 3}) {
		t.Errorf("waited %v s, tally %+v", executor.waited, tally)
	}
}
