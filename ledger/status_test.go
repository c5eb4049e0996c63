package ledger_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ledgerd/ledgerd/internal/u128"
	. "github.com/ledgerd/ledgerd/ledger"
)

// The clock of these tests: nanoseconds, with the fixture before now.
const (
	second = 1_000_000_000
	now    = 1000 * second
)

var max128 = u128.Max

func n(v uint64) Uint128 { return u128.From64(v) }

// run executes one batch of encoded create events at a timestamp. It returns
// what the results say.
func run(m *Machine, operation Operation, timestamp uint64, events []byte) (statuses []uint32, timestamps []uint64) {
	body := frame(operation, events)
	if _, known, valid := m.Check(operation, body, BodySizeMax); !known || !valid {
		panic(fmt.Sprintf("%v: known %t, valid %t", operation, known, valid))
	}
	reply := m.Execute(operation, timestamp, body, nil)
	for len(reply) >= CreateResultSize && len(statuses) < len(events)/operation.EventSize() {
		timestamps = append(timestamps, binary.LittleEndian.Uint64(reply))
		statuses = append(statuses, binary.LittleEndian.Uint32(reply[8:]))
		reply = reply[CreateResultSize:]
	}
	return statuses, timestamps
}

// account returns an account that can be created, changed.
func account(id uint64, change ...func(*Account)) Account {
	a := Account{ID: n(id), UserData128: n(1), UserData64: 2, UserData32: 3, Ledger: 1, Code: 1}
	for _, c := range change {
		c(&a)
	}
	return a
}

// transfer returns one from account 1 to account 2 that can be created, changed.
func transfer(id uint64, change ...func(*Transfer)) Transfer {
	t := Transfer{
		ID: n(id), DebitAccountID: n(1), CreditAccountID: n(2), Amount: n(10),
		UserData128: n(1), UserData64: 2, UserData32: 3, Ledger: 1, Code: 1,
	}
	for _, c := range change {
		c(&t)
	}
	return t
}

// resolution returns a post or void of a pending transfer, changed.
func resolution(id, pending uint64, flags TransferFlags, change ...func(*Transfer)) Transfer {
	t := Transfer{ID: n(id), PendingID: n(pending), Flags: flags}
	if flags&TransferPostPendingTransfer != 0 {
		t.Amount = AmountMax
	}
	for _, c := range change {
		c(&t)
	}
	return t
}

func between(debit, credit uint64) func(*Transfer) {
	return func(t *Transfer) { t.DebitAccountID, t.CreditAccountID = n(debit), n(credit) }
}

func amount(v Uint128) func(*Transfer)      { return func(t *Transfer) { t.Amount = v } }
func flags(f TransferFlags) func(*Transfer) { return func(t *Transfer) { t.Flags |= f } }
func timeout(s uint32) func(*Transfer)      { return func(t *Transfer) { t.Timeout = s } }
func imported(timestamp uint64) func(*Transfer) { // also changes the flags
	return func(t *Transfer) { t.Flags |= TransferImported; t.Timestamp = timestamp }
}

// accountFixture has account 1 and, much later, account 2.
func accountFixture() *Machine {
	m := newMapMachine().Machine
	create := func(at uint64, a Account) {
		if got, _ := run(m, OperationCreateAccounts, at, a.Append(nil)); got[0] != uint32(AccountCreated) {
			panic(fmt.Sprintf("account %v: %v", a.ID, CreateAccountStatus(got[0])))
		}
	}
	create(now-100*second, account(1))
	create(now-50*second, account(2))
	return m
}

