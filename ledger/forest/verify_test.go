package forest

import (
	"strings"
	"testing"

	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/ledger"
	"github.com/ledgerd/ledgerd/lsm"
)

// TestVerifyFindsDamage spoils one thing of a sound ledger at a time.
func TestVerifyFindsDamage(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(t *tables)
		want  string
	}{
		{"nothing", func(*tables) {}, ""},
		{"head", func(t *tables) { t.heads.set(1, 1<<20) }, "its newest row"},
		{"cached balance", func(t *tables) { t.cache.ofSlot(1).DebitsPosted.Lo++ }, "it is cached as"},
		{"cached flags", func(t *tables) { t.cache.ofSlot(1).Flags |= ledger.AccountClosed }, "it is cached as"},
		{"status open", func(t *tables) { t.statuses.set(1, ledger.PendingOpen, 1) }, "has not resolved"},
		{"status posted", func(t *tables) { t.statuses.set(0, ledger.PendingPosted, 1) }, "open transfers come to"},
		{"status expired", func(t *tables) { t.statuses.set(2, ledger.PendingPosted, 1) }, "is not expired"},
		{"next expiry", func(t *tables) { t.nextExpiry = noExpiry }, "none is said to before"},
		{"last transfer", func(t *tables) { t.lastTransfer++ }, "the rows end at"},
		{"last account", func(t *tables) { t.lastAccount++ }, "the rows end at"},
		{"pendings", func(t *tables) { t.pendings++ }, "pending transfers"},
		{"burnt id", func(t *tables) { t.trees.all[transferIDs].Put(idKey(u128.From64(1)), 0) }, "is found with the value"},
		{"lost id", func(t *tables) { t.trees.all[transferIDs].Remove(idKey(u128.From64(1))) }, "is found with the value"},
		{"lost account", func(t *tables) { t.trees.all[accountIDs].Remove(idKey(u128.From64(1))) }, "is found with the value"},
		{"another id", func(t *tables) { t.trees.all[transferIDs].Put(idKey(u128.From64(99)), 0) }, "tree transfer ids has"},
		{"side", func(t *tables) {
			t.trees.all[accountIndex].Put(accountKey(7, debitSide, position(1<<20)), 0)
		}, "tree transfers by account has"},
		{"index entry", func(t *tables) { t.trees.all[transfersBy+int(byCode)].Put(lsm.Key{7, 7}, 0) }, "tree transfers by code has"},
		{"account index", func(t *tables) { t.trees.all[accountsBy+int(byUserData128)].Put(lsm.Key{0, 7, 7}, 0) }, "tree accounts by user_data_128 has"},
		{"expiry", func(t *tables) { t.trees.all[expiries].Put(expiryKey(1, 1), 1) }, "tree expiries has"},
		{"expired", func(t *tables) { t.trees.all[expired].Put(expiredKey(1), 1) }, "tree expired has"},
		{"stamp", func(t *tables) { row(t, 0)[15] = 1 }, "has the timestamp"},
		{"amount", func(t *tables) { row(t, 0)[rowHeaderSize+1]++ }, "leaves"},
		{"resolution", func(t *tables) { row(t, 4)[rowHeaderSize+1] = 9 }, "releases 3 for 9"},
		{"pending number", func(t *tables) { row(t, 2)[rowHeaderSize+2] = 7 }, "is pending transfer number 7"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := soundLedger()
			c.spoil(l.tables)
			err := l.verify()
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// row returns a row of the events log, which must be in memory, by its number.
func row(t *tables, number int) []byte {
	var at position
	t.events.Scan(0, t.events.End(), false, func(p position, _ []byte) bool {
		at = p
		number--
		return number >= 0
	}, func(error) {})
	found, _ := t.events.Row(at)
	return found
}

// soundLedger has two accounts and a transfer of each kind; pending transfers
// number 0 and 3 are open, 1 was posted, 2 expired.
func soundLedger() *coldLedger {
	options := coldOptions()
	options.CacheAccounts = 1 << 20
	c := newColdLedger(1, options)
	now := uint64(1_000_000_000_000)
	do := func(operation ledger.Operation, slots int, body []byte) {
		now += 1_000_000_000
		c.execute(operation, now, body)
	}
	var accounts []byte
	for id := range uint64(2) {
		a := ledger.Account{ID: u128.From64(id + 1), Ledger: 1, Code: 1, UserData128: u128.From64(5)}
		accounts = a.Append(accounts)
	}
	do(ledger.OperationCreateAccountsUnbatched, 2, accounts)
	transfer := func(id uint64, flags ledger.TransferFlags, pending uint64, timeout uint32) {
		x := ledger.Transfer{ID: u128.From64(id), Amount: u128.From64(id), Flags: flags, PendingID: u128.From64(pending), Timeout: timeout}
		if pending == 0 {
			x.DebitAccountID, x.CreditAccountID, x.Ledger, x.Code = u128.From64(1), u128.From64(2), 1, 1
		} else {
			x.Amount = ledger.AmountMax
		}
		do(ledger.OperationCreateTransfersUnbatched, 1, x.Append(nil))
	}
	transfer(1, 0, 0, 0)
	transfer(2, ledger.TransferPending, 0, 1000)
	transfer(3, ledger.TransferPending, 0, 1000)
	transfer(4, ledger.TransferPending, 0, 1)
	transfer(5, ledger.TransferPostPendingTransfer, 3, 0)
	do(ledger.OperationPulse, ledger.PulseSlots, nil)
	transfer(6, ledger.TransferPending, 0, 0)
	bad := ledger.Transfer{ID: u128.From64(9), DebitAccountID: u128.From64(77), CreditAccountID: u128.From64(2), Ledger: 1, Code: 1}
	do(ledger.OperationCreateTransfersUnbatched, 1, bad.Append(nil)) // burns its id
	if err := c.verify(); err != nil {
		panic(err)
	}
	return c
}
