package forest

import (
	"encoding/binary"

	"github.com/ledgerd/ledgerd/internal/block"
)

// Grid is where the forest keeps its state: numbered blocks of one size, each
// written once. All methods only enqueue, and completions come later, never
// from within the call.
type Grid interface {
	// PayloadSize returns how many bytes a block holds.
	PayloadSize() int
	// Acquire takes a free block. The choice depends on nothing but the order
	// of calls.
	Acquire() block.Address
	// Release gives a block back. It stays readable, and is not taken again,
	// until a checkpoint that does not name it is durable.
	Release(block.Address)
	// Write writes an acquired block. fill is called once, now or later, and
	// returns how much of dst it used.
	Write(a block.Address, kind uint8, fill func(dst []byte) int, done func(block.Ref))
	// Read reads a block and verifies it. The payload is good until done
	// returns.
	Read(ref block.Ref, done func(payload []byte, err error))
	// WriteStream writes bytes into a chain of blocks, named by its head. The
	// content must not change until done.
	WriteStream(kind uint8, content []byte, done func(head block.Ref))
	// ReadStream reads what WriteStream wrote; the content is the caller's.
	ReadStream(head block.Ref, done func(content []byte, err error))
	// ReleaseStream releases all blocks of a stream.
	ReleaseStream(head block.Ref)
}

// root is by what a checkpoint is found.
//
//	offset size field
//	     0    4 version of the format: 1
//	     4   24 manifest: reference of the head of its stream
type root struct {
	manifest block.Ref
}

const (
	rootSize    = 4 + block.RefSize
	rootVersion = 1
)

func (r root) encode() []byte {
	b := make([]byte, rootSize)
	binary.LittleEndian.PutUint32(b, rootVersion)
	r.manifest.Put(b[4:])
	return b
}

// The manifest names the pages of all logs.
//
//	offset size field
//	     0    4 version of the format: 1
//	     4    4 size of a page in bytes
//	     8      four lists of pages: accounts, transfers, expiries, burnt ids;
//	            each is
//	         4    number of pages
//	        24    for each page, reference of its block
const (
	manifestVersion    = 1
	manifestHeaderSize = 8
)

func (f *Forest) logs() [4]*log {
	t := f.tables
	return [...]*log{&t.accounts.log, &t.transfers, &t.expiries, &t.burnt}
}

// writeFullPages hands the pages that no row will be added to to the grid. No
// scope is open, so their rows stay.
func (f *Forest) writeFullPages() {
	for _, l := range f.logs() {
		for ; l.flushed < len(l.pages)-1; l.flushed++ {
			f.writePage(l, l.flushed)
		}
	}
}

// writePage writes a page as it is now to a block of its own. The block that
// had its beginning, from an earlier checkpoint, is released.
func (f *Forest) writePage(l *log, n int) {
	p := &l.pages[n]
	if p.address != 0 {
		f.grid.Release(p.address)
	}
	p.address, p.written = f.grid.Acquire(), p.used
	f.writing++
	full := n < len(l.pages)-1
	f.grid.Write(p.address, l.kind, l.pages[n].encode, func(ref block.Ref) {
		p := &l.pages[n]
		p.ref = ref
		if full && !l.keep {
			p.data = nil
		}
		f.writing--
		if f.writing == 0 && f.written != nil {
			written := f.written
			f.written = nil
			written()
		}
	})
}

// encode returns the page as its block holds it.
func (p page) encode(dst []byte) int {
	n := copy(dst, p.data[:p.used])
	p.putHeader(dst)
	return n
}

// Checkpoint writes to the grid what is not there yet: the newest page of each
// log and the manifest. done is called later with the root, from which Open
// finds everything, after the next Sync of the disk. Until then there must be
// no Commit.
func (f *Forest) Checkpoint(done func(root []byte)) {
	for _, l := range f.logs() {
		if n := len(l.pages) - 1; n >= 0 && l.pages[n].written != l.pages[n].used {
			f.writePage(l, n)
		}
	}
	f.written = func() { f.writeManifest(done) }
	if f.writing == 0 {
		written := f.written
		f.written = nil
		written()
	}
}

func (f *Forest) writeManifest(done func(root []byte)) {
	if !f.root.manifest.IsZero() {
		f.grid.ReleaseStream(f.root.manifest)
	}
	b := make([]byte, 0, manifestHeaderSize)
	b = binary.LittleEndian.AppendUint32(b, manifestVersion)
	b = binary.LittleEndian.AppendUint32(b, uint32(f.grid.PayloadSize()))
	for _, l := range f.logs() {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(l.pages)))
		for i := range l.pages {
			var ref [block.RefSize]byte
			l.pages[i].ref.Put(ref[:])
			b = append(b, ref[:]...)
		}
	}
	f.grid.WriteStream(kindManifest, b, func(head block.Ref) {
		f.root.manifest = head
		done(f.root.encode())
	})
}
