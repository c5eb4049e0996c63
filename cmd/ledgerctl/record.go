package main

import (
	"strconv"
	"strings"

	"github.com/ledgerd/ledgerd/ledger"
)

// accountRecord is an account in JSON.
type accountRecord struct {
	ID             wide     `json:"id"`
	Ledger         uint32   `json:"ledger"`
	Code           uint16   `json:"code"`
	Flags          []string `json:"flags"`
	DebitsPending  wide     `json:"debits_pending"`
	DebitsPosted   wide     `json:"debits_posted"`
	CreditsPending wide     `json:"credits_pending"`
	CreditsPosted  wide     `json:"credits_posted"`
	UserData128    wide     `json:"user_data_128"`
	UserData64     long     `json:"user_data_64"`
	UserData32     uint32   `json:"user_data_32"`
	Timestamp      long     `json:"timestamp"`
}

func newAccountRecord(a *ledger.Account) any {
	return accountRecord{
		ID: wide(a.ID), Ledger: a.Ledger, Code: a.Code, Flags: accountFlagNames.format(uint16(a.Flags)),
		DebitsPending: wide(a.DebitsPending), DebitsPosted: wide(a.DebitsPosted),
		CreditsPending: wide(a.CreditsPending), CreditsPosted: wide(a.CreditsPosted),
		UserData128: wide(a.UserData128), UserData64: long(a.UserData64), UserData32: a.UserData32,
		Timestamp: long(a.Timestamp),
	}
}

func (r accountRecord) account() (ledger.Account, error) {
	flags, err := accountFlagNames.parse(r.Flags)
	return ledger.Account{
		ID: ledger.Uint128(r.ID), Ledger: r.Ledger, Code: r.Code, Flags: ledger.AccountFlags(flags),
		DebitsPending: ledger.Uint128(r.DebitsPending), DebitsPosted: ledger.Uint128(r.DebitsPosted),
		CreditsPending: ledger.Uint128(r.CreditsPending), CreditsPosted: ledger.Uint128(r.CreditsPosted),
		UserData128: ledger.Uint128(r.UserData128), UserData64: uint64(r.UserData64), UserData32: r.UserData32,
		Timestamp: uint64(r.Timestamp),
	}, err
}

// transferRecord is a transfer in JSON.
type transferRecord struct {
	ID              wide     `json:"id"`
	DebitAccountID  wide     `json:"debit_account_id"`
	CreditAccountID wide     `json:"credit_account_id"`
	Amount          wide     `json:"amount"`
	PendingID       wide     `json:"pending_id"`
	Timeout         uint32   `json:"timeout"`
	Ledger          uint32   `json:"ledger"`
	Code            uint16   `json:"code"`
	Flags           []string `json:"flags"`
	UserData128     wide     `json:"user_data_128"`
	UserData64      long     `json:"user_data_64"`
	UserData32      uint32   `json:"user_data_32"`
	Timestamp       long     `json:"timestamp"`
}

func newTransferRecord(t *ledger.Transfer) any {
	return transferRecord{
		ID: wide(t.ID), DebitAccountID: wide(t.DebitAccountID), CreditAccountID: wide(t.CreditAccountID),
		Amount: wide(t.Amount), PendingID: wide(t.PendingID), Timeout: t.Timeout,
		Ledger: t.Ledger, Code: t.Code, Flags: transferFlagNames.format(uint16(t.Flags)),
		UserData128: wide(t.UserData128), UserData64: long(t.UserData64), UserData32: t.UserData32,
		Timestamp: long(t.Timestamp),
	}
}

func (r transferRecord) transfer() (ledger.Transfer, error) {
	flags, err := transferFlagNames.parse(r.Flags)
	return ledger.Transfer{
		ID: ledger.Uint128(r.ID), DebitAccountID: ledger.Uint128(r.DebitAccountID),
		CreditAccountID: ledger.Uint128(r.CreditAccountID), Amount: ledger.Uint128(r.Amount),
		PendingID: ledger.Uint128(r.PendingID), Timeout: r.Timeout,
		Ledger: r.Ledger, Code: r.Code, Flags: ledger.TransferFlags(flags),
		UserData128: ledger.Uint128(r.UserData128), UserData64: uint64(r.UserData64), UserData32: r.UserData32,
		Timestamp: uint64(r.Timestamp),
	}, err
}

// column is one column of a table of T.
type column[T any] struct {
	name     string
	optional bool // left out where it is zero in every row
	words    bool // aligned to the left, as numbers are not
	text     func(*T) string
}

func decimal[N uint16 | uint32 | uint64](n N) string { return strconv.FormatUint(uint64(n), 10) }

var accountColumns = []column[ledger.Account]{
	{name: "id", text: func(a *ledger.Account) string { return a.ID.String() }},
	{name: "ledger", text: func(a *ledger.Account) string { return decimal(a.Ledger) }},
	{name: "code", text: func(a *ledger.Account) string { return decimal(a.Code) }},
	{name: "debits pending", optional: true, text: func(a *ledger.Account) string { return a.DebitsPending.String() }},
	{name: "debits posted", text: func(a *ledger.Account) string { return a.DebitsPosted.String() }},
	{name: "credits pending", optional: true, text: func(a *ledger.Account) string { return a.CreditsPending.String() }},
	{name: "credits posted", text: func(a *ledger.Account) string { return a.CreditsPosted.String() }},
	{name: "user data 128", optional: true, text: func(a *ledger.Account) string { return a.UserData128.String() }},
	{name: "user data 64", optional: true, text: func(a *ledger.Account) string { return decimal(a.UserData64) }},
	{name: "user data 32", optional: true, text: func(a *ledger.Account) string { return decimal(a.UserData32) }},
	{name: "flags", optional: true, words: true, text: func(a *ledger.Account) string {
		return strings.Join(accountFlagNames.format(uint16(a.Flags)), " ")
	}},
	{name: "timestamp", words: true, text: func(a *ledger.Account) string { return formatTimestamp(a.Timestamp) }},
}

var transferColumns = []column[ledger.Transfer]{
	{name: "id", text: func(t *ledger.Transfer) string { return t.ID.String() }},
	{name: "debit account", text: func(t *ledger.Transfer) string { return t.DebitAccountID.String() }},
	{name: "credit account", text: func(t *ledger.Transfer) string { return t.CreditAccountID.String() }},
	{name: "amount", text: func(t *ledger.Transfer) string { return t.Amount.String() }},
	{name: "pending id", optional: true, text: func(t *ledger.Transfer) string { return t.PendingID.String() }},
	{name: "timeout", optional: true, text: func(t *ledger.Transfer) string { return decimal(t.Timeout) }},
	{name: "ledger", text: func(t *ledger.Transfer) string { return decimal(t.Ledger) }},
	{name: "code", text: func(t *ledger.Transfer) string { return decimal(t.Code) }},
	{name: "user data 128", optional: true, text: func(t *ledger.Transfer) string { return t.UserData128.String() }},
	{name: "user data 64", optional: true, text: func(t *ledger.Transfer) string { return decimal(t.UserData64) }},
	{name: "user data 32", optional: true, text: func(t *ledger.Transfer) string { return decimal(t.UserData32) }},
	{name: "flags", optional: true, words: true, text: func(t *ledger.Transfer) string {
		return strings.Join(transferFlagNames.format(uint16(t.Flags)), " ")
	}},
	{name: "timestamp", words: true, text: func(t *ledger.Transfer) string { return formatTimestamp(t.Timestamp) }},
}