// TestCreateAccountStatuses has a row for each status, and demands that none
// lacks one. Each row starts from accountFixture, with one batch at time now.
func TestCreateAccountStatuses(t *testing.T) {
	const exists = AccountExists
	change := func(f func(*Account)) []Account { return []Account{account(1, f)} }
	fresh := func(f func(*Account)) []Account { return []Account{account(9, f)} }
	imports := func(ts uint64) []Account {
		return fresh(func(a *Account) { a.Flags |= AccountImported; a.Timestamp = ts })
	}
	linked := func(a *Account) { a.Flags |= AccountLinked }
	importFlag := func(a *Account) { a.Flags |= AccountImported; a.Timestamp = now - second }
	for _, c := range []struct {
		want   []CreateAccountStatus
		events []Account
	}{
		{[]CreateAccountStatus{AccountCreated}, []Account{account(9)}},
		{[]CreateAccountStatus{AccountLinkedEventFailed, exists}, []Account{account(9, linked), account(1)}},
		{[]CreateAccountStatus{AccountLinkedEventFailed, AccountLinkedEventChainOpen}, []Account{account(8, linked), account(9, linked)}},
		{[]CreateAccountStatus{AccountCreated, AccountImportedEventExpected}, []Account{account(8, importFlag), account(9)}},
		{[]CreateAccountStatus{AccountCreated, AccountImportedEventNotExpected}, []Account{account(8), account(9, importFlag)}},
		{[]CreateAccountStatus{AccountTimestampMustBeZero}, fresh(func(a *Account) { a.Timestamp = 1 })},
		{[]CreateAccountStatus{AccountImportedEventTimestampOutOfRange}, imports(0)},
		{[]CreateAccountStatus{AccountImportedEventTimestampOutOfRange}, imports(1 << 63)},
		{[]CreateAccountStatus{AccountImportedEventTimestampMustNotAdvance}, imports(now)},
		{[]CreateAccountStatus{AccountCreated}, imports(now - 1)},
		{[]CreateAccountStatus{AccountReservedField}, change(func(a *Account) { a.Reserved = 1 })},
		{[]CreateAccountStatus{AccountReservedFlag}, change(func(a *Account) { a.Flags = 1 << 6 })},
		{[]CreateAccountStatus{AccountIDMustNotBeZero}, change(func(a *Account) { a.ID = n(0) })},
		{[]CreateAccountStatus{AccountIDMustNotBeIntMax}, change(func(a *Account) { a.ID = max128 })},
		{[]CreateAccountStatus{AccountExistsWithDifferentFlags}, change(func(a *Account) { a.Flags = AccountHistory })},
		{[]CreateAccountStatus{AccountExistsWithDifferentUserData128}, change(func(a *Account) { a.UserData128 = n(0) })},
		{[]CreateAccountStatus{AccountExistsWithDifferentUserData64}, change(func(a *Account) { a.UserData64 = 0 })},
		{[]CreateAccountStatus{AccountExistsWithDifferentUserData32}, change(func(a *Account) { a.UserData32 = 0 })},
		{[]CreateAccountStatus{AccountExistsWithDifferentLedger}, change(func(a *Account) { a.Ledger = 0 })},
		{[]CreateAccountStatus{AccountExistsWithDifferentCode}, change(func(a *Account) { a.Code = 0 })},
		{[]CreateAccountStatus{exists}, change(func(a *Account) { a.DebitsPosted = n(1) })},
		{[]CreateAccountStatus{AccountFlagsAreMutuallyExclusive}, fresh(func(a *Account) { a.Flags = 2 | 4 })},
		{[]CreateAccountStatus{AccountDebitsPendingMustBeZero}, fresh(func(a *Account) { a.DebitsPending = n(1) })},
		{[]CreateAccountStatus{AccountDebitsPostedMustBeZero}, fresh(func(a *Account) { a.DebitsPosted = n(1) })},
		{[]CreateAccountStatus{AccountCreditsPendingMustBeZero}, fresh(func(a *Account) { a.CreditsPending = n(1) })},
		{[]CreateAccountStatus{AccountCreditsPostedMustBeZero}, fresh(func(a *Account) { a.CreditsPosted = n(1) })},
		{[]CreateAccountStatus{AccountLedgerMustNotBeZero}, fresh(func(a *Account) { a.Ledger = 0 })},
		{[]CreateAccountStatus{AccountCodeMustNotBeZero}, fresh(func(a *Account) { a.Code = 0 })},
		{[]CreateAccountStatus{AccountImportedEventTimestampMustNotRegress}, imports(now - 50*second)},
	} {
		var events []byte
		for i := range c.events {
			events = c.events[i].Append(events)
		}
		got, _ := run(accountFixture(), OperationCreateAccounts, now, events)
		for i := range got {
			if CreateAccountStatus(got[i]) != c.want[i] {
				t.Errorf("want %v, event %d got %v", c.want, i, CreateAccountStatus(got[i]))
			}
			reached[got[i]] = true
		}
	}
	expectAll(t, func(i uint32) string { return CreateAccountStatus(i).String() })
}

