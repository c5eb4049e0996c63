package forest

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/internal/u128"
	"github.com/ledgerd/ledgerd/ledger"
)

// ErrFormat is wrapped by the errors of Open that say that blocks are intact
// but do not hold what they should: written by another version, or by a bug.
var ErrFormat = errors.New("forest: stored state is not as expected")

// readsMax is how many pages Open asks the grid for at a time.
const readsMax = 32

// opening is an Open on its way.
type opening struct {
	forest  *Forest
	pages   []openingPage // of all logs, in order
	next    int           // the first page not yet asked for
	reading int
	failed  error
	done    func(error)
}

type openingPage struct {
	log   *log
	index int
}

// Open restores the state that root names, into a new forest. An empty root
// names the empty ledger. done is called when it is there, or with an error
// that says why not: from within Open if nothing has to be read.
func (f *Forest) Open(root []byte, done func(error)) {
	if len(root) == 0 {
		done(nil)
		return
	}
	if len(root) != rootSize || binary.LittleEndian.Uint32(root) != rootVersion {
		done(fmt.Errorf("%w: root of %d bytes, %x", ErrFormat, len(root), root))
		return
	}
	f.root.manifest = block.RefFrom(root[4:])
	f.grid.ReadStream(f.root.manifest, func(content []byte, err error) {
		if err != nil {
			done(fmt.Errorf("read the manifest of the ledger: %w", err))
			return
		}
		o := &opening{forest: f, done: done}
		if err := o.readManifest(content); err != nil {
			done(err)
			return
		}
		o.read()
	})
}

// readManifest makes the lists of pages, still without their rows.
func (o *opening) readManifest(b []byte) error {
	f := o.forest
	if len(b) < manifestHeaderSize || binary.LittleEndian.Uint32(b) != manifestVersion {
		return fmt.Errorf("%w: manifest of another version", ErrFormat)
	}
	if n := binary.LittleEndian.Uint32(b[4:]); int(n) != f.grid.PayloadSize() {
		return fmt.Errorf("%w: manifest for pages of %d bytes", ErrFormat, n)
	}
	b = b[manifestHeaderSize:]
	for _, l := range f.logs() {
		if len(b) < 4 {
			return fmt.Errorf("%w: manifest is too short", ErrFormat)
		}
		n := int(binary.LittleEndian.Uint32(b))
		b = b[4:]
		if len(b)/block.RefSize < n {
			return fmt.Errorf("%w: manifest is too short", ErrFormat)
		}
		for i := range n {
			ref := block.RefFrom(b)
			b = b[block.RefSize:]
			l.pages = append(l.pages, page{ref: ref, address: ref.Address})
			o.pages = append(o.pages, openingPage{l, i})
		}
		l.flushed = max(0, n-1)
	}
	if len(b) != 0 {
		return fmt.Errorf("%w: manifest is too long", ErrFormat)
	}
	return nil
}

// read keeps the grid busy until all pages are there, then ends.
func (o *opening) read() {
	for o.reading < readsMax && o.next < len(o.pages) && o.failed == nil {
		p := o.pages[o.next]
		o.next++
		o.reading++
		o.forest.grid.Read(p.log.pages[p.index].ref, func(payload []byte, err error) {
			o.reading--
			if err == nil {
				err = p.log.load(p.index, payload)
			}
			if err != nil && o.failed == nil {
				o.failed = fmt.Errorf("read the ledger: %w", err)
			}
			o.read()
		})
	}
	if o.reading > 0 || o.done == nil {
		return
	}
	done := o.done
	o.done = nil
	if o.failed == nil {
		o.failed = o.forest.tables.rebuild()
	}
	done(o.failed)
}

