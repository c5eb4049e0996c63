package grid

import (
	"fmt"
	"math/bits"

	"github.com/ledgerd/ledgerd/internal/block"
)

// blocksMax bounds the grid: 64 TiB of blocks of the default size, 32 MiB for
// each bitmap.
const blocksMax = 1 << 28

// Addressable reports whether a block can have this address.
func Addressable(a block.Address) bool { return a > 0 && a <= blocksMax }

// freeSet says which blocks are in use. Its bitmaps grow together.
//
// A released block goes through two sets before it is free: it is in releasing
// until the checkpoint that does without it is encoded, and in staged until the
// next one is. A free block can be acquired at once, but nothing is written to it
// until that next one is durable; the grid sees to that. So the blocks of the last
// two checkpoints are all there, always.
//
// Invariants:
//  1. unfinished, releasing and staged are subsets of acquired, and unwritten is
//     one of unfinished;
//  2. releasing and staged are disjoint;
//  3. every block whose word is below lowest is acquired.
type freeSet struct {
	acquired   bitmap // every block that is not free
	unwritten  bitmap // acquired since, and not yet given to Write
	unfinished bitmap // acquired since, and its write is not yet complete
	releasing  bitmap // released since the last checkpoint was encoded
	staged     bitmap // released between the one before it and that one
	lowest     int    // index of the lowest word that may have a free block
}

func (f *freeSet) acquire() block.Address {
	for f.lowest < len(f.acquired) && f.acquired[f.lowest] == ^uint64(0) {
		f.lowest++
	}
	if f.lowest == len(f.acquired) {
		f.grow(f.lowest + 1)
	}
	bit := f.lowest*64 + bits.TrailingZeros64(^f.acquired[f.lowest])
	a := block.Address(bit + 1)
	f.acquired.set(a)
	f.unwritten.set(a)
	f.unfinished.set(a)
	return a
}

// grow makes room for words * 64 blocks.
func (f *freeSet) grow(words int) {
	if words*64 > blocksMax {
		panic(fmt.Sprintf("grid: more than %d blocks", blocksMax))
	}
	for _, m := range []*bitmap{&f.acquired, &f.unwritten, &f.unfinished, &f.releasing, &f.staged} {
		for len(*m) < words {
			*m = append(*m, 0)
		}
	}
}

// held reports whether a is acquired and not released.
func (f *freeSet) held(a block.Address) bool {
	return f.acquired.has(a) && !f.releasing.has(a) && !f.staged.has(a)
}

func (f *freeSet) release(a block.Address) {
	if !f.held(a) {
		panic(fmt.Sprintf("grid: release of %v, which is not held", a))
	}
	f.releasing.set(a)
}

func (f *freeSet) markWritten(a block.Address) {
	if !f.held(a) || !f.unwritten.has(a) {
		panic(fmt.Sprintf("grid: write of %v, which is not held or was written before", a))
	}
	f.unwritten.unset(a)
}

func (f *freeSet) markFinished(a block.Address) { f.unfinished.unset(a) }

// readable reports whether a is in use and its write is complete. A released
// block can still be read.
func (f *freeSet) readable(a block.Address) bool {
	return f.acquired.has(a) && !f.unfinished.has(a)
}

// nextInUse returns the first block behind a that is readable and that the last
// checkpoint or the state since needs, 0 if there is none.
func (f *freeSet) nextInUse(a block.Address) block.Address {
	bit := int(a) // of the block behind a
	for i := bit / 64; i < len(f.acquired); i++ {
		word := f.inUse(i) &^ f.unfinished[i]
		if i == bit/64 {
			word &= ^uint64(0) << (bit % 64)
		}
		if word != 0 {
			return block.Address(i*64 + bits.TrailingZeros64(word) + 1)
		}
	}
	return 0
}

// checkWritten panics if a is not readable.
func (f *freeSet) checkWritten(a block.Address) {
	if !f.readable(a) {
		panic(fmt.Sprintf("grid: read of %v, which is free or was not written", a))
	}
}

// inUse returns a word of the blocks that were not released before the last
// checkpoint was encoded.
func (f *freeSet) inUse(word int) uint64 { return f.acquired[word] &^ f.staged[word] }

// stage begins a checkpoint: what was released before the one before it is free.
func (f *freeSet) stage() {
	for i, word := range f.staged {
		if word != 0 && i < f.lowest {
			f.lowest = i
		}
		f.acquired[i] &^= word
		f.unwritten[i] &^= word
		f.unfinished[i] &^= word
		f.staged[i] = 0
	}
	f.staged, f.releasing = f.releasing, f.staged
}

// words returns how many words hold the highest acquired block and all below.
func (f *freeSet) words() int {
	n := len(f.acquired)
	for n > 0 && f.acquired[n-1] == 0 {
		n--
	}
	return n
}

// bitmap has a bit for each block; block 1 is bit 0 of word 0.
type bitmap []uint64

func (m bitmap) has(a block.Address) bool {
	bit := uint64(a - 1) // address 0 wraps around and is out of range
	return bit < uint64(len(m))*64 && m[bit/64]>>(bit%64)&1 == 1
}

func (m bitmap) set(a block.Address) { m[(a-1)/64] |= 1 << ((a - 1) % 64) }

func (m bitmap) unset(a block.Address) { m[(a-1)/64] &^= 1 << ((a - 1) % 64) }

func (m bitmap) count() int {
	n := 0
	for _, word := range m {
		n += bits.OnesCount64(word)
	}
	return n
}
