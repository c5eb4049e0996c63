// Transfers while replicas die (compat/README.md), by TigerBeetle's Go client.
package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	tb "github.com/tigerbeetle/tigerbeetle-go"
)

const (
	batchSize = 10
	lookupMax = 8000
)

func main() {
	addresses := flag.String("addresses", "", "of the servers, comma-separated")
	seconds := flag.Int("seconds", 0, "how long to go on")
	flag.Parse()
	verdict, err := play(strings.Split(*addresses, ","), time.Duration(*seconds)*time.Second)
	if err != nil {
		fmt.Println("compat go failover:", err)
		os.Exit(1)
	}
	fmt.Printf("compat go failover: ok (%s)\n", verdict)
}

func play(addresses []string, atLeast time.Duration) (verdict string, err error) {
	client, err := tb.NewClient(tb.ToUint128(0), addresses)
	if err != nil {
		return "", err
	}
	defer client.Close()
	ledger := 1 + rand.Uint32N(1<<32-1)
	accounts := []tb.Account{{ID: tb.ID(), Ledger: ledger, Code: 1}, {ID: tb.ID(), Ledger: ledger, Code: 1}}
	created, err := client.CreateAccounts(accounts)
	for _, result := range created {
		if result.Status != tb.AccountCreated {
			return "", fmt.Errorf("account: %v", result.Status)
		}
	}
	if err != nil {
		return "", err
	}
	var acknowledged []tb.Uint128
	var longest time.Duration
	for end := time.Now().Add(atLeast); time.Now().Before(end); {
		batch := make([]tb.Transfer, batchSize)
		for i := range batch {
			batch[i] = tb.Transfer{ID: tb.ID(), DebitAccountID: accounts[0].ID, CreditAccountID: accounts[1].ID,
				Amount: tb.ToUint128(1), Ledger: ledger, Code: 1}
			acknowledged = append(acknowledged, batch[i].ID)
		}
		began := time.Now()
		results, err := client.CreateTransfers(batch)
		if err != nil {
			return "", err
		}
		longest = max(longest, time.Since(began))
		for _, result := range results {
			if result.Status != tb.TransferCreated {
				return "", fmt.Errorf("transfer: %v", result.Status)
			}
		}
	}
	if err := verify(client, acknowledged, accounts[0].ID); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d transfers, longest wait %.1f s", len(acknowledged), longest.Seconds()), nil
}

// verify looks for what was acknowledged.
func verify(client tb.Client, acknowledged []tb.Uint128, debited tb.Uint128) error {
	for first := 0; first < len(acknowledged); first += lookupMax {
		wanted := acknowledged[first:min(first+lookupMax, len(acknowledged))]
		found, err := client.LookupTransfers(wanted)
		if err != nil {
			return err
		}
		if len(found) != len(wanted) {
			return fmt.Errorf("of %d acknowledged transfers %d are there", len(wanted), len(found))
		}
	}
	found, err := client.LookupAccounts([]tb.Uint128{debited})
	if err != nil {
		return err
	}
	if len(found) != 1 || found[0].DebitsPosted != tb.ToUint128(uint64(len(acknowledged))) {
		return fmt.Errorf("%d transfers were acknowledged, but the accounts are %v", len(acknowledged), found)
	}
	return nil
}
