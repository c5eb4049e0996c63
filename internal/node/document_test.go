package node

import (
	"encoding/binary"
	"math/big"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/ledgerd/ledgerd/vsr/superblock"
)

// TestDocument reads a ledger as docs/DATA_FILE.md says, with nothing of what
// the release itself reads it by: whoever changes a format without the document
// hears of it here.
func TestDocument(t *testing.T) {
	f := newLedger(t, 60)
	d := documented{t: t, file: f, blockSize: 8192}
	checkpoint := d.newestCopy()[128:]
	if size := u32(checkpoint, 128); size != 28 || u32(checkpoint, 136) != 2 {
		t.Fatalf("root of %d bytes, version %d", size, u32(checkpoint, 136))
	}
	manifest := d.stream(checkpoint[140:], 20) // section 5.2
	if u32(manifest, 0) != 3 || u32(manifest, 4) != 8192-64 || u64(manifest, 24) != 0 || u64(manifest, 32) != 1<<64-1 {
		t.Fatalf("manifest %x", manifest[:56])
	}
	var states [19][]byte
	rest := manifest[56:]
	for i := range states {
		size := u32(rest, 0)
		states[i], rest = rest[4:4+size], rest[4+size:]
	}
	if len(rest) != 0 {
		t.Fatalf("%d bytes behind the states", len(rest))
	}

	accounts := d.rows(states[0], 16, 18)
	if len(accounts) != 2 || u64(accounts[1].row, 16) != 2 || u64(accounts[1].row, 8) != u64(manifest, 8) {
		t.Errorf("accounts %x", accounts)
	}
	events := d.rows(states[1], 17, 19)
	positions := make(map[uint64]uint64) // of ids
	for i, e := range events {
		id, posted := field(e.row, 0), field(e.row, 7)
		if id != uint64(i+1) || field(e.row, 1) != 1 || posted != uint64(i+1) || field(e.row, 12) != 0 ||
			field(e.row, 13) != posted || field(e.row, 14) != 1 || field(e.row, 15) != 2 || u32(e.row, 24) != 0 || u32(e.row, 28) != 1 {
			t.Fatalf("row %d is %x", i, e.row)
		}
		if e.position < u64(manifest, 48) {
			positions[id] = e.position
		}
	}
	if len(events) < 600 || len(positions) != len(events) || u64(events[len(events)-1].row, 8) != u64(manifest, 16) {
		t.Errorf("%d events, %d of them indexed", len(events), len(positions))
	}
	last := events[len(events)-1]
	if end := last.position + uint64(len(last.row)); u64(states[2], 8) != end || u64(states[3], 8) != end {
		t.Errorf("arrays saved at %d and %d, not %d", u64(states[2], 8), u64(states[3], 8), end)
	}
	d.heads(states[2], positions[uint64(len(positions))])
	d.ids(states[4], positions)
}

func u32(b []byte, at int) int    { return int(binary.LittleEndian.Uint32(b[at:])) }
func u64(b []byte, at int) uint64 { return binary.LittleEndian.Uint64(b[at:]) }

// documented is a data file that is read by the document.
type documented struct {
	t         *testing.T
	file      *dataFile
	blockSize int64
}

// newestCopy returns a copy of the superblock of the highest sequence.
func (d *documented) newestCopy() (newest []byte) {
	for i := range int64(4) {
		if b := d.file.disk.Peek(i*superblock.CopySlotSize, 4096); newest == nil || u64(b, 32) > u64(newest, 32) {
			newest = b
		}
	}
	return newest
}

// payload returns what a block holds: section 4.
func (d *documented) payload(ref []byte, kind byte) []byte {
	d.t.Helper()
	b := d.file.disk.Peek(d.file.layout.GridOffset()+int64(u64(ref, 0)-1)*d.blockSize, int(d.blockSize))
	if string(b[:16]) != string(ref[8:24]) || u64(b, 16) != u64(ref, 0) || b[28] != kind {
		d.t.Fatalf("block %d of kind %d, not %d", u64(ref, 0), b[28], kind)
	}
	return b[64 : 64+u32(b, 24)]
}

func (d *documented) stream(ref []byte, kind byte) (content []byte) {
	d.t.Helper()
	for u64(ref, 0) != 0 {
		b := d.payload(ref, kind)
		ref, content = b[:24], append(content, b[32:]...)
	}
	return content
}

type documentedRow struct {
	position uint64
	row      []byte
}

// rows reads a log: sections 5.3 and 5.4. The keys of events are small.
func (d *documented) rows(state []byte, kind, directoryKind byte) (rows []documentedRow) {
	d.t.Helper()
	full, used, p := u32(state, 16), u32(state, 20), int(d.blockSize-64)
	entrySize := 32 + 8*2
	if kind == 17 {
		entrySize += 16 * 2
	}
	perChunk := p / entrySize
	chunks := full / perChunk
	var entries []byte
	for i := range chunks {
		entries = append(entries, d.payload(state[48+24*i:], directoryKind)...)
	}
	entries = append(entries, state[48+24*chunks:]...)
	if len(entries) != full*entrySize {
		d.t.Fatalf("%d bytes of entries for %d blocks", len(entries), full)
	}
	for number := range full + 1 {
		ref := state[24:48]
		if number < full {
			ref = entries[number*entrySize:]
		} else if used == 0 {
			break
		}
		b := d.payload(ref, kind)
		for part, bounds := range [][2]int{{0, 4032}, {4032, p}} {
			start, end := bounds[0], min(bounds[1], len(b))
			if number < full && xxhash.Sum64(b[start:end]) != u64(ref, 32+8*part) {
				d.t.Errorf("hash of part %d of block %d", part, number+1)
			}
			least := uint64(1<<64 - 1)
			for at := start; at+16 <= end && binary.LittleEndian.Uint16(b[at:]) != 0; {
				size := int(binary.LittleEndian.Uint16(b[at:]))
				rows = append(rows, documentedRow{uint64(number+1)<<20 + uint64(at), b[at : at+size]})
				if kind == 17 {
					least = min(least, field(b[at:at+size], 0))
				}
				at += size
			}
			if number < full && kind == 17 && (u64(ref, 48+16*part) != least || u64(ref, 56+16*part) != 0) {
				d.t.Errorf("fence of part %d of block %d", part, number+1)
			}
		}
	}
	if uint64(len(rows)) != u64(state, 8) {
		d.t.Errorf("%d rows, not %d", len(rows), u64(state, 8))
	}
	return rows
}