// load takes over a page from the payload of its block.
func (l *log) load(n int, payload []byte) error {
	p := &l.pages[n]
	if len(payload) < pageHeaderSize || binary.LittleEndian.Uint16(payload) != pageVersion {
		return fmt.Errorf("%w: %v is not a page of version %d", ErrFormat, p.address, pageVersion)
	}
	p.rows = binary.LittleEndian.Uint32(payload[4:])
	p.used = int(binary.LittleEndian.Uint32(payload[8:]))
	if p.used != len(payload) || p.used > l.pageSize || p.rows == 0 {
		return fmt.Errorf("%w: %v has %d rows in %d of %d bytes", ErrFormat, p.address, p.rows, p.used, len(payload))
	}
	p.data = make([]byte, l.pageSize+l.rowMax)
	copy(p.data, payload)
	p.written = p.used
	l.rows += uint64(p.rows)
	return nil
}

// rebuild makes everything in memory from the logs.
func (t *tables) rebuild() error {
	if err := t.rebuildAccounts(); err != nil {
		return err
	}
	if err := t.rebuildBurnt(); err != nil {
		return err
	}
	for _, l := range []*log{&t.transfers, &t.expiries} {
		if err := l.checkRows(t.accounts.count); err != nil {
			return err
		}
		l.mark()
	}
	expiry := position(pageHeaderSize)
	for at := position(pageHeaderSize); at != t.transfers.end(); {
		if err := t.replayExpiries(&expiry, at); err != nil {
			return err
		}
		if err := t.replayTransfer(at); err != nil {
			return err
		}
		at = t.transfers.normal(at + position(rowLength(t.transfers.at(at))))
	}
	if err := t.replayExpiries(&expiry, t.transfers.end()); err != nil {
		return err
	}
	t.reschedule()
	return nil
}

func (t *tables) rebuildAccounts() error {
	l := &t.accounts.log
	for n := range l.pages {
		p := &l.pages[n]
		if p.used != pageHeaderSize+int(p.rows)*accountRowSize {
			return fmt.Errorf("%w: %v has %d accounts in %d bytes", ErrFormat, p.address, p.rows, p.used)
		}
		for at := pageHeaderSize; at < p.used; at += accountRowSize {
			a := accountFromRow(p.data[at:])
			if a.Timestamp <= t.accounts.lastTimestamp() {
				return fmt.Errorf("%w: accounts out of order in %v", ErrFormat, p.address)
			}
			t.accounts.load(&a)
		}
		if n < len(l.pages)-1 {
			p.data = nil
		}
	}
	return nil
}

func (t *tables) rebuildBurnt() error {
	l := &t.burnt
	for n := range l.pages {
		p := &l.pages[n]
		if p.used != pageHeaderSize+int(p.rows)*burntRowSize {
			return fmt.Errorf("%w: %v has %d ids in %d bytes", ErrFormat, p.address, p.rows, p.used)
		}
		for at := pageHeaderSize; at < p.used; at += burntRowSize {
			id := u128.FromBytes(p.data[at:])
			t.byID.insert(hashOf(id), burntMark|uint64(n)<<offsetBits|uint64(at))
		}
	}
	return nil
}

// checkRows makes sure that every row of a log can be decoded, that its
// accounts exist, and that the log ascends by time.
func (l *log) checkRows(accounts int) error {
	last := uint64(0)
	for n := range l.pages {
		p := &l.pages[n]
		rows := uint32(0)
		for at := pageHeaderSize; at < p.used; rows++ {
			row := p.data[at:p.used]
			if !rowValid(row) {
				return fmt.Errorf("%w: malformed row at %d of %v", ErrFormat, at, p.address)
			}
			debit, credit := rowAccount(row, debitSide), rowAccount(row, creditSide)
			if max(int(debit), int(credit)) >= accounts || debit == credit {
				return fmt.Errorf("%w: row at %d of %v has accounts %d and %d of %d",
					ErrFormat, at, p.address, debit, credit, accounts)
			}
			if rowTimestamp(row) <= last {
				return fmt.Errorf("%w: row at %d of %v is out of order", ErrFormat, at, p.address)
			}
			last = rowTimestamp(row)
			at += rowLength(row)
		}
		if rows != p.rows {
			return fmt.Errorf("%w: %v has %d rows, not %d", ErrFormat, p.address, rows, p.rows)
		}
	}
	return nil
}

