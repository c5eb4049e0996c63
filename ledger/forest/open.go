package forest

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ledgerd/ledgerd/internal/block"
)

// ErrFormat is wrapped by the errors of Open that say that blocks are intact
// but do not hold what they should: written by another version, or by a bug.
var ErrFormat = errors.New("forest: stored state is not as expected")

// Open restores the state that root names, into a new forest. An empty root
// names the empty ledger. done is called when it is there, or with an error
// that says why not: from within Open if nothing has to be read. Indexes of the
// trees are read after that, beside all else; Options.Fault is told if one
// cannot be.
func (f *Forest) Open(root []byte, done func(error)) {
	if len(root) == 0 {
		done(nil)
		return
	}
	if len(root) == rootSize && binary.LittleEndian.Uint32(root) < rootVersion {
		done(fmt.Errorf("%w: the data file has the format of an earlier version (%d, this one reads %d): start that version with it, or format a new file",
			ErrFormat, binary.LittleEndian.Uint32(root), rootVersion))
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
		f.openStates(content, done)
	})
}

// openStates opens what the manifest names, all at a time, and then replays.
func (f *Forest) openStates(manifest []byte, done func(error)) {
	t := f.tables
	states, err := t.readManifest(manifest, f.grid.PayloadSize())
	if err != nil {
		done(err)
		return
	}
	w := new(wave)
	w.begin(func(err error) {
		if err != nil {
			done(fmt.Errorf("read the ledger: %w", err))
			return
		}
		newReplay(t, func(err error) {
			if err == nil {
				f.warm(0)
			}
			done(err)
		}).run()
	})
	t.accounts.Open(states[0], w.read())
	t.events.Open(states[1], w.read())
	w.read()(t.heads.open(f.grid, states[2], w.read))
	w.read()(t.statuses.open(f.grid, states[3], w.read))
	for n, tree := range t.trees.all {
		w.read()(tree.Open(states[statesOther+n]))
	}
	w.end()
}

// warm loads the indexes and filters of the trees from one on, one tree after the
// other. What a request needs sooner it reads itself.
func (f *Forest) warm(tree int) {
	if tree == treeCount {
		return
	}
	f.tables.trees.all[tree].Warm(func(err error) {
		if err != nil {
			f.fail(err)
			return
		}
		f.warm(tree + 1)
	})
}

// readManifest takes what the manifest says itself, and returns the states.
func (t *tables) readManifest(b []byte, payloadSize int) (states [statesOther + treeCount][]byte, err error) {
	if len(b) < manifestHeaderSize || binary.LittleEndian.Uint32(b) != manifestVersion {
		return states, fmt.Errorf("%w: manifest of another version", ErrFormat)
	}
	if n := binary.LittleEndian.Uint32(b[4:]); int(n) != payloadSize {
		return states, fmt.Errorf("%w: manifest for blocks of %d bytes", ErrFormat, n)
	}
	u64 := func(at int) uint64 { return binary.LittleEndian.Uint64(b[at:]) }
	t.lastAccount, t.lastTransfer, t.pendings, t.nextExpiry = u64(8), u64(16), u64(24), u64(32)
	t.indexed = ends{position(u64(40)), position(u64(48))}
	b = b[manifestHeaderSize:]
	for i := range states {
		if len(b) < 4 || uint64(len(b)-4) < uint64(binary.LittleEndian.Uint32(b)) {
			return states, fmt.Errorf("%w: manifest is too short", ErrFormat)
		}
		n := int(binary.LittleEndian.Uint32(b))
		states[i], b = b[4:4+n:4+n], b[4+n:]
	}
	if len(b) != 0 {
		return states, fmt.Errorf("%w: manifest is too long", ErrFormat)
	}
	return states, nil
}