// reached collects the statuses that a test saw.
var reached = map[uint32]bool{}

// expectAll demands that every status with a name was reached, then forgets.
func expectAll(t *testing.T, name func(uint32) string) {
	t.Helper()
	for i := range uint32(100) {
		if named := !strings.HasPrefix(name(i), "status "); named && !reached[i] {
			t.Errorf("no row gets %s", name(i))
		}
	}
	clear(reached)
}

// transferFixture has these accounts, all of ledger 1 but the third:
//
//	1, 2    plain, with 10 posted from 1 to 2
//	3       of ledger 2
//	4, 5    debits must not exceed credits, credits must not exceed debits
//	6       closed by its creator
//	7, 8    debits posted, credits posted: the most that there can be, to 20 and from 21
//	9, 10   debits pending, credits pending: the same, to 22 and from 23
//	11      closed by pending transfer 12, with transfer 11 pending before
//	12      created late
//
// and transfers 1 (plain), 2 (pending), 3 posted by 4, 5 voided by 6, 7
// expired, 8 burnt, 9 about to expire, and the balances' ones above 100.
func transferFixture() *Machine {
	m := newMapMachine().Machine
	at := uint64(now - 100*second)
	do := func(operation Operation, event []byte) {
		at += second / 10
		if got, _ := run(m, operation, at, event); got[0] != uint32(TransferCreated) {
			panic(fmt.Sprintf("%v at %d: status %d", operation, at, got[0]))
		}
	}
	accountFlags := map[uint64]AccountFlags{4: 2, 5: 4, 6: AccountClosed}
	for _, id := range []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 20, 21, 22, 23} {
		a := account(id, func(a *Account) { a.Flags = accountFlags[id] })
		if id == 3 {
			a.Ledger = 2
		}
		do(OperationCreateAccounts, a.Append(nil))
	}
	for _, x := range []Transfer{
		transfer(1),
		transfer(2, flags(TransferPending)),
		transfer(3, flags(TransferPending)), resolution(4, 3, TransferPostPendingTransfer),
		transfer(5, flags(TransferPending)), resolution(6, 5, TransferVoidPendingTransfer),
		transfer(7, flags(TransferPending), timeout(1)),
		transfer(11, flags(TransferPending), between(11, 1)),
		transfer(12, flags(TransferPending|TransferClosingDebit), between(11, 1)),
		transfer(101, between(7, 20), amount(max128)),
		transfer(102, between(21, 8), amount(max128)),
		transfer(103, between(9, 22), amount(max128), flags(TransferPending)),
		transfer(104, between(23, 10), amount(max128), flags(TransferPending)),
	} {
		do(OperationCreateTransfers, x.Append(nil))
	}
	burnt := transfer(8, between(1, 99))
	run(m, OperationCreateTransfers, at+1, burnt.Append(nil))
	m.Execute(OperationPulse, now-20*second, nil, nil)
	at = now - 10*second
	late := account(12)
	do(OperationCreateAccounts, late.Append(nil))
	due := transfer(9, flags(TransferPending), timeout(1))
	do(OperationCreateTransfers, due.Append(nil))
	return m
}

