// The payment scenario of compat/README.md, by TigerBeetle's Go client.
package main

import (
	"flag"
	"fmt"
	"math/big"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"

	tb "github.com/tigerbeetle/tigerbeetle-go"
)

const batchMax = 8189

// scenario is the state of one run. A client's error or an unexpected result
// panics with a failure, which main prints.
type scenario struct {
	client tb.Client
	checks int
	ledger uint32
	run    tb.Uint128 // user data of everything this run creates

	bank, alice, bob, carol          tb.Account
	funding, pending, post, expiring tb.Transfer
	ofAlice                          []tb.Uint128 // transfers, funding and the linked one left out
}

type failure string

func main() {
	addresses := flag.String("addresses", "", "of the server, comma-separated")
	flag.Parse()
	client, err := tb.NewClient(tb.ToUint128(0), strings.Split(*addresses, ","))
	if err != nil {
		fmt.Println("compat go:", err)
		os.Exit(1)
	}
	defer client.Close()
	defer func() {
		if f, ok := recover().(failure); ok {
			fmt.Println("compat go:", string(f))
			os.Exit(1)
		}
	}()
	s := &scenario{client: client, ledger: 1 + rand.Uint32N(1<<32-1), run: tb.ID()}
	s.accounts()
	s.plain()
	s.linked()
	s.resolutions()
	s.timeout()
	s.lookups()
	s.accountQueries()
	s.queries()
	s.changeEvents()
	s.atOnce()
	s.fullBatch()
	s.books()
	fmt.Printf("compat go: ok (%d checks)\n", s.checks)
}

// check ends the run unless got equals want.
func check[T any](s *scenario, what string, got, want T) {
	s.checks++
	if !reflect.DeepEqual(got, want) {
		panic(failure(fmt.Sprintf("%s:\n got %v\nwant %v", what, got, want)))
	}
}

// must returns the results of a call that must succeed.
func must[T any](results T, err error) T {
	if err != nil {
		panic(failure(err.Error()))
	}
	return results
}

func (s *scenario) account(code uint16, flags tb.AccountFlags) tb.Account {
	return tb.Account{ID: tb.ID(), Ledger: s.ledger, Code: code, Flags: flags.ToUint16(),
		UserData128: s.run, UserData64: uint64(code)}
}

func (s *scenario) transfer(debit, credit tb.Account, amount uint64, flags tb.TransferFlags) tb.Transfer {
	return tb.Transfer{ID: tb.ID(), DebitAccountID: debit.ID, CreditAccountID: credit.ID,
		Amount: tb.ToUint128(amount), Ledger: s.ledger, Code: 1, Flags: flags.ToUint16(), UserData128: s.run}
}

// resolve posts or voids pending.
func resolve(pending tb.Transfer, amount tb.Uint128, flags tb.TransferFlags) tb.Transfer {
	return tb.Transfer{ID: tb.ID(), PendingID: pending.ID, Amount: amount, Flags: flags.ToUint16()}
}

// create creates transfers and checks their statuses.
func (s *scenario) create(what string, transfers []tb.Transfer, want ...tb.CreateTransferStatus) []tb.CreateTransferResult {
	results := must(s.client.CreateTransfers(transfers))
	var got []tb.CreateTransferStatus
	for _, r := range results {
		got = append(got, r.Status)
	}
	check(s, what, got, want)
	return results
}

// balances checks pending and posted debits, pending and posted credits.
func (s *scenario) balances(what string, who tb.Account, want ...uint64) {
	found := must(s.client.LookupAccounts([]tb.Uint128{who.ID}))
	check(s, what+": accounts found", len(found), 1)
	a := found[0]
	var got []uint64
	for _, balance := range []tb.Uint128{a.DebitsPending, a.DebitsPosted, a.CreditsPending, a.CreditsPosted} {
		low, high := balance.Uint64()
		check(s, what+": high half", high, 0)
		got = append(got, low)
	}
	check(s, what, got, want)
}

func accountIDs(accounts []tb.Account) []tb.Uint128 {
	var ids []tb.Uint128
	for _, a := range accounts {
		ids = append(ids, a.ID)
	}
	return ids
}

func transferIDs(transfers []tb.Transfer) []tb.Uint128 {
	var ids []tb.Uint128
	for _, t := range transfers {
		ids = append(ids, t.ID)
	}
	return ids
}

// repeat returns n times value.
func repeat[T any](value T, n int) []T {
	values := make([]T, n)
	for i := range values {
		values[i] = value
	}
	return values
}

// books checks what holds whatever happened.
func (s *scenario) books() {
	debits, credits := new(big.Int), new(big.Int)
	for _, a := range must(s.client.QueryAccounts(s.query())) {
		debits.Add(debits, a.DebitsPosted.BigInt())
		credits.Add(credits, a.CreditsPosted.BigInt())
		check(s, "nothing is pending", []tb.Uint128{a.DebitsPending, a.CreditsPending}, make([]tb.Uint128, 2))
	}
	check(s, "debits equal credits", debits.String(), credits.String())
}
