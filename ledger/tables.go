package ledger

// AccountRef names a stored account to the Tables that returned it.
type AccountRef uint32

// TransferRef names a stored transfer to the Tables that returned it, or is
// one of TransferAbsent and TransferBurnt.
type TransferRef uint64

const (
	// TransferAbsent is the ref of an id that was never used.
	TransferAbsent TransferRef = 0
	// TransferBurnt is the ref of an id that no transfer can ever take,
	// because one failed with it (SEMANTICS.md section 9).
	TransferBurnt TransferRef = 1<<64 - 1
)

// PendingStatus says what became of a pending transfer.
type PendingStatus uint8

// The statuses of a pending transfer. They are stored: append only.
const (
	PendingOpen PendingStatus = iota + 1
	PendingPosted
	PendingVoided
	PendingExpired
)

// Tables is what Machine needs of storage: everything is in memory, nothing
// can fail, and one goroutine uses it. Scopes apply to all changes except
// BurnTransfer, which Machine never calls within one.
type Tables interface {
	Accounts
	Transfers
	Pendings
	Scopes
	Queries
}

// Accounts stores accounts in strictly ascending order of timestamp.
type Accounts interface {
	// FindAccount returns the account with an id, or a nil pointer. The
	// pointer stays good until the account's insertion is rolled back.
	// Machine changes balances and AccountClosed through it, after
	// TouchAccount when a scope is open.
	FindAccount(id Uint128) (AccountRef, *Account)
	// InsertAccount stores a copy of a new account.
	InsertAccount(a *Account)
	// LastAccountTimestamp returns the greatest timestamp of an account, 0 if
	// there is none.
	LastAccountTimestamp() uint64
	// HasAccountAt reports whether an account has this timestamp.
	HasAccountAt(timestamp uint64) bool
}

// Transfers stores transfers in strictly ascending order of timestamp, and
// the ids that are burnt.
type Transfers interface {
	// ExpectTransfers tells that these encoded transfers are to be created
	// next. It changes nothing but the speed of what follows.
	ExpectTransfers(events []byte)
	// FindTransfer looks an id up, and reads the transfer into t if there is
	// one. Otherwise t is left alone.
	FindTransfer(id Uint128, t *Transfer) TransferRef
	// InsertTransfer stores a copy of a new transfer, together with what both
	// accounts are right now, after it. If it is pending its status becomes
	// PendingOpen, and with a timeout it is scheduled to expire.
	InsertTransfer(t *Transfer, debit, credit AccountRef)
	// BurnTransfer remembers that a transfer failed with this unused id.
	BurnTransfer(id Uint128)
	// LastTransferTimestamp returns the greatest timestamp of a transfer, 0 if
	// there is none.
	LastTransferTimestamp() uint64
	// HasTransferAt reports whether a transfer has this timestamp.
	HasTransferAt(timestamp uint64) bool
}

// Pendings stores the status of pending transfers, their schedule of expiry
// and the expiries that happened.
type Pendings interface {
	// PendingStatus returns the status of a pending transfer.
	PendingStatus(pending TransferRef) PendingStatus
	// ResolvePending changes the status from PendingOpen to another, which
	// also takes the transfer from the schedule.
	ResolvePending(pending TransferRef, status PendingStatus)
	// NextExpiry returns when the first scheduled transfer expires, in
	// nanoseconds since the epoch; the result is math.MaxUint64 if none is.
	NextExpiry() uint64
	// TakeExpired unschedules the transfers that expire up to now, in order
	// of expiry and then of timestamp. It appends at most limit of them to
	// expired, and returns it.
	TakeExpired(now uint64, limit int, expired []ExpiredTransfer) []ExpiredTransfer
	// InsertExpiry records that a pending transfer expired at timestamp, and
	// what both accounts are right now, after it. Timestamps ascend strictly.
	InsertExpiry(timestamp uint64, pending TransferRef, debit, credit AccountRef)
	// HasExpiryAt reports whether an expiry has this timestamp.
	HasExpiryAt(timestamp uint64) bool
}

// ExpiredTransfer is a pending transfer whose time has come.
type ExpiredTransfer struct {
	Ref      TransferRef
	Transfer Transfer
}

// Scopes undo changes. At most one scope is open at a time.
type Scopes interface {
	// BeginScope opens a scope.
	BeginScope()
	// KeepScope closes the scope; its changes stay.
	KeepScope()
	// RollbackScope closes the scope and undoes every change made in it.
	RollbackScope()
	// TouchAccount is called within a scope before an account changes.
	TouchAccount(a AccountRef)
}

// Queries answers questions about many records. Each method appends encoded
// results to reply, at most limit of them, and returns it. The filter is
// valid; its own limit is not looked at.
type Queries interface {
	// AppendAccountTransfers appends Transfers: SEMANTICS.md section 12.2.
	AppendAccountTransfers(f *AccountFilter, limit int, reply []byte) []byte
	// AppendAccountBalances appends AccountBalances: SEMANTICS.md section 12.3.
	// There are none unless the account exists and has AccountHistory.
	AppendAccountBalances(f *AccountFilter, limit int, reply []byte) []byte
	// AppendAccounts appends Accounts: SEMANTICS.md section 13.
	AppendAccounts(f *QueryFilter, limit int, reply []byte) []byte
	// AppendTransfers appends Transfers: SEMANTICS.md section 13.
	AppendTransfers(f *QueryFilter, limit int, reply []byte) []byte
	// AppendChangeEvents appends ChangeEvents: SEMANTICS.md section 14.
	AppendChangeEvents(f *ChangeEventsFilter, limit int, reply []byte) []byte
}
