package node

import (
	"encoding/binary"
	"reflect"
	"strings"
	"testing"

	"github.com/ledgerd/ledgerd/internal/block"
	"github.com/ledgerd/ledgerd/internal/checksum"
	"github.com/ledgerd/ledgerd/vsr/superblock"
)

func TestVerifyProgress(t *testing.T) {
	f := newLedger(t, 60)
	options := f.options()
	lastDone, lastTotal, calls := int64(0), int64(0), 0
	options.Progress = func(done, total int64) {
		if done < lastDone || calls > 0 && total != lastTotal || done > total {
			t.Errorf("%d of %d after %d of %d", done, total, lastDone, lastTotal)
		}
		lastDone, lastTotal = done, total
		calls++
	}
	r, err := Verify(options)
	if err != nil {
		t.Fatal(err)
	}
	if least := int64(r.Grid.BlocksInUse) * 8192; lastDone != lastTotal || lastTotal < least || calls < r.Grid.BlocksInUse {
		t.Errorf("%d calls, the last with %d of %d, for %d bytes of blocks", calls, lastDone, lastTotal, least)
	}
}

// What the last request has left to be indexed may end merges, whose tables must
// be found although nothing is written.
func TestVerifyAnyCheckpoint(t *testing.T) {
	f := newLedger(t, 0)
	verified := uint64(0)
	for n := range 600 {
		f.disk.Inject = nil
		f.transfers(1 + 20*n)
		op := f.inspect(Inspect).Root.Checkpoint.Op
		if op == verified {
			continue
		}
		verified = op
		r := f.inspect(Verify)
		if len(r.Damage) != 0 || !r.LedgerVerified {
			t.Fatalf("at op %d: damage %v", op, r.Damage)
		}
		// The register and the accounts come before.
		if got, want := r.Ledger.Events, 20*(op-2); r.Ledger.Accounts != 2 || got != want || r.Ledger.Transfers != want {
			t.Errorf("at op %d: %d transfers in %d rows, not %d", op, r.Ledger.Transfers, got, want)
		}
	}
}

// An inspection of the ledger counts what Verify counts, and reads less.
func TestInspectLedgerCounts(t *testing.T) {
	f := newLedger(t, 60)
	whole, counted := f.inspect(Verify), f.inspect(InspectLedger)
	if !reflect.DeepEqual(whole.Ledger, counted.Ledger) || counted.LedgerVerified || counted.BytesRead >= whole.BytesRead {
		t.Errorf("%+v of %d bytes, %+v of %d bytes", whole.Ledger, whole.BytesRead, counted.Ledger, counted.BytesRead)
	}
	if r := f.inspect(Inspect); r.Ledger != nil {
		t.Errorf("%+v", r.Ledger)
	}
}

// A block that is in use for the ledger, and that the ledger does not name, would
// never be free again.
func TestVerifyFindsLostBlocks(t *testing.T) {
	f := newLedger(t, 60)
	root := f.inspect(Verify).Root
	state := &root.Checkpoint.Grid
	freeSet := block.RefFrom(state[:])
	at := f.layout.GridOffset() + int64(freeSet.Address-1)*8192
	b := f.disk.Peek(at, 8192)
	bitmap := b[64+32:]
	lost := 0 // a block of rows that was released
	for a := 1; lost == 0; a++ {
		kind := f.disk.Peek(f.layout.GridOffset()+int64(a-1)*8192+28, 1)[0]
		if bitmap[(a-1)/8]>>((a-1)%8)&1 == 0 && kind == 17 {
			lost = a
		}
	}
	bitmap[(lost-1)/8] |= 1 << ((lost - 1) % 8)
	bitmap[(lost-1)/8+int(binary.LittleEndian.Uint64(state[24:])/8)] &^= 1 << ((lost - 1) % 8)
	freeSet.Checksum = checksum.Of(b[16 : 64+binary.LittleEndian.Uint32(b[24:])])
	copy(b, freeSet.Checksum[:])
	freeSet.Put(state[:])
	binary.LittleEndian.PutUint64(state[32:], binary.LittleEndian.Uint64(state[32:])+1)
	f.disk.Poke(at, b)
	f.disk.Poke(0, superblock.Format(root))

	if r := f.inspect(Inspect); len(r.Damage) != 0 {
		t.Error(r.Damage)
	}
	r := f.inspect(Verify)
	if len(r.Damage) != 1 || r.Damage[0].Zone != ZoneLedger || !strings.Contains(r.Damage[0].String(), "are in use for events, which has") {
		t.Errorf("block %d is nobody's: %v", lost, r.Damage)
	}
}