// TestCreateTransferStatuses has a row for each status, and demands that none
// lacks one. Each row starts from transferFixture, with one batch.
func TestCreateTransferStatuses(t *testing.T) {
	const late = now - second // after all records
	const post, void, created = TransferPostPendingTransfer, TransferVoidPendingTransfer, TransferCreated
	type want = []CreateTransferStatus
	one := func(x Transfer) []Transfer { return []Transfer{x} }
	fresh := func(change ...func(*Transfer)) []Transfer { return one(transfer(50, change...)) }
	set := func(f func(*Transfer)) []Transfer { return fresh(f) }
	again := func(f func(*Transfer)) []Transfer { return one(transfer(1, f)) }
	for _, c := range []struct {
		want   want
		events []Transfer
	}{
		{want{created}, fresh()},
		{want{TransferLinkedEventFailed, TransferExists}, []Transfer{transfer(50, flags(TransferLinked)), transfer(1)}},
		{want{TransferLinkedEventChainOpen}, fresh(flags(TransferLinked))},
		{want{created, TransferImportedEventExpected}, []Transfer{transfer(50, imported(late)), transfer(51)}},
		{want{created, TransferImportedEventNotExpected}, []Transfer{transfer(50), transfer(51, imported(late))}},
		{want{TransferTimestampMustBeZero}, set(func(t *Transfer) { t.Timestamp = 1 })},
		{want{TransferImportedEventTimestampOutOfRange}, fresh(imported(0))},
		{want{TransferImportedEventTimestampMustNotAdvance}, fresh(imported(now))},
		{want{TransferReservedFlag}, fresh(flags(1 << 9))},
		{want{TransferIDMustNotBeZero}, set(func(t *Transfer) { t.ID = n(0) })},
		{want{TransferIDMustNotBeIntMax}, set(func(t *Transfer) { t.ID = max128 })},

		{want{TransferExists}, one(transfer(1))},
		{want{TransferExists}, one(resolution(4, 3, post))},
		{want{TransferExistsWithDifferentFlags}, again(flags(TransferPending))},
		{want{TransferExistsWithDifferentPendingID}, again(func(t *Transfer) { t.PendingID = n(1) })},
		{want{TransferExistsWithDifferentTimeout}, again(timeout(1))},
		{want{TransferExistsWithDifferentDebitAccountID}, again(between(3, 2))},
		{want{TransferExistsWithDifferentCreditAccountID}, again(between(1, 3))},
		{want{TransferExistsWithDifferentAmount}, again(amount(n(11)))},
		{want{TransferExistsWithDifferentUserData128}, again(func(t *Transfer) { t.UserData128 = n(0) })},
		{want{TransferExistsWithDifferentUserData64}, again(func(t *Transfer) { t.UserData64 = 0 })},
		{want{TransferExistsWithDifferentUserData32}, again(func(t *Transfer) { t.UserData32 = 0 })},
		{want{TransferExistsWithDifferentLedger}, again(func(t *Transfer) { t.Ledger = 2 })},
		{want{TransferExistsWithDifferentCode}, again(func(t *Transfer) { t.Code = 2 })},
		{want{TransferExistsWithDifferentAmount}, one(resolution(6, 5, void, amount(n(9))))},
		{want{TransferIDAlreadyFailed}, one(transfer(8))},

		{want{TransferDebitAccountIDMustNotBeZero}, fresh(between(0, 2))},
		{want{TransferDebitAccountIDMustNotBeIntMax}, set(func(t *Transfer) { t.DebitAccountID = max128 })},
		{want{TransferCreditAccountIDMustNotBeZero}, fresh(between(1, 0))},
		{want{TransferCreditAccountIDMustNotBeIntMax}, set(func(t *Transfer) { t.CreditAccountID = max128 })},
		{want{TransferAccountsMustBeDifferent}, fresh(between(1, 1))},
		{want{TransferPendingIDMustBeZero}, set(func(t *Transfer) { t.PendingID = n(2) })},
		{want{TransferTimeoutReservedForPendingTransfer}, fresh(timeout(1))},
		{want{TransferClosingTransferMustBePending}, fresh(flags(TransferClosingCredit))},
		{want{TransferLedgerMustNotBeZero}, set(func(t *Transfer) { t.Ledger = 0 })},
		{want{TransferCodeMustNotBeZero}, set(func(t *Transfer) { t.Code = 0 })},
		{want{TransferDebitAccountNotFound, TransferIDAlreadyFailed}, []Transfer{transfer(50, between(99, 2)), transfer(50)}},
		{want{TransferCreditAccountNotFound, TransferIDAlreadyFailed}, []Transfer{transfer(50, between(1, 99)), transfer(50)}},
		{want{TransferAccountsMustHaveTheSameLedger}, fresh(between(1, 3))},
		{want{TransferTransferMustHaveTheSameLedgerAsAccounts}, set(func(t *Transfer) { t.Ledger = 2 })},
		{want{TransferImportedEventTimestampMustNotRegress}, fresh(imported(now - 50*second))},
		{want{TransferImportedEventTimeoutMustBeZero}, fresh(imported(late), flags(TransferPending), timeout(1))},
		{want{TransferDebitAccountAlreadyClosed, TransferIDAlreadyFailed}, []Transfer{transfer(50, between(6, 2)), transfer(50)}},
		{want{TransferCreditAccountAlreadyClosed, TransferIDAlreadyFailed}, []Transfer{transfer(50, between(2, 6)), transfer(50)}},
		{want{TransferOverflowsDebitsPending}, fresh(between(9, 2), flags(TransferPending))},
		{want{TransferOverflowsCreditsPending}, fresh(between(1, 10), flags(TransferPending))},
		{want{TransferOverflowsDebitsPosted}, fresh(between(7, 2))},
		{want{TransferOverflowsCreditsPosted}, fresh(between(1, 8))},
		{want{TransferOverflowsDebits}, fresh(between(9, 2))},
		{want{TransferOverflowsCredits}, fresh(between(1, 10))},
		{want{TransferExceedsCredits, TransferIDAlreadyFailed}, []Transfer{transfer(50, between(4, 2)), transfer(50)}},
		{want{TransferExceedsDebits, TransferIDAlreadyFailed}, []Transfer{transfer(50, between(1, 5)), transfer(50)}},

		{want{TransferFlagsAreMutuallyExclusive}, one(resolution(50, 2, post|void))},
		{want{TransferFlagsAreMutuallyExclusive}, one(resolution(50, 2, post|TransferBalancingDebit))},
		{want{TransferPendingIDMustNotBeZero}, one(resolution(50, 0, post))},
		{want{TransferPendingIDMustNotBeIntMax}, one(resolution(50, 2, post, func(t *Transfer) { t.PendingID = max128 }))},
		{want{TransferPendingIDMustBeDifferent}, one(resolution(50, 50, post))},
		{want{TransferTimeoutReservedForPendingTransfer}, one(resolution(50, 2, post, timeout(1)))},
		{want{TransferPendingTransferNotFound, TransferIDAlreadyFailed}, []Transfer{resolution(50, 99, post), transfer(50)}},
		{want{TransferPendingTransferNotFound}, one(resolution(50, 8, post))},
		{want{TransferPendingTransferNotPending}, one(resolution(50, 1, post))},
		{want{TransferPendingTransferHasDifferentDebitAccountID}, one(resolution(50, 2, post, between(3, 0)))},
		{want{TransferPendingTransferHasDifferentCreditAccountID}, one(resolution(50, 2, post, between(0, 3)))},
		{want{TransferPendingTransferHasDifferentLedger}, one(resolution(50, 2, post, func(t *Transfer) { t.Ledger = 2 }))},
		{want{TransferPendingTransferHasDifferentCode}, one(resolution(50, 2, post, func(t *Transfer) { t.Code = 2 }))},
		{want{TransferExceedsPendingTransferAmount}, one(resolution(50, 2, post, amount(n(11))))},
		{want{TransferPendingTransferHasDifferentAmount}, one(resolution(50, 2, void, amount(n(9))))},
		{want{TransferPendingTransferAlreadyPosted}, one(resolution(50, 3, void))},
		{want{TransferPendingTransferAlreadyVoided}, one(resolution(50, 5, post))},
		{want{TransferPendingTransferExpired}, one(resolution(50, 7, post))},
		{want{TransferPendingTransferExpired}, one(resolution(50, 9, post))}, // not yet removed
		{want{TransferImportedEventTimestampMustNotRegress}, one(resolution(50, 2, post, imported(now-50*second)))},
		{want{TransferDebitAccountAlreadyClosed}, one(resolution(50, 11, post))},
		{want{created, created}, []Transfer{resolution(50, 12, void), resolution(51, 11, post)}}, // reopened
	} {
		checkTransfers(t, transferFixture(), now, c.want, c.events)
	}
	testPostdate(t)
	testCreditClosed(t)
	testTimeoutOverflow(t)
	delete(reached, 18)
	expectAll(t, func(i uint32) string { return CreateTransferStatus(i).String() })
}

