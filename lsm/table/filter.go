package table

import (
	"encoding/binary"
	"math/bits"
)

// A filter is a blocked Bloom filter. A key has its bits in one line of 64
// bytes, so that a question costs one access to memory. Line and bits follow
// from Key.Hash:
//
//	line  = upper 32 bits * lines >> 32
//	g     = hash * 9e3779b97f4a7c15
//	bit i = bits 9i+10 .. 9i+18 of g, for i = 0 .. 5
//
// It is encoded as its lines, each 8 words, little-endian. 14 bits a key make
// 0.25 % of absent keys look present.
const (
	filterBitsPerKey = 14
	filterProbes     = 6
	filterLineSize   = 64
	filterLineWords  = filterLineSize / 8
)

// Filter says of most absent keys that they are absent. The zero Filter says
// so of none.
type Filter []uint64

// filterLines returns how many lines the filter of so many keys has.
func filterLines(keys int) int {
	return (keys*filterBitsPerKey + filterLineSize*8 - 1) / (filterLineSize * 8)
}

// newFilter returns the filter of the keys with these hashes.
func newFilter(hashes []uint64) Filter {
	f := make(Filter, filterLines(len(hashes))*filterLineWords)
	for _, hash := range hashes {
		line := f.line(hash)
		for g, i := hash*0x9e3779b97f4a7c15>>10, 0; i < filterProbes; i++ {
			line[g>>6&7] |= 1 << (g & 63)
			g >>= 9
		}
	}
	return f
}

func (f Filter) line(hash uint64) *[filterLineWords]uint64 {
	lines := uint64(len(f) / filterLineWords)
	n, _ := bits.Mul64(hash&^(1<<32-1), lines)
	return (*[filterLineWords]uint64)(f[n*filterLineWords:])
}

// Touch loads what MayContain will look at, so that the processor waits for the
// memory of many questions at once. What it returns means nothing.
func (f Filter) Touch(hash uint64) uint64 {
	if len(f) == 0 {
		return 0
	}
	return f.line(hash)[0]
}

// MayContain reports whether a key with this Hash may be in the table.
func (f Filter) MayContain(hash uint64) bool {
	if len(f) == 0 {
		return true
	}
	line := f.line(hash)
	// No early way out: a processor that need not guess asks the next filter
	// while it still waits for the memory of this one.
	g := hash * 0x9e3779b97f4a7c15 >> 10
	all := line[g>>6&7] >> (g & 63)
	for i := 1; i < filterProbes; i++ {
		g >>= 9
		all &= line[g>>6&7] >> (g & 63)
	}
	return all&1 != 0
}

// appendFilter appends the encoded filter to b.
func appendFilter(b []byte, f Filter) []byte {
	for _, word := range f {
		b = binary.LittleEndian.AppendUint64(b, word)
	}
	return b
}

// decodeFilter decodes all of b, which is whole lines.
func decodeFilter(b []byte) Filter {
	f := make(Filter, len(b)/8)
	for i := range f {
		f[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	return f
}
