package client_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ledgerd/ledgerd/client"
	"github.com/ledgerd/ledgerd/ledger"
)

// exampleServer stands for a server that runs already; a real one listens at
// "127.0.0.1:3000" or the like.
func exampleServer() (addresses []string, stop func()) {
	server := startFake()
	return []string{server.Addr()}, server.Close
}

// exampleClient connects to a server with accounts 1 and 2, between which two
// transfers, 1 and 2, were made.
func exampleClient() (c *client.Client, stop func()) {
	addresses, stopServer := exampleServer()
	ctx := context.Background()
	c, err := client.Connect(ctx, client.Config{Addresses: addresses})
	if err != nil {
		panic(err)
	}
	c.CreateAccounts(ctx, []ledger.Account{account(1), account(2)})
	c.CreateTransfers(ctx, []ledger.Transfer{transfer(1, 100), transfer(2, 50)})
	return c, func() { c.Close(); stopServer() }
}

func id(n uint64) ledger.Uint128 { return ledger.Uint128{Lo: n} }

func account(n uint64) ledger.Account {
	return ledger.Account{ID: id(n), Ledger: 1, Code: 10}
}

func transfer(n, amount uint64) ledger.Transfer {
	return ledger.Transfer{
		ID:              id(n),
		DebitAccountID:  id(1),
		CreditAccountID: id(2),
		Amount:          id(amount),
		Ledger:          1,
		Code:            1,
	}
}

