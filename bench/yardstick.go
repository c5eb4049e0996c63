package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
	"unsafe"

	"github.com/ledgerd/ledgerd/ledger"
)

// Yardstick is how long the least work took that a durable ledger must do with
// a workload: one goroutine keeps accounts and transfers in plain hash tables,
// and writes the bytes of the batches to a preallocated file with direct
// synchronous writes. No network, no checksums, no indexes, no recovery.
//
// A server overlaps the two and may so come out above 1 when its speed is given
// as a share of the yardstick's; the share is for comparing runs on different
// machines and days, not a limit.
type Yardstick struct {
	Transfers int
	Table     time.Duration // in the hash tables
	Disk      time.Duration // in writes
	Direct    bool          // whether the file system took direct writes
}

// TransfersPerSecond is the yardstick's speed, one kind of work after the other.
func (y Yardstick) TransfersPerSecond() float64 {
	return float64(y.Transfers) / (y.Table + y.Disk).Seconds()
}

const (
	yardstickFileBytes  = 64 << 20 // written round and round
	yardstickWriteBytes = 1 << 20  // the most in one write
	sectorBytes         = 4096     // unit and alignment of direct writes
)

// MeasureYardstick does the least work for the transfers of w, with a file in
// directory that is gone afterwards. Batches of all clients are written in turn,
// those that would wait at the same time in one write. Progress is that of
// Config.
func MeasureYardstick(ctx context.Context, w Workload, directory string, progress func(transfers int)) (Yardstick, error) {
	if err := w.Validate(); err != nil {
		return Yardstick{}, err
	}
	file, err := openYardstickFile(directory)
	if err != nil {
		return Yardstick{}, fmt.Errorf("bench: yardstick: %w", err)
	}
	defer file.close()
	run := uint64(time.Now().UnixMilli())
	generators := make([]*generator, w.Clients)
	for i := range generators {
		generators[i] = newGenerator(w, run, i)
	}
	tables := newTables(w, run)
	result := Yardstick{Direct: file.direct}
	for ctx.Err() == nil {
		transfers := 0
		for _, g := range generators {
			batch := g.next()
			if batch == nil {
				continue
			}
			start := time.Now()
			tables.apply(batch)
			result.Table += time.Since(start)
			g.acknowledge()
			if err := file.append(batch, &result.Disk); err != nil {
				return Yardstick{}, fmt.Errorf("bench: yardstick: %w", err)
			}
			transfers += len(batch)
		}
		if transfers == 0 {
			return result, nil
		}
		if err := file.flush(&result.Disk); err != nil {
			return Yardstick{}, fmt.Errorf("bench: yardstick: %w", err)
		}
		result.Transfers += transfers
		if progress != nil {
			progress(transfers)
		}
	}
	return Yardstick{}, context.Cause(ctx)
}

// tables are the plain hash tables: just enough to refuse a second use of an
// id and to keep balances and reservations right. Nothing in them is a pointer,
// so that the garbage collector has nothing to look at.
type tables struct {
	indexes   map[ledger.Uint128]uint32 // into accounts
	accounts  []account
	transfers map[ledger.Uint128]transfer
}

type account struct{ debits, credits totals }

type transfer struct {
	debit, credit uint32 // indexes into accounts
	amount        uint64
}

func newTables(w Workload, run uint64) *tables {
	t := &tables{
		indexes:   make(map[ledger.Uint128]uint32, w.Accounts),
		accounts:  make([]account, w.Accounts),
		transfers: make(map[ledger.Uint128]transfer, w.Transfers),
	}
	for i := range w.Accounts {
		t.indexes[accountID(run, i)] = uint32(i)
	}
	return t
}

// apply executes a batch. Generated batches hold nothing to refuse, so it
// panics instead.
func (t *tables) apply(batch []ledger.Transfer) {
	for i := range batch {
		event := &batch[i]
		row := transfer{amount: event.Amount.Lo}
		if event.Flags&ledger.TransferPostPendingTransfer != 0 {
			reserved := t.transfers[event.PendingID]
			row.debit, row.credit = reserved.debit, reserved.credit
			t.accounts[row.debit].debits.pending -= reserved.amount
			t.accounts[row.credit].credits.pending -= reserved.amount
		} else {
			row.debit, row.credit = t.indexes[event.DebitAccountID], t.indexes[event.CreditAccountID]
		}
		if event.Flags&ledger.TransferPending != 0 {
			t.accounts[row.debit].debits.pending += row.amount
			t.accounts[row.credit].credits.pending += row.amount
		} else {
			t.accounts[row.debit].debits.posted += row.amount
			t.accounts[row.credit].credits.posted += row.amount
		}
		before := len(t.transfers)
		t.transfers[event.ID] = row
		if len(t.transfers) == before {
			panic(fmt.Sprintf("bench: id %v was generated twice", event.ID))
		}
	}
}

// yardstickFile is written in whole sectors, round and round.
type yardstickFile struct {
	*os.File
	direct bool
	buffer []byte // aligned, yardstickWriteBytes long
	used   int    // bytes of buffer that wait
	offset int64
}

func openYardstickFile(directory string) (*yardstickFile, error) {
	path := filepath.Join(directory, fmt.Sprintf("yardstick-%d", os.Getpid()))
	file, direct, err := openSynchronous(path)
	if err != nil {
		return nil, err
	}
	f := &yardstickFile{File: file, direct: direct, buffer: alignedBuffer(yardstickWriteBytes)}
	var spent time.Duration // writing all of it once is the preallocation
	for range yardstickFileBytes / yardstickWriteBytes {
		f.used = yardstickWriteBytes
		if err := f.flush(&spent); err != nil {
			f.close()
			return nil, err
		}
	}
	return f, nil
}

// alignedBuffer returns size bytes that start on a sector's boundary in memory.
func alignedBuffer(size int) []byte {
	buffer := make([]byte, size+sectorBytes)
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(buffer)))) & (sectorBytes - 1)
	return buffer[skip : skip+size : skip+size]
}

// append encodes batch behind what waits, and writes when there is no more room.
// Encoding is the client's work, so only the writes count.
func (f *yardstickFile) append(batch []ledger.Transfer, spent *time.Duration) error {
	for i := range batch {
		if len(f.buffer)-f.used < ledger.TransferSize {
			if err := f.flush(spent); err != nil {
				return err
			}
		}
		batch[i].Encode(f.buffer[f.used:])
		f.used += ledger.TransferSize
	}
	return nil
}

// flush writes what waits, rounded up to sectors.
func (f *yardstickFile) flush(spent *time.Duration) error {
	size := (f.used + sectorBytes - 1) &^ (sectorBytes - 1)
	if f.offset+int64(size) > yardstickFileBytes {
		f.offset = 0
	}
	start := time.Now()
	_, err := f.WriteAt(f.buffer[:size], f.offset)
	*spent += time.Since(start)
	f.offset += int64(size)
	f.used = 0
	return err
}

// close removes the file; its content has no worth, so errors do not matter.
func (f *yardstickFile) close() {
	f.Close()
	os.Remove(f.Name())
}