// field returns a small field of a row of events: section 5.6.
func field(row []byte, n int) uint64 {
	at := 32
	for i := range n + 1 {
		width := int(u64(row, 16) >> (4 * i) & 15)
		if width == 15 {
			width = 16
		}
		if i == n {
			var v uint64
			for k := range width {
				v |= uint64(row[at+k]) << (8 * k)
			}
			return v
		}
		at += width
	}
	return 0
}

// heads demands that both accounts have the newest row: section 5.7.
func (d *documented) heads(state []byte, newest uint64) {
	b := d.payload(state[16:], 21)
	if since := u64(state, 40); u32(state, 0) != 1 || len(b) != 4096 || since == 0 && (u64(b, 0) != newest || u64(b, 8) != newest) {
		d.t.Errorf("%d chunks of %d bytes, since %d: %d and %d, not %d", u32(state, 0), len(b), since, u64(b, 0), u64(b, 8), newest)
	}
}

// ids demands that tree 0 has all ids, but for those in memory: sections 5.9
// and 5.10.
func (d *documented) ids(state []byte, positions map[uint64]uint64) {
	d.t.Helper()
	memory := u32(state, 56) + u32(state, 60)
	at, found := 296, 0
	for range 8 {
		runs := u32(state, at)
		at += 4
		for range runs {
			parts := u32(state, at)
			at += 4
			for range parts {
				found += d.table(d.payload(state[at:], 32), positions)
				at += 128
			}
		}
	}
	if at != len(state) || found == 0 || found+memory != len(positions) {
		d.t.Errorf("%d ids in tables and %d in memory, of %d", found, memory, len(positions))
	}
}

// table checks the ids of a table by its root, and counts them.
func (d *documented) table(root []byte, positions map[uint64]uint64) (count int) {
	const words = 2
	x := root[u32(root, len(root)-4):]
	pages, before, lines := u32(x, 12), u32(x, 16), u32(x, 20)
	refs := 40 + 8*words
	pageRefs := refs + 24*before
	filter := x[pageRefs+pages*(8*words+16):]
	for i := range pages {
		ref := x[pageRefs+i*(8*words+16)+8*words:]
		if at := 64 + u32(ref, 12); at/256 != (at+int(binary.LittleEndian.Uint16(ref[10:]))-1)/256 {
			d.t.Errorf("page %d lies across the end of one", i)
		}
		b := root
		if n := int(binary.LittleEndian.Uint16(ref[8:])); n < before {
			b = d.payload(x[refs+24*n:], 32)
		}
		page := b[u32(ref, 12):][:binary.LittleEndian.Uint16(ref[10:])]
		if xxhash.Sum64(page) != u64(ref, 0) {
			d.t.Errorf("hash of page %d", i)
		}
		for _, e := range documentedPage(page) {
			if e.words[0] != 0 || positions[e.words[1]] != e.value || !mayContain(filter, lines, e.words) {
				d.t.Fatalf("entry %+v, the row is at %d", e, positions[e.words[1]])
			}
			count++
		}
	}
	return count
}

type documentedEntry struct {
	words [3]uint64
	value uint64
}

// documentedPage takes a page of keys of two words apart: section 5.11.
func documentedPage(page []byte) (entries []documentedEntry) {
	var e documentedEntry
	b := page[4:]
	take := func(n int) (v uint64) {
		for k := range n {
			v |= uint64(b[k]) << (8 * k)
		}
		b = b[n:]
		return v
	}
	for i := range int(binary.LittleEndian.Uint16(page)) {
		if i%32 == 0 {
			e = documentedEntry{}
		}
		control := take(1)
		same, difference := int(control&3), int(control>>2&7)+1
		lengths := uint64(0)
		if same < 1 {
			lengths = take(1)
		}
		e.words[same] += take(difference)
		if same < 1 {
			e.words[1] = take(int(lengths & 15))
		}
		size := int(control >> 5)
		if size == 6 {
			size = 8
		}
		x := take(size)
		e.value += x>>1 ^ -(x & 1)
		entries = append(entries, e)
	}
	return entries
}

// mayContain asks a filter: section 5.10.
func mayContain(filter []byte, lines int, k [3]uint64) bool {
	mum := func(x, y uint64) uint64 {
		product := new(big.Int).Mul(new(big.Int).SetUint64(x), new(big.Int).SetUint64(y))
		return new(big.Int).Rsh(product, 64).Uint64() ^ new(big.Int).And(product, new(big.Int).SetUint64(1<<64-1)).Uint64()
	}
	h := mum(k[0]^0x9e3779b97f4a7c15, k[1]^0xd1b54a32d192ed03)
	hash := mum(h^k[1]^k[2], 0x8cb92ba72f3d8dd7) ^ h
	line := filter[64*(hash>>32*uint64(lines)>>32):]
	for g, i := hash*0x9e3779b97f4a7c15, 0; i < 6; i++ {
		bit := g >> (9*i + 10) & 511
		if u64(line, int(bit/64)*8)>>(bit%64)&1 == 0 {
			return false
		}
	}
	return true
}
