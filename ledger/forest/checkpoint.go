package forest

import (
	"encoding/binary"

	"github.com/ledgerd/ledgerd/internal/block"
)

// root is by what a checkpoint is found.
//
//	offset size field
//	     0    4 version of the format: 2
//	     4   24 manifest: reference of the head of its stream
type root struct {
	manifest block.Ref
}

const (
	rootSize    = 4 + block.RefSize
	rootVersion = 2
)

func (r root) encode() []byte {
	b := make([]byte, rootSize)
	binary.LittleEndian.PutUint32(b, rootVersion)
	r.manifest.Put(b[4:])
	return b
}

// The manifest has what a checkpoint keeps beside the blocks that it names.
//
//	offset size field
//	     0    4 version of the format: 3
//	     4    4 size of a block's payload in bytes
//	     8    8 timestamp of the newest account
//	    16    8 timestamp of the newest transfer
//	    24    8 how many pending transfers there were ever
//	    32    8 when the next one expires, or earlier; 2^64-1 if none does
//	    40    8 where the rows of accounts begin that are not in trees
//	    48    8 where the rows of events begin that are not in trees
//	    56      states, each with its length before it in 4 bytes: of the accounts
//	            log, the events log, heads, statuses, and of all trees
const (
	manifestVersion    = 3
	manifestHeaderSize = 56
	statesOther        = 4 // apart from trees
)

// Checkpoint writes to the grid what is not there yet and cannot be made again:
// the newest rows, some of the chunks of arrays, and the manifest. It waits for
// writes, and for no merge. done is called with the root, from which Open finds
// everything after the next checkpoint of the grid. Until then there must be no
// Prefetch.
//
// It ends the request before first, as the next Prefetch would. So it makes no
// difference to what is written whether Verify, which does that too, came in
// between.
func (f *Forest) Checkpoint(done func(root []byte)) {
	f.indexer.run(func(err error) {
		if err != nil {
			f.fail(err)
			return
		}
		f.checkpoint(done)
	})
}

func (f *Forest) checkpoint(done func(root []byte)) {
	t, w := f.tables, new(wave)
	w.begin(func(err error) {
		if err != nil {
			f.options.Fault(err)
			return
		}
		f.writeManifest(done)
	})
	written := func() func() {
		came := w.read()
		return func() { came(nil) }
	}
	t.accounts.Checkpoint(written())
	t.events.Checkpoint(written())
	t.heads.checkpoint(f.grid, t.events.End(), w.read)
	t.statuses.checkpoint(f.grid, t.events.End(), w.read)
	for _, tree := range t.trees.all {
		tree.Checkpoint(w.read())
	}
	w.end()
}

func (f *Forest) writeManifest(done func(root []byte)) {
	if !f.root.manifest.IsZero() {
		f.grid.ReleaseStream(f.root.manifest)
	}
	f.manifest = f.tables.appendManifest(f.manifest[:0], f.grid.PayloadSize())
	f.grid.WriteStream(kindManifest, f.manifest, func(head block.Ref) {
		f.root.manifest = head
		done(f.root.encode())
	})
}

func (t *tables) appendManifest(b []byte, payloadSize int) []byte {
	b = binary.LittleEndian.AppendUint32(b, manifestVersion)
	b = binary.LittleEndian.AppendUint32(b, uint32(payloadSize))
	for _, v := range [...]uint64{
		t.lastAccount, t.lastTransfer, t.pendings, t.nextExpiry,
		uint64(t.indexed.accounts), uint64(t.indexed.events),
	} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	b = appendState(b, t.accounts.AppendState)
	b = appendState(b, t.events.AppendState)
	b = appendState(b, t.heads.appendState)
	b = appendState(b, t.statuses.appendState)
	for _, tree := range t.trees.all {
		b = appendState(b, tree.AppendState)
	}
	return b
}

// appendState appends a state with its length before it.
func appendState(b []byte, state func([]byte) []byte) []byte {
	start := len(b)
	b = state(append(b, 0, 0, 0, 0))
	binary.LittleEndian.PutUint32(b[start:], uint32(len(b)-start-4))
	return b
}