func checkTransfers(t *testing.T, m *Machine, at uint64, want []CreateTransferStatus, batch []Transfer) {
	t.Helper()
	var events []byte
	for i := range batch {
		events = batch[i].Append(events)
	}
	got, _ := run(m, OperationCreateTransfers, at, events)
	for i := range got {
		if CreateTransferStatus(got[i]) != want[i] {
			t.Errorf("want %v, event %d got %v", want, i, CreateTransferStatus(got[i]))
		}
		reached[got[i]] = true
	}
}

// testPostdate imports transfers from before an account, where no transfer is
// yet.
func testPostdate(t *testing.T) {
	t.Helper()
	for _, c := range []struct {
		debit, credit uint64
		want          CreateTransferStatus
	}{
		{2, 1, TransferImportedEventTimestampMustPostdateDebitAccount},
		{1, 2, TransferImportedEventTimestampMustPostdateCreditAccount},
	} {
		x := transfer(50, between(c.debit, c.credit), imported(now-60*second))
		checkTransfers(t, accountFixture(), now, []CreateTransferStatus{c.want}, []Transfer{x})
	}
	same := transfer(50, imported(now-50*second)) // the timestamp of account 2
	checkTransfers(t, accountFixture(), now, []CreateTransferStatus{TransferImportedEventTimestampMustNotRegress}, []Transfer{same})
}