// rowValid reports whether the lengths in a row are consistent.
func rowValid(row []byte) bool {
	if len(row) < rowHeaderSize || rowLength(row) > len(row) {
		return false
	}
	length := rowHeaderSize
	for field := range 16 {
		code := int(binary.LittleEndian.Uint64(row[16:]) >> (4 * field) & 15)
		if code > 8 && (field == 4 || field == 5 || field >= fieldDebitLink) {
			return false
		}
		length += width(code)
	}
	for _, flags := range row[6:8] {
		length += 8 * int(flags>>6&1+flags>>7)
	}
	return length == rowLength(row)
}

// replayExpiries does again what expiries did before the row at a position of
// the transfer log; at is the first of them.
func (t *tables) replayExpiries(at *position, before position) error {
	for *at != t.expiries.end() {
		row := t.expiries.at(*at)
		if readLinks(row, debitSide).previous > before {
			return nil
		}
		r := readRow(row, fieldPending)
		number := r.next64()
		if number >= t.pendings.count || t.pendings.at(number).status() != ledger.PendingOpen {
			return fmt.Errorf("%w: expiry of transfer number %d, which is not pending", ErrFormat, number)
		}
		t.pendings.setStatus(number, ledger.PendingExpired)
		t.restore(row, debitSide)
		t.restore(row, creditSide)
		*at = t.expiries.normal(*at + position(rowLength(row)))
	}
	return nil
}

// replayTransfer does again what the transfer at a position did.
func (t *tables) replayTransfer(at position) error {
	row := t.transfers.at(at)
	for _, s := range [...]side{debitSide, creditSide} {
		a := t.restore(row, s)
		if a.next() != readLinks(row, s) {
			return fmt.Errorf("%w: links of the row at %#x", ErrFormat, uint64(at))
		}
		a.chain(at)
	}
	t.byID.insert(hashOf(rowID(row)), uint64(at))
	t.lastTransfer = rowTimestamp(row)
	flags := rowFlags(row)
	r := readRow(row, fieldPending)
	switch {
	case flags&ledger.TransferPending != 0:
		if r.next64() != t.pendings.count {
			return fmt.Errorf("%w: number of the pending transfer at %#x", ErrFormat, uint64(at))
		}
		t.pendings.insert(at)
	case flags&ledger.TransferPostPendingTransfer != 0:
		return t.replayResolution(r.next(), ledger.PendingPosted)
	case flags&ledger.TransferVoidPendingTransfer != 0:
		return t.replayResolution(r.next(), ledger.PendingVoided)
	}
	return nil
}

func (t *tables) replayResolution(pendingID ledger.Uint128, status ledger.PendingStatus) error {
	var p ledger.Transfer
	ref := t.FindTransfer(pendingID, &p)
	if ref == ledger.TransferAbsent || ref == ledger.TransferBurnt ||
		p.Flags&ledger.TransferPending == 0 || t.PendingStatus(ref) != ledger.PendingOpen {
		return fmt.Errorf("%w: %v is resolved and was not pending", ErrFormat, pendingID)
	}
	t.ResolvePending(ref, status)
	return nil
}

// restore gives an account the balances and flags that a row says.
func (t *tables) restore(row []byte, s side) *account {
	a := t.accounts.at(rowAccount(row, s))
	b := readBalances(row, s)
	a.DebitsPending, a.DebitsPosted = b.debitsPending, b.debitsPosted
	a.CreditsPending, a.CreditsPosted = b.creditsPending, b.creditsPosted
	a.Flags = b.flags
	return a
}

// reschedule schedules the pending transfers that have a timeout.
func (t *tables) reschedule() {
	for number := range t.pendings.count {
		p := *t.pendings.at(number)
		if p.status() != ledger.PendingOpen {
			continue
		}
		if row := t.transfers.at(p.position()); rowTimeout(row) != 0 {
			t.pendings.schedule.push(scheduled{rowExpiry(row), number})
		}
	}
}