func Example() {
	addresses, stop := exampleServer()
	defer stop()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := client.Connect(ctx, client.Config{Addresses: addresses})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()

	alice, bob := client.ID(), client.ID()
	accounts, err := c.CreateAccounts(ctx, []ledger.Account{
		{ID: alice, Ledger: 1, Code: 10},
		{ID: bob, Ledger: 1, Code: 10},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("accounts:", accounts[0].Status, accounts[1].Status)

	transfers, err := c.CreateTransfers(ctx, []ledger.Transfer{{
		ID:              client.ID(),
		DebitAccountID:  alice,
		CreditAccountID: bob,
		Amount:          ledger.Uint128{Lo: 100},
		Ledger:          1,
		Code:            1,
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("transfer:", transfers[0].Status)
	// Output:
	// accounts: created created
	// transfer: created
}

func ExampleConnect() {
	addresses, stop := exampleServer()
	defer stop()

	// Connect tries until the context ends: give it a deadline.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := client.Connect(ctx, client.Config{
		Cluster:   ledger.Uint128{}, // as given to format
		Addresses: addresses,        // of all replicas, in order
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	fmt.Println("connected")
	// Output: connected
}

func ExampleClient_CreateAccounts() {
	c, stop := exampleClient()
	defer stop()

	results, err := c.CreateAccounts(context.Background(), []ledger.Account{account(1), account(3)})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range results {
		fmt.Println(r.Status)
	}
	// Output:
	// exists
	// created
}

func ExampleClient_CreateTransfers() {
	c, stop := exampleClient()
	defer stop()

	results, err := c.CreateTransfers(context.Background(), []ledger.Transfer{
		{ID: client.ID(), DebitAccountID: id(1), CreditAccountID: id(2), Amount: id(10), Ledger: 1, Code: 1},
		{ID: client.ID(), DebitAccountID: id(1), CreditAccountID: id(9), Amount: id(10), Ledger: 1, Code: 1},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range results {
		fmt.Println(r.Status)
	}
	// Output:
	// created
	// credit_account_not_found
}

// When a call is given up, its transfers may or may not have been created.
// Sending them again with the same ids tells.
func ExampleClient_CreateTransfers_outcomeUnknown() {
	c, stop := exampleClient()
	defer stop()

	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	transfers := []ledger.Transfer{transfer(2, 50)}
	results, err := c.CreateTransfers(ctx, transfers)
	for errors.Is(err, client.ErrOutcomeUnknown) {
		results, err = c.CreateTransfers(context.Background(), transfers)
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	switch results[0].Status {
	case ledger.TransferCreated, ledger.TransferExists:
		fmt.Println("transferred")
	default:
		fmt.Println("refused:", results[0].Status)
	}
	// Output: transferred
}

func ExampleClient_LookupAccounts() {
	c, stop := exampleClient()
	defer stop()

	accounts, err := c.LookupAccounts(context.Background(), []ledger.Uint128{id(2), id(7), id(1)})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, a := range accounts {
		fmt.Printf("account %v: debits %v, credits %v\n", a.ID, a.DebitsPosted, a.CreditsPosted)
	}
	// Output:
	// account 2: debits 0, credits 150
	// account 1: debits 150, credits 0
}

func ExampleClient_LookupTransfers() {
	c, stop := exampleClient()
	defer stop()

	transfers, err := c.LookupTransfers(context.Background(), []ledger.Uint128{id(2)})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, t := range transfers {
		fmt.Printf("transfer %v: %v from %v to %v\n", t.ID, t.Amount, t.DebitAccountID, t.CreditAccountID)
	}
	// Output: transfer 2: 50 from 1 to 2
}

func ExampleClient_GetAccountTransfers() {
	c, stop := exampleClient()
	defer stop()

	transfers, err := c.GetAccountTransfers(context.Background(), ledger.AccountFilter{
		AccountID: id(1),
		Limit:     10,
		Flags:     ledger.AccountFilterDebits | ledger.AccountFilterCredits,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, t := range transfers {
		fmt.Printf("transfer %v: %v\n", t.ID, t.Amount)
	}
	// Output:
	// transfer 1: 100
	// transfer 2: 50
}

func ExampleClient_GetAccountBalances() {
	c, stop := exampleClient()
	defer stop()

	balances, err := c.GetAccountBalances(context.Background(), ledger.AccountFilter{
		AccountID: id(1),
		Limit:     10,
		Flags:     ledger.AccountFilterDebits | ledger.AccountFilterCredits,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, b := range balances {
		fmt.Println("debits", b.DebitsPosted)
	}
	// Output:
	// debits 100
	// debits 150
}

func ExampleClient_QueryAccounts() {
	c, stop := exampleClient()
	defer stop()

	accounts, err := c.QueryAccounts(context.Background(), ledger.QueryFilter{Code: 10, Limit: 10})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, a := range accounts {
		fmt.Println("account", a.ID)
	}
	// Output:
	// account 1
	// account 2
}

func ExampleClient_QueryTransfers() {
	c, stop := exampleClient()
	defer stop()

	transfers, err := c.QueryTransfers(context.Background(), ledger.QueryFilter{Code: 1, Limit: 10})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, t := range transfers {
		fmt.Println("transfer", t.ID)
	}
	// Output:
	// transfer 1
	// transfer 2
}

// The stream is followed by asking for what came after the last event.
func ExampleClient_GetChangeEvents() {
	c, stop := exampleClient()
	defer stop()

	filter := ledger.ChangeEventsFilter{Limit: 1}
	for {
		events, err := c.GetChangeEvents(context.Background(), filter)
		if err != nil {
			fmt.Println(err)
			return
		}
		if len(events) == 0 {
			return // a follower would wait, and ask again
		}
		for _, e := range events {
			fmt.Printf("transfer %v of %v\n", e.TransferID, e.TransferAmount)
			filter.TimestampMin = e.Timestamp + 1
		}
	}
	// Output:
	// transfer 1 of 100
	// transfer 2 of 50
}

func ExampleClient_Close() {
	c, stop := exampleClient()
	defer stop()

	c.Close()
	_, err := c.LookupAccounts(context.Background(), []ledger.Uint128{id(1)})
	fmt.Println(err, errors.Is(err, client.ErrClosed))
	// Output: lookup_accounts: client closed true
}

func ExampleClient_Err() {
	c, stop := exampleClient()
	defer stop()

	fmt.Println(c.Err())
	c.Close()
	fmt.Println(c.Err())
	// Output:
	// <nil>
	// client closed
}

func ExampleID() {
	first, second := client.ID(), client.ID()
	fmt.Println(first.Less(second))
	// Output: true
}