func testCreditClosed(t *testing.T) {
	t.Helper()
	checkTransfers(t, accountFixture(), now,
		[]CreateTransferStatus{TransferCreated, TransferCreated, TransferCreditAccountAlreadyClosed},
		[]Transfer{
			transfer(50, flags(TransferPending)),
			transfer(51, flags(TransferPending|TransferClosingCredit)),
			resolution(52, 50, TransferPostPendingTransfer),
		})
}

// testTimeoutOverflow looks at the end of time, where a timeout leads past it.
func testTimeoutOverflow(t *testing.T) {
	t.Helper()
	const end = TimestampMax - 10*second
	checkTransfers(t, accountFixture(), end,
		[]CreateTransferStatus{TransferCreated, TransferOverflowsTimeout},
		[]Transfer{
			transfer(50, flags(TransferPending), timeout(10)), // one slot earlier
			transfer(51, flags(TransferPending), timeout(11)),
		})
	checkTransfers(t, accountFixture(), end, []CreateTransferStatus{TransferCreated},
		[]Transfer{transfer(50, flags(TransferPending), timeout(10))})
	checkTransfers(t, accountFixture(), end+1, []CreateTransferStatus{TransferOverflowsTimeout},
		[]Transfer{transfer(50, flags(TransferPending), timeout(10))})
}

// TestResultTimestamps is SEMANTICS.md section 3: what timestamp a result has.
func TestResultTimestamps(t *testing.T) {
	m := transferFixture()
	batch := []Transfer{
		transfer(50),
		transfer(1),                 // exists: when it was created
		transfer(51, between(1, 1)), // fails: its slot
		transfer(52),
	}
	var events []byte
	for i := range batch {
		events = batch[i].Append(events)
	}
	_, got := run(m, OperationCreateTransfers, now, events)
	want := []uint64{now - 3, got[1], now - 1, now}
	if !slices.Equal(got, want) || got[1] >= now-50*second {
		t.Errorf("timestamps %v, want %v", got, want)
	}

	// An import that its chain undid keeps the imported one.
	chain := []Transfer{
		transfer(60, imported(now-second), flags(TransferLinked)),
		transfer(61, imported(now-second), between(1, 1)),
	}
	events = chain[1].Append(chain[0].Append(nil))
	statuses, _ := run(m, OperationCreateTransfers, now+10, events)
	if statuses[0] != uint32(TransferImportedEventTimestampMustNotRegress) {
		t.Fatalf("fixture: %v", CreateTransferStatus(statuses[0]))
	}
	events = chain[1].Append(chain[0].Append(nil))
	m = accountFixture()
	statuses, got = run(m, OperationCreateTransfers, now, events)
	if statuses[0] != uint32(TransferLinkedEventFailed) || !slices.Equal(got, []uint64{now - second, now}) {
		t.Errorf("statuses %v, timestamps %v", statuses, got)
	}
}
