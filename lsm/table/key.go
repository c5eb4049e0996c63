package table

import (
	"fmt"
	"math"
	"math/bits"
)

// WordsMax is the number of words of a Key.
const WordsMax = 3

// Key is what a tree is sorted by: words compared one after the other, the
// first one first. Trees with shorter keys leave the last words 0.
type Key [WordsMax]uint64

// KeyMin and KeyMax are the first and the last of all keys.
var (
	KeyMin = Key{}
	KeyMax = Key{math.MaxUint64, math.MaxUint64, math.MaxUint64}
)

// Less reports whether k comes before other.
func (k Key) Less(other Key) bool {
	if k[0] != other[0] {
		return k[0] < other[0]
	}
	if k[1] != other[1] {
		return k[1] < other[1]
	}
	return k[2] < other[2]
}

// Compare returns -1, 0 or 1 as k comes before, is equal to, or comes after
// other.
func (k Key) Compare(other Key) int {
	switch {
	case k == other:
		return 0
	case k.Less(other):
		return -1
	}
	return 1
}

// Next returns the key that follows k, and false if there is none.
func (k Key) Next() (next Key, ok bool) {
	for i := WordsMax - 1; i >= 0; i-- {
		k[i]++
		if k[i] != 0 {
			return k, true
		}
	}
	return k, false
}

// Before returns the key that k follows, and false if there is none.
func (k Key) Before() (before Key, ok bool) {
	for i := WordsMax - 1; i >= 0; i-- {
		k[i]--
		if k[i] != math.MaxUint64 {
			return k, true
		}
	}
	return k, false
}

// Hash mixes all of a key into 64 bits of which any are as good as any others.
// It is a part of the format, because filters are built from it:
//
//	h = mum(k0 ^ 9e3779b97f4a7c15, k1 ^ d1b54a32d192ed03)
//	hash = mum(h ^ k1 ^ k2, 8cb92ba72f3d8dd7) ^ h
//
// where mum is the upper half of a 128-bit product, xor its lower half. Keys
// chosen to collide make lookups slower, never wrong.
func (k Key) Hash() uint64 {
	hi, lo := bits.Mul64(k[0]^0x9e3779b97f4a7c15, k[1]^0xd1b54a32d192ed03)
	h := hi ^ lo
	hi, lo = bits.Mul64(h^k[1]^k[2], 0x8cb92ba72f3d8dd7)
	return hi ^ lo ^ h
}

// String returns the key in hexadecimal, as logs and error messages show it.
func (k Key) String() string { return fmt.Sprintf("%x.%x.%x", k[0], k[1], k[2]) }

// Tombstone is the value of an entry that says its key was removed. It is not
// a value that a key can have.
const Tombstone = math.MaxUint64

// Entry is a key with its value, or with Tombstone.
type Entry struct {
	Key   Key
	Value uint64
}
